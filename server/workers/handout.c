/* SPDX-License-Identifier: Apache-2.0 */
/* Handing out jobs. The worker with the fewest jobs gets the next one. A job on its second attempt
 * or later may be what killed its worker, and everybody else's work in it: it runs alone. It waits
 * at its worker (`held`), which takes nobody else in, until the others there have ended. So a job
 * that kills workers costs its neighbours one attempt at most. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/workers/pool.h"

enum { STORE_RETRY_MS = 1000 };

/* ---- giving back ---- */

static enum pf_status give_back(
    struct workers *pool, const struct pool_return *item, struct pf_error *err)
{
    return jobs_give_back(pool->options.jobs, item->job, item->attempt, item->is_counted,
        item->code, item->reason, err);
}

void pool_give_back(struct workers *pool, struct worker *worker, const struct pool_return *item)
{
    struct pf_error err = PF_ERROR_INIT;
    if (give_back(pool, item, &err) == PF_OK)
        return;
    pool_notice(pool, worker, WORKERS_NOTICE_ERROR, item->job, "can't be queued again yet: %s",
        err.message);
    struct pool_return *kept = malloc(sizeof *kept);
    if (!kept)
        return; /* it stays running until the server starts again */
    *kept = *item;
    kept->next = pool->returns;
    pool->returns = kept;
}

void pool_retry_returns(struct workers *pool)
{
    for (struct pool_return **link = &pool->returns; *link;) {
        struct pool_return *item = *link;
        if (give_back(pool, item, NULL) != PF_OK)
            return; /* the store still fails */
        *link = item->next;
        free(item);
    }
}

/* ---- handing out ---- */

static int has_room(const struct worker *worker)
{
    return worker->state == WORKER_READY && !worker->is_recycling && !worker->held &&
           !worker->is_alone && (int64_t)worker->slot_count < worker->max_runs;
}

static struct worker *find_room(struct workers *pool)
{
    struct worker *best = NULL;
    for (size_t i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->items[i];
        if (has_room(worker) && (!best || worker->slot_count < best->slot_count))
            best = worker;
    }
    return best;
}

/* The job's input can't be read: that is the end of this attempt, though not of the worker. */
static void fail_input(struct workers *pool, struct worker *worker, const struct job *job,
    const struct pf_error *cause)
{
    struct pf_error err = PF_ERROR_INIT;
    struct jobs_outcome outcome = {.status = JOB_FAILED,
        .code = pf_status_name(cause->status),
        .message = cause->message,
        .retryable = cause->status == PF_NOMEM};
    pool_notice(pool, worker, WORKERS_NOTICE_ERROR, job->id, "%s", cause->message);
    if (jobs_report_outcome(pool->options.jobs, job->id, job->attempts, &outcome, &err) == PF_OK)
        return;
    struct pool_return item = {.attempt = job->attempts, .is_counted = 1};
    memcpy(item.job, job->id, ID_SIZE);
    snprintf(item.code, sizeof item.code, "%s", outcome.code);
    snprintf(item.reason, sizeof item.reason, "%s", cause->message);
    pool_give_back(pool, worker, &item);
}

static enum pf_status send_run(
    struct workers *pool, struct worker *worker, const struct job *job, struct pf_error *err)
{
    AUTO_BUFFER struct buffer input = BUFFER_INIT_MAX(FRAME_BODY_MAX);
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    PF_TRY(jobs_read_input(pool->options.jobs, job, &input, err));
    if ((int64_t)input.size != job->image_bytes + job->mask_bytes)
        return pf_fail(err, PF_CORRUPT, "the input of job %s has %zu bytes, expected %lld", job->id,
            input.size, (long long)(job->image_bytes + job->mask_bytes));
    message_put_run(&header, job);
    return worker_send(worker, &header, input.data, input.size, err);
}

static void start_job(struct workers *pool, struct worker *worker, const struct job *job)
{
    struct pf_error err = PF_ERROR_INIT;
    if (send_run(pool, worker, job, &err) != PF_OK) {
        fail_input(pool, worker, job, &err);
        return;
    }
    if (worker->slot_count == 0)
        worker->heard_ms = clock_monotonic_ms(); /* its silence counts from now */
    struct worker_slot *slot = &worker->slots[worker->slot_count++];
    *slot = (struct worker_slot){.attempt = job->attempts};
    memcpy(slot->job, job->id, ID_SIZE);
    worker->is_alone = job->attempts > 1;
}

static void start_held(struct workers *pool, struct worker *worker)
{
    if (!worker->held || worker->slot_count > 0 || worker->state != WORKER_READY)
        return;
    AUTO_JOB struct job *job = STEAL(worker->held);
    if (jobs_is_current(pool->options.jobs, job->id, job->attempts))
        start_job(pool, worker, job);
}

void pool_hand_out(struct workers *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        start_held(pool, &pool->items[i]);
    struct worker *worker;
    while (!pool->is_stopping && !pool->outcomes && clock_monotonic_ms() >= pool->retry_at_ms &&
           (worker = find_room(pool)) != NULL) {
        AUTO_JOB struct job *job = NULL;
        struct pf_error err = PF_ERROR_INIT;
        if (jobs_take(pool->options.jobs, &job, &err) != PF_OK) {
            pool_notice(
                pool, worker, WORKERS_NOTICE_ERROR, NULL, "no job can be started: %s", err.message);
            pool->retry_at_ms = clock_monotonic_ms() + STORE_RETRY_MS;
            return;
        }
        if (!job)
            return;
        if (job->attempts > 1 && worker->slot_count > 0)
            worker->held = STEAL(job);
        else
            start_job(pool, worker, job);
    }
}

void pool_forward_cancels(struct workers *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->items[i];
        if (worker->held &&
            !jobs_is_current(pool->options.jobs, worker->held->id, worker->held->attempts)) {
            job_unref(worker->held);
            worker->held = NULL;
        }
        for (size_t s = 0; s < worker->slot_count; s++) {
            struct worker_slot *slot = &worker->slots[s];
            if (slot->is_cancelling ||
                jobs_is_current(pool->options.jobs, slot->job, slot->attempt))
                continue;
            AUTO_BUFFER struct buffer header = BUFFER_INIT;
            message_put_cancel(&header, slot->job);
            /* Without memory for it now, it is tried again at the next turn. */
            slot->is_cancelling = worker_send(worker, &header, NULL, 0, NULL) == PF_OK;
        }
    }
}
