/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/images/edits, for the unmodified clients of OpenAI's API: n images are n jobs whose
 * seeds follow one another. The answer comes in one piece (edit_whole.c) or as a stream
 * (edit_stream.c). */
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
    form->submission.spec.trace = http_trace(request);
    if (submit_all(form, key, &jobs, &err) != PF_OK) {
        edit_jobs_finish(&jobs, 0);
        submit_fail(request, api, &err);
        return;
    }
    http_log_value(request, "job", jobs.ids[0]);
    http_release_body(request);
    if (form->is_streaming)
        edit_respond_stream(request, &jobs);
    else
        edit_respond_whole(request, &jobs, form->wants_url);
}

static void edit_image(struct http_request *request, struct api *api, int64_t give_up_ms)
{
    struct edit_form form;
    struct api_options options;
    struct submission_failure failure;
    struct pf_error err = PF_ERROR_INIT;
    const char *key;
    if (http_check_query(request, (const char *const[]){NULL}, &err) != PF_OK) {
        http_fail_error(request, NULL, &err);
        return;
    }
    if (!submit_read_key(request, &key) || !submit_is_open(request, api, give_up_ms, edit_image))
        return;
    api_get_options(api, &options);
    if (edit_form_read(&form, http_form(request), &options, api_get_model(api), &failure) == PF_OK)
        submit_edit(request, api, &form, key);
    else
        submit_fail_form(request, &failure);
    edit_form_finish(&form);
}

void handle_edit_image(struct http_request *request, void *context)
{
    edit_image(request, context, clock_monotonic_ms() + API_LOADING_WAIT_MS);
}
