/* SPDX-License-Identifier: Apache-2.0 */
/* From a worker's messages to the job service. A message about a job the worker doesn't have (any
 * more) is a late one and dropped; a message out of turn ends the talk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/protocol.h"
#include "server/workers/pool.h"

static void copy_text(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text);
}

static enum pf_status relay_hello(
    struct worker *worker, const struct message *message, struct pf_error *err)
{
    if (message->hello.protocol != PROTOCOL_VERSION)
        return pf_fail(err, PF_UNSUPPORTED,
            "the worker (version %s) speaks protocol %lld, the server %d", message->hello.version,
            (long long)message->hello.protocol, PROTOCOL_VERSION);
    worker->state = WORKER_LOADING;
    copy_text(worker->stats.device, sizeof worker->stats.device, message->hello.device);
    return PF_OK;
}

static enum pf_status keep_model(
    struct workers *pool, const struct message *message, struct pf_error *err)
{
    char *text = json_dumps(message->ready.model, JSON_COMPACT);
    if (!text)
        return pf_fail(err, PF_NOMEM, "no memory for the model's description");
    pthread_mutex_lock(&pool->lock);
    pool->shared.was_ready = 1;
    if (!pool->shared.model) {
        pool->shared.model = text;
        pool->shared.model_size = strlen(text);
        text = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    free(text);
    return PF_OK;
}

static enum pf_status relay_ready(struct workers *pool, struct worker *worker,
    const struct message *message, struct pf_error *err)
{
    PF_TRY(keep_model(pool, message, err));
    worker->state = WORKER_READY;
    worker->load_failures = 0;
    int64_t most = pool->options.max_runs;
    worker->max_runs = message->ready.max_runs < most ? message->ready.max_runs : most;
    worker->stats.load_ms = message->ready.load_ms;
    copy_text(worker->stats.device, sizeof worker->stats.device, message->ready.device);
    copy_text(worker->stats.dtype, sizeof worker->stats.dtype, message->ready.dtype);
    pool_notice(pool, worker, WORKERS_NOTICE_READY, NULL, "ready on %s (%s) after %lld ms",
        message->ready.device, message->ready.dtype, (long long)message->ready.load_ms);
    return PF_OK;
}

static void relay_stats(struct workers *pool, struct worker *worker, const struct message *message)
{
    worker->stats.rss_bytes = message->stats.rss_bytes;
    worker->stats.device_bytes = message->stats.device_bytes;
    worker->stats.unet_calls = message->stats.unet_calls;
    worker->stats.unet_rows = message->stats.unet_rows;
    int64_t most = pool->options.rss_max_bytes;
    if (most <= 0 || message->stats.rss_bytes <= most || worker->is_recycling)
        return;
    worker->is_recycling = 1;
    pool_notice(pool, worker, WORKERS_NOTICE_RECYCLED, NULL,
        "uses %lld bytes of memory, more than %lld: restarted after the jobs it has",
        (long long)message->stats.rss_bytes, (long long)most);
}

/* A job ended, one way or another: its slot is free. When the end can't be written, it is kept
 * until it can; without memory for that the attempt is given back, to end again some other time. */
static void relay_outcome(struct workers *pool, struct worker *worker, struct worker_slot *slot,
    const struct message *message)
{
    struct pf_error err = PF_ERROR_INIT;
    struct pool_return item = {.attempt = slot->attempt};
    memcpy(item.job, slot->job, ID_SIZE);
    worker_free_slot(worker, slot);
    worker->deaths = 0;
    enum pf_status status =
        jobs_report_outcome(pool->options.jobs, item.job, item.attempt, &message->outcome, &err);
    if (status == PF_OK)
        return;
    pool_notice(pool, worker, WORKERS_NOTICE_ERROR, item.job, "%s", err.message);
    if ((status == PF_IO || status == PF_NOMEM) && pool_keep_outcome(pool, message, NULL) == PF_OK)
        return;
    item.is_counted = status == PF_CORRUPT; /* an answer that is none is the attempt's own fault */
    copy_text(item.code, sizeof item.code, pf_status_name(status));
    copy_text(item.reason, sizeof item.reason, "the result could not be stored");
    pool_give_back(pool, worker, &item);
}

static enum pf_status relay_progress(struct workers *pool, const struct worker_slot *slot,
    const struct message *message, struct pf_error *err)
{
    struct jobs *jobs = pool->options.jobs;
    switch (message->type) {
    case MESSAGE_STARTED:
        return jobs_report_started(jobs, slot->job, slot->attempt, message->load_ms, err);
    case MESSAGE_ENCODED:
        return jobs_report_encoded(jobs, slot->job, slot->attempt, message->encode_ms, err);
    case MESSAGE_STEP:
        return jobs_report_step(jobs, slot->job, slot->attempt, &message->step, err);
    default:
        return jobs_report_preview(jobs, slot->job, slot->attempt, &message->preview, err);
    }
}

static enum pf_status relay_job(struct workers *pool, struct worker *worker,
    const struct message *message, struct pf_error *err)
{
    struct worker_slot *slot = worker_find_slot(worker, message->job, message->attempt);
    if (!slot)
        return PF_OK;
    if (message->type == MESSAGE_CANCELLED && !slot->is_cancelling)
        return pf_fail(
            err, PF_CORRUPT, "the worker cancelled job %s, which nobody asked it to", slot->job);
    if (message->type >= MESSAGE_SUCCEEDED) {
        relay_outcome(pool, worker, slot, message);
        return PF_OK;
    }
    struct pf_error progress_err = PF_ERROR_INIT;
    enum pf_status status = relay_progress(pool, slot, message, &progress_err);
    if (status == PF_CORRUPT)
        return pf_fail(err, status, "%s", progress_err.message);
    if (status != PF_OK) /* progress that isn't told is no reason to stop the work */
        pool_notice(pool, worker, WORKERS_NOTICE_ERROR, slot->job, "%s", progress_err.message);
    return PF_OK;
}

static enum pf_status relay_message(struct workers *pool, struct worker *worker,
    const struct message *message, struct pf_error *err)
{
    static const char *const out_of_turn = "the worker sent a message out of turn";
    int is_expected;
    switch (message->type) {
    case MESSAGE_HELLO:
        is_expected = worker->state == WORKER_STARTING;
        return is_expected ? relay_hello(worker, message, err)
                           : pf_fail(err, PF_CORRUPT, "%s: hello", out_of_turn);
    case MESSAGE_READY:
        is_expected = worker->state == WORKER_LOADING;
        return is_expected ? relay_ready(pool, worker, message, err)
                           : pf_fail(err, PF_CORRUPT, "%s: ready", out_of_turn);
    case MESSAGE_BROKEN:
        return pf_fail(
            err, pf_status_from_name(message->broken.code), "%.400s", message->broken.text);
    case MESSAGE_STATS:
        relay_stats(pool, worker, message);
        return PF_OK;
    default:
        return worker->state == WORKER_READY
                   ? relay_job(pool, worker, message, err)
                   : pf_fail(err, PF_CORRUPT, "%s: about a job before ready", out_of_turn);
    }
}

enum pf_status relay_frame(
    struct workers *pool, struct worker *worker, const struct frame *frame, struct pf_error *err)
{
    struct message message;
    PF_TRY(message_parse(&message, frame, err));
    enum pf_status status = relay_message(pool, worker, &message, err);
    message_finish(&message);
    return status;
}
