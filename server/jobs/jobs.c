/* SPDX-License-Identifier: Apache-2.0 */
/* The live jobs and the one function that moves them.
 *
 * A move is: refuse steps, write the changed copy, swap it in, publish. If the write fails nothing
 * has happened; if the process dies before the write, nothing has; if it dies after, the next start
 * finds the new state. Nobody hears of a state that could still be lost. */
#include "server/jobs/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/jobs/jobs_internal.h"

/* ---- live jobs ---- */

static struct live **bucket_of(struct jobs *jobs, const char *id)
{
    unsigned hash = 5381;
    for (const char *c = id; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    return &jobs->buckets[hash % JOBS_BUCKETS];
}

struct live *jobs_find_live(struct jobs *jobs, const char *id)
{
    struct live *live = *bucket_of(jobs, id);
    while (live && strcmp(live->job->id, id) != 0)
        live = live->next_in_bucket;
    return live;
}

static void free_live(struct jobs *jobs, struct live *live)
{
    jobs_end_question(jobs, live);
    queue_release(&jobs->queue, &live->item);
    job_unref(live->job);
    free(live);
}

void jobs_remove_live(struct jobs *jobs, struct live *live)
{
    struct live **link = bucket_of(jobs, live->job->id);
    while (*link != live)
        link = &(*link)->next_in_bucket;
    *link = live->next_in_bucket;
    free_live(jobs, live);
}

enum pf_status jobs_add_live(
    struct jobs *jobs, struct job *job, const char *reason, struct pf_error *err)
{
    AUTO_FREE struct live *live = calloc(1, sizeof *live);
    if (!live)
        return pf_fail(err, PF_NOMEM, "no memory for a job");
    PF_TRY(queue_prepare(&jobs->queue, &live->item, job, err));
    live->job = job;
    enum pf_status status = PF_OK;
    if (job_wants_auxiliary(job))
        status = jobs_add_question(jobs, live, job, err);
    if (status == PF_OK)
        status = jobs_join_batch(jobs, live, err);
    if (status != PF_OK) {
        jobs_end_question(jobs, live);
        queue_release(&jobs->queue, &live->item);
        return status;
    }
    struct live **bucket = bucket_of(jobs, job->id);
    live->next_in_bucket = *bucket;
    *bucket = live;
    queue_put(&jobs->queue, &live->item);
    jobs_publish_state(jobs, STEAL(live), reason);
    return PF_OK;
}

/* ---- events ---- */

enum event_kind jobs_event_kind(const struct job *job)
{
    static const enum event_kind kinds[] = {
        EVENT_QUEUED, EVENT_STARTED, EVENT_SUCCEEDED, EVENT_FAILED, EVENT_CANCELLED};
    return kinds[job->status];
}

void jobs_put_event(
    struct buffer *out, const struct job *job, const struct job_view *view, const char *reason)
{
    buffer_put_format(out, "{\"job\":\"%s\",", job->id);
    if (reason) {
        buffer_put_text(out, "\"reason\":");
        buffer_put_json_string(out, reason, strlen(reason));
        buffer_put_text(out, ",");
    }
    /* The job object's members follow: its opening brace is written over. */
    AUTO_BUFFER struct buffer object = BUFFER_INIT;
    job_put_json(&object, job, view);
    if (object.status == PF_OK)
        buffer_put(out, object.data + 1, object.size - 1);
    else
        out->status = object.status;
}

void jobs_publish(struct jobs *jobs, const char *id, const struct event_draft *draft)
{
    if (hub_publish(jobs->hub, id, draft, NULL, NULL) == PF_NOMEM)
        hub_drop_channel(jobs->hub, id);
}

void jobs_publish_state(struct jobs *jobs, struct live *live, const char *reason)
{
    struct job_view view;
    jobs_fill_view(jobs, live->job, live, &view);
    live->told_position = view.queue_position;
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    jobs_put_event(&data, live->job, &view, reason);
    if (data.status != PF_OK) {
        hub_drop_channel(jobs->hub, live->job->id);
        return;
    }
    jobs_publish(jobs, live->job->id,
        &(struct event_draft){
            .kind = jobs_event_kind(live->job), .data = data.data, .data_size = data.size});
}

void jobs_fill_view(const struct jobs *jobs, const struct job *job, const struct live *live,
    struct job_view *ret_view)
{
    *ret_view = (struct job_view){.eta_ms = job->eta_ms};
    if (!live || job_is_terminal(job))
        return;
    int64_t run_ms = estimate_run_ms(&jobs->estimate, job->params.steps);
    if (job->status == JOB_QUEUED) {
        ret_view->queue_position = queue_position(&jobs->queue, &live->item);
        ret_view->eta_ms = estimate_queued_ms(
            &jobs->estimate, ret_view->queue_position, jobs->slots, job->params.steps);
    } else if (job->eta_ms < 0 && run_ms >= 0) {
        int64_t left_ms = run_ms - (clock_realtime_ms() - job->started_ms);
        ret_view->eta_ms = left_ms > 0 ? left_ms : 0;
    }
}

/* ---- moves ---- */

static int is_move_allowed(enum job_status from, enum job_status to)
{
    static const unsigned char allowed[JOB_STATUS_COUNT][JOB_STATUS_COUNT] = {
        /* to itself: its auxiliary prompt was asked for */
        [JOB_QUEUED] = {[JOB_QUEUED] = 1, [JOB_RUNNING] = 1, [JOB_FAILED] = 1, [JOB_CANCELLED] = 1},
        [JOB_RUNNING] =
            {[JOB_QUEUED] = 1, [JOB_SUCCEEDED] = 1, [JOB_FAILED] = 1, [JOB_CANCELLED] = 1},
    };
    return allowed[from][to];
}

enum pf_status jobs_begin_move(
    struct jobs *jobs, struct live *live, struct job **ret_next, struct pf_error *err)
{
    pthread_mutex_lock(&jobs->state_lock);
    struct job *next = job_copy(live->job);
    live->is_moving = next != NULL; /* from here on nobody but us changes it or numbers an event */
    pthread_mutex_unlock(&jobs->state_lock);
    if (!next)
        return pf_fail(err, PF_NOMEM, "no memory to move job %s", live->job->id);
    *ret_next = next;
    return PF_OK;
}

void jobs_set_ended(const struct jobs *jobs, struct job *next, enum job_status status)
{
    next->status = status;
    next->finished_ms = clock_realtime_ms();
    next->expires_ms = next->finished_ms + jobs->options.result_ttl_ms;
    next->eta_ms = -1;
}

void jobs_set_failure(struct job *next, const char *code, const char *message, const char *field)
{
    snprintf(next->error.code, sizeof next->error.code, "%s", code);
    snprintf(next->error.message, sizeof next->error.message, "%s", message);
    snprintf(next->error.field, sizeof next->error.field, "%s", field ? field : "");
}

/* Sets aside the ids of the events this state can have; see events.h. A terminal event has exactly
 * the id stored, so that it is the same after a restart. */
static void reserve_event_ids(const struct jobs *jobs, struct job *next)
{
    int64_t id = hub_next_id(jobs->hub, next->id);
    if (id <= 0) /* the channel was dropped for want of memory */
        id = next->event_id + 1;
    if (next->status == JOB_QUEUED)
        id += JOBS_QUEUED_EVENTS;
    else if (next->status == JOB_RUNNING)
        id += next->params.steps + next->params.previews + JOBS_STATE_EVENTS;
    next->event_id = id;
}

/* Makes a written state the present one; state_lock is held. */
static void apply_move(struct jobs *jobs, struct live *live, struct job *next, const char *reason)
{
    struct job *job = live->job;
    live->job = next;
    if (job->status == JOB_RUNNING) {
        jobs->running--;
        queue_stop(&jobs->queue, &live->item);
    }
    if (next->status == JOB_RUNNING) {
        jobs->running++;
        queue_start(&jobs->queue, &live->item);
    } else if (next->status == JOB_QUEUED && job->status == JOB_QUEUED) {
        jobs_end_question(jobs, live);
    } else if (next->status == JOB_QUEUED) {
        queue_put(&jobs->queue, &live->item);
        jobs->stats.retried++;
    } else {
        queue_remove(&jobs->queue, &live->item);
        jobs->stats.ended[next->status]++;
    }
    if (next->status == JOB_SUCCEEDED)
        estimate_add_run(&jobs->estimate, next->params.steps, next->finished_ms - next->started_ms);
    jobs_publish_state(jobs, live, reason);
    jobs_move_in_batch(jobs, live, job->status);
    job_unref(job);
    if (job_is_terminal(next))
        jobs_remove_live(jobs, live);
}

enum pf_status jobs_move(struct jobs *jobs, struct live *live, struct job *next, const char *reason,
    struct pf_error *err)
{
    AUTO_JOB struct job *owned = next;
    enum pf_status status;
    if (!is_move_allowed(live->job->status, next->status)) {
        status = pf_fail(err, PF_CONFLICT, "job %s is %s and can't become %s", next->id,
            job_status_name(live->job->status), job_status_name(next->status));
    } else {
        reserve_event_ids(jobs, next);
        status = jobs->store->ops->update(jobs->store, next, err);
    }
    pthread_mutex_lock(&jobs->state_lock);
    live->is_moving = 0;
    if (status == PF_OK)
        apply_move(jobs, live, STEAL(owned), reason);
    pthread_mutex_unlock(&jobs->state_lock);
    return status;
}

enum pf_status jobs_retry(struct jobs *jobs, struct live *live, int counted, const char *code,
    const char *reason, struct pf_error *err)
{
    struct job *next = NULL;
    PF_TRY(jobs_begin_move(jobs, live, &next, err));
    next->eta_ms = -1;
    if (counted && next->attempts >= jobs->options.max_attempts) {
        char message[PF_ERROR_MESSAGE_MAX];
        snprintf(message, sizeof message, "%.400s (attempt %lld of %lld)", reason,
            (long long)next->attempts, (long long)jobs->options.max_attempts);
        jobs_set_ended(jobs, next, JOB_FAILED);
        jobs_set_failure(next, code, message, NULL);
    } else {
        next->status = JOB_QUEUED;
        next->step = 0;
        next->attempts -= !counted;
    }
    return jobs_move(jobs, live, next, reason, err);
}

void jobs_call_wake(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->wake_lock);
    if (jobs->wake)
        jobs->wake(jobs->wake_context);
    if (jobs->question_wake)
        jobs->question_wake(jobs->question_wake_context);
    pthread_mutex_unlock(&jobs->wake_lock);
}
