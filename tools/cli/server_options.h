/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_SERVER_OPTIONS_H
#define TOOLS_CLI_SERVER_OPTIONS_H

/* Options of the commands that talk to a server, as rows for their tables. */

#include "config/option.h"
#include "tools/cli/client.h"

struct server_options {
    char *server, *key_file, *ca_file;
    int64_t retry_for_ms;
};

#define SERVER_OPTION_ROWS(type, member)                                                           \
    {"server", 's', OPTION_TEXT, 0, 1, offsetof(type, member.server), .value_name = "URL",         \
        .group = "Server",                                                                         \
        .doc = "Where promptfixd serves: http://HOST:PORT or https://HOST, with a path in front "  \
               "of /v1 where a proxy adds one. Without it $PROMPTFIX_SERVER, else "                \
               "http://127.0.0.1:8080."},                                                          \
        {"key_file", 0, OPTION_TEXT, 0, 1, offsetof(type, member.key_file), .value_name = "FILE",  \
            .group = "Server", .doc = "File that holds the API key. Without it $PROMPTFIX_KEY."},  \
        {"ca_file", 0, OPTION_TEXT, 0, 1, offsetof(type, member.ca_file), .value_name = "FILE",    \
            .group = "Server", .doc = "Certificates (PEM) to trust instead of the system's."},     \
    {                                                                                              \
        "retry_for", 0, OPTION_DURATION, 0, 1, offsetof(type, member.retry_for_ms), 0, 864e5,      \
            "10min",                                                                               \
            .group = "Server",                                                                     \
            .doc = "How long a request is tried again while the server is out of reach, "          \
                   "starting or full. Pauses grow to 30 s; a longer one that the server asks for " \
                   "(Retry-After) is kept."                                                        \
    }

/* The same, checked: URL without its last slash, the key read. */
struct server_access {
    char *server, *key; /* owned */
};
PF_MUST_CHECK enum pf_status server_access_open(
    struct server_access *ret_access, const struct server_options *options, struct pf_error *err);
void server_access_close(struct server_access *access);

/* Client options of both, which are borrowed. */
struct client_options server_client_options(
    const struct server_options *options, const struct server_access *access);

#endif
