/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of POST /v1/images/edits in one piece. Clients give up on a silent connection
 * (OpenAI's Node package after five minutes, proxies sooner), but a status once sent can't be taken
 * back. So the status waits for one ping interval: an edit that ends or fails within it is answered
 * with the status it deserves, which clients know how to retry. After that the answer is a 200 that
 * begins with spaces (late_body.h); a failure then can only cut the connection, which clients
 * report as an error of the connection and, having read the status, don't retry. The stream has no
 * such limit. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/api/edits.h"
#include "server/api/handlers.h"
#include "server/http/late_body.h"
#include "server/http/log.h"

struct edit_wait {
    int refs; /* the deferral, then the late body; never both in use at a time */
    struct edit_jobs jobs;
    struct http_waker *waker;
    struct events_reader **readers; /* owned: one a job */
    int64_t ended;                  /* jobs before it have ended */
    int wants_url;
    char host[256];
    int is_answered;
};

struct edit_failure {
    enum problem_kind kind;
    char message[PF_ERROR_MESSAGE_MAX];
    char param[JOB_FIELD_SIZE]; /* "" when about no field */
};

static int reader_has_ended(struct events_reader *reader)
{
    struct event *event;
    enum events_result result;
    while ((result = events_next(reader, &event)) == EVENTS_HAVE) {
        int is_terminal = event_is_terminal(event);
        event_unref(event);
        if (is_terminal)
            return 1;
    }
    return result != EVENTS_PENDING;
}

static int have_ended(void *state)
{
    struct edit_wait *wait = state;
    while (wait->ended < wait->jobs.count && reader_has_ended(wait->readers[wait->ended]))
        wait->ended++;
    return wait->ended == wait->jobs.count;
}

static void close_wait(void *state)
{
    struct edit_wait *wait = state;
    if (--wait->refs > 0)
        return;
    for (int64_t i = 0; wait->readers && i < wait->jobs.count; i++)
        events_unsubscribe(wait->readers[i]);
    free(wait->readers);
    http_waker_unref(wait->waker);
    edit_jobs_finish(&wait->jobs, wait->is_answered);
    free(wait);
}

/* ---- the body ---- */

static int fail(struct edit_failure *failure, enum problem_kind kind, const char *param,
    const char *fmt, ...) PF_PRINTF(4, 5);
static int fail(
    struct edit_failure *failure, enum problem_kind kind, const char *param, const char *fmt, ...)
{
    va_list args;
    failure->kind = kind;
    snprintf(failure->param, sizeof failure->param, "%s", param);
    va_start(args, fmt);
    vsnprintf(failure->message, sizeof failure->message, fmt, args);
    va_end(args);
    return 0;
}

static int fail_job(struct edit_failure *failure, const struct job *job)
{
    const char *message;
    if (!job_is_terminal(job))
        return fail(failure, PROBLEM_UNAVAILABLE, "", "the server is shutting down");
    enum problem_kind kind = edit_problem_of_job(job, &message);
    return fail(failure, kind, job->error.field, "%s", message);
}

static int fail_error(struct edit_failure *failure, const struct edit_wait *wait, int64_t i,
    const struct pf_error *error)
{
    enum problem_kind kind = problem_of_status(error->status);
    if (kind == PROBLEM_INTERNAL) {
        char trace_id[TRACE_ID_SIZE];
        jobs_get_trace_id(wait->jobs.api->jobs, wait->jobs.ids[i], trace_id);
        log_line(LOG_LEVEL_ERROR, error->message, LOG_TEXT("job", wait->jobs.ids[i]),
            LOG_TEXT("trace_id", trace_id), LOG_TEXT("code", pf_status_name(error->status)));
    }
    return fail(failure, kind, "", "%s", error->message);
}

static enum pf_status put_image(
    struct buffer *out, const struct edit_wait *wait, const struct job *job, struct pf_error *err)
{
    if (wait->wants_url) {
        char url[400];
        snprintf(url, sizeof url, "http://%s/v1/jobs/%s/result", wait->host, job->id);
        buffer_put_text(out, "{\"url\":");
        buffer_put_json_string(out, url, strlen(url));
    } else {
        buffer_put_text(out, "{\"b64_json\":\"");
        PF_TRY(api_put_result(out, wait->jobs.api, job, err));
        buffer_put_text(out, "\"");
    }
    buffer_put_text(out, "}");
    return buffer_status(out, err);
}

/* The i-th image, and after the last one what is said of all. 0: failed. */
static int put_job(
    const struct edit_wait *wait, int64_t i, struct buffer *out, struct edit_failure *failure)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_JOB struct job *job = NULL;
    const char *id = wait->jobs.ids[i];
    if (jobs_get(wait->jobs.api->jobs, wait->jobs.owner, id, &job, &err) != PF_OK)
        return fail_error(failure, wait, i, &err);
    if (job->status != JOB_SUCCEEDED || job_is_expired(job))
        return fail_job(failure, job);
    if (i > 0)
        buffer_put_text(out, ",");
    if (put_image(out, wait, job, &err) != PF_OK)
        return fail_error(failure, wait, i, &err);
    if (i == wait->jobs.count - 1)
        buffer_put_format(out, "],\"output_format\":\"%s\",\"size\":\"%lldx%lld\"",
            job->result.format, (long long)job->result.width, (long long)job->result.height);
    return 1;
}

/* Once all have ended, or the server closes. 0: failed, `out` holds a part of an answer. */
static int put_answer(struct edit_wait *wait, struct buffer *out, struct edit_failure *failure)
{
    struct pf_error err = PF_ERROR_INIT;
    wait->is_answered = wait->ended == wait->jobs.count;
    buffer_put_format(out, "{\"created\":%lld,\"data\":[", (long long)(clock_realtime_ms() / 1000));
    for (int64_t i = 0; i < wait->jobs.count; i++)
        if (!put_job(wait, i, out, failure))
            return 0;
    buffer_put_text(out, ",\"usage\":{\"input_tokens\":0,\"input_tokens_details\":{"
                         "\"image_tokens\":0,\"text_tokens\":0},\"output_tokens\":0,"
                         "\"total_tokens\":0}}");
    return buffer_status(out, &err) == PF_OK ? 1 : fail_error(failure, wait, 0, &err);
}

/* ---- with its own status, or late ---- */

static int put_late(void *state, struct buffer *out)
{
    struct edit_failure failure;
    if (put_answer(state, out, &failure))
        return 1;
    buffer_clear(out);
    problem_put_json(out, &(struct problem){.kind = failure.kind,
                              .detail = failure.message,
                              .param = failure.param[0] ? failure.param : NULL});
    return 0;
}

static void answer_edit(struct http_request *request, void *state)
{
    struct edit_wait *wait = state;
    struct buffer body = BUFFER_INIT;
    struct edit_failure failure;
    if (!have_ended(wait)) {
        wait->refs++;
        http_respond_late(request, "application/json",
            &(struct http_late_body){
                .state = wait, .is_ready = have_ended, .put = put_late, .close = close_wait});
        return;
    }
    if (put_answer(wait, &body, &failure)) {
        http_respond_buffer(request, 200, "application/json", &body);
        return;
    }
    buffer_finish(&body);
    if (failure.kind == PROBLEM_UNAVAILABLE)
        http_add_header(request, "Retry-After", "10");
    http_fail(
        request, failure.kind, failure.param[0] ? failure.param : NULL, "%s", failure.message);
}

static enum pf_status subscribe_all(struct edit_wait *wait, struct pf_error *err)
{
    for (int64_t i = 0; i < wait->jobs.count; i++)
        PF_TRY(jobs_subscribe(wait->jobs.api->jobs, wait->jobs.owner, wait->jobs.ids[i], 0,
            http_waker_wake, wait->waker, &wait->readers[i], err));
    return PF_OK;
}

/* Takes `jobs` when it returns one. */
static struct edit_wait *create_wait(
    struct http_request *request, const struct edit_jobs *jobs, int wants_url)
{
    const char *host = http_header(request, "Host");
    struct edit_wait *wait = calloc(1, sizeof *wait);
    if (!wait)
        return NULL;
    wait->readers = calloc((size_t)jobs->count, sizeof(struct events_reader *));
    wait->waker = wait->readers ? http_waker_create(request) : NULL;
    if (!wait->waker) {
        free(wait->readers);
        free(wait);
        return NULL;
    }
    wait->refs = 1;
    wait->jobs = *jobs;
    wait->wants_url = wants_url;
    snprintf(wait->host, sizeof wait->host, "%s", host ? host : "localhost");
    return wait;
}

void edit_respond_whole(struct http_request *request, struct edit_jobs *jobs, int wants_url)
{
    struct pf_error err = PF_ERROR_INIT;
    struct edit_wait *wait = create_wait(request, jobs, wants_url);
    if (!wait) {
        edit_jobs_finish(jobs, 0);
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    if (subscribe_all(wait, &err) != PF_OK) {
        close_wait(wait);
        api_fail_jobs(request, jobs->api, &err);
        return;
    }
    int64_t hold_ms = http_ping_ms(request);
    http_defer(request,
        &(struct http_deferral){.state = wait,
            .is_ready = have_ended,
            .answer = answer_edit,
            .close = close_wait,
            .until_ms = hold_ms == INT64_MAX ? INT64_MAX : clock_monotonic_ms() + hold_ms});
}
