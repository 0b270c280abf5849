/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/jobs. Accepting is one step for all three forms of the answer: 202 at once, the finished
 * job (Prefer: wait), or the event stream (Accept: text/event-stream). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/api/handlers.h"
#include "server/api/submission.h"
#include "server/api/submit.h"
#include "server/webhooks/webhooks.h"

/* ---- Prefer: wait ---- */

struct end_wait {
    struct api *api;
    struct http_waker *waker;
    struct events_reader *reader;
    char job[ID_SIZE];
    char owner[JOB_OWNER_SIZE];
    int include_image;
};

static int has_ended(void *state)
{
    struct end_wait *wait = state;
    struct event *event;
    enum events_result result;
    while ((result = events_next(wait->reader, &event)) == EVENTS_HAVE) {
        int is_terminal = event_is_terminal(event);
        event_unref(event);
        if (is_terminal)
            return 1;
    }
    return result != EVENTS_PENDING;
}

static void answer_ended(struct http_request *request, void *state)
{
    struct end_wait *wait = state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_JOB struct job *job = NULL;
    if (jobs_get(wait->api->jobs, wait->owner, wait->job, &job, &err) != PF_OK)
        api_fail_jobs(request, wait->api, &err);
    else
        api_respond_job(
            request, wait->api, job_is_terminal(job) ? 200 : 202, job, wait->include_image);
}

static void close_wait(void *state)
{
    struct end_wait *wait = state;
    events_unsubscribe(wait->reader);
    http_waker_unref(wait->waker);
    free(wait);
}

static void wait_for_end(struct http_request *request, struct api *api, const struct job *job,
    int64_t seconds, int include_image)
{
    struct pf_error err = PF_ERROR_INIT;
    struct end_wait *wait = calloc(1, sizeof *wait);
    if (wait)
        wait->waker = http_waker_create(request);
    if (!wait || !wait->waker) {
        free(wait);
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    wait->api = api;
    wait->include_image = include_image;
    memcpy(wait->job, job->id, sizeof wait->job);
    memcpy(wait->owner, job->owner, sizeof wait->owner);
    if (jobs_subscribe(api->jobs, wait->owner, wait->job, 0, http_waker_wake, wait->waker,
            &wait->reader, &err) != PF_OK) {
        http_waker_unref(wait->waker);
        free(wait);
        api_fail_jobs(request, api, &err);
        return;
    }
    http_defer(request, &(struct http_deferral){.state = wait,
                            .is_ready = has_ended,
                            .answer = answer_ended,
                            .close = close_wait,
                            .until_ms = clock_monotonic_ms() + seconds * 1000});
}

/* ---- the submission ---- */

static int read_preferences(
    struct http_request *request, struct api *api, int64_t *ret_wait_s, int *ret_include_image)
{
    struct pf_error err = PF_ERROR_INIT;
    struct api_options options;
    api_get_options(api, &options);
    if (!api_read_include(request, ret_include_image))
        return 0;
    if (http_prefer_wait_s(request, ret_wait_s, &err) != PF_OK) {
        http_fail_error(request, "Prefer", &err);
        return 0;
    }
    if (*ret_wait_s > options.wait_max_ms / 1000) {
        http_fail(request, PROBLEM_INVALID, "Prefer", "Prefer: wait=%lld, at most %lld seconds",
            (long long)*ret_wait_s, (long long)(options.wait_max_ms / 1000));
        return 0;
    }
    return 1;
}

static void respond_accepted(struct http_request *request, struct api *api, const struct job *job,
    int64_t wait_s, int include_image)
{
    char text[64 + ID_SIZE];
    snprintf(text, sizeof text, "/v1/jobs/%s", job->id);
    http_add_header(request, "Location", text);
    http_log_value(request, "job", job->id);
    if (http_accepts(request, "text/event-stream")) {
        api_respond_events(request, api, job->id, 0, include_image);
    } else if (wait_s > 0) {
        snprintf(text, sizeof text, "wait=%lld", (long long)wait_s);
        http_add_header(request, "Preference-Applied", text);
        wait_for_end(request, api, job, wait_s, include_image);
    } else {
        api_respond_job(request, api, 202, job, 0);
    }
}

static void create_job(struct http_request *request, struct api *api, int64_t give_up_ms)
{
    struct api_options options;
    int64_t wait_s = -1;
    int include_image = 0, is_replayed = 0;
    struct submission submission = SUBMISSION_INIT;
    struct submission_failure failure;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_JOB struct job *job = NULL;
    const char *key;
    if (!read_preferences(request, api, &wait_s, &include_image) ||
        !submit_read_key(request, &key) || !submit_is_open(request, api, give_up_ms, create_job))
        return;
    api_get_options(api, &options);
    if (submission_read(&submission, http_form(request), &options, api_get_model(api), &failure) !=
        PF_OK) {
        submit_fail_form(request, &failure);
        submission_finish(&submission);
        return;
    }
    submission.spec.owner = http_owner(request);
    submission.spec.idempotency_key = key;
    submission.spec.trace = http_trace(request);
    enum pf_status status = jobs_submit(api->jobs, &submission.spec, &job, &is_replayed, &err);
    submission_finish(&submission);
    if (status != PF_OK) {
        submit_fail(request, api, &err);
        return;
    }
    if (job->webhook_url)
        webhooks_follow(api->options.webhooks, job->id);
    http_release_body(request);
    if (is_replayed)
        http_add_header(request, "Idempotent-Replayed", "true");
    respond_accepted(request, api, job, wait_s, include_image);
}

void handle_create_job(struct http_request *request, void *context)
{
    create_job(request, context, clock_monotonic_ms() + API_LOADING_WAIT_MS);
}
