/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/server_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

enum { KEY_MAX = 4096 };

static enum pf_status read_url(char **ret_server, const char *text, struct pf_error *err)
{
    size_t size = strlen(text);
    size_t scheme = strncmp(text, "http://", 7) == 0    ? 7
                    : strncmp(text, "https://", 8) == 0 ? 8
                                                        : 0;
    size_t plain = 0;
    while (text[plain] > ' ' && text[plain] < 0x7f && !strchr("?#\"<>\\^`{|}", text[plain]))
        plain++;
    if (scheme == 0 || plain != size || strchr("/:@", text[scheme]))
        return pf_fail(
            err, PF_INVALID, "--server is '%.200s', expected http://HOST:PORT or https://…", text);
    if (strchr(text + scheme, '@'))
        return pf_fail(err, PF_INVALID, "--server: a name or password has no place in it");
    while (size > scheme && text[size - 1] == '/')
        size--;
    *ret_server = strndup(text, size);
    return *ret_server ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for an address");
}

static enum pf_status read_key(
    char **ret_key, const char *text, const char *place, struct pf_error *err)
{
    size_t size = strlen(text), plain = 0;
    while (size > 0 && strchr(" \t\r\n", text[size - 1]))
        size--;
    while (plain < size && text[plain] > ' ' && text[plain] < 0x7f)
        plain++;
    if (plain != size || size == 0)
        return pf_fail(err, PF_INVALID, "%s: expected one line of visible ASCII characters", place);
    *ret_key = strndup(text, size);
    return *ret_key ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for a key");
}

static enum pf_status find_key(char **ret_key, const char *key_file, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    const char *variable = getenv("PROMPTFIX_KEY");
    if (*key_file) {
        PF_TRY(file_read(key_file, KEY_MAX, &text, err));
        if (text.size != (text.data ? strlen(text.data) : 0))
            return pf_fail(err, PF_INVALID, "%s holds a zero byte", key_file);
        return read_key(ret_key, text.data ? text.data : "", key_file, err);
    }
    if (variable && *variable && strlen(variable) <= KEY_MAX)
        return read_key(ret_key, variable, "PROMPTFIX_KEY", err);
    *ret_key = strdup("");
    return *ret_key ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for a key");
}

enum pf_status server_access_open(
    struct server_access *ret_access, const struct server_options *options, struct pf_error *err)
{
    struct server_access access = {NULL, NULL};
    const char *variable = getenv("PROMPTFIX_SERVER");
    const char *server = *options->server        ? options->server
                         : variable && *variable ? variable
                                                 : "http://127.0.0.1:8080";
    PF_TRY(read_url(&access.server, server, err));
    enum pf_status status = find_key(&access.key, options->key_file, err);
    if (status != PF_OK) {
        server_access_close(&access);
        return status;
    }
    *ret_access = access;
    return PF_OK;
}

void server_access_close(struct server_access *access)
{
    free(access->server);
    free(access->key);
}

struct client_options server_client_options(
    const struct server_options *options, const struct server_access *access)
{
    return (struct client_options){.server = access->server,
        .key = access->key,
        .ca_file = options->ca_file,
        .retry_for_ms = options->retry_for_ms};
}
