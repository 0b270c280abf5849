/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/images/edits, for the unmodified clients of OpenAI's API: n images are n jobs whose
 * seeds follow one another, and the answer waits for all of them. Their Node client gives up after
 * five minutes without a byte: for slow devices there is the stream (edit_stream.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/api/edit_form.h"
#include "server/api/edits.h"
#include "server/api/handlers.h"
#include "server/api/submit.h"
#include "server/vlm/vlm.h"

enum { SEED_LIMIT_BITS = 53 };

void edit_jobs_finish(struct edit_jobs *jobs, int is_over)
{
    if (!is_over && !jobs->may_come_back)
        for (int64_t i = 0; i < jobs->count; i++)
            submit_cancel_later(jobs->api, jobs->http, jobs->owner, jobs->ids[i]);
    free(jobs->ids);
    jobs->ids = NULL;
}

enum problem_kind edit_problem_of_job(const struct job *job, const char **ret_message)
{
    *ret_message = job->error.message;
    if (job_is_expired(job) && job->status == JOB_SUCCEEDED) {
        *ret_message = "the result has expired";
        return PROBLEM_EXPIRED;
    }
    if (job->status == JOB_CANCELLED) {
        *ret_message = "the job was cancelled";
        return PROBLEM_CONFLICT;
    }
    if (strcmp(job->error.code, VLM_FAILURE_CODE) == 0)
        return PROBLEM_UNAVAILABLE;
    enum problem_kind kind = problem_of_status(pf_status_from_name(job->error.code));
    if (kind == PROBLEM_INTERNAL)
        *ret_message = "an internal error; the server's log has it";
    return kind;
}

/* ---- the answer in one piece ---- */

struct edit_wait {
    struct edit_jobs jobs;
    struct http_waker *waker;
    struct events_reader *readers[EDIT_COUNT_MAX];
    int64_t ended; /* jobs before it have ended */
    int wants_url;
    char host[256];
    int is_answered;
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

/* 0: answered with the failure of this job. */
static int check_job(struct http_request *request, const struct job *job)
{
    const char *message;
    if (job->status == JOB_SUCCEEDED && !job_is_expired(job))
        return 1;
    if (!job_is_terminal(job)) {
        http_add_header(request, "Retry-After", "10");
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "the server is shutting down");
        return 0;
    }
    enum problem_kind kind = edit_problem_of_job(job, &message);
    if (kind == PROBLEM_UNAVAILABLE)
        http_add_header(request, "Retry-After", "10");
    http_fail(request, kind, job->error.field[0] ? job->error.field : NULL, "%s", message);
    return 0;
}

static enum pf_status put_answer(struct http_request *request, struct edit_wait *wait,
    struct buffer *out, int *ret_is_answered, struct pf_error *err)
{
    *ret_is_answered = 0;
    buffer_put_format(out, "{\"created\":%lld,\"data\":[", (long long)(clock_realtime_ms() / 1000));
    for (int64_t i = 0; i < wait->jobs.count; i++) {
        AUTO_JOB struct job *job = NULL;
        PF_TRY(jobs_get(wait->jobs.api->jobs, wait->jobs.owner, wait->jobs.ids[i], &job, err));
        if (!check_job(request, job)) {
            *ret_is_answered = 1;
            return PF_OK;
        }
        if (i > 0)
            buffer_put_text(out, ",");
        PF_TRY(put_image(out, wait, job, err));
        if (i == wait->jobs.count - 1)
            buffer_put_format(out, "],\"output_format\":\"%s\",\"size\":\"%lldx%lld\"",
                job->result.format, (long long)job->result.width, (long long)job->result.height);
    }
    buffer_put_text(out, ",\"usage\":{\"input_tokens\":0,\"input_tokens_details\":{"
                         "\"image_tokens\":0,\"text_tokens\":0},\"output_tokens\":0,"
                         "\"total_tokens\":0}}");
    return buffer_status(out, err);
}

static void answer_edit(struct http_request *request, void *state)
{
    struct edit_wait *wait = state;
    struct pf_error err = PF_ERROR_INIT;
    struct buffer body = BUFFER_INIT;
    int is_answered;
    wait->is_answered = wait->ended == wait->jobs.count;
    if (put_answer(request, wait, &body, &is_answered, &err) != PF_OK) {
        buffer_finish(&body);
        api_fail_jobs(request, wait->jobs.api, &err);
    } else if (is_answered) {
        buffer_finish(&body);
    } else {
        http_respond_buffer(request, 200, "application/json", &body);
    }
}

static void close_wait(void *state)
{
    struct edit_wait *wait = state;
    for (size_t i = 0; i < EDIT_COUNT_MAX; i++)
        events_unsubscribe(wait->readers[i]);
    http_waker_unref(wait->waker);
    edit_jobs_finish(&wait->jobs, wait->is_answered);
    free(wait);
}

static enum pf_status subscribe_all(struct edit_wait *wait, struct pf_error *err)
{
    for (int64_t i = 0; i < wait->jobs.count; i++)
        PF_TRY(jobs_subscribe(wait->jobs.api->jobs, wait->jobs.owner, wait->jobs.ids[i], 0,
            http_waker_wake, wait->waker, &wait->readers[i], err));
    return PF_OK;
}

/* Takes `jobs`. */
static void respond_whole(struct http_request *request, struct edit_jobs *jobs, int wants_url)
{
    struct pf_error err = PF_ERROR_INIT;
    struct edit_wait *wait = calloc(1, sizeof *wait);
    struct http_waker *waker = wait ? http_waker_create(request) : NULL;
    const char *host = http_header(request, "Host");
    if (!waker) {
        free(wait);
        edit_jobs_finish(jobs, 0);
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    *wait = (struct edit_wait){.jobs = *jobs, .waker = waker, .wants_url = wants_url};
    snprintf(wait->host, sizeof wait->host, "%s", host ? host : "localhost");
    if (subscribe_all(wait, &err) != PF_OK) {
        close_wait(wait);
        api_fail_jobs(request, jobs->api, &err);
        return;
    }
    http_defer(request, &(struct http_deferral){.state = wait,
                            .is_ready = have_ended,
                            .answer = answer_edit,
                            .close = close_wait,
                            .until_ms = INT64_MAX});
}

/* ---- the submission ---- */

/* The key of the i-th job of one request. */
static const char *make_key(const char *key, int64_t i, char ret_text[API_IDEMPOTENCY_KEY_MAX + 8])
{
    if (!key || i == 0)
        return key;
    snprintf(ret_text, API_IDEMPOTENCY_KEY_MAX + 8, "%s#%d", key, (int)i);
    return ret_text;
}

static enum pf_status submit_all(
    struct edit_form *form, const char *key, struct edit_jobs *jobs, struct pf_error *err)
{
    struct jobs_spec spec = form->submission.spec;
    const int64_t seed_limit = INT64_C(1) << SEED_LIMIT_BITS;
    spec.owner = jobs->owner;
    for (int64_t i = 0; i < form->count; i++) {
        char text[API_IDEMPOTENCY_KEY_MAX + 8];
        AUTO_JOB struct job *job = NULL;
        spec.idempotency_key = make_key(key, i, text);
        spec.params.seed = (form->submission.spec.params.seed + i) % seed_limit;
        PF_TRY(jobs_submit(jobs->api->jobs, &spec, &job, NULL, err));
        memcpy(jobs->ids[jobs->count++], job->id, ID_SIZE);
    }
    return PF_OK;
}

static void submit_edit(
    struct http_request *request, struct api *api, struct edit_form *form, const char *key)
{
    struct pf_error err = PF_ERROR_INIT;
    struct edit_jobs jobs = {.api = api,
        .http = http_server_of(request),
        .may_come_back = key != NULL,
        .ids = calloc((size_t)form->count, ID_SIZE)};
    snprintf(jobs.owner, sizeof jobs.owner, "%s", http_owner(request));
    if (!jobs.ids) {
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    if (submit_all(form, key, &jobs, &err) != PF_OK) {
        edit_jobs_finish(&jobs, 0);
        submit_fail(request, api, &err);
        return;
    }
    http_release_body(request);
    if (form->is_streaming)
        edit_respond_stream(request, &jobs);
    else
        respond_whole(request, &jobs, form->wants_url);
}

static void edit_image(struct http_request *request, struct api *api, int64_t give_up_ms)
{
    struct edit_form form;
    struct submission_failure failure;
    struct pf_error err = PF_ERROR_INIT;
    const char *key;
    if (http_check_query(request, (const char *const[]){NULL}, &err) != PF_OK) {
        http_fail_error(request, NULL, &err);
        return;
    }
    if (!submit_read_key(request, &key) || !submit_is_open(request, api, give_up_ms, edit_image))
        return;
    if (edit_form_read(&form, http_form(request), &api->options, api_get_model(api), &failure) ==
        PF_OK)
        submit_edit(request, api, &form, key);
    else
        submit_fail_form(request, &failure);
    edit_form_finish(&form);
}

void handle_edit_image(struct http_request *request, void *context)
{
    edit_image(request, context, clock_monotonic_ms() + API_LOADING_WAIT_MS);
}
