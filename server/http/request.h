/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_REQUEST_H
#define SERVER_HTTP_REQUEST_H

/* One request, as a handler sees it: what was asked, and the ways to answer. A handler answers
 * exactly once, by one of the http_respond_…(), http_fail…(), http_stream() and http_defer()
 * functions; one that doesn't is a bug and gives 500. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "server/http/multipart.h"
#include "server/http/problem.h"
#include "server/http/router.h"

struct http_request;
struct http_server;

enum {
    HTTP_REQUEST_ID_MAX = 64, /* of a client's x-request-id; [A-Za-z0-9._-] */
    HTTP_HEADERS_MAX = 24,    /* added to one answer */
    HTTP_LOG_VALUE_MAX = 63,
};

/* ---- what was asked; texts live as long as the request ---- */

const char *http_method(const struct http_request *request);
const char *http_path(const struct http_request *request); /* raw, without query */
const char *http_request_id(const struct http_request *request);
const char *http_client_address(const struct http_request *request);
const struct http_route *http_route(const struct http_request *request);

/* A path parameter; "" when the route has none of that name. */
const char *http_path_param(const struct http_request *request, const char *name);
/* A query parameter, or NULL. http_check_query(): PF_INVALID when one is given that is not among
 * `names` (NULL-terminated). */
const char *http_query(const struct http_request *request, const char *name);
PF_MUST_CHECK enum pf_status http_check_query(
    const struct http_request *request, const char *const *names, struct pf_error *err);
/* A header, or NULL; the first of several. */
const char *http_header(const struct http_request *request, const char *name);
/* Whether the Accept header names this media type itself, not by a wildcard, with q > 0. */
int http_accepts(const struct http_request *request, const char *media_type);
/* Whether a header's comma-separated list, like Prefer or If-None-Match, holds `item`; and the
 * value of "item=value", as a whole number: -1 when absent, PF_INVALID when it is no number. */
int http_list_has(const char *list, const char *item);
PF_MUST_CHECK enum pf_status http_prefer_wait_s(
    const struct http_request *request, int64_t *ret_seconds, struct pf_error *err);

/* The parts of a form, complete; NULL on routes without one. It is there until the handler has
 * answered (a deferral keeps it) or gives it back early by http_release_body(). */
const struct multipart *http_form(const struct http_request *request);
void http_release_body(struct http_request *request);

/* Adds one value to this request's log line; the key lives as long as the program, the value is
 * copied (at most HTTP_LOG_VALUE_MAX bytes). */
void http_log_value(struct http_request *request, const char *key, const char *value);

/* Who asks, set by the server's authorize callback; "" when keys are not in use. */
const char *http_owner(const struct http_request *request);

/* Of the traceparent header; see base/trace.h. "" without a good one. */
const char *http_trace(const struct http_request *request);

/* ---- answers ---- */

/* Adds a header to the answer to come, whatever it will be. Name and value are copied; a value with
 * a line break is a bug and is left out. */
void http_add_header(struct http_request *request, const char *name, const char *value);

/* content_type NULL: no body. `body` is taken, also on failure. */
void http_respond_buffer(
    struct http_request *request, int status, const char *content_type, struct buffer *body);
void http_respond_text(
    struct http_request *request, int status, const char *content_type, const char *text);
/* Bytes that live as long as the program. */
void http_respond_static(struct http_request *request, int status, const char *content_type,
    const void *bytes, size_t count);
void http_respond_empty(struct http_request *request, int status);
/* `fd` is taken; its `size` bytes are the body. etag: without quotes, NULL for none; 304 when the
 * client has it already. */
void http_respond_file(
    struct http_request *request, const char *content_type, int fd, size_t size, const char *etag);

/* The problem body of problem.h. `param` may be NULL. */
void http_fail(struct http_request *request, enum problem_kind kind, const char *param,
    const char *fmt, ...) PF_PRINTF(4, 5);
/* A failed call's error, by problem_of_status(); IO and INTERNAL are logged and not told. */
void http_fail_error(struct http_request *request, const char *param, const struct pf_error *error);

/* ---- answers that take time ---- */

/* A counted handle that wakes this request, valid beyond it. http_waker_wake() has the form of a
 * callback; it may be called from any thread, at any time. NULL when out of memory. */
struct http_waker;
struct http_waker *http_waker_create(struct http_request *request);
struct http_waker *http_waker_ref(struct http_waker *waker);
void http_waker_unref(struct http_waker *waker); /* takes NULL */
void http_waker_wake(void *waker);

/* Waits, with no thread held. */
struct http_deferral {
    void *state;
    /* Whether the answer can be given; asked on the HTTP thread, after each wake: must not block.
     */
    int (*is_ready)(void *state);
    /* Answers, or not: then as a handler that forgot. Runs on a thread that may block, when
     * is_ready() said yes, the time is over or the server stops. */
    void (*answer)(struct http_request *request, void *state);
    void (*close)(void *state); /* exactly once, the answer given or not */
    int64_t until_ms;           /* clock_monotonic_ms() */
};
void http_defer(struct http_request *request, const struct http_deferral *deferral);

/* Runs a task on a thread that may block, apart from the request: the task must not touch it (a
 * waker is fine). PF_BUSY when there is no thread to be had. */
struct executor_task;
PF_MUST_CHECK enum pf_status http_run_task(
    struct http_server *server, struct executor_task *task, struct pf_error *err);
struct http_server *http_server_of(const struct http_request *request);

struct sse_source; /* sse.h */
/* Answers with an event stream; the source is closed exactly once, also on failure. */
void http_stream(struct http_request *request, const struct sse_source *source);

#endif
