/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/batches, GET /v1/batches/{id}, …/events, …/cancel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/api/batch_form.h"
#include "server/api/handlers.h"
#include "server/api/submit.h"
#include "server/http/sse.h"
#include "server/jobs/batch.h"
#include "server/webhooks/webhooks.h"

static int refuse_query(struct http_request *request)
{
    struct pf_error err = PF_ERROR_INIT;
    if (http_check_query(request, (const char *const[]){NULL}, &err) == PF_OK)
        return 0;
    http_fail_error(request, NULL, &err);
    return 1;
}

static void respond_batch(struct http_request *request, int status, const struct batch *batch)
{
    struct buffer body = BUFFER_INIT;
    batch_put_json(&body, batch, NULL);
    http_add_header(request, "Cache-Control", "no-store");
    http_respond_buffer(request, status, "application/json", &body);
}

/* ---- events ---- */

struct batch_stream {
    struct http_waker *waker;
    struct events_reader *reader;
    struct buffer snapshot; /* of a fresh stream: comes first */
    int has_snapshot;
    struct event *event;
    int is_handed_out; /* `event` has gone */
    int has_ended;
};

static void close_stream(void *state)
{
    struct batch_stream *stream = state;
    events_unsubscribe(stream->reader);
    http_waker_unref(stream->waker);
    event_unref(stream->event);
    buffer_finish(&stream->snapshot);
    free(stream);
}

static enum sse_result next_event(void *state, struct sse_event *ret_event)
{
    struct batch_stream *stream = state;
    if (stream->has_ended)
        return SSE_END;
    if (stream->has_snapshot) {
        stream->has_snapshot = 0;
        *ret_event = (struct sse_event){
            .name = "batch", .data = stream->snapshot.data, .data_size = stream->snapshot.size};
        return SSE_EVENT;
    }
    if (!stream->event || stream->is_handed_out) {
        event_unref(stream->event);
        stream->event = NULL;
        stream->is_handed_out = 0;
        enum events_result result = events_next(stream->reader, &stream->event);
        if (result != EVENTS_HAVE)
            return result == EVENTS_PENDING ? SSE_PENDING : SSE_END;
    }
    const struct event *event = stream->event;
    *ret_event = (struct sse_event){
        .id = event->id, .name = event->name, .data = event->data, .data_size = event->data_size};
    stream->is_handed_out = 1;
    stream->has_ended = event_is_terminal(event);
    return SSE_EVENT;
}

static enum pf_status open_stream(struct batch_stream *stream, struct http_request *request,
    struct api *api, const char *id, int64_t last_id, struct pf_error *err)
{
    const char *owner = http_owner(request);
    PF_TRY(jobs_subscribe_batch(
        api->jobs, owner, id, last_id, http_waker_wake, stream->waker, &stream->reader, err));
    if (last_id > 0)
        return PF_OK;
    struct batch batch;
    PF_TRY(jobs_get_batch(api->jobs, owner, id, &batch, err));
    batch_put_json(&stream->snapshot, &batch, NULL);
    stream->has_snapshot = 1;
    return buffer_status(&stream->snapshot, err);
}

static void respond_events(
    struct http_request *request, struct api *api, const char *id, int64_t last_id)
{
    struct pf_error err = PF_ERROR_INIT;
    struct batch_stream *stream = calloc(1, sizeof *stream);
    struct http_waker *waker = stream ? http_waker_create(request) : NULL;
    if (!waker) {
        free(stream);
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    stream->waker = waker;
    if (open_stream(stream, request, api, id, last_id, &err) != PF_OK) {
        close_stream(stream);
        api_fail_jobs(request, api, &err);
        return;
    }
    /* One that comes back after the end has heard it all. */
    if (last_id > 0 && events_next(stream->reader, &stream->event) == EVENTS_END) {
        close_stream(stream);
        http_respond_empty(request, 204);
        return;
    }
    http_stream(
        request, &(struct sse_source){.state = stream, .next = next_event, .close = close_stream});
}

void handle_get_batch_events(struct http_request *request, void *context)
{
    struct pf_error err = PF_ERROR_INIT;
    int64_t last_id;
    if (refuse_query(request))
        return;
    if (sse_parse_last_id(http_header(request, "Last-Event-ID"), &last_id, &err) != PF_OK)
        http_fail_error(request, "Last-Event-ID", &err);
    else
        respond_events(request, context, http_path_param(request, "id"), last_id);
}

/* ---- reading and cancelling ---- */

void handle_get_batch(struct http_request *request, void *context)
{
    struct api *api = context;
    struct pf_error err = PF_ERROR_INIT;
    struct batch batch;
    if (refuse_query(request))
        return;
    if (jobs_get_batch(
            api->jobs, http_owner(request), http_path_param(request, "id"), &batch, &err) != PF_OK)
        api_fail_jobs(request, api, &err);
    else
        respond_batch(request, 200, &batch);
}

void handle_cancel_batch(struct http_request *request, void *context)
{
    struct api *api = context;
    struct pf_error err = PF_ERROR_INIT;
    struct batch batch;
    if (refuse_query(request))
        return;
    if (jobs_cancel_batch(
            api->jobs, http_owner(request), http_path_param(request, "id"), &batch, &err) != PF_OK)
        api_fail_jobs(request, api, &err);
    else
        respond_batch(request, 200, &batch);
}

/* ---- submitting ---- */

/* The jobs of a batch that have a webhook. */
static void follow_webhooks(struct api *api, const struct batch_form *form, const char *batch)
{
    int has_any = 0;
    for (size_t i = 0; i < form->count; i++)
        has_any |= form->specs[i].webhook_url != NULL;
    struct jobs_filter filter = {.batch = batch, .status = -1, .limit = JOBS_PAGE_MAX};
    struct jobs_page page;
    char after[ID_SIZE];
    while (has_any && jobs_list(api->jobs, &filter, &page, NULL) == PF_OK) {
        for (size_t i = 0; i < page.count; i++)
            if (page.items[i]->webhook_url)
                webhooks_follow(api->options.webhooks, page.items[i]->id);
        has_any = page.has_more;
        if (page.count > 0)
            memcpy(after, page.items[page.count - 1]->id, ID_SIZE);
        filter.after = after;
        jobs_page_finish(&page);
    }
}

static void submit_batch(
    struct http_request *request, struct api *api, struct batch_form *form, const char *key)
{
    struct pf_error err = PF_ERROR_INIT;
    struct batch batch;
    int is_replayed = 0;
    for (size_t i = 0; i < form->count; i++) {
        form->specs[i].owner = http_owner(request);
        form->specs[i].trace = http_trace(request);
    }
    form->specs[0].idempotency_key = key;
    if (jobs_submit_batch(api->jobs, form->specs, form->count, &batch, &is_replayed, &err) !=
        PF_OK) {
        submit_fail(request, api, &err);
        return;
    }
    follow_webhooks(api, form, batch.id);
    http_release_body(request);
    char location[32 + ID_SIZE];
    snprintf(location, sizeof location, "/v1/batches/%s", batch.id);
    http_add_header(request, "Location", location);
    http_log_value(request, "batch", batch.id);
    if (is_replayed)
        http_add_header(request, "Idempotent-Replayed", "true");
    if (http_accepts(request, "text/event-stream"))
        respond_events(request, api, batch.id, 0);
    else
        respond_batch(request, 202, &batch);
}

static void create_batch(struct http_request *request, struct api *api, int64_t give_up_ms)
{
    struct batch_form form;
    struct api_options options;
    struct submission_failure failure;
    const char *key;
    if (refuse_query(request) || !submit_read_key(request, &key) ||
        !submit_is_open(request, api, give_up_ms, create_batch))
        return;
    api_get_options(api, &options);
    if (batch_form_read(&form, http_form(request), &options, api_get_model(api), &failure) == PF_OK)
        submit_batch(request, api, &form, key);
    else
        submit_fail_form(request, &failure);
    batch_form_finish(&form);
}

void handle_create_batch(struct http_request *request, void *context)
{
    create_batch(request, context, clock_monotonic_ms() + API_LOADING_WAIT_MS);
}
