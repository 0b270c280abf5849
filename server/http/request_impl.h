/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_REQUEST_IMPL_H
#define SERVER_HTTP_REQUEST_IMPL_H

/* What the files of this folder share of a request and its server. Private to server/http. */

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/trace.h"
#include "server/http/executor.h"
#include "server/http/late_body.h"
#include "server/http/peers.h"
#include "server/http/query.h"
#include "server/http/request.h"
#include "server/http/server.h"
#include "server/http/suspend.h"

enum { HTTP_OWNER_SIZE = 64, HTTP_METHOD_SIZE = 16, HTTP_ADDRESS_SIZE = 300 };

/* A request's life. HTTP thread: all but HANDLING, in which `handled` tells when the handler's
 * thread is done with it. */
enum request_stage {
    REQUEST_NEW,        /* the request line is there */
    REQUEST_RECEIVING,  /* the body comes in */
    REQUEST_DISCARDING, /* answered already; the body is read and dropped */
    REQUEST_HANDLING,   /* belongs to the handler until `handled` */
    REQUEST_WAITING,    /* deferred */
    REQUEST_ANSWERED,   /* answer to be queued */
    REQUEST_QUEUED,     /* handed to libmicrohttpd */
};

struct http_request {
    struct executor_task task; /* first */
    struct http_server *server;
    struct MHD_Connection *connection;
    struct peer *peer;
    struct suspension *suspension; /* NULL until first needed */
    enum request_stage stage;
    atomic_int handled;
    int64_t started_us;

    char id[HTTP_REQUEST_ID_MAX + 1];
    char method[HTTP_METHOD_SIZE];
    char owner[HTTP_OWNER_SIZE];
    char trace[TRACE_SIZE]; /* of a traceparent header; "" without a good one */
    const char *log_key;    /* NULL: none */
    char log_value[HTTP_LOG_VALUE_MAX + 1];
    char *target; /* owned: path, NUL, query */
    const char *query_text;
    struct query query;
    struct route_match match;

    size_t received;  /* bytes of body */
    size_t accounted; /* of them counted in server->buffered_bytes */
    struct multipart *form;

    int status; /* 0: not answered yet */
    struct MHD_Response *response;
    int must_close;
    int is_chunkable; /* the client knows chunked bodies: HTTP/1.1 */
    struct {
        char *name, *value;
    } headers[HTTP_HEADERS_MAX];
    size_t header_count;
    int has_deferral;
    struct http_deferral deferral;
};

/* struct http_tuning, as threads read it. Locking: cors_lock guards the origins, which are replaced
 * whole; the rest is atomic (peers.h holds the limits of connections). */
struct tuned {
    atomic_size_t max_body_bytes, max_buffered_bytes, max_parts, max_field_bytes;
    atomic_llong ping_ms;
    pthread_rwlock_t cors_lock;
    char **cors_origins;
    size_t cors_origin_count;
};

struct http_server {
    struct http_server_options options; /* but for the tuning */
    struct tuned tuned;
    struct MHD_Daemon *daemon;
    struct suspender *suspender;
    struct executor *executor;
    struct peers *peers;
    char address[HTTP_ADDRESS_SIZE];
    atomic_int stopping;
    atomic_size_t requests; /* between first call and completion */
    atomic_size_t streams;
    atomic_size_t buffered_bytes;
    int listen_fd;
    struct keeper *keeper;
};

/* request.c */
struct http_request *request_create(struct http_server *server, struct MHD_Connection *connection,
    struct peer *peer, const char *target);
void request_destroy(struct http_request *request);
/* The suspension, made on first use; NULL when out of memory. */
struct suspension *request_suspension(struct http_request *request);
/* Gives body and form back before the request ends. */
void request_drop_body(struct http_request *request);

/* receive.c: the two halves of taking a request in. request_begin() is called once its headers are
 * there; request_take_body() for each piece; request_end_body() at the end. Each may leave the
 * request answered. request_begin() returns 1 when the answer must go out before the body. */
int request_begin(struct http_request *request, const char *method, const char *version);
void request_take_body(struct http_request *request, const char *bytes, size_t count);
void request_end_body(struct http_request *request);

/* dispatch.c: handles, waits, queues the answer. */
enum MHD_Result request_dispatch(struct http_request *request);
enum MHD_Result request_continue(struct http_request *request);
enum MHD_Result request_queue_answer(struct http_request *request);

/* tuning.c */
void tuned_init(struct tuned *tuned);
void tuned_finish(struct tuned *tuned);

/* sse.c, late_body.c: the responses that pull; NULL when out of memory (the source is closed then).
 */
struct MHD_Response *sse_create_response(
    struct http_request *request, const struct sse_source *source);
struct MHD_Response *late_create_response(
    struct http_request *request, const struct http_late_body *body);

#endif
