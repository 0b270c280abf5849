/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/jobs. Accepting is one step for all three forms of the answer: 202 at once, the finished
 * job (Prefer: wait), or the event stream (Accept: text/event-stream). A submission that comes
 * while the model is still loading waits for it: the model's own defaults are part of the job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/api/handlers.h"
#include "server/api/submission.h"
#include "server/http/log.h"

enum { LOADING_POLL_MS = 200 };

/* ---- while the model loads ---- */

struct loading_wait {
    struct api *api;
    int64_t give_up_ms;
};

static void create_job(struct http_request *request, struct api *api, int64_t give_up_ms);

static int never_ready(void *state)
{
    (void)state;
    return 0;
}

static void try_again(struct http_request *request, void *state)
{
    struct loading_wait *wait = state;
    create_job(request, wait->api, wait->give_up_ms);
}

static void wait_for_model(struct http_request *request, struct api *api, int64_t give_up_ms)
{
    struct loading_wait *wait = malloc(sizeof *wait);
    if (!wait) {
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    *wait = (struct loading_wait){api, give_up_ms};
    http_defer(request, &(struct http_deferral){.state = wait,
                            .is_ready = never_ready,
                            .answer = try_again,
                            .close = free,
                            .until_ms = clock_monotonic_ms() + LOADING_POLL_MS});
}

/* Whether jobs can be taken now. 0: answered, or deferred. */
static int check_service(struct http_request *request, struct api *api, int64_t give_up_ms)
{
    char message[PF_ERROR_MESSAGE_MAX];
    enum workers_readiness readiness = workers_get_readiness(api->workers, message);
    if (atomic_load(&api->draining) || readiness == WORKERS_DRAINED) {
        http_add_header(request, "Retry-After", "10");
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "the server is shutting down");
        return 0;
    }
    if (readiness == WORKERS_ALL_BROKEN) {
        http_add_header(request, "Retry-After", "30");
        http_fail(
            request, PROBLEM_UNAVAILABLE, NULL, "no worker can load the model: %.300s", message);
        return 0;
    }
    if (api_get_model(api))
        return 1;
    if (clock_monotonic_ms() < give_up_ms) {
        wait_for_model(request, api, give_up_ms);
        return 0;
    }
    http_add_header(request, "Retry-After", "5");
    http_fail(request, PROBLEM_UNAVAILABLE, NULL, "the model is loading");
    return 0;
}

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
    if (!api_read_include(request, ret_include_image))
        return 0;
    if (http_prefer_wait_s(request, ret_wait_s, &err) != PF_OK) {
        http_fail_error(request, "Prefer", &err);
        return 0;
    }
    if (*ret_wait_s > api->options.wait_max_ms / 1000) {
        http_fail(request, PROBLEM_INVALID, "Prefer", "Prefer: wait=%lld, at most %lld seconds",
            (long long)*ret_wait_s, (long long)(api->options.wait_max_ms / 1000));
        return 0;
    }
    return 1;
}

static int read_idempotency_key(struct http_request *request, const char **ret_key)
{
    *ret_key = http_header(request, "Idempotency-Key");
    if (!*ret_key)
        return 1;
    size_t size = strlen(*ret_key), plain = 0;
    while (plain < size && (*ret_key)[plain] > ' ' && (*ret_key)[plain] < 0x7f)
        plain++;
    if (size > 0 && size <= API_IDEMPOTENCY_KEY_MAX && plain == size)
        return 1;
    http_fail(request, PROBLEM_INVALID, "Idempotency-Key",
        "Idempotency-Key: expected 1 to %d visible ASCII characters", API_IDEMPOTENCY_KEY_MAX);
    return 0;
}

static void fail_submission(
    struct http_request *request, struct api *api, const struct pf_error *error)
{
    if (error->status == PF_CONFLICT) {
        http_fail(request, PROBLEM_UNPROCESSABLE, "Idempotency-Key", "%s", error->message);
    } else if (error->status == PF_IO) {
        /* Disk full or broken: the client may come back, the reason is for the log. */
        log_line(LOG_LEVEL_ERROR, error->message, LOG_TEXT("request_id", http_request_id(request)));
        http_add_header(request, "Retry-After", "30");
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "the job could not be stored");
    } else {
        api_fail_jobs(request, api, error);
    }
}

static void respond_accepted(struct http_request *request, struct api *api, const struct job *job,
    int64_t wait_s, int include_image)
{
    char text[64 + ID_SIZE];
    snprintf(text, sizeof text, "/v1/jobs/%s", job->id);
    http_add_header(request, "Location", text);
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
    int64_t wait_s = -1;
    int include_image = 0, is_replayed = 0;
    struct submission submission = SUBMISSION_INIT;
    struct submission_failure failure;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_JOB struct job *job = NULL;
    const char *key;
    if (!read_preferences(request, api, &wait_s, &include_image) ||
        !read_idempotency_key(request, &key) || !check_service(request, api, give_up_ms))
        return;
    if (submission_read(&submission, http_form(request), &api->options, api_get_model(api),
            &failure) != PF_OK) {
        http_fail(request, failure.kind, failure.param[0] ? failure.param : NULL, "%s",
            failure.error.message);
        submission_finish(&submission);
        return;
    }
    submission.spec.owner = http_owner(request);
    submission.spec.idempotency_key = key;
    enum pf_status status = jobs_submit(api->jobs, &submission.spec, &job, &is_replayed, &err);
    submission_finish(&submission);
    if (status != PF_OK) {
        fail_submission(request, api, &err);
        return;
    }
    http_release_body(request);
    if (is_replayed)
        http_add_header(request, "Idempotent-Replayed", "true");
    respond_accepted(request, api, job, wait_s, include_image);
}

void handle_create_job(struct http_request *request, void *context)
{
    create_job(request, context, clock_monotonic_ms() + API_LOADING_WAIT_MS);
}
