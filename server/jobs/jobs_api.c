/* SPDX-License-Identifier: Apache-2.0 */
/* The API's half of the job service, but for submission. A live job is answered from memory; a
 * finished one from the store. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/jobs/jobs_internal.h"

static enum pf_status fail_not_found(const char *id, struct pf_error *err)
{
    return pf_fail(err, PF_NOT_FOUND, "no job '%.64s'", id);
}

static int is_visible(const struct job *job, const char *owner)
{
    return !owner || strcmp(job->owner, owner) == 0;
}

enum pf_status jobs_get(struct jobs *jobs, const char *owner, const char *id, struct job **ret_job,
    struct pf_error *err)
{
    if (!id_is_valid(id))
        return fail_not_found(id, err);
    pthread_mutex_lock(&jobs->state_lock);
    struct live *live = jobs_find_live(jobs, id);
    AUTO_JOB struct job *job = live ? job_ref(live->job) : NULL;
    pthread_mutex_unlock(&jobs->state_lock);
    if (!job)
        PF_TRY(jobs->store->ops->get(jobs->store, id, &job, err));
    if (!is_visible(job, owner))
        return fail_not_found(id, err);
    *ret_job = STEAL(job);
    return PF_OK;
}

void jobs_get_trace_id(struct jobs *jobs, const char *id, char ret_trace_id[TRACE_ID_SIZE])
{
    AUTO_JOB struct job *job = NULL;
    ret_trace_id[0] = '\0';
    if (jobs_get(jobs, NULL, id, &job, NULL) == PF_OK)
        trace_get_id(job->trace, ret_trace_id);
}

void jobs_get_view(struct jobs *jobs, const struct job *job, struct job_view *ret_view)
{
    pthread_mutex_lock(&jobs->state_lock);
    jobs_fill_view(jobs, job, jobs_find_live(jobs, job->id), ret_view);
    pthread_mutex_unlock(&jobs->state_lock);
}

/* ---- lists ---- */

static enum pf_status add_to_page(void *context, struct job *job, struct pf_error *err)
{
    (void)err;
    struct jobs_page *page = context; /* has room for the limit and one more */
    page->items[page->count++] = job_ref(job);
    return PF_OK;
}

static enum pf_status find_cursor(struct jobs *jobs, const struct jobs_filter *filter,
    int64_t *ret_sequence, struct pf_error *err)
{
    *ret_sequence = 0;
    if (!filter->after)
        return PF_OK;
    AUTO_JOB struct job *after = NULL;
    PF_TRY(jobs_get(jobs, filter->owner, filter->after, &after, err));
    *ret_sequence = after->sequence;
    return PF_OK;
}

/* The store's rows have no progress: live jobs take their place. */
static void use_live(struct jobs *jobs, struct jobs_page *page)
{
    pthread_mutex_lock(&jobs->state_lock);
    for (size_t i = 0; i < page->count; i++) {
        const struct live *live = jobs_find_live(jobs, page->items[i]->id);
        if (!live)
            continue;
        job_unref(page->items[i]);
        page->items[i] = job_ref(live->job);
    }
    pthread_mutex_unlock(&jobs->state_lock);
}

enum pf_status jobs_list(struct jobs *jobs, const struct jobs_filter *filter,
    struct jobs_page *ret_page, struct pf_error *err)
{
    if (filter->limit < 1 || filter->limit > JOBS_PAGE_MAX)
        return pf_fail(
            err, PF_INVALID, "limit is %zu, expected 1 to %d", filter->limit, JOBS_PAGE_MAX);
    struct store_query query = {.owner = filter->owner,
        .batch = filter->batch,
        .status = filter->status,
        .limit = filter->limit + 1};
    PF_TRY(find_cursor(jobs, filter, &query.before, err));
    struct jobs_page page = {.items = calloc(query.limit, sizeof(struct job *))};
    if (!page.items)
        return pf_fail(err, PF_NOMEM, "no memory for a page of jobs");
    enum pf_status status = jobs->store->ops->list(
        jobs->store, &query, &(struct store_visitor){.visit = add_to_page, .context = &page}, err);
    if (status != PF_OK) {
        jobs_page_finish(&page);
        return status;
    }
    page.has_more = page.count > filter->limit;
    if (page.has_more)
        job_unref(page.items[--page.count]);
    use_live(jobs, &page);
    *ret_page = page;
    return PF_OK;
}

void jobs_page_finish(struct jobs_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        job_unref(page->items[i]);
    free(page->items);
    *page = (struct jobs_page){0};
}

/* ---- cancelling and removing ---- */

/* The live job when the owner may see it; state_lock is held. */
static struct live *find_visible(struct jobs *jobs, const char *owner, const char *id)
{
    struct live *live = jobs_find_live(jobs, id);
    return live && is_visible(live->job, owner) ? live : NULL;
}

/* *ret_was_live is 0 when there is nothing to cancel. */
static enum pf_status cancel_live(
    struct jobs *jobs, const char *owner, const char *id, int *ret_was_live, struct pf_error *err)
{
    pthread_mutex_lock(&jobs->write_lock);
    pthread_mutex_lock(&jobs->state_lock);
    struct live *live = find_visible(jobs, owner, id);
    pthread_mutex_unlock(&jobs->state_lock);
    enum pf_status status = PF_OK;
    struct job *next = NULL;
    if (live)
        status = jobs_begin_move(jobs, live, &next, err);
    if (live && status == PF_OK) {
        jobs_set_ended(jobs, next, JOB_CANCELLED);
        status = jobs_move(jobs, live, next, NULL, err);
    }
    pthread_mutex_unlock(&jobs->write_lock);
    *ret_was_live = live != NULL;
    return status;
}

enum pf_status jobs_cancel(struct jobs *jobs, const char *owner, const char *id,
    struct job **ret_job, struct pf_error *err)
{
    if (!id_is_valid(id))
        return fail_not_found(id, err);
    int was_live = 0;
    PF_TRY(cancel_live(jobs, owner, id, &was_live, err));
    if (was_live)
        jobs_call_wake(jobs);
    AUTO_JOB struct job *job = NULL;
    PF_TRY(jobs_get(jobs, owner, id, &job, err));
    if (ret_job)
        *ret_job = STEAL(job);
    return PF_OK;
}

static void remove_blobs(struct jobs *jobs, const struct job *job)
{
    blobs_remove(&jobs->blobs, job->image_blob);
    blobs_remove(&jobs->blobs, job->mask_blob);
    blobs_remove(&jobs->blobs, job->result_blob);
}

enum pf_status jobs_remove(
    struct jobs *jobs, const char *owner, const char *id, struct pf_error *err)
{
    AUTO_JOB struct job *job = NULL;
    PF_TRY(jobs_cancel(jobs, owner, id, &job, err));
    PF_TRY(jobs->store->ops->remove(jobs->store, id, err));
    pthread_mutex_lock(&jobs->state_lock);
    jobs_leave_batch(jobs, job);
    pthread_mutex_unlock(&jobs->state_lock);
    remove_blobs(jobs, job);
    hub_drop_channel(jobs->hub, id);
    return PF_OK;
}

enum pf_status jobs_open_result(struct jobs *jobs, const char *owner, const char *id, int *ret_fd,
    struct job **ret_job, struct pf_error *err)
{
    AUTO_JOB struct job *job = NULL;
    PF_TRY(jobs_get(jobs, owner, id, &job, err));
    if (job->status != JOB_SUCCEEDED)
        return pf_fail(
            err, PF_CONFLICT, "job %s is %s and has no result", id, job_status_name(job->status));
    if (!job->result_blob[0])
        return pf_fail(err, PF_NOT_FOUND, "the result of job %s has expired", id);
    size_t size = 0;
    PF_TRY(blobs_open_fd(&jobs->blobs, job->result_blob, ret_fd, &size, err));
    if (ret_job)
        *ret_job = STEAL(job);
    return PF_OK;
}

/* ---- events ---- */

/* The channel of a finished job whose own is gone: just its terminal event, with the id it had. */
static enum pf_status publish_ended(struct jobs *jobs, const struct job *job, struct pf_error *err)
{
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    jobs_put_event(&data, job, NULL, NULL);
    PF_TRY(buffer_status(&data, err));
    struct event_draft draft = {
        .kind = jobs_event_kind(job), .data = data.data, .data_size = data.size};
    struct pf_error ignored = PF_ERROR_INIT; /* PF_CONFLICT: it is there already */
    enum pf_status status = hub_publish(jobs->hub, job->id, &draft, NULL, &ignored);
    return status == PF_NOMEM ? pf_fail(err, status, "%s", ignored.message) : PF_OK;
}

enum pf_status jobs_subscribe(struct jobs *jobs, const char *owner, const char *id,
    int64_t after_id, void (*wake)(void *context), void *context, struct events_reader **ret_reader,
    struct pf_error *err)
{
    AUTO_JOB struct job *job = NULL;
    PF_TRY(jobs_get(jobs, owner, id, &job, err));
    struct events_reader *reader = NULL;
    struct pf_error missing = PF_ERROR_INIT;
    enum pf_status status =
        hub_subscribe(jobs->hub, id, after_id, wake, context, &reader, &missing);
    if (status == PF_NOT_FOUND && job_is_terminal(job)) {
        PF_TRY(hub_open_channel(jobs->hub, id, job->event_id, err));
        /* Subscribed before it is published: an ended channel nobody reads may be dropped. */
        status = hub_subscribe(jobs->hub, id, after_id, wake, context, &reader, &missing);
        if (status == PF_OK && publish_ended(jobs, job, err) != PF_OK) {
            events_unsubscribe(reader);
            return err ? err->status : PF_NOMEM;
        }
    }
    if (status != PF_OK)
        return pf_fail(
            err, PF_BUSY, "the events of job %s can't be followed now: %s", id, missing.message);
    *ret_reader = reader;
    return PF_OK;
}

enum pf_status jobs_get_snapshot(struct jobs *jobs, const char *owner, const char *id,
    struct jobs_snapshot *ret_snapshot, struct pf_error *err)
{
    struct jobs_snapshot snapshot = {0};
    pthread_mutex_lock(&jobs->state_lock);
    const struct live *live = find_visible(jobs, owner, id);
    if (live) {
        snapshot.job = job_ref(live->job);
        snapshot.last_id = hub_next_id(jobs->hub, id) - 1;
    }
    pthread_mutex_unlock(&jobs->state_lock);
    if (!snapshot.job) {
        PF_TRY(jobs_get(jobs, owner, id, &snapshot.job, err));
        snapshot.last_id = snapshot.job->event_id;
    }
    snapshot.kind = jobs_event_kind(snapshot.job);
    *ret_snapshot = snapshot;
    return PF_OK;
}

void jobs_close_streams(struct jobs *jobs)
{
    hub_close(jobs->hub);
}

void jobs_begin_drain(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->state_lock);
    jobs->is_draining = 1;
    pthread_mutex_unlock(&jobs->state_lock);
}

int jobs_is_draining(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->state_lock);
    int is_draining = jobs->is_draining;
    pthread_mutex_unlock(&jobs->state_lock);
    return is_draining;
}

/* ---- cleaning ---- */

enum { CLEAN_MAX = 100 }; /* jobs in one call, so that it doesn't hold up its caller */

struct expired {
    struct job *items[CLEAN_MAX];
    size_t count;
};

static enum pf_status add_expired(void *context, struct job *job, struct pf_error *err)
{
    (void)err;
    struct expired *expired = context;
    expired->items[expired->count++] = job_ref(job);
    return PF_OK;
}

/* First the blobs go, then, when nobody needs to be told so and its idempotency key may be
 * forgotten as well, the row: the job can be told apart from one that never was. The row changes
 * before the files do: what is removed is no longer referred to, also after a crash in between. */
static enum pf_status expire_job(
    struct jobs *jobs, const struct job *job, int64_t now_ms, struct pf_error *err)
{
    const struct store_ops *ops = jobs->store->ops;
    pthread_mutex_lock(&jobs->state_lock);
    int64_t row_expires_ms = job->expires_ms + jobs->options.expired_ttl_ms;
    int64_t key_expires_ms = job->created_ms + jobs->options.idempotency_ttl_ms;
    pthread_mutex_unlock(&jobs->state_lock);
    if (row_expires_ms < key_expires_ms)
        row_expires_ms = key_expires_ms;
    if (job_is_expired(job) || row_expires_ms <= now_ms) {
        enum pf_status status = ops->remove(jobs->store, job->id, NULL);
        if (status != PF_OK && status != PF_NOT_FOUND)
            return pf_fail(err, status, "can't remove the expired job %s", job->id);
    } else {
        AUTO_JOB struct job *next = job_copy(job);
        if (!next)
            return pf_fail(err, PF_NOMEM, "no memory for an expired job");
        next->image_blob[0] = next->mask_blob[0] = next->result_blob[0] = '\0';
        next->expires_ms = row_expires_ms;
        enum pf_status status = ops->update(jobs->store, next, NULL);
        if (status != PF_OK && status != PF_NOT_FOUND)
            return pf_fail(err, status, "can't expire job %s", job->id);
    }
    remove_blobs(jobs, job);
    hub_drop_channel(jobs->hub, job->id);
    return PF_OK;
}

enum pf_status jobs_clean(struct jobs *jobs, size_t *ret_removed, struct pf_error *err)
{
    struct expired expired = {.count = 0};
    int64_t now_ms = clock_realtime_ms();
    enum pf_status status = jobs->store->ops->list_expired(jobs->store, now_ms, CLEAN_MAX,
        &(struct store_visitor){.visit = add_expired, .context = &expired}, err);
    for (size_t i = 0; i < expired.count; i++) {
        if (status == PF_OK)
            status = expire_job(jobs, expired.items[i], now_ms, err);
        job_unref(expired.items[i]);
    }
    if (status == PF_OK && ret_removed)
        *ret_removed = expired.count;
    return status;
}

/* ---- numbers ---- */

void jobs_get_stats(struct jobs *jobs, struct jobs_stats *ret_stats)
{
    pthread_mutex_lock(&jobs->state_lock);
    *ret_stats = jobs->stats;
    for (int p = 0; p < JOB_PRIORITY_COUNT; p++)
        ret_stats->queued[p] = jobs->queue.count[p];
    ret_stats->running = jobs->running;
    int64_t oldest_ms = queue_oldest_ms(&jobs->queue);
    ret_stats->oldest_queued_ms = oldest_ms > 0 ? clock_realtime_ms() - oldest_ms : 0;
    ret_stats->mean_run_ms = jobs->estimate.run_ms < 0 ? -1 : (int64_t)jobs->estimate.run_ms;
    pthread_mutex_unlock(&jobs->state_lock);
    hub_get_stats(jobs->hub, &ret_stats->hub);
}

int64_t jobs_retry_after_s(struct jobs *jobs)
{
    enum { UNKNOWN_S = 5, MAX_S = 60 };
    pthread_mutex_lock(&jobs->state_lock);
    double run_ms = jobs->estimate.run_ms;
    int64_t slots = jobs->slots;
    pthread_mutex_unlock(&jobs->state_lock);
    if (run_ms < 0)
        return UNKNOWN_S;
    /* One place is free when one job ends. */
    int64_t seconds = (int64_t)(run_ms / (double)slots / 1000.0) + 1;
    return seconds > MAX_S ? MAX_S : seconds;
}
