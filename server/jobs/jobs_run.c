/* SPDX-License-Identifier: Apache-2.0 */
/* The workers' half of the job service. Every report names the attempt it is about; one that is no
 * longer the running attempt is dropped, so a late message of a cancelled job or of a worker
 * thought dead changes nothing. */
#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "server/jobs/jobs_internal.h"

const double jobs_step_bucket_s[JOBS_STEP_BUCKETS] = {
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

void jobs_set_wake(struct jobs *jobs, void (*wake)(void *context), void *context)
{
    pthread_mutex_lock(&jobs->wake_lock);
    jobs->wake = wake;
    jobs->wake_context = context;
    pthread_mutex_unlock(&jobs->wake_lock);
}

void jobs_set_slots(struct jobs *jobs, int64_t slots)
{
    pthread_mutex_lock(&jobs->state_lock);
    jobs->slots = slots > 0 ? slots : 1;
    pthread_mutex_unlock(&jobs->state_lock);
}

/* The live job of a running attempt, or NULL; state_lock is held. */
static struct live *find_attempt(struct jobs *jobs, const char *id, int64_t attempt)
{
    struct live *live = jobs_find_live(jobs, id);
    if (!live || live->job->status != JOB_RUNNING || live->job->attempts != attempt)
        return NULL;
    return live;
}

int jobs_is_current(struct jobs *jobs, const char *id, int64_t attempt)
{
    pthread_mutex_lock(&jobs->state_lock);
    int is_current = find_attempt(jobs, id, attempt) != NULL;
    pthread_mutex_unlock(&jobs->state_lock);
    return is_current;
}

/* ---- handing out ---- */

static void set_started(struct job *next)
{
    next->status = JOB_RUNNING;
    next->attempts++;
    next->step = 0;
    next->eta_ms = -1;
    next->started_ms = clock_realtime_ms();
    int64_t queued_ms = next->started_ms - next->created_ms;
    next->timings = (struct job_timings){queued_ms < 0 ? 0 : queued_ms, -1, -1, -1, -1};
}

static enum pf_status take_locked(struct jobs *jobs, struct job **ret_job, struct pf_error *err)
{
    pthread_mutex_lock(&jobs->state_lock);
    struct queue_item *item =
        jobs->is_draining ? NULL : queue_pick(&jobs->queue, clock_realtime_ms());
    pthread_mutex_unlock(&jobs->state_lock);
    *ret_job = NULL;
    if (!item)
        return PF_OK;
    struct live *live = (struct live *)((char *)item - offsetof(struct live, item));
    AUTO_JOB struct job *next = NULL;
    PF_TRY(jobs_begin_move(jobs, live, &next, err));
    set_started(next);
    struct job *taken = job_ref(next);
    enum pf_status status = jobs_move(jobs, live, STEAL(next), NULL, err);
    if (status != PF_OK) {
        job_unref(taken);
        return status;
    }
    *ret_job = taken;
    return PF_OK;
}

enum pf_status jobs_take(struct jobs *jobs, struct job **ret_job, struct pf_error *err)
{
    pthread_mutex_lock(&jobs->write_lock);
    enum pf_status status = take_locked(jobs, ret_job, err);
    pthread_mutex_unlock(&jobs->write_lock);
    return status;
}

/* Bounded by the ids set aside for it, so that none is used twice after a restart. */
static void tell_position(struct jobs *jobs, struct live *live)
{
    if (live->job->status != JOB_QUEUED || live->is_moving ||
        !hub_has_readers(jobs->hub, live->job->id) ||
        hub_next_id(jobs->hub, live->job->id) > live->job->event_id ||
        queue_position(&jobs->queue, &live->item) == live->told_position)
        return;
    jobs_publish_state(jobs, live, NULL);
}

void jobs_tell_positions(struct jobs *jobs)
{
    enum { TELL_MS = 1000 };
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&jobs->state_lock);
    int is_due = now_ms - jobs->told_at_ms >= TELL_MS &&
                 jobs->queue.count[JOB_INTERACTIVE] + jobs->queue.count[JOB_BATCH] > 0;
    if (is_due) {
        jobs->told_at_ms = now_ms;
        for (size_t i = 0; i < JOBS_BUCKETS; i++)
            for (struct live *live = jobs->buckets[i]; live; live = live->next_in_bucket)
                tell_position(jobs, live);
    }
    pthread_mutex_unlock(&jobs->state_lock);
}

enum pf_status jobs_read_input(
    struct jobs *jobs, const struct job *job, struct buffer *ret, struct pf_error *err)
{
    PF_TRY(blobs_read(&jobs->blobs, job->image_blob, ret, err));
    if (job->mask_blob[0])
        PF_TRY(blobs_read(&jobs->blobs, job->mask_blob, ret, err));
    return PF_OK;
}

/* ---- progress: in memory only ---- */

/* Swaps in a changed copy of a running job, without a transition; state_lock is held. */
static struct job *copy_progress(struct live *live)
{
    if (!live || live->is_moving)
        return NULL;
    struct job *next = job_copy(live->job);
    if (!next)
        return NULL; /* progress is told late rather than the job failed */
    job_unref(live->job);
    live->job = next;
    return next;
}

enum pf_status jobs_report_started(
    struct jobs *jobs, const char *id, int64_t attempt, int64_t load_ms, struct pf_error *err)
{
    (void)err;
    pthread_mutex_lock(&jobs->state_lock);
    struct job *job = copy_progress(find_attempt(jobs, id, attempt));
    if (job)
        job->timings.load_ms = load_ms;
    pthread_mutex_unlock(&jobs->state_lock);
    return PF_OK;
}

enum pf_status jobs_report_encoded(
    struct jobs *jobs, const char *id, int64_t attempt, int64_t encode_ms, struct pf_error *err)
{
    (void)err;
    pthread_mutex_lock(&jobs->state_lock);
    struct job *job = copy_progress(find_attempt(jobs, id, attempt));
    if (job)
        job->timings.encode_ms = encode_ms;
    pthread_mutex_unlock(&jobs->state_lock);
    return PF_OK;
}

static void put_step(
    struct buffer *out, const char *id, int64_t attempt, const struct jobs_step *step)
{
    buffer_put_format(out,
        "{\"job\":\"%s\",\"attempt\":%lld,\"step\":%lld,\"steps\":%lld,\"sigma\":", id,
        (long long)attempt, (long long)step->step, (long long)step->steps);
    buffer_put_json_number(out, step->sigma);
    buffer_put_text(out, ",\"guidance_loss\":");
    buffer_put_json_number(out, step->guidance_loss);
    buffer_put_format(out, ",\"elapsed_ms\":%lld,\"eta_ms\":", (long long)step->elapsed_ms);
    if (step->eta_ms < 0)
        buffer_put_text(out, "null}");
    else
        buffer_put_format(out, "%lld}", (long long)step->eta_ms);
}

/* elapsed_ms counts from the attempt's start; what this step alone took is the difference. */
static void count_step(struct jobs *jobs, struct live *live, const struct jobs_step *step)
{
    int64_t step_ms = step->elapsed_ms - live->step_elapsed_ms;
    int is_first = live->step_attempt != live->job->attempts;
    live->step_attempt = live->job->attempts;
    live->step_elapsed_ms = step->elapsed_ms;
    if (is_first || step_ms < 0)
        return; /* the first one's time holds the encoding */
    estimate_add_step(&jobs->estimate, step_ms);
    double seconds = (double)step_ms / 1000.0;
    jobs->stats.step_count++;
    jobs->stats.step_sum_s += seconds;
    for (size_t i = 0; i < JOBS_STEP_BUCKETS; i++) {
        if (seconds <= jobs_step_bucket_s[i]) {
            jobs->stats.step_bucket[i]++;
            break;
        }
    }
}

enum pf_status jobs_report_step(struct jobs *jobs, const char *id, int64_t attempt,
    const struct jobs_step *step, struct pf_error *err)
{
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    put_step(&data, id, attempt, step);
    PF_TRY(buffer_status(&data, err));
    pthread_mutex_lock(&jobs->state_lock);
    struct live *live = find_attempt(jobs, id, attempt);
    struct job *job = copy_progress(live);
    if (job) {
        job->step = step->step;
        job->steps = step->steps;
        job->eta_ms = step->eta_ms;
        count_step(jobs, live, step);
        jobs_publish(jobs, id,
            &(struct event_draft){.kind = EVENT_STEP, .data = data.data, .data_size = data.size});
    }
    pthread_mutex_unlock(&jobs->state_lock);
    return PF_OK;
}

static const char *format_name(const char *format)
{
    static const char *const names[] = {"png", "jpeg", "webp"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(format, names[i]) == 0)
            return names[i];
    return NULL;
}

static enum pf_status fail_format(const char *id, const char *format, struct pf_error *err)
{
    return pf_fail(
        err, PF_CORRUPT, "the worker sent job %s an image of format '%.16s'", id, format);
}

enum pf_status jobs_report_preview(struct jobs *jobs, const char *id, int64_t attempt,
    const struct jobs_preview *preview, struct pf_error *err)
{
    struct event_draft draft = {.kind = EVENT_PREVIEW,
        .step = preview->step,
        .width = preview->width,
        .height = preview->height,
        .format = format_name(preview->format)};
    if (!draft.format)
        return fail_format(id, preview->format, err);
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    buffer_put_format(&data,
        "{\"job\":\"%s\",\"attempt\":%lld,\"step\":%lld,\"format\":\"%s\",\"width\":%lld,"
        "\"height\":%lld,\"b64_json\":\"",
        id, (long long)attempt, (long long)preview->step, draft.format, (long long)preview->width,
        (long long)preview->height);
    draft.b64_offset = data.size;
    draft.b64_size = base64_size(preview->size);
    buffer_put_base64(&data, preview->bytes, preview->size);
    buffer_put_text(&data, "\"}");
    PF_TRY(buffer_status(&data, err));
    draft.data = data.data;
    draft.data_size = data.size;
    pthread_mutex_lock(&jobs->state_lock);
    const struct live *live = find_attempt(jobs, id, attempt);
    if (live && !live->is_moving)
        jobs_publish(jobs, id, &draft);
    pthread_mutex_unlock(&jobs->state_lock);
    return PF_OK;
}

/* ---- ends ---- */

static void set_succeeded(const struct jobs *jobs, struct job *next,
    const struct jobs_outcome *outcome, const char *format, const char *blob)
{
    jobs_set_ended(jobs, next, JOB_SUCCEEDED);
    next->step = next->steps;
    next->timings.encode_ms =
        outcome->encode_ms >= 0 ? outcome->encode_ms : next->timings.encode_ms;
    next->timings.sample_ms = outcome->sample_ms;
    next->timings.decode_ms = outcome->decode_ms;
    memcpy(next->result_blob, blob, ID_SIZE);
    strcpy(next->result.format, format);
    next->result.width = outcome->width;
    next->result.height = outcome->height;
    next->result.bytes = (int64_t)outcome->size;
}

struct ending {
    const struct jobs_outcome *outcome;
    const char *format;
    const char *blob;
};

static enum pf_status end_attempt(
    struct jobs *jobs, struct live *live, const struct ending *ending, struct pf_error *err)
{
    const struct jobs_outcome *outcome = ending->outcome;
    if (outcome->status == JOB_FAILED && outcome->retryable &&
        live->job->attempts < jobs->options.max_attempts)
        return jobs_retry(jobs, live, 1, outcome->code, outcome->message, err);
    struct job *next = NULL;
    PF_TRY(jobs_begin_move(jobs, live, &next, err));
    if (outcome->status == JOB_SUCCEEDED) {
        set_succeeded(jobs, next, outcome, ending->format, ending->blob);
    } else {
        jobs_set_ended(jobs, next, outcome->status);
        if (outcome->status == JOB_FAILED)
            jobs_set_failure(next, outcome->code, outcome->message, outcome->field);
    }
    return jobs_move(jobs, live, next, NULL, err);
}

enum pf_status jobs_report_outcome(struct jobs *jobs, const char *id, int64_t attempt,
    const struct jobs_outcome *outcome, struct pf_error *err)
{
    if (!jobs_is_current(jobs, id, attempt))
        return PF_OK;
    char blob[ID_SIZE] = "";
    struct ending ending = {.outcome = outcome, .blob = blob};
    if (outcome->status == JOB_SUCCEEDED) {
        ending.format = format_name(outcome->format);
        if (!ending.format)
            return fail_format(id, outcome->format, err);
        PF_TRY(blobs_put(&jobs->blobs, outcome->bytes, outcome->size, blob, err));
    }
    pthread_mutex_lock(&jobs->write_lock);
    pthread_mutex_lock(&jobs->state_lock);
    struct live *live = find_attempt(jobs, id, attempt);
    pthread_mutex_unlock(&jobs->state_lock);
    enum pf_status status = live ? end_attempt(jobs, live, &ending, err) : PF_OK;
    pthread_mutex_unlock(&jobs->write_lock);
    if (!live || status != PF_OK)
        blobs_remove(&jobs->blobs, blob);
    return status;
}

enum pf_status jobs_give_back(struct jobs *jobs, const char *id, int64_t attempt, int counted,
    const char *code, const char *reason, struct pf_error *err)
{
    pthread_mutex_lock(&jobs->write_lock);
    pthread_mutex_lock(&jobs->state_lock);
    struct live *live = find_attempt(jobs, id, attempt);
    pthread_mutex_unlock(&jobs->state_lock);
    enum pf_status status = live ? jobs_retry(jobs, live, counted, code, reason, err) : PF_OK;
    pthread_mutex_unlock(&jobs->write_lock);
    if (live)
        jobs_call_wake(jobs);
    return status;
}
