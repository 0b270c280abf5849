/* SPDX-License-Identifier: Apache-2.0 */
/* Submission: places in the queue are taken first, then files and rows are written (submissions of
 * several threads side by side, their rows committed together), then the job goes live. A failure
 * on the way gives the place back; a crash leaves files that the next start removes, or a row,
 * which is an accepted job. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "server/jobs/jobs_internal.h"

/* ---- the same request again ---- */

static void add_text(struct sha256 *sha, const char *text)
{
    /* NULL and "" differ, and no two lists of texts look alike. */
    uint64_t size = text ? strlen(text) + 1 : 0;
    sha256_update(sha, &size, sizeof size);
    if (text)
        sha256_update(sha, text, (size_t)size - 1);
}

static void add_image(struct sha256 *sha, const struct jobs_image *image)
{
    uint64_t size = image->bytes ? image->size : UINT64_MAX;
    sha256_update(sha, &size, sizeof size);
    if (image->bytes)
        sha256_update(sha, image->bytes, image->size);
}

static enum pf_status add_spec(
    struct sha256 *sha, const struct jobs_spec *spec, struct pf_error *err)
{
    AUTO_BUFFER struct buffer params = BUFFER_INIT;
    params_put_json(&params, &spec->params);
    PF_TRY(buffer_status(&params, err));
    add_text(sha, job_priority_name(spec->priority));
    add_text(sha, spec->instruction);
    add_text(sha, job_auxiliary_name(spec->auxiliary));
    add_text(sha, spec->auxiliary_prompt);
    add_text(sha, params.data);
    add_text(sha, spec->metadata);
    add_text(sha, spec->webhook_url);
    add_image(sha, &spec->image);
    add_image(sha, &spec->mask);
    return PF_OK;
}

/* One job, or the jobs of a batch, on their way in. */
struct submission {
    const struct jobs_spec *specs;
    struct job **jobs; /* one reference each */
    size_t count;
    enum job_priority priority;
    char batch[ID_SIZE]; /* "" for a single job */
    char fingerprint[JOB_FINGERPRINT_SIZE];
};

static enum pf_status make_fingerprint(struct submission *submission, struct pf_error *err)
{
    struct sha256 sha;
    sha256_init(&sha);
    uint64_t count = submission->batch[0] ? submission->count : 0;
    sha256_update(&sha, &count, sizeof count);
    for (size_t i = 0; i < submission->count; i++)
        PF_TRY(add_spec(&sha, &submission->specs[i], err));
    unsigned char digest[SHA256_SIZE];
    sha256_finish(&sha, digest);
    sha256_hex(digest, submission->fingerprint);
    return PF_OK;
}

/* The first job submitted with this key. PF_NOT_FOUND when the key is new. */
static enum pf_status find_replay(struct jobs *jobs, const struct submission *submission,
    struct job **ret_job, struct pf_error *err)
{
    const struct jobs_spec *spec = submission->specs;
    AUTO_JOB struct job *first = NULL;
    PF_TRY(
        jobs->store->ops->find_key(jobs->store, spec->owner, spec->idempotency_key, &first, err));
    if (strcmp(first->fingerprint, submission->fingerprint) != 0)
        return pf_fail(err, PF_CONFLICT,
            "the idempotency key was used before with another request (job %s)", first->id);
    PF_TRY(jobs_get(jobs, NULL, first->id, ret_job, err));
    pthread_mutex_lock(&jobs->state_lock);
    jobs->stats.replayed++;
    pthread_mutex_unlock(&jobs->state_lock);
    return PF_OK;
}

/* ---- places in the queue ---- */

/* state_lock is held. */
static enum pf_status check_places(
    const struct jobs *jobs, const struct submission *submission, struct pf_error *err)
{
    const struct jobs_options *options = &jobs->options;
    enum job_priority priority = submission->priority;
    int64_t count = (int64_t)submission->count;
    int64_t queued = jobs->queue.count[priority] + jobs->arriving[priority];
    int64_t most = priority == JOB_BATCH ? options->max_queued_batch : options->max_queued;
    if (jobs->is_draining)
        return pf_fail(err, PF_BUSY, "the server is shutting down");
    if (queued + count > most)
        return pf_fail(err, PF_BUSY, "the queue is full: %lld of %lld jobs, and %lld more came",
            (long long)queued, (long long)most, (long long)count);
    int64_t most_owned = options->max_queued_per_owner;
    if (most_owned > 0 &&
        queue_count_owner(&jobs->queue, submission->specs->owner) + count > most_owned)
        return pf_fail(err, PF_BUSY, "this key may have %lld jobs queued, and has them",
            (long long)most_owned);
    return PF_OK;
}

static enum pf_status take_places(
    struct jobs *jobs, const struct submission *submission, struct pf_error *err)
{
    int64_t count = (int64_t)submission->count;
    pthread_mutex_lock(&jobs->state_lock);
    enum pf_status status = check_places(jobs, submission, err);
    if (status != PF_OK)
        jobs->stats.rejected += count;
    else
        status = queue_expect(&jobs->queue, submission->specs->owner, count, err);
    if (status == PF_OK) {
        jobs->arriving[submission->priority] += count;
        for (size_t i = 0; i < submission->count; i++)
            submission->jobs[i]->sequence = ++jobs->last_sequence;
    }
    pthread_mutex_unlock(&jobs->state_lock);
    return status;
}

/* state_lock is held. */
static void end_arrival(
    struct jobs *jobs, enum job_priority priority, const char *owner, int64_t count)
{
    jobs->arriving[priority] -= count;
    (void)!queue_expect(&jobs->queue, owner, -count, NULL);
}

static void give_places(struct jobs *jobs, const struct submission *submission)
{
    pthread_mutex_lock(&jobs->state_lock);
    end_arrival(jobs, submission->priority, submission->specs->owner, (int64_t)submission->count);
    pthread_mutex_unlock(&jobs->state_lock);
}

/* ---- the jobs ---- */

static enum pf_status check_spec(const struct jobs_spec *spec, struct pf_error *err)
{
    if (!spec->image.bytes)
        return pf_fail(err, PF_INVALID, "image is missing");
    if (!spec->owner || strlen(spec->owner) >= JOB_OWNER_SIZE)
        return pf_fail(err, PF_INVALID, "a key's id has at most %d bytes", JOB_OWNER_SIZE - 1);
    if (!spec->instruction)
        return pf_fail(err, PF_INVALID, "instruction is missing");
    if (spec->trace && strlen(spec->trace) >= TRACE_SIZE)
        return pf_fail(err, PF_INVALID, "a trace has at most %d bytes", TRACE_SIZE - 1);
    return PF_OK;
}

static int copy_text(char **ret_copy, const char *text)
{
    *ret_copy = text ? strdup(text) : NULL;
    return !text || *ret_copy;
}

static enum pf_status make_job(const struct submission *submission, const struct jobs_spec *spec,
    struct job **ret_job, struct pf_error *err)
{
    AUTO_JOB struct job *job = job_create();
    /* A batch's key is its first job's. */
    const char *key = spec == submission->specs ? spec->idempotency_key : NULL;
    if (!job || !copy_text(&job->instruction, spec->instruction) ||
        !copy_text(&job->auxiliary_prompt, spec->auxiliary_prompt) ||
        !copy_text(&job->model, spec->model) || !copy_text(&job->metadata, spec->metadata) ||
        !copy_text(&job->webhook_url, spec->webhook_url) || !copy_text(&job->idempotency_key, key))
        return pf_fail(err, PF_NOMEM, "no memory for a job");
    PF_TRY(id_create(job->id, err));
    strcpy(job->owner, submission->specs->owner);
    strcpy(job->trace, spec->trace ? spec->trace : "");
    memcpy(job->batch, submission->batch, ID_SIZE);
    memcpy(job->fingerprint, submission->fingerprint, JOB_FINGERPRINT_SIZE);
    job->status = JOB_QUEUED;
    job->priority = submission->priority;
    job->auxiliary = spec->auxiliary;
    job->params = spec->params;
    job->steps = spec->params.steps;
    job->created_ms = clock_realtime_ms();
    job->image_bytes = (int64_t)spec->image.size;
    job->mask_bytes = spec->mask.bytes ? (int64_t)spec->mask.size : 0;
    job->event_id = JOBS_QUEUED_EVENTS;
    *ret_job = STEAL(job);
    return PF_OK;
}

static void remove_files(struct jobs *jobs, const struct submission *submission)
{
    for (size_t i = 0; i < submission->count; i++) {
        blobs_remove(&jobs->blobs, submission->jobs[i]->image_blob);
        blobs_remove(&jobs->blobs, submission->jobs[i]->mask_blob);
    }
}

/* Files, then rows. On failure no file is left. */
static enum pf_status write_jobs(
    struct jobs *jobs, const struct submission *submission, struct pf_error *err)
{
    const struct store_ops *ops = jobs->store->ops;
    enum pf_status status = PF_OK;
    for (size_t i = 0; i < submission->count && status == PF_OK; i++) {
        const struct jobs_spec *spec = &submission->specs[i];
        struct job *job = submission->jobs[i];
        status = blobs_put(&jobs->blobs, spec->image.bytes, spec->image.size, job->image_blob, err);
        if (status == PF_OK && spec->mask.bytes)
            status =
                blobs_put(&jobs->blobs, spec->mask.bytes, spec->mask.size, job->mask_blob, err);
    }
    if (status == PF_OK)
        status = submission->count == 1
                     ? ops->insert(jobs->store, submission->jobs[0], err)
                     : ops->insert_many(jobs->store, submission->jobs, submission->count, err);
    if (status != PF_OK)
        remove_files(jobs, submission);
    return status;
}

static enum pf_status go_live(struct jobs *jobs, struct job *job, struct pf_error *err)
{
    enum pf_status status = hub_open_channel(jobs->hub, job->id, 1, err);
    pthread_mutex_lock(&jobs->state_lock);
    end_arrival(jobs, job->priority, job->owner, 1);
    if (status == PF_OK)
        status = jobs_add_live(jobs, job, NULL, err);
    if (status == PF_OK) {
        job_ref(job);
        jobs->stats.submitted++;
    }
    pthread_mutex_unlock(&jobs->state_lock);
    if (status != PF_OK)
        hub_drop_channel(jobs->hub, job->id);
    return status;
}

/* The jobs are accepted. One there is no memory for is failed rather than left to wait for a
 * restart in silence; if even that can't be written, it does wait. */
static void go_live_or_fail(struct jobs *jobs, struct job *job)
{
    struct pf_error err = PF_ERROR_INIT;
    if (go_live(jobs, job, &err) == PF_OK)
        return;
    struct job *failed = job_copy(job);
    if (!failed)
        return;
    struct pf_error ignored = PF_ERROR_INIT; /* then it is queued, as it stands in the store */
    pthread_mutex_lock(&jobs->write_lock);
    jobs_set_ended(jobs, failed, JOB_FAILED);
    jobs_set_failure(failed, pf_status_name(err.status), err.message, NULL);
    (void)!jobs->store->ops->update(jobs->store, failed, &ignored);
    pthread_mutex_unlock(&jobs->write_lock);
    job_unref(failed);
}

static enum pf_status accept_jobs(
    struct jobs *jobs, const struct submission *submission, struct pf_error *err)
{
    PF_TRY(take_places(jobs, submission, err));
    enum pf_status status = write_jobs(jobs, submission, err);
    if (status == PF_OK && submission->batch[0])
        /* Without its channel the batch can't be followed, but it runs. */
        (void)(hub_open_channel(jobs->hub, submission->batch, 1, NULL) == PF_OK);
    for (size_t i = 0; i < submission->count && status == PF_OK; i++)
        go_live_or_fail(jobs, submission->jobs[i]);
    if (status == PF_OK)
        jobs_call_wake(jobs);
    else
        give_places(jobs, submission);
    return status;
}

/* ---- submitting ---- */

static enum pf_status make_jobs(struct submission *submission, struct pf_error *err)
{
    submission->jobs = calloc(submission->count, sizeof(struct job *));
    if (!submission->jobs)
        return pf_fail(err, PF_NOMEM, "no memory for a submission");
    for (size_t i = 0; i < submission->count; i++)
        PF_TRY(make_job(submission, &submission->specs[i], &submission->jobs[i], err));
    return PF_OK;
}

static void finish_submission(struct submission *submission)
{
    for (size_t i = 0; submission->jobs && i < submission->count; i++)
        job_unref(submission->jobs[i]);
    free(submission->jobs);
}

/* *ret_first is the first job, or that of the first request with the same key. */
static enum pf_status submit(struct jobs *jobs, struct submission *submission,
    struct job **ret_first, int *ret_replayed, struct pf_error *err)
{
    *ret_replayed = 0;
    int has_key = submission->specs->idempotency_key != NULL;
    if (has_key) {
        struct pf_error replay_err = PF_ERROR_INIT;
        PF_TRY(make_fingerprint(submission, err));
        enum pf_status status = find_replay(jobs, submission, ret_first, &replay_err);
        *ret_replayed = status == PF_OK;
        if (status != PF_NOT_FOUND)
            return status == PF_OK ? PF_OK : pf_fail(err, status, "%s", replay_err.message);
    }
    PF_TRY(make_jobs(submission, err));
    struct pf_error accept_err = PF_ERROR_INIT;
    enum pf_status status = accept_jobs(jobs, submission, &accept_err);
    if (status == PF_CONFLICT && has_key) { /* the same key at the same time: the other was first */
        PF_TRY(find_replay(jobs, submission, ret_first, err));
        *ret_replayed = 1;
        return PF_OK;
    }
    if (status != PF_OK)
        return pf_fail(err, status, "%s", accept_err.message);
    *ret_first = job_ref(submission->jobs[0]);
    return PF_OK;
}

enum pf_status jobs_submit(struct jobs *jobs, const struct jobs_spec *spec, struct job **ret_job,
    int *ret_replayed, struct pf_error *err)
{
    PF_TRY(check_spec(spec, err));
    struct submission submission = {.specs = spec, .count = 1, .priority = spec->priority};
    int is_replay = 0;
    enum pf_status status = submit(jobs, &submission, ret_job, &is_replay, err);
    finish_submission(&submission);
    if (status == PF_OK && ret_replayed)
        *ret_replayed = is_replay;
    return status;
}

enum pf_status jobs_submit_batch(struct jobs *jobs, const struct jobs_spec *specs, size_t count,
    struct batch *ret_batch, int *ret_replayed, struct pf_error *err)
{
    if (count < 1 || count > BATCH_JOBS_MAX)
        return pf_fail(
            err, PF_INVALID, "a batch of %zu jobs, expected 1 to %d", count, BATCH_JOBS_MAX);
    for (size_t i = 0; i < count; i++)
        PF_TRY(check_spec(&specs[i], err));
    struct submission submission = {.specs = specs, .count = count, .priority = JOB_BATCH};
    PF_TRY(id_create(submission.batch, err));
    AUTO_JOB struct job *first = NULL;
    int is_replay = 0;
    enum pf_status status = submit(jobs, &submission, &first, &is_replay, err);
    finish_submission(&submission);
    PF_TRY(status);
    if (ret_replayed)
        *ret_replayed = is_replay;
    return jobs_get_batch(jobs, NULL, first->batch, ret_batch, err);
}
