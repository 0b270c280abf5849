/* SPDX-License-Identifier: Apache-2.0 */
/* Submission: a place in the queue is taken first, then files and row are written (submissions of
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

static enum pf_status make_fingerprint(
    const struct jobs_spec *spec, char ret_fingerprint[JOB_FINGERPRINT_SIZE], struct pf_error *err)
{
    AUTO_BUFFER struct buffer params = BUFFER_INIT;
    params_put_json(&params, &spec->params);
    PF_TRY(buffer_status(&params, err));
    struct sha256 sha;
    sha256_init(&sha);
    add_text(&sha, job_priority_name(spec->priority));
    add_text(&sha, spec->instruction);
    add_text(&sha, job_auxiliary_name(spec->auxiliary));
    add_text(&sha, spec->auxiliary_prompt);
    add_text(&sha, params.data);
    add_text(&sha, spec->metadata);
    add_text(&sha, spec->webhook_url);
    add_image(&sha, &spec->image);
    add_image(&sha, &spec->mask);
    unsigned char digest[SHA256_SIZE];
    sha256_finish(&sha, digest);
    sha256_hex(digest, ret_fingerprint);
    return PF_OK;
}

/* PF_NOT_FOUND when the key is new. */
static enum pf_status find_replay(struct jobs *jobs, const struct jobs_spec *spec,
    const char *fingerprint, struct job **ret_job, struct pf_error *err)
{
    AUTO_JOB struct job *first = NULL;
    PF_TRY(
        jobs->store->ops->find_key(jobs->store, spec->owner, spec->idempotency_key, &first, err));
    if (strcmp(first->fingerprint, fingerprint) != 0)
        return pf_fail(err, PF_CONFLICT,
            "the idempotency key was used before with another request (job %s)", first->id);
    PF_TRY(jobs_get(jobs, NULL, first->id, ret_job, err));
    pthread_mutex_lock(&jobs->state_lock);
    jobs->stats.replayed++;
    pthread_mutex_unlock(&jobs->state_lock);
    return PF_OK;
}

/* ---- a place in the queue ---- */

static enum pf_status take_place(
    struct jobs *jobs, const struct jobs_spec *spec, int64_t *ret_sequence, struct pf_error *err)
{
    const struct jobs_options *options = &jobs->options;
    enum pf_status status = PF_OK;
    pthread_mutex_lock(&jobs->state_lock);
    int64_t queued =
        jobs->queue.count[JOB_INTERACTIVE] + jobs->queue.count[JOB_BATCH] + jobs->arriving;
    if (jobs->is_draining)
        status = pf_fail(err, PF_BUSY, "the server is shutting down");
    else if (queued >= options->max_queued)
        status = pf_fail(err, PF_BUSY, "the queue is full: %lld jobs", (long long)queued);
    else if (options->max_queued_per_owner > 0 &&
             queue_count_owner(&jobs->queue, spec->owner) >= options->max_queued_per_owner)
        status = pf_fail(err, PF_BUSY, "this key has %lld jobs queued, the most it may have",
            (long long)options->max_queued_per_owner);
    if (status == PF_OK) {
        jobs->arriving++;
        *ret_sequence = ++jobs->last_sequence;
    } else {
        jobs->stats.rejected++;
    }
    pthread_mutex_unlock(&jobs->state_lock);
    return status;
}

static void give_place(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->state_lock);
    jobs->arriving--;
    pthread_mutex_unlock(&jobs->state_lock);
}

/* ---- the job ---- */

static enum pf_status check_spec(const struct jobs_spec *spec, struct pf_error *err)
{
    if (!spec->image.bytes)
        return pf_fail(err, PF_INVALID, "image is missing");
    if (!spec->owner || strlen(spec->owner) >= JOB_OWNER_SIZE)
        return pf_fail(err, PF_INVALID, "a key's id has at most %d bytes", JOB_OWNER_SIZE - 1);
    if (!spec->instruction)
        return pf_fail(err, PF_INVALID, "instruction is missing");
    if (spec->batch && !id_is_valid(spec->batch))
        return pf_fail(err, PF_INVALID, "batch is no id");
    return PF_OK;
}

static int copy_text(char **ret_copy, const char *text)
{
    *ret_copy = text ? strdup(text) : NULL;
    return !text || *ret_copy;
}

static enum pf_status make_job(const struct jobs_spec *spec, const char *fingerprint,
    struct job **ret_job, struct pf_error *err)
{
    AUTO_JOB struct job *job = job_create();
    if (!job || !copy_text(&job->instruction, spec->instruction) ||
        !copy_text(&job->auxiliary_prompt, spec->auxiliary_prompt) ||
        !copy_text(&job->model, spec->model) || !copy_text(&job->metadata, spec->metadata) ||
        !copy_text(&job->webhook_url, spec->webhook_url) ||
        !copy_text(&job->idempotency_key, spec->idempotency_key))
        return pf_fail(err, PF_NOMEM, "no memory for a job");
    PF_TRY(id_create(job->id, err));
    strcpy(job->owner, spec->owner);
    strcpy(job->batch, spec->batch ? spec->batch : "");
    memcpy(job->fingerprint, fingerprint, JOB_FINGERPRINT_SIZE);
    job->status = JOB_QUEUED;
    job->priority = spec->priority;
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

/* Files, then row. On failure no file is left. */
static enum pf_status write_job(
    struct jobs *jobs, const struct jobs_spec *spec, struct job *job, struct pf_error *err)
{
    struct blobs *blobs = &jobs->blobs;
    PF_TRY(blobs_put(blobs, spec->image.bytes, spec->image.size, job->image_blob, err));
    enum pf_status status = PF_OK;
    if (spec->mask.bytes)
        status = blobs_put(blobs, spec->mask.bytes, spec->mask.size, job->mask_blob, err);
    if (status == PF_OK)
        status = jobs->store->ops->insert(jobs->store, job, err);
    if (status != PF_OK) {
        blobs_remove(blobs, job->image_blob);
        blobs_remove(blobs, job->mask_blob);
    }
    return status;
}

/* The job is accepted: whatever fails from here on, it is not the submission. */
static enum pf_status go_live(struct jobs *jobs, struct job *job, struct pf_error *err)
{
    enum pf_status status = hub_open_channel(jobs->hub, job->id, 1, err);
    pthread_mutex_lock(&jobs->state_lock);
    jobs->arriving--;
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

static enum pf_status accept_job(
    struct jobs *jobs, const struct jobs_spec *spec, struct job *job, struct pf_error *err)
{
    PF_TRY(take_place(jobs, spec, &job->sequence, err));
    enum pf_status status = write_job(jobs, spec, job, err);
    if (status != PF_OK) {
        give_place(jobs);
        return status;
    }
    status = go_live(jobs, job, err);
    if (status != PF_OK) { /* no memory: take it back rather than let it wait for a restart */
        struct pf_error ignored = PF_ERROR_INIT;
        if (jobs->store->ops->remove(jobs->store, job->id, &ignored) == PF_OK) {
            blobs_remove(&jobs->blobs, job->image_blob);
            blobs_remove(&jobs->blobs, job->mask_blob);
        }
        return status;
    }
    jobs_call_wake(jobs);
    return PF_OK;
}

enum pf_status jobs_submit(struct jobs *jobs, const struct jobs_spec *spec, struct job **ret_job,
    int *ret_replayed, struct pf_error *err)
{
    PF_TRY(check_spec(spec, err));
    char fingerprint[JOB_FINGERPRINT_SIZE] = "";
    struct pf_error key_err = PF_ERROR_INIT;
    enum pf_status status = PF_NOT_FOUND;
    if (ret_replayed)
        *ret_replayed = 0;
    if (spec->idempotency_key) {
        PF_TRY(make_fingerprint(spec, fingerprint, err));
        status = find_replay(jobs, spec, fingerprint, ret_job, &key_err);
    }
    if (status == PF_NOT_FOUND) {
        AUTO_JOB struct job *job = NULL;
        PF_TRY(make_job(spec, fingerprint, &job, err));
        struct pf_error accept_err = PF_ERROR_INIT;
        status = accept_job(jobs, spec, job, &accept_err);
        if (status == PF_OK) {
            *ret_job = STEAL(job);
            return PF_OK;
        }
        if (status != PF_CONFLICT || !spec->idempotency_key)
            return pf_fail(err, status, "%s", accept_err.message);
        /* The same key at the same time: the other one came first. */
        key_err = (struct pf_error)PF_ERROR_INIT;
        status = find_replay(jobs, spec, fingerprint, ret_job, &key_err);
    }
    if (status != PF_OK)
        return pf_fail(err, status, "%s", key_err.message);
    if (ret_replayed)
        *ret_replayed = 1;
    return PF_OK;
}
