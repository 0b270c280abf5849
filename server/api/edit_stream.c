/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of POST /v1/images/edits: previews as image_edit.partial_image, the end as
 * image_edit.completed, a failure as an event `error`, which OpenAI's clients throw. The final
 * image comes from disk through a result_loader. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/api/edits.h"
#include "server/api/handlers.h"
#include "server/api/result_loader.h"
#include "server/http/sse.h"

struct edit_stream {
    struct edit_jobs jobs; /* one */
    struct http_waker *waker;
    struct events_reader *reader;
    struct result_loader *loader;
    struct buffer data;  /* of the event handed out last */
    int64_t image_index; /* of the next partial image */
    int64_t created_s;
    int has_ended;
};

static void close_stream(void *state)
{
    struct edit_stream *stream = state;
    events_unsubscribe(stream->reader);
    result_loader_unref(stream->loader);
    http_waker_unref(stream->waker);
    buffer_finish(&stream->data);
    edit_jobs_finish(&stream->jobs, stream->has_ended);
    free(stream);
}

static enum sse_result hand_out(
    struct edit_stream *stream, const char *name, struct sse_event *ret_event)
{
    if (buffer_status(&stream->data, NULL) != PF_OK)
        return SSE_END;
    *ret_event =
        (struct sse_event){.name = name, .data = stream->data.data, .data_size = stream->data.size};
    return SSE_EVENT;
}

static void begin_image(struct edit_stream *stream, const char *type)
{
    buffer_clear(&stream->data);
    buffer_put_format(&stream->data,
        "{\"type\":\"%s\",\"created_at\":%lld,\"background\":\"auto\",\"quality\":\"auto\",", type,
        (long long)stream->created_s);
}

static enum sse_result hand_out_preview(
    struct edit_stream *stream, const struct event *event, struct sse_event *ret_event)
{
    static const char name[] = "image_edit.partial_image";
    char size[48];
    begin_image(stream, name);
    snprintf(size, sizeof size, "%lldx%lld", (long long)event->preview.width,
        (long long)event->preview.height);
    buffer_put_format(&stream->data,
        "\"partial_image_index\":%lld,\"output_format\":\"%s\",\"size\":\"%s\",\"b64_json\":\"",
        (long long)stream->image_index++, event->preview.format, size);
    buffer_put(&stream->data, event->preview.b64, event->preview.b64_size);
    buffer_put_text(&stream->data, "\"}");
    return hand_out(stream, name, ret_event);
}

static enum sse_result hand_out_error(struct edit_stream *stream, enum problem_kind kind,
    const char *message, const char *param, struct sse_event *ret_event)
{
    stream->has_ended = 1;
    buffer_clear(&stream->data);
    problem_put_json(
        &stream->data, &(struct problem){.kind = kind, .detail = message, .param = param});
    return hand_out(stream, "error", ret_event);
}

static enum sse_result hand_out_end(struct edit_stream *stream, struct sse_event *ret_event)
{
    static const char name[] = "image_edit.completed";
    const struct job *job;
    const struct buffer *base64;
    if (!result_loader_is_done(stream->loader))
        return SSE_PENDING;
    if (!result_loader_get(stream->loader, &job, &base64)) {
        const char *message = "the result can't be read";
        enum problem_kind kind = PROBLEM_INTERNAL;
        if (job && (job->status != JOB_SUCCEEDED || job_is_expired(job)))
            kind = edit_problem_of_job(job, &message);
        return hand_out_error(
            stream, kind, message, job && job->error.field[0] ? job->error.field : NULL, ret_event);
    }
    stream->has_ended = 1;
    begin_image(stream, name);
    buffer_put_format(&stream->data,
        "\"output_format\":\"%s\",\"size\":\"%lldx%lld\",\"usage\":{\"input_tokens\":0,"
        "\"input_tokens_details\":{\"image_tokens\":0,\"text_tokens\":0},\"output_tokens\":0,"
        "\"total_tokens\":0},\"b64_json\":\"",
        job->result.format, (long long)job->result.width, (long long)job->result.height);
    buffer_put(&stream->data, base64->data, base64->size);
    buffer_put_text(&stream->data, "\"}");
    return hand_out(stream, name, ret_event);
}

static enum sse_result hand_out_event(
    struct edit_stream *stream, const struct event *event, struct sse_event *ret_event)
{
    if (event->kind == EVENT_PREVIEW)
        return hand_out_preview(stream, event, ret_event);
    /* The loader fetches the job, whatever its end was. */
    stream->loader = result_loader_start(stream->jobs.api, stream->jobs.http, stream->waker,
        stream->jobs.owner, stream->jobs.ids[0]);
    if (!stream->loader)
        return hand_out_error(stream, PROBLEM_UNAVAILABLE, "out of memory", NULL, ret_event);
    return hand_out_end(stream, ret_event);
}

static enum sse_result next_event(void *state, struct sse_event *ret_event)
{
    struct edit_stream *stream = state;
    struct event *event;
    if (stream->has_ended)
        return SSE_END;
    if (stream->loader)
        return hand_out_end(stream, ret_event);
    for (;;) {
        enum events_result result = events_next(stream->reader, &event);
        if (result == EVENTS_PENDING)
            return SSE_PENDING;
        if (result != EVENTS_HAVE)
            return hand_out_error(
                stream, PROBLEM_UNAVAILABLE, "the server is shutting down", NULL, ret_event);
        enum sse_result handed = SSE_PENDING;
        int is_ours = event->kind == EVENT_PREVIEW || event_is_terminal(event);
        if (is_ours)
            handed = hand_out_event(stream, event, ret_event);
        event_unref(event);
        if (is_ours)
            return handed;
    }
}

void edit_respond_stream(struct http_request *request, struct edit_jobs *jobs)
{
    struct pf_error err = PF_ERROR_INIT;
    struct edit_stream *stream = calloc(1, sizeof *stream);
    struct http_waker *waker = stream ? http_waker_create(request) : NULL;
    if (!waker) {
        free(stream);
        edit_jobs_finish(jobs, 0);
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    stream->jobs = *jobs;
    stream->waker = waker;
    stream->created_s = clock_realtime_ms() / 1000;
    if (jobs_subscribe(jobs->api->jobs, jobs->owner, jobs->ids[0], 0, http_waker_wake, waker,
            &stream->reader, &err) != PF_OK) {
        close_stream(stream);
        api_fail_jobs(request, jobs->api, &err);
        return;
    }
    http_stream(
        request, &(struct sse_source){.state = stream, .next = next_event, .close = close_stream});
}
