/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/request_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/id.h"

struct http_request *request_create(struct http_server *server, struct MHD_Connection *connection,
    struct peer *peer, const char *target)
{
    struct http_request *request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    request->target = strdup(target);
    if (!request->target || id_create(request->id, NULL) != PF_OK) {
        free(request->target);
        free(request);
        return NULL;
    }
    request->server = server;
    request->connection = connection;
    request->peer = peer;
    request->started_us = clock_monotonic_us();
    char *question = strchr(request->target, '?');
    request->query_text = "";
    if (question) {
        *question = 0;
        request->query_text = question + 1;
    }
    return request;
}

void request_drop_body(struct http_request *request)
{
    multipart_destroy(request->form);
    request->form = NULL;
    atomic_fetch_sub(&request->server->buffered_bytes, request->accounted);
    request->accounted = 0;
}

void request_destroy(struct http_request *request)
{
    if (request->has_deferral)
        request->deferral.close(request->deferral.state);
    if (request->suspension)
        suspension_end(request->suspension);
    request_drop_body(request);
    query_finish(&request->query);
    if (request->response)
        MHD_destroy_response(request->response);
    for (size_t i = 0; i < request->header_count; i++) {
        free(request->headers[i].name);
        free(request->headers[i].value);
    }
    free(request->target);
    free(request);
}

struct suspension *request_suspension(struct http_request *request)
{
    if (!request->suspension) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        request->suspension = suspension_create(
            request->server->suspender, request->connection, info ? info->connect_fd : -1);
    }
    return request->suspension;
}

const char *http_method(const struct http_request *request)
{
    return request->method;
}

const char *http_path(const struct http_request *request)
{
    return request->target;
}

const char *http_request_id(const struct http_request *request)
{
    return request->id;
}

const char *http_client_address(const struct http_request *request)
{
    return peer_get_address(request->peer);
}

const struct http_route *http_route(const struct http_request *request)
{
    return request->match.route;
}

const char *http_path_param(const struct http_request *request, const char *name)
{
    return route_match_get(&request->match, name);
}

const char *http_query(const struct http_request *request, const char *name)
{
    return query_get(&request->query, name);
}

enum pf_status http_check_query(
    const struct http_request *request, const char *const *names, struct pf_error *err)
{
    for (size_t i = 0; i < request->query.count; i++) {
        const char *const *name = names;
        while (*name && strcmp(*name, request->query.pairs[i].name) != 0)
            name++;
        if (!*name)
            return pf_fail(err, PF_INVALID, "query parameter '%.64s' is not known here",
                request->query.pairs[i].name);
    }
    return PF_OK;
}

const char *http_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const struct multipart *http_form(const struct http_request *request)
{
    return request->form;
}

void http_release_body(struct http_request *request)
{
    request_drop_body(request);
}

struct http_server *http_server_of(const struct http_request *request)
{
    return request->server;
}

enum pf_status http_run_task(
    struct http_server *server, struct executor_task *task, struct pf_error *err)
{
    return executor_submit(server->executor, task, err);
}

const char *http_owner(const struct http_request *request)
{
    return request->owner;
}

const char *http_trace(const struct http_request *request)
{
    return request->trace;
}

void http_log_value(struct http_request *request, const char *key, const char *value)
{
    request->log_key = key;
    snprintf(request->log_value, sizeof request->log_value, "%s", value);
}

void http_set_owner(struct http_request *request, const char *owner)
{
    size_t size = strlen(owner);
    if (size >= sizeof request->owner)
        size = sizeof request->owner - 1;
    memcpy(request->owner, owner, size);
    request->owner[size] = 0;
}

/* The next item of a comma-separated list, trimmed; its size, 0 at the end. */
static size_t next_item(const char **list, const char **ret_item)
{
    const char *at = *list + strspn(*list, ", \t");
    size_t size = strcspn(at, ",");
    *list = at + size;
    while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t'))
        size--;
    *ret_item = at;
    return size;
}

int http_list_has(const char *list, const char *item)
{
    const char *found;
    size_t size;
    while ((size = next_item(&list, &found)) > 0)
        if (size == strlen(item) && strncasecmp(found, item, size) == 0)
            return 1;
    return 0;
}

/* Whether the parameters of an Accept item refuse it: "; q=0", "; q=0.0". */
static int has_zero_q(const char *parameters, size_t size)
{
    for (size_t i = 0; i + 2 < size; i++) {
        if ((parameters[i] != 'q' && parameters[i] != 'Q') || parameters[i + 1] != '=' ||
            (i > 0 && !strchr("; \t", parameters[i - 1])))
            continue;
        for (i += 2; i < size && parameters[i] != ';'; i++)
            if (parameters[i] >= '1' && parameters[i] <= '9')
                return 0;
        return 1;
    }
    return 0;
}

int http_accepts(const struct http_request *request, const char *media_type)
{
    const char *list = http_header(request, MHD_HTTP_HEADER_ACCEPT);
    if (!list)
        return 0;
    const char *item;
    size_t size, wanted = strlen(media_type);
    while ((size = next_item(&list, &item)) > 0)
        if (size >= wanted && strncasecmp(item, media_type, wanted) == 0 &&
            (size == wanted || strchr("; \t", item[wanted])))
            return !has_zero_q(item + wanted, size - wanted);
    return 0;
}

enum pf_status http_prefer_wait_s(
    const struct http_request *request, int64_t *ret_seconds, struct pf_error *err)
{
    *ret_seconds = -1;
    const char *list = http_header(request, "Prefer");
    if (!list)
        return PF_OK;
    const char *item;
    size_t size;
    while ((size = next_item(&list, &item)) > 0) {
        if (size < 5 || strncasecmp(item, "wait=", 5) != 0)
            continue;
        size_t digits = strspn(item + 5, "0123456789");
        if (digits == 0 || digits > 9 || digits != size - 5)
            return pf_fail(err, PF_INVALID, "Prefer: '%.*s', expected wait=SECONDS",
                (int)(size < 40 ? size : 40), item);
        *ret_seconds = strtoll(item + 5, NULL, 10);
        return PF_OK;
    }
    return PF_OK;
}
