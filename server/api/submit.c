/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/api/handlers.h"
#include "server/http/executor.h"
#include "server/http/log.h"

enum { LOADING_POLL_MS = 200 };

/* ---- while the model loads ---- */

struct loading_wait {
    struct api *api;
    int64_t give_up_ms;
    void (*again)(struct http_request *request, struct api *api, int64_t give_up_ms);
};

static int never_ready(void *state)
{
    (void)state;
    return 0;
}

static void try_again(struct http_request *request, void *state)
{
    struct loading_wait *wait = state;
    wait->again(request, wait->api, wait->give_up_ms);
}

static void wait_for_model(struct http_request *request, const struct loading_wait *wait)
{
    struct loading_wait *own = malloc(sizeof *own);
    if (!own) {
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    *own = *wait;
    http_defer(request, &(struct http_deferral){.state = own,
                            .is_ready = never_ready,
                            .answer = try_again,
                            .close = free,
                            .until_ms = clock_monotonic_ms() + LOADING_POLL_MS});
}

static void refuse(struct http_request *request, const char *retry_after_s, const char *detail)
{
    http_add_header(request, "Retry-After", retry_after_s);
    http_fail(request, PROBLEM_UNAVAILABLE, NULL, "%s", detail);
}

int submit_is_open(struct http_request *request, struct api *api, int64_t give_up_ms,
    void (*again)(struct http_request *request, struct api *api, int64_t give_up_ms))
{
    char message[PF_ERROR_MESSAGE_MAX], detail[PF_ERROR_MESSAGE_MAX];
    enum workers_readiness readiness = workers_get_readiness(api->workers, message);
    if (atomic_load(&api->draining) || readiness == WORKERS_DRAINED) {
        refuse(request, "10", "the server is shutting down");
    } else if (readiness == WORKERS_ALL_BROKEN) {
        snprintf(detail, sizeof detail, "no worker can load the model: %.400s", message);
        refuse(request, "30", detail);
    } else if (api_get_model(api)) {
        return 1;
    } else if (clock_monotonic_ms() < give_up_ms) {
        wait_for_model(request, &(struct loading_wait){api, give_up_ms, again});
    } else {
        refuse(request, "5", "the model is loading");
    }
    return 0;
}

int submit_read_key(struct http_request *request, const char **ret_key)
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

void submit_fail_form(struct http_request *request, const struct submission_failure *failure)
{
    http_fail(request, failure->kind, failure->param[0] ? failure->param : NULL, "%s",
        failure->error.message);
}

void submit_fail(struct http_request *request, struct api *api, const struct pf_error *error)
{
    if (error->status == PF_CONFLICT) {
        http_fail(request, PROBLEM_UNPROCESSABLE, "Idempotency-Key", "%s", error->message);
    } else {
        api_fail_jobs(request, api, error);
    }
}

/* ---- cancelling ---- */

struct cancel_task {
    struct executor_task task; /* first */
    struct api *api;
    char owner[JOB_OWNER_SIZE];
    char job[ID_SIZE];
};

static void run_cancel(struct executor_task *task)
{
    struct cancel_task *self = (struct cancel_task *)task;
    struct pf_error err = PF_ERROR_INIT;
    if (jobs_cancel(self->api->jobs, self->owner, self->job, NULL, &err) != PF_OK &&
        err.status != PF_NOT_FOUND) {
        char trace_id[TRACE_ID_SIZE];
        jobs_get_trace_id(self->api->jobs, self->job, trace_id);
        log_line(LOG_LEVEL_WARNING, "a job nobody waits for can't be cancelled",
            LOG_TEXT("job", self->job), LOG_TEXT("trace_id", trace_id),
            LOG_TEXT("reason", err.message));
    }
    free(self);
}

void submit_cancel_later(
    struct api *api, struct http_server *http, const char *owner, const char *job)
{
    struct cancel_task *self = calloc(1, sizeof *self);
    if (!self)
        return;
    self->task.run = run_cancel;
    self->api = api;
    snprintf(self->owner, sizeof self->owner, "%s", owner);
    snprintf(self->job, sizeof self->job, "%s", job);
    if (http_run_task(http, &self->task, NULL) != PF_OK)
        free(self);
}
