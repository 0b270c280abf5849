/* SPDX-License-Identifier: Apache-2.0 */
/* Event ids of a batch are not stored. Within one life of the server they count up from the
 * channel's first id, which is the batch's age in microseconds: events come slower than one a
 * microsecond, so a later life starts beyond all ids of an earlier one. The completion's id is made
 * of the batch's own times, and so the same whenever it is asked for. */
#include "server/jobs/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/jobs/jobs_internal.h"

int batch_is_finished(const struct batch *batch)
{
    return batch->counts[JOB_QUEUED] + batch->counts[JOB_RUNNING] == 0;
}

static const char *status_name(const struct batch *batch)
{
    if (batch_is_finished(batch))
        return "completed";
    return batch->counts[JOB_QUEUED] == batch->total ? "queued" : "running";
}

static void put_counts(struct buffer *out, const struct batch *batch)
{
    buffer_put_text(out, "\"counts\":{");
    for (int i = 0; i < JOB_STATUS_COUNT; i++)
        buffer_put_format(out, "%s\"%s\":%lld", i ? "," : "", job_status_name((enum job_status)i),
            (long long)batch->counts[i]);
    buffer_put_format(out, "},\"total\":%lld", (long long)batch->total);
}

static void put_time(struct buffer *out, const char *name, int64_t realtime_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    if (realtime_ms <= 0) {
        buffer_put_format(out, ",\"%s\":null", name);
        return;
    }
    clock_format_rfc3339(realtime_ms, text);
    buffer_put_format(out, ",\"%s\":\"%s\"", name, text);
}

/* All members but the opening brace and the id. */
static void put_members(struct buffer *out, const struct batch *batch, const char *base_url)
{
    const char *base = base_url ? base_url : "";
    buffer_put_format(out, "\"object\":\"batch\",\"status\":\"%s\",", status_name(batch));
    put_counts(out, batch);
    put_time(out, "created_at", batch->created_ms);
    put_time(out, "finished_at", batch->finished_ms);
    buffer_put_format(out,
        ",\"urls\":{\"self\":\"%s/v1/batches/%s\",\"events\":\"%s/v1/batches/%s/events\","
        "\"cancel\":\"%s/v1/batches/%s/cancel\",\"jobs\":\"%s/v1/jobs?batch=%s\"}}",
        base, batch->id, base, batch->id, base, batch->id, base, batch->id);
}

void batch_put_json(struct buffer *out, const struct batch *batch, const char *base_url)
{
    buffer_put_format(out, "{\"id\":\"%s\",", batch->id);
    put_members(out, batch, base_url);
}

/* ---- live batches ---- */

struct live_batch *jobs_find_batch(struct jobs *jobs, const char *id)
{
    struct live_batch *batch = jobs->batches;
    while (batch && strcmp(batch->sum.id, id) != 0)
        batch = batch->next;
    return batch;
}

enum pf_status jobs_join_batch(struct jobs *jobs, struct live *live, struct pf_error *err)
{
    const struct job *job = live->job;
    if (!job->batch[0])
        return PF_OK;
    struct live_batch *batch = jobs_find_batch(jobs, job->batch);
    if (!batch) {
        batch = calloc(1, sizeof *batch);
        if (!batch)
            return pf_fail(err, PF_NOMEM, "no memory for a batch");
        memcpy(batch->sum.id, job->batch, ID_SIZE);
        memcpy(batch->sum.owner, job->owner, JOB_OWNER_SIZE);
        batch->sum.created_ms = job->created_ms;
        batch->next = jobs->batches;
        jobs->batches = batch;
    }
    batch->open++;
    batch->sum.total++;
    batch->sum.counts[job->status]++;
    live->batch = batch;
    return PF_OK;
}

static void remove_batch(struct jobs *jobs, struct live_batch *batch)
{
    struct live_batch **link = &jobs->batches;
    while (*link != batch)
        link = &(*link)->next;
    *link = batch->next;
    free(batch);
}

void jobs_free_batches(struct jobs *jobs)
{
    while (jobs->batches)
        remove_batch(jobs, jobs->batches);
}

int64_t jobs_batch_first_id(const struct batch *batch)
{
    int64_t age_ms = clock_realtime_ms() - batch->created_ms;
    return (age_ms > 0 ? age_ms : 0) * 1000 + 1;
}

static int64_t completion_id(const struct batch *batch)
{
    return (batch->finished_ms - batch->created_ms + 1) * 1000 + 1000;
}

static enum pf_status publish_completion(
    struct jobs *jobs, const struct batch *batch, struct pf_error *err)
{
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    buffer_put_format(&data, "{\"batch\":\"%s\",\"id\":\"%s\",", batch->id, batch->id);
    put_members(&data, batch, NULL);
    PF_TRY(buffer_status(&data, err));
    hub_skip_to(jobs->hub, batch->id, completion_id(batch));
    struct event_draft draft = {.kind = EVENT_COMPLETED, .data = data.data, .data_size = data.size};
    return hub_publish(jobs->hub, batch->id, &draft, NULL, err);
}

static void publish_move(struct jobs *jobs, const struct job *job, const struct batch *batch)
{
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    buffer_put_format(&data, "{\"batch\":\"%s\",\"job\":\"%s\",\"status\":\"%s\",", batch->id,
        job->id, job_status_name(job->status));
    put_counts(&data, batch);
    buffer_put_text(&data, "}");
    if (data.status == PF_OK)
        jobs_publish(jobs, batch->id,
            &(struct event_draft){.kind = EVENT_JOB, .data = data.data, .data_size = data.size});
}

void jobs_move_in_batch(struct jobs *jobs, struct live *live, enum job_status from)
{
    struct live_batch *batch = live->batch;
    const struct job *job = live->job;
    if (!batch)
        return;
    batch->sum.counts[from]--;
    batch->sum.counts[job->status]++;
    publish_move(jobs, job, &batch->sum);
    if (!job_is_terminal(job))
        return;
    live->batch = NULL;
    batch->open--;
    if (job->finished_ms > batch->sum.finished_ms)
        batch->sum.finished_ms = job->finished_ms;
    if (batch->open > 0)
        return;
    if (publish_completion(jobs, &batch->sum, NULL) == PF_NOMEM)
        hub_drop_channel(jobs->hub, batch->sum.id);
    remove_batch(jobs, batch);
}

void jobs_leave_batch(struct jobs *jobs, const struct job *job)
{
    struct live_batch *batch = job->batch[0] ? jobs_find_batch(jobs, job->batch) : NULL;
    if (!batch)
        return;
    batch->sum.counts[job->status]--;
    batch->sum.total--;
}

/* ---- the API's half ---- */

enum pf_status jobs_get_batch(struct jobs *jobs, const char *owner, const char *id,
    struct batch *ret_batch, struct pf_error *err)
{
    if (!id_is_valid(id))
        return pf_fail(err, PF_NOT_FOUND, "no batch '%.64s'", id);
    struct batch batch;
    pthread_mutex_lock(&jobs->state_lock);
    const struct live_batch *live = jobs_find_batch(jobs, id);
    if (live)
        batch = live->sum;
    pthread_mutex_unlock(&jobs->state_lock);
    if (!live)
        PF_TRY(jobs->store->ops->get_batch(jobs->store, id, &batch, err));
    else
        batch.finished_ms = 0;
    if (owner && strcmp(batch.owner, owner) != 0)
        return pf_fail(err, PF_NOT_FOUND, "no batch '%.64s'", id);
    *ret_batch = batch;
    return PF_OK;
}

struct id_list {
    char (*items)[ID_SIZE];
    size_t count;
};

static enum pf_status list_open_jobs(
    struct jobs *jobs, const char *batch, struct id_list *ret_list, struct pf_error *err)
{
    ret_list->items = calloc(BATCH_JOBS_MAX, ID_SIZE);
    if (!ret_list->items)
        return pf_fail(err, PF_NOMEM, "no memory to cancel a batch");
    pthread_mutex_lock(&jobs->state_lock);
    for (size_t i = 0; i < JOBS_BUCKETS; i++)
        for (const struct live *live = jobs->buckets[i]; live; live = live->next_in_bucket)
            if (strcmp(live->job->batch, batch) == 0 && ret_list->count < BATCH_JOBS_MAX)
                memcpy(ret_list->items[ret_list->count++], live->job->id, ID_SIZE);
    pthread_mutex_unlock(&jobs->state_lock);
    return PF_OK;
}

enum pf_status jobs_cancel_batch(struct jobs *jobs, const char *owner, const char *id,
    struct batch *ret_batch, struct pf_error *err)
{
    struct batch batch;
    PF_TRY(jobs_get_batch(jobs, owner, id, &batch, err));
    struct id_list list = {0};
    PF_TRY(list_open_jobs(jobs, id, &list, err));
    enum pf_status status = PF_OK;
    for (size_t i = 0; i < list.count && status == PF_OK; i++) {
        struct pf_error cancel_err = PF_ERROR_INIT;
        status = jobs_cancel(jobs, owner, list.items[i], NULL, &cancel_err);
        if (status == PF_NOT_FOUND) /* removed meanwhile */
            status = PF_OK;
        if (status != PF_OK)
            status = pf_fail(err, status, "%s", cancel_err.message);
    }
    free(list.items);
    PF_TRY(status);
    return jobs_get_batch(jobs, owner, id, ret_batch, err);
}

enum pf_status jobs_subscribe_batch(struct jobs *jobs, const char *owner, const char *id,
    int64_t after_id, void (*wake)(void *context), void *context, struct events_reader **ret_reader,
    struct pf_error *err)
{
    struct batch batch;
    PF_TRY(jobs_get_batch(jobs, owner, id, &batch, err));
    if (hub_subscribe(jobs->hub, id, after_id, wake, context, ret_reader, NULL) == PF_OK)
        return PF_OK;
    if (!batch_is_finished(&batch))
        return pf_fail(err, PF_BUSY, "the events of batch %s can't be followed now", id);
    PF_TRY(hub_open_channel(jobs->hub, id, completion_id(&batch), err));
    struct events_reader *reader = NULL;
    PF_TRY(hub_subscribe(jobs->hub, id, after_id, wake, context, &reader, err));
    struct pf_error publish_err = PF_ERROR_INIT; /* PF_CONFLICT: it is there already */
    enum pf_status status = publish_completion(jobs, &batch, &publish_err);
    if (status == PF_NOMEM) {
        events_unsubscribe(reader);
        return pf_fail(err, status, "%s", publish_err.message);
    }
    *ret_reader = reader;
    return PF_OK;
}
