/* SPDX-License-Identifier: Apache-2.0 */
/* Event streams: GET /v1/jobs/{id}/events, and the answer of POST /v1/jobs.
 *
 * A stream is the reader of a job's channel, with up to one event put before it: the snapshot that
 * opens a fresh connection. With ?include=image the succeeded event carries the image, which comes
 * from disk: it waits for a result_loader. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "server/api/handlers.h"
#include "server/api/result_loader.h"
#include "server/http/sse.h"

struct event_stream {
    struct api *api;
    struct http_server *http;
    struct http_waker *waker;
    struct events_reader *reader;
    char job[ID_SIZE];
    char owner[JOB_OWNER_SIZE];
    int include_image;

    struct buffer snapshot; /* data of the first event */
    int64_t snapshot_id;    /* -1 once sent, or without */
    enum event_kind snapshot_kind;

    struct event *event; /* the one handed out last, or waiting for its image */
    struct result_loader *loader;
    struct buffer whole; /* data of the succeeded event with its image */
    int has_ended;
};

static void close_stream(void *state)
{
    struct event_stream *stream = state;
    events_unsubscribe(stream->reader);
    result_loader_unref(stream->loader);
    http_waker_unref(stream->waker);
    event_unref(stream->event);
    buffer_finish(&stream->snapshot);
    buffer_finish(&stream->whole);
    free(stream);
}

/* The job as the data of its state event: the job object with its id as `job` in front. */
static void put_state(struct buffer *out, const struct job *job, const struct job_view *view)
{
    AUTO_BUFFER struct buffer object = BUFFER_INIT;
    job_put_json(&object, job, view);
    if (object.status != PF_OK) {
        out->status = object.status;
        return;
    }
    buffer_put_format(out, "{\"job\":\"%s\",", job->id);
    buffer_put(out, object.data + 1, object.size - 1);
}

/* Without the image if it can't be had: its URL is in the event. */
static void put_whole(struct event_stream *stream)
{
    const struct job *job;
    const struct buffer *base64;
    if (!result_loader_get(stream->loader, &job, &base64))
        return;
    put_state(&stream->whole, job,
        &(struct job_view){
            .eta_ms = -1, .image_b64 = base64->data, .image_b64_size = base64->size});
    if (stream->whole.status != PF_OK)
        buffer_finish(&stream->whole);
}

static enum sse_result hand_out(struct event_stream *stream, struct sse_event *ret_event)
{
    const struct event *event = stream->event;
    int has_image = stream->whole.size > 0;
    *ret_event = (struct sse_event){.id = event->id,
        .name = event->name,
        .data = has_image ? stream->whole.data : event->data,
        .data_size = has_image ? stream->whole.size : event->data_size};
    stream->has_ended = event_is_terminal(event);
    return SSE_EVENT;
}

static enum sse_result next_from_reader(struct event_stream *stream, struct sse_event *ret_event)
{
    if (stream->loader) {
        if (!result_loader_is_done(stream->loader))
            return SSE_PENDING;
        put_whole(stream);
        return hand_out(stream, ret_event);
    }
    event_unref(stream->event);
    stream->event = NULL;
    switch (events_next(stream->reader, &stream->event)) {
    case EVENTS_PENDING:
        return SSE_PENDING;
    case EVENTS_END:
    case EVENTS_CLOSED:
        return SSE_END;
    case EVENTS_HAVE:
        break;
    }
    if (stream->event->kind == EVENT_SUCCEEDED && stream->include_image) {
        stream->loader = result_loader_start(
            stream->api, stream->http, stream->waker, stream->owner, stream->job);
        if (stream->loader)
            return next_from_reader(stream, ret_event);
    }
    return hand_out(stream, ret_event);
}

static enum sse_result next_event(void *state, struct sse_event *ret_event)
{
    struct event_stream *stream = state;
    if (stream->has_ended)
        return SSE_END;
    if (stream->snapshot_id >= 0) {
        *ret_event = (struct sse_event){.id = stream->snapshot_id,
            .name = event_kind_name(stream->snapshot_kind),
            .data = stream->snapshot.data,
            .data_size = stream->snapshot.size};
        stream->snapshot_id = -1;
        stream->has_ended = stream->snapshot_kind >= EVENT_SUCCEEDED;
        return SSE_EVENT;
    }
    return next_from_reader(stream, ret_event);
}

static struct event_stream *create_stream(
    struct http_request *request, struct api *api, const char *job, int include_image)
{
    struct event_stream *stream = calloc(1, sizeof *stream);
    struct http_waker *waker = stream ? http_waker_create(request) : NULL;
    if (!waker) {
        free(stream);
        return NULL;
    }
    stream->include_image = include_image;
    stream->api = api;
    stream->http = http_server_of(request);
    stream->waker = waker;
    stream->snapshot_id = -1;
    snprintf(stream->job, sizeof stream->job, "%s", job);
    snprintf(stream->owner, sizeof stream->owner, "%s", http_owner(request));
    return stream;
}

/* Takes `stream`. */
static void start_stream(struct http_request *request, struct event_stream *stream)
{
    http_stream(
        request, &(struct sse_source){.state = stream, .next = next_event, .close = close_stream});
}

static enum pf_status subscribe(struct event_stream *stream, int64_t after_id, struct pf_error *err)
{
    return jobs_subscribe(stream->api->jobs, stream->owner, stream->job, after_id, http_waker_wake,
        stream->waker, &stream->reader, err);
}

void api_respond_events(struct http_request *request, struct api *api, const char *job,
    int64_t after_id, int include_image)
{
    struct pf_error err = PF_ERROR_INIT;
    struct event_stream *stream = create_stream(request, api, job, include_image);
    if (!stream) {
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    if (subscribe(stream, after_id, &err) != PF_OK) {
        close_stream(stream);
        api_fail_jobs(request, api, &err);
        return;
    }
    start_stream(request, stream);
}

/* A fresh connection: the job as it stands, then what follows. */
static enum pf_status take_snapshot(struct event_stream *stream, struct pf_error *err)
{
    struct jobs_snapshot snapshot;
    PF_TRY(jobs_get_snapshot(stream->api->jobs, stream->owner, stream->job, &snapshot, err));
    AUTO_JOB struct job *job = snapshot.job;
    stream->snapshot_id = snapshot.last_id;
    stream->snapshot_kind = snapshot.kind;
    struct job_view view;
    AUTO_BUFFER struct buffer base64 = BUFFER_INIT;
    jobs_get_view(stream->api->jobs, job, &view);
    if (stream->include_image && job->status == JOB_SUCCEEDED) {
        PF_TRY(api_put_result(&base64, stream->api, job, err));
        view.image_b64 = base64.data;
        view.image_b64_size = base64.size;
    }
    put_state(&stream->snapshot, job, &view);
    PF_TRY(buffer_status(&stream->snapshot, err));
    return subscribe(stream, snapshot.last_id, err);
}

/* A client that comes back: 204 when it has heard the end already. That is for the hub to say, not
 * for the job: a job is known to have ended a moment before its last event is published. An event
 * that is there is left to be read again. */
static enum pf_status resume(
    struct event_stream *stream, int64_t last_id, int *ret_is_over, struct pf_error *err)
{
    struct event *event = NULL;
    PF_TRY(subscribe(stream, last_id, err));
    enum events_result result = events_next(stream->reader, &event);
    *ret_is_over = result == EVENTS_END;
    if (result != EVENTS_HAVE)
        return PF_OK;
    event_unref(event);
    events_unsubscribe(stream->reader);
    stream->reader = NULL;
    return subscribe(stream, last_id, err);
}

void handle_get_events(struct http_request *request, void *context)
{
    struct api *api = context;
    struct pf_error err = PF_ERROR_INIT;
    int64_t last_id = 0;
    int include_image, is_over = 0;
    if (!api_read_include(request, &include_image))
        return;
    if (sse_parse_last_id(http_header(request, "Last-Event-ID"), &last_id, &err) != PF_OK) {
        http_fail_error(request, "Last-Event-ID", &err);
        return;
    }
    struct event_stream *stream =
        create_stream(request, api, http_path_param(request, "id"), include_image);
    if (!stream) {
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    enum pf_status status =
        last_id > 0 ? resume(stream, last_id, &is_over, &err) : take_snapshot(stream, &err);
    if (status != PF_OK || is_over) {
        close_stream(stream);
        if (is_over)
            http_respond_empty(request, 204);
        else
            api_fail_result(request, api, http_path_param(request, "id"), &err);
        return;
    }
    start_stream(request, stream);
}
