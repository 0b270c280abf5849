/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that wait for an auxiliary prompt. Such a job is queued: it counts, has its place and can be
 * cancelled, but is held there. A second queue with the same rules says about which of them to ask
 * next, so that the order of asking is the order of running: interactive before batch, fair between
 * keys. The answer is a move of the job from queued to queued (or to failed). */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/jobs/jobs_internal.h"

enum pf_status jobs_add_question(
    struct jobs *jobs, struct live *live, const struct job *job, struct pf_error *err)
{
    PF_TRY(queue_prepare(&jobs->questions, &live->question, job, err));
    queue_put(&jobs->questions, &live->question);
    live->item.is_held = 1;
    return PF_OK;
}

void jobs_end_question(struct jobs *jobs, struct live *live)
{
    if (!live->question.owner)
        return;
    if (live->is_asked)
        queue_stop(&jobs->questions, &live->question);
    queue_release(&jobs->questions, &live->question);
    live->is_asked = 0;
    live->item.is_held = 0;
}

void jobs_set_question_wake(struct jobs *jobs, void (*wake)(void *context), void *context)
{
    pthread_mutex_lock(&jobs->wake_lock);
    jobs->question_wake = wake;
    jobs->question_wake_context = context;
    pthread_mutex_unlock(&jobs->wake_lock);
}

struct job *jobs_take_question(struct jobs *jobs)
{
    struct job *job = NULL;
    pthread_mutex_lock(&jobs->state_lock);
    struct queue_item *item =
        jobs->is_draining ? NULL : queue_pick(&jobs->questions, clock_realtime_ms());
    if (item) {
        struct live *live = (struct live *)((char *)item - offsetof(struct live, question));
        queue_start(&jobs->questions, item);
        live->is_asked = 1;
        job = job_ref(live->job);
    }
    pthread_mutex_unlock(&jobs->state_lock);
    return job;
}

void jobs_return_questions(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->state_lock);
    for (size_t i = 0; i < JOBS_BUCKETS; i++)
        for (struct live *live = jobs->buckets[i]; live; live = live->next_in_bucket) {
            if (!live->is_asked)
                continue;
            queue_stop(&jobs->questions, &live->question);
            queue_put(&jobs->questions, &live->question);
            live->is_asked = 0;
        }
    pthread_mutex_unlock(&jobs->state_lock);
}

/* The live job that was given out to be asked about, or NULL; state_lock is held. */
static struct live *find_asked(struct jobs *jobs, const char *id)
{
    struct live *live = jobs_find_live(jobs, id);
    return live && live->is_asked ? live : NULL;
}

int jobs_is_question_current(struct jobs *jobs, const char *id)
{
    pthread_mutex_lock(&jobs->state_lock);
    int is_current = find_asked(jobs, id) != NULL;
    pthread_mutex_unlock(&jobs->state_lock);
    return is_current;
}

enum pf_status jobs_open_image(
    struct jobs *jobs, const struct job *job, int *ret_fd, size_t *ret_size, struct pf_error *err)
{
    return blobs_open_fd(&jobs->blobs, job->image_blob, ret_fd, ret_size, err);
}

static enum pf_status move_answered(struct jobs *jobs, struct live *live,
    const struct jobs_auxiliary *auxiliary, struct pf_error *err)
{
    AUTO_FREE char *prompt = auxiliary->prompt ? strdup(auxiliary->prompt) : NULL;
    AUTO_FREE char *log = strdup(auxiliary->log);
    if ((auxiliary->prompt && !prompt) || !log)
        return pf_fail(err, PF_NOMEM, "no memory for an auxiliary prompt");
    struct job *next = NULL;
    PF_TRY(jobs_begin_move(jobs, live, &next, err));
    free(next->auxiliary_prompt);
    next->auxiliary_prompt = STEAL(prompt);
    next->auxiliary_log = STEAL(log); /* there was none: that is why it was asked */
    if (auxiliary->code) {
        jobs_set_ended(jobs, next, JOB_FAILED);
        jobs_set_failure(next, auxiliary->code, auxiliary->message, "auxiliary");
    }
    return jobs_move(jobs, live, next, NULL, err);
}

enum pf_status jobs_report_auxiliary(
    struct jobs *jobs, const char *id, const struct jobs_auxiliary *auxiliary, struct pf_error *err)
{
    pthread_mutex_lock(&jobs->write_lock);
    pthread_mutex_lock(&jobs->state_lock);
    struct live *live = find_asked(jobs, id);
    pthread_mutex_unlock(&jobs->state_lock);
    enum pf_status status = live ? move_answered(jobs, live, auxiliary, err) : PF_OK;
    pthread_mutex_unlock(&jobs->write_lock);
    if (live && status == PF_OK)
        jobs_call_wake(jobs);
    return status;
}
