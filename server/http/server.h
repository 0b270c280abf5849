/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_SERVER_H
#define SERVER_HTTP_SERVER_H

/* The HTTP server: libmicrohttpd on one thread, handlers on a few others. Knows nothing of jobs. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "server/http/request.h"
#include "server/http/router.h"

struct http_server;

enum {
    HTTP_CONNECTION_MEMORY = 32 * 1024, /* request line and headers of one connection, at most */
    HTTP_CONNECTIONS_SPARE = 128,       /* beyond max_connections, to tell them that it is full */
    HTTP_EXECUTOR_WAITING_MAX = 4096,   /* requests waiting for a thread */
    HTTP_MANY_PARTS_MAX = 1032,         /* of a form with ROUTE_MANY_PARTS */
    HTTP_STALL_S = 60,                  /* a client that takes no byte that long is closed */
    HTTP_IDLE_MS = 75000,               /* between requests of a connection */
    HTTP_TICK_MS = 100,                 /* precision of deadlines, and of seeing a client go */
    HTTP_DRAIN_FACTOR = 4, /* a refused body is read up to so many times the limit, then cut off */
};

/* What is known of a finished request, for logs and metrics. */
struct http_summary {
    const struct http_route *route; /* NULL: none matched */
    int status;
    int64_t duration_us;
    int64_t body_bytes; /* received */
};

/* What can be changed while it serves: it then holds for what begins from there on. */
struct http_tuning {
    size_t max_connections_per_address; /* 0: none */
    size_t max_body_bytes;
    size_t max_buffered_bytes; /* bodies of all requests together, being received or handled */
    size_t max_parts;
    size_t max_field_bytes;
    int64_t request_deadline_ms;
    int64_t ping_ms;                 /* of event streams and late bodies */
    const char *const *cors_origins; /* "https://example.org", exactly; copied */
    size_t cors_origin_count;
};

struct http_server_options {
    const char *host; /* name or address to bind */
    unsigned port;    /* 0: the kernel chooses */
    struct http_tuning tuning;
    const struct http_route *routes;
    size_t route_count;
    void *context; /* for handlers and callbacks */

    size_t max_connections;
    size_t executor_threads;
    const char *tls_certificate,
        *tls_key; /* PEM texts, borrowed until it has started; NULL: plain */

    /* Whether this request may go on, asked when its headers are there; may set http_set_owner(),
     * or answer by http_fail(). NULL: all may. Must not block. */
    void (*authorize)(struct http_request *request, void *context);
    /* Called once for every finished request. NULL: not. */
    void (*finished)(const struct http_summary *summary, void *context);
};

/* Defaults: 127.0.0.1:8080, 1000 connections, no limit per address, 32 MiB bodies, 32 parts, 16 KiB
 * fields, 512 MiB buffered, 120 s, ping 15 s, 8 threads; no routes. */
void http_server_options_init(struct http_server_options *options);

/* Listens and serves until http_server_stop(). `options` is copied, what it points to is borrowed.
 * PF_INVALID: host unknown; PF_IO: address in use, …; PF_NOMEM. */
PF_MUST_CHECK enum pf_status http_server_start(struct http_server **ret_server,
    const struct http_server_options *options, struct pf_error *err);

/* Changes the tuning; from any thread. PF_NOMEM: it stays as it was. */
PF_MUST_CHECK enum pf_status http_server_tune(
    struct http_server *server, const struct http_tuning *tuning, struct pf_error *err);

/* Address and port it listens on: "127.0.0.1:8080", "[::1]:8080". */
const char *http_server_address(const struct http_server *server);

/* Takes no more connections, lets handlers finish, ends streams and deferrals, stops. Takes NULL.
 */
void http_server_stop(struct http_server *server);

struct http_server_stats {
    size_t connections;
    size_t asleep;         /* streams and waiting requests */
    size_t streams;        /* open event streams */
    size_t buffered_bytes; /* bodies held */
};
void http_server_get_stats(struct http_server *server, struct http_server_stats *ret_stats);

/* For authorize(): the owner of this request, copied (at most 63 bytes). */
void http_set_owner(struct http_request *request, const char *owner);

#endif
