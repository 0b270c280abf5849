/* SPDX-License-Identifier: Apache-2.0 */
/* The service's start and end. What the store holds as queued or running at the start is what a
 * stopped or killed server left: it is queued again, and what lies in the spool folder without a
 * job that knows it is removed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/jobs/jobs_internal.h"

void jobs_options_init(struct jobs_options *options)
{
    *options = (struct jobs_options){
        .max_queued = 256,
        .max_queued_batch = 4096,
        .max_queued_per_owner = 0,
        .max_running_per_owner = 0,
        .max_attempts = 3,
        .result_ttl_ms = INT64_C(3600000),
        .expired_ttl_ms = INT64_C(24) * 3600000,
        .idempotency_ttl_ms = INT64_C(24) * 3600000,
        .ageing_ms = 60000,
        .idle_channels_max = 256,
    };
}

static enum pf_status check_option(
    const char *name, int64_t value, int64_t min, int64_t max, struct pf_error *err)
{
    if (value < min || value > max)
        return pf_fail(err, PF_INVALID, "%s is %lld, expected %lld to %lld", name, (long long)value,
            (long long)min, (long long)max);
    return PF_OK;
}

static enum pf_status check_options(const struct jobs_options *options, struct pf_error *err)
{
    const int64_t year_ms = INT64_C(366) * 24 * 3600000;
    if (!options->data_dir)
        return pf_fail(err, PF_INVALID, "data_dir is missing");
    PF_TRY(check_option("max_queued", options->max_queued, 1, 1000000, err));
    PF_TRY(check_option("max_queued_batch", options->max_queued_batch, 1, 1000000, err));
    PF_TRY(check_option("max_queued_per_owner", options->max_queued_per_owner, 0, 1000000, err));
    PF_TRY(check_option("max_running_per_owner", options->max_running_per_owner, 0, 1000000, err));
    PF_TRY(check_option("max_attempts", options->max_attempts, 1, 100, err));
    PF_TRY(check_option("result_ttl_ms", options->result_ttl_ms, 0, year_ms, err));
    PF_TRY(check_option("expired_ttl_ms", options->expired_ttl_ms, 0, year_ms, err));
    PF_TRY(check_option("idempotency_ttl_ms", options->idempotency_ttl_ms, 0, year_ms, err));
    PF_TRY(check_option("ageing_ms", options->ageing_ms, 0, year_ms, err));
    return check_option("idle_channels_max", options->idle_channels_max, 0, 1000000, err);
}

enum pf_status jobs_set_limits(
    struct jobs *jobs, const struct jobs_options *options, struct pf_error *err)
{
    struct jobs_options next = jobs->options;
    next.max_queued = options->max_queued;
    next.max_queued_batch = options->max_queued_batch;
    next.max_queued_per_owner = options->max_queued_per_owner;
    next.max_running_per_owner = options->max_running_per_owner;
    next.ageing_ms = options->ageing_ms;
    next.max_attempts = options->max_attempts;
    next.result_ttl_ms = options->result_ttl_ms;
    next.expired_ttl_ms = options->expired_ttl_ms;
    PF_TRY(check_options(&next, err));
    pthread_mutex_lock(&jobs->write_lock);
    pthread_mutex_lock(&jobs->state_lock);
    jobs->options = next;
    jobs->queue.max_running = next.max_running_per_owner;
    jobs->queue.ageing_ms = jobs->questions.ageing_ms = next.ageing_ms;
    pthread_mutex_unlock(&jobs->state_lock);
    pthread_mutex_unlock(&jobs->write_lock);
    jobs_call_wake(jobs); /* more may run now */
    return PF_OK;
}

/* ---- opening ---- */

static char *join_path(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* A worker that was being started when its server was killed holds the lock until it has become the
 * worker. */
enum { LOCK_WAIT_MS = 2000 };

/* One server for a data directory: a second one would run the same jobs. */
static enum pf_status lock_folder(struct jobs *jobs, struct pf_error *err)
{
    const char *folder = jobs->data_dir;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return pf_fail_errno(err, errno, "can't make the data directory '%s'", folder);
    AUTO_FREE char *path = join_path(folder, "lock");
    if (!path)
        return pf_fail(err, PF_NOMEM, "no memory for a path");
    jobs->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (jobs->lock_fd < 0)
        return pf_fail_errno(err, errno, "can't open '%s'", path);
    int64_t give_up_ms = clock_monotonic_ms() + LOCK_WAIT_MS;
    while (flock(jobs->lock_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK &&
           clock_monotonic_ms() < give_up_ms)
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    if (flock(jobs->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? pf_fail(err, PF_BUSY, "another server uses the data directory '%s'", folder)
                   : pf_fail_errno(err, errno, "can't lock '%s'", path);
    return PF_OK;
}

static enum pf_status open_folder(struct jobs *jobs, struct pf_error *err)
{
    PF_TRY(lock_folder(jobs, err));
    AUTO_FREE char *spool = join_path(jobs->data_dir, "spool");
    AUTO_FREE char *db = join_path(jobs->data_dir, "jobs.db");
    if (!spool || !db)
        return pf_fail(err, PF_NOMEM, "no memory for a path");
    PF_TRY(blobs_open(&jobs->blobs, spool, err));
    return store_sqlite_open(&jobs->store, jobs->options.in_memory ? NULL : db, err);
}

/* ---- recovery ---- */

struct job_list {
    struct job **items;
    size_t count, capacity;
};

static void job_list_finish(struct job_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        job_unref(list->items[i]);
    free(list->items);
}

static enum pf_status collect(void *context, struct job *job, struct pf_error *err)
{
    struct job_list *list = context;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct job **items = realloc(list->items, capacity * sizeof(struct job *));
        if (!items)
            return pf_fail(err, PF_NOMEM, "no memory for the jobs found in the store");
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = job_ref(job);
    return PF_OK;
}

/* What a job found in the store becomes: its first life ended without a word. */
static struct job *make_recovered(const struct jobs *jobs, const struct job *found)
{
    struct job *job = job_copy(found);
    if (!job)
        return NULL;
    job->eta_ms = -1;
    if (found->status == JOB_RUNNING && found->attempts >= jobs->options.max_attempts) {
        jobs_set_ended(jobs, job, JOB_FAILED);
        jobs_set_failure(job, "worker_died",
            "the server stopped while the job ran, and its attempts are used up", NULL);
        job->event_id = found->event_id + 1;
        return job;
    }
    job->status = JOB_QUEUED;
    job->step = 0;
    job->event_id = found->event_id + JOBS_QUEUED_EVENTS;
    return job;
}

static enum pf_status recover_job(struct jobs *jobs, const struct job *found, struct pf_error *err)
{
    AUTO_JOB struct job *job = make_recovered(jobs, found);
    if (!job)
        return pf_fail(err, PF_NOMEM, "no memory to recover job %s", found->id);
    PF_TRY(jobs->store->ops->update(jobs->store, job, err));
    if (job_is_terminal(job)) {
        jobs->stats.ended[job->status]++;
        return PF_OK;
    }
    PF_TRY(hub_open_channel(jobs->hub, job->id, found->event_id + 1, err));
    const char *reason = found->status == JOB_RUNNING ? "the server was restarted" : NULL;
    jobs->stats.retried += reason != NULL;
    PF_TRY(jobs_add_live(jobs, job, reason, err));
    (void)STEAL(job);
    return PF_OK;
}

struct used_blobs {
    struct jobs *jobs;
    char (*ids)[ID_SIZE];
    size_t count, capacity;
};

static enum pf_status collect_blobs(void *context, struct job *job, struct pf_error *err)
{
    struct used_blobs *used = context;
    if (used->capacity - used->count < 3) {
        size_t capacity = used->capacity ? used->capacity * 2 : 256;
        char(*ids)[ID_SIZE] = realloc(used->ids, capacity * sizeof *ids);
        if (!ids)
            return pf_fail(err, PF_NOMEM, "no memory for the names of blobs");
        used->ids = ids;
        used->capacity = capacity;
    }
    const char *names[] = {job->image_blob, job->mask_blob, job->result_blob};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i][0])
            memcpy(used->ids[used->count++], names[i], ID_SIZE);
    return PF_OK;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, ID_SIZE);
}

static int is_blob_used(void *context, const char *id)
{
    const struct used_blobs *used = context;
    return used->count > 0 &&
           bsearch(id, used->ids, used->count, sizeof *used->ids, compare_ids) != NULL;
}

/* Blobs of submissions and results that a killed server never got to record. */
static enum pf_status sweep_blobs(struct jobs *jobs, struct pf_error *err)
{
    struct used_blobs used = {.jobs = jobs};
    size_t removed = 0;
    enum pf_status status =
        jobs->store->ops->list(jobs->store, &(struct store_query){.status = -1, .limit = INT64_MAX},
            &(struct store_visitor){.visit = collect_blobs, .context = &used}, err);
    if (status == PF_OK) {
        if (used.count > 0)
            qsort(used.ids, used.count, sizeof *used.ids, compare_ids);
        status = blobs_sweep(&jobs->blobs, 0, is_blob_used, &used, &removed, err);
    }
    free(used.ids);
    return status;
}

static enum pf_status recover(struct jobs *jobs, struct pf_error *err)
{
    const struct store_ops *ops = jobs->store->ops;
    PF_TRY(ops->last_sequence(jobs->store, &jobs->last_sequence, err));
    struct job_list list = {0};
    enum pf_status status = ops->list_open(
        jobs->store, &(struct store_visitor){.visit = collect, .context = &list}, err);
    for (size_t i = 0; status == PF_OK && i < list.count; i++)
        status = recover_job(jobs, list.items[i], err);
    job_list_finish(&list);
    for (struct live_batch *batch = jobs->batches; status == PF_OK && batch; batch = batch->next) {
        status = ops->get_batch(jobs->store, batch->sum.id, &batch->sum, err);
        if (status == PF_OK)
            status =
                hub_open_channel(jobs->hub, batch->sum.id, jobs_batch_first_id(&batch->sum), err);
    }
    PF_TRY(status);
    return sweep_blobs(jobs, err);
}

enum pf_status jobs_create(
    struct jobs **ret_jobs, const struct jobs_options *options, struct pf_error *err)
{
    PF_TRY(check_options(options, err));
    struct jobs *jobs = calloc(1, sizeof *jobs);
    if (!jobs)
        return pf_fail(err, PF_NOMEM, "no memory for the job service");
    jobs->options = *options;
    jobs->lock_fd = -1;
    jobs->blobs.folder_fd = -1;
    jobs->slots = 1;
    pthread_mutex_init(&jobs->write_lock, NULL);
    pthread_mutex_init(&jobs->state_lock, NULL);
    pthread_mutex_init(&jobs->wake_lock, NULL);
    queue_init(&jobs->queue, options->ageing_ms);
    jobs->queue.max_running = options->max_running_per_owner;
    queue_init(&jobs->questions, options->ageing_ms);
    estimate_init(&jobs->estimate);
    jobs->data_dir = strdup(options->data_dir);
    enum pf_status status = jobs->data_dir ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for a path");
    if (status == PF_OK)
        status = open_folder(jobs, err);
    if (status == PF_OK)
        status = hub_create(&jobs->hub, (size_t)options->idle_channels_max, err);
    if (status == PF_OK)
        status = recover(jobs, err);
    if (status != PF_OK) {
        jobs_destroy(jobs);
        return status;
    }
    *ret_jobs = jobs;
    return PF_OK;
}

void jobs_destroy(struct jobs *jobs)
{
    if (!jobs)
        return;
    for (size_t i = 0; i < JOBS_BUCKETS; i++)
        while (jobs->buckets[i])
            jobs_remove_live(jobs, jobs->buckets[i]);
    jobs_free_batches(jobs);
    queue_finish(&jobs->queue);
    queue_finish(&jobs->questions);
    hub_destroy(jobs->hub);
    store_close(jobs->store);
    blobs_close(&jobs->blobs);
    if (jobs->lock_fd >= 0)
        close(jobs->lock_fd);
    pthread_mutex_destroy(&jobs->wake_lock);
    pthread_mutex_destroy(&jobs->state_lock);
    pthread_mutex_destroy(&jobs->write_lock);
    free(jobs->data_dir);
    free(jobs);
}
