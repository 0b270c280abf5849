/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/request_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/http/log.h"
#include "server/http/sse.h"

void http_add_header(struct http_request *request, const char *name, const char *value)
{
    if (request->header_count == HTTP_HEADERS_MAX || strpbrk(value, "\r\n"))
        return;
    char *own_name = strdup(name), *own_value = strdup(value);
    if (!own_name || !own_value) {
        free(own_name);
        free(own_value);
        return;
    }
    request->headers[request->header_count].name = own_name;
    request->headers[request->header_count++].value = own_value;
}

/* Every answer comes through here; takes `response`. Out of memory: the connection is closed
 * without an answer (status stays 0). */
static void set_response(struct http_request *request, int status, struct MHD_Response *response)
{
    if (!response)
        return;
    if (request->status != 0) {
        log_line(LOG_LEVEL_ERROR, "a handler answered twice", LOG_TEXT("request_id", request->id),
            LOG_TEXT("path", request->target));
        MHD_destroy_response(response);
        return;
    }
    request->status = status;
    request->response = response;
}

static void set_content_type(struct MHD_Response *response, const char *content_type)
{
    if (response && content_type)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
}

void http_respond_buffer(
    struct http_request *request, int status, const char *content_type, struct buffer *body)
{
    struct pf_error err = PF_ERROR_INIT;
    if (buffer_status(body, &err) != PF_OK) {
        buffer_finish(body);
        http_fail_error(request, NULL, &err);
        return;
    }
    size_t size;
    char *bytes = buffer_steal(body, &size);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        size, bytes, bytes ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response)
        free(bytes);
    set_content_type(response, content_type);
    set_response(request, status, response);
}

void http_respond_text(
    struct http_request *request, int status, const char *content_type, const char *text)
{
    struct buffer body = BUFFER_INIT;
    buffer_put_text(&body, text);
    http_respond_buffer(request, status, content_type, &body);
}

/* MHD's buffer parameter lacks a const it keeps to with MHD_RESPMEM_PERSISTENT. */
static void *without_const(const void *bytes)
{
    union {
        const void *in;
        void *out;
    } both = {.in = bytes};
    return both.out;
}

void http_respond_static(struct http_request *request, int status, const char *content_type,
    const void *bytes, size_t count)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(count, without_const(bytes), MHD_RESPMEM_PERSISTENT);
    set_content_type(response, content_type);
    set_response(request, status, response);
}

void http_respond_empty(struct http_request *request, int status)
{
    http_respond_static(request, status, NULL, "", 0);
}

static int client_has(const struct http_request *request, const char *quoted_etag)
{
    const char *list = http_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH);
    if (!list)
        return 0;
    char weak[160];
    snprintf(weak, sizeof weak, "W/%s", quoted_etag);
    return http_list_has(list, "*") || http_list_has(list, quoted_etag) ||
           http_list_has(list, weak);
}

void http_respond_file(
    struct http_request *request, const char *content_type, int fd, size_t size, const char *etag)
{
    if (etag) {
        char quoted[128];
        snprintf(quoted, sizeof quoted, "\"%s\"", etag);
        http_add_header(request, MHD_HTTP_HEADER_ETAG, quoted);
        if (client_has(request, quoted)) {
            close(fd);
            http_respond_empty(request, MHD_HTTP_NOT_MODIFIED);
            return;
        }
    }
    struct MHD_Response *response = MHD_create_response_from_fd(size, fd);
    if (!response)
        close(fd);
    set_content_type(response, content_type);
    set_response(request, MHD_HTTP_OK, response);
}

static void respond_problem(
    struct http_request *request, enum problem_kind kind, const char *param, const char *detail)
{
    struct buffer body = BUFFER_INIT;
    problem_put_json(&body, &(struct problem){.kind = kind,
                                .detail = detail,
                                .param = param,
                                .instance = request->target,
                                .request_id = request->id});
    if (buffer_status(&body, NULL) != PF_OK) {
        buffer_finish(&body);
        http_respond_static(request, problem_http_status(PROBLEM_UNAVAILABLE), NULL, "", 0);
        return;
    }
    http_respond_buffer(request, problem_http_status(kind), "application/problem+json", &body);
}

void http_fail(
    struct http_request *request, enum problem_kind kind, const char *param, const char *fmt, ...)
{
    char detail[PF_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    respond_problem(request, kind, param, detail);
}

void http_fail_error(struct http_request *request, const char *param, const struct pf_error *error)
{
    enum problem_kind kind = problem_of_status(error->status);
    if (kind == PROBLEM_INTERNAL)
        log_line(LOG_LEVEL_ERROR, error->message, LOG_TEXT("request_id", request->id),
            LOG_TEXT("path", request->target), LOG_TEXT("code", pf_status_name(error->status)));
    if (kind == PROBLEM_UNAVAILABLE)
        http_add_header(request, MHD_HTTP_HEADER_RETRY_AFTER, "5");
    respond_problem(request, kind, param, error->message);
}

void http_defer(struct http_request *request, const struct http_deferral *deferral)
{
    request->deferral = *deferral;
    request->has_deferral = 1;
}

void http_stream(struct http_request *request, const struct sse_source *source)
{
    http_add_header(request, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache, no-transform");
    http_add_header(request, "X-Accel-Buffering", "no");
    struct MHD_Response *response;
    if (strcmp(request->method, "HEAD") == 0) {
        source->close(source->state);
        response = MHD_create_response_from_buffer(0, without_const(""), MHD_RESPMEM_PERSISTENT);
    } else {
        response = sse_create_response(request, source);
    }
    set_content_type(response, "text/event-stream; charset=utf-8");
    set_response(request, MHD_HTTP_OK, response);
}

void http_respond_late(
    struct http_request *request, const char *content_type, const struct http_late_body *body)
{
    struct MHD_Response *response = late_create_response(request, body);
    http_add_header(request, "X-Accel-Buffering", "no");
    set_content_type(response, content_type);
    set_response(request, MHD_HTTP_OK, response);
}

struct http_waker *http_waker_create(struct http_request *request)
{
    struct suspension *suspension = request_suspension(request);
    /* A waker is the suspension under another name. */
    return suspension ? (struct http_waker *)(void *)suspension_ref(suspension) : NULL;
}

struct http_waker *http_waker_ref(struct http_waker *waker)
{
    suspension_ref((struct suspension *)(void *)waker);
    return waker;
}

void http_waker_unref(struct http_waker *waker)
{
    suspension_unref((struct suspension *)(void *)waker);
}

void http_waker_wake(void *waker)
{
    suspension_wake(waker);
}
