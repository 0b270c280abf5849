/* SPDX-License-Identifier: Apache-2.0 */
/* From a whole request to a queued answer. A handler runs on a thread of the executor while its
 * connection sleeps; `handled` is the last thing that thread writes, and the wake that follows goes
 * through a reference of its own, because the HTTP thread may end the request in between. A waker
 * the handler gave away doesn't resume the connection before: libmicrohttpd could find its client
 * gone then, and end the request under the handler. */
#include "server/http/request_impl.h"

#include <stdio.h>

#include "base/clock.h"
#include "server/http/log.h"

static void finish_handling(struct http_request *request)
{
    if (request->status == 0 && !request->has_deferral) {
        log_line(LOG_LEVEL_ERROR, "a handler gave no answer", LOG_TEXT("request_id", request->id),
            LOG_TEXT("path", request->target));
        http_fail(request, PROBLEM_INTERNAL, NULL, "no answer");
    }
    if (!request->has_deferral)
        request_drop_body(request);
}

static void run_handler(struct http_request *request)
{
    request->match.route->handle(request, request->server->options.context);
    finish_handling(request);
}

static void run_deferred(struct http_request *request)
{
    struct http_deferral deferral = request->deferral;
    request->has_deferral = 0;
    deferral.answer(request, deferral.state);
    deferral.close(deferral.state);
    finish_handling(request);
}

static void release(struct http_request *request, void (*run)(struct http_request *request))
{
    struct suspension *suspension = suspension_ref(request->suspension);
    run(request);
    atomic_store(&request->handled, 1);
    suspension_release(suspension);
    suspension_unref(suspension);
}

static void handler_task(struct executor_task *task)
{
    release((struct http_request *)task, run_handler);
}

static void deferred_task(struct executor_task *task)
{
    release((struct http_request *)task, run_deferred);
}

/* Hands the request to a thread; it is answered with 503 when there is none to be had. */
static void start_task(struct http_request *request, void (*run)(struct executor_task *task))
{
    struct pf_error err = PF_ERROR_INIT;
    request->task.run = run;
    request->stage = REQUEST_HANDLING;
    atomic_store(&request->handled, 0);
    if (request_suspension(request) &&
        executor_submit(request->server->executor, &request->task, &err) == PF_OK)
        return;
    http_add_header(request, MHD_HTTP_HEADER_RETRY_AFTER, "2");
    http_fail(request, PROBLEM_UNAVAILABLE, NULL, "%s", err.message);
    atomic_store(&request->handled, 1);
}

enum MHD_Result request_dispatch(struct http_request *request)
{
    if (request->match.route->attributes & ROUTE_INLINE) {
        run_handler(request);
        request->stage = request->status != 0 ? REQUEST_ANSWERED : REQUEST_WAITING;
        /* A deferral needs somewhere to sleep. */
        if (request->stage == REQUEST_WAITING && !request_suspension(request))
            return MHD_NO;
    } else {
        start_task(request, handler_task);
    }
    return request_continue(request);
}

/* Whether a deferred request is to be answered now. */
static int is_due(struct http_request *request)
{
    return request->deferral.is_ready(request->deferral.state) ||
           clock_monotonic_ms() >= request->deferral.until_ms ||
           suspension_is_stopping(request->suspension);
}

enum MHD_Result request_continue(struct http_request *request)
{
    for (;;) {
        switch (request->stage) {
        case REQUEST_HANDLING:
            if (atomic_load(&request->handled))
                request->stage = request->status != 0 ? REQUEST_ANSWERED : REQUEST_WAITING;
            else if (suspension_sleep(request->suspension, SUSPEND_UNWATCHED, INT64_MAX))
                return MHD_YES;
            break;
        case REQUEST_WAITING:
            if (suspension_is_gone(request->suspension))
                return MHD_NO;
            if (is_due(request))
                start_task(request, deferred_task);
            else if (suspension_sleep(
                         request->suspension, SUSPEND_WATCHED, request->deferral.until_ms))
                return MHD_YES;
            break;
        case REQUEST_ANSWERED:
            return request_queue_answer(request);
        case REQUEST_NEW:
        case REQUEST_RECEIVING:
        case REQUEST_DISCARDING:
        case REQUEST_QUEUED:
            return MHD_NO;
        }
    }
}

enum MHD_Result request_queue_answer(struct http_request *request)
{
    struct MHD_Response *response = request->response;
    if (!response)
        return MHD_NO;
    char timing[48];
    snprintf(timing, sizeof timing, "total;dur=%.1f",
        (double)(clock_monotonic_us() - request->started_us) / 1000.0);
    (void)MHD_add_response_header(response, "X-Request-Id", request->id);
    (void)MHD_add_response_header(response, "Server-Timing", timing);
    for (size_t i = 0; i < request->header_count; i++)
        (void)MHD_add_response_header(
            response, request->headers[i].name, request->headers[i].value);
    if (request->must_close)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result result =
        MHD_queue_response(request->connection, (unsigned)request->status, response);
    request->response = NULL;
    request->stage = REQUEST_QUEUED;
    MHD_destroy_response(response);
    return result;
}
