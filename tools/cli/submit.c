/* SPDX-License-Identifier: Apache-2.0 */
/* A few threads take one image after the other (submit_task.c); the main thread draws. Whatever
 * concerns all images stops all threads, and the first to find it says what it was.
 *
 * Locking: `lock` guards next, active, counts, failure and phase. */
#include "tools/cli/submit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/cli/submit_task.h"

enum { DRAW_MS = 200 };

struct submit {
    const struct submit_options *options;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* a thread has */
    size_t next, active;
    struct submit_counts counts;
    atomic_int is_stopped; /* something concerns all */
    struct pf_error failure;
    enum phase phase;
};

struct worker {
    struct submit *submit;
    size_t slot;
    pthread_t thread;
    struct client_options client_options;
    struct task_options task_options;
};

/* ---- the outcome ---- */

static void stop_all(struct submit *submit, enum phase phase, const struct pf_error *failure)
{
    pthread_mutex_lock(&submit->lock);
    if (submit->failure.status == PF_OK) {
        submit->failure = *failure;
        submit->phase = phase;
    }
    pthread_mutex_unlock(&submit->lock);
    atomic_store(&submit->is_stopped, 1);
}

static void put_detail(char *text, size_t size, const struct report_line *line)
{
    if (line->code)
        snprintf(text, size, "%s: %s", line->code, line->message ? line->message : "");
    else
        snprintf(text, size, "%lld.%lld s", (long long)line->elapsed_ms / 1000,
            (long long)line->elapsed_ms / 100 % 10);
}

static void count(struct submit *submit, enum board_end end)
{
    pthread_mutex_lock(&submit->lock);
    submit->counts.succeeded += end == BOARD_SUCCEEDED;
    submit->counts.skipped += end == BOARD_SKIPPED;
    submit->counts.failed += end == BOARD_FAILED;
    submit->counts.left += end == BOARD_LEFT;
    pthread_mutex_unlock(&submit->lock);
}

/* What became of a task. `failure` is its own, not that of its job. */
static void fill_line(
    struct report_line *ret_line, const struct task *task, const struct pf_error *failure)
{
    const struct remote_job *job = &task->job;
    struct report_line line = {.status = REPORT_SUCCEEDED,
        .source = task->item->source,
        .output = task->item->output,
        .is_replayed = task->is_replayed,
        .attempts = job->attempts,
        .elapsed_ms = clock_monotonic_ms() - task->started_ms};
    memcpy(line.request, task->form.hash, sizeof line.request);
    memcpy(line.job, job->id, sizeof line.job);
    if (failure->status == PF_CANCELLED) {
        line.status = REPORT_INTERRUPTED;
    } else if (failure->status != PF_OK) {
        line.status = REPORT_FAILED;
        line.code = task_failure_code(task, failure);
        line.message = failure->message;
    } else if (job->status == REMOTE_SUCCEEDED) {
        line.format = job->format;
        line.width = job->width;
        line.height = job->height;
        line.bytes = job->bytes;
    } else {
        int is_cancelled = job->status == REMOTE_CANCELLED;
        line.status = is_cancelled ? REPORT_CANCELLED : REPORT_FAILED;
        line.code = is_cancelled ? "cancelled" : job->error_code;
        line.message = is_cancelled ? "the job was cancelled" : job->error_message;
    }
    *ret_line = line;
}

static void end_task(
    struct worker *worker, const struct task *task, enum board_end end, const char *detail)
{
    count(worker->submit, end);
    board_end(worker->submit->options->board, worker->slot, end, task->item->source, detail);
}

static void report_task(
    struct worker *worker, const struct task *task, const struct pf_error *failure)
{
    struct report_line line;
    struct pf_error err = PF_ERROR_INIT;
    char detail[PF_ERROR_MESSAGE_MAX + CLIENT_CODE_SIZE + 2];
    fill_line(&line, task, failure);
    put_detail(detail, sizeof detail, &line);
    int is_left = line.status == REPORT_INTERRUPTED;
    if ((!is_left || line.job[0]) &&
        report_add(worker->submit->options->report, &line, &err) != PF_OK)
        stop_all(worker->submit, PHASE_OUTPUT, &err);
    if (is_left)
        end_task(worker, task, BOARD_LEFT, "");
    else
        end_task(
            worker, task, line.status == REPORT_SUCCEEDED ? BOARD_SUCCEEDED : BOARD_FAILED, detail);
}

/* After an interrupt. Whether it works doesn't change what there is to say. */
static void cancel_job(struct worker *worker, const struct task *task)
{
    struct remote_job job;
    if (!worker->submit->options->cancels || !task->job.id[0] || remote_has_ended(&task->job))
        return;
    client_ignore_stop(worker->task_options.client);
    (void)!remote_cancel(worker->task_options.client, task->job.id, &job, NULL);
}

static void do_task(struct worker *worker, struct task *task)
{
    struct pf_error failure = PF_ERROR_INIT;
    enum pf_status status = task_run(task, &failure);
    if (status == PF_CANCELLED)
        cancel_job(worker, task);
    if (task_failed_for_all(task, &failure)) {
        stop_all(worker->submit, task->phase, &failure);
        end_task(worker, task, BOARD_LEFT, "");
    } else if (status == PF_OK && task->is_done_already) {
        end_task(worker, task, BOARD_SKIPPED, "");
    } else {
        report_task(worker, task, &failure);
    }
}

/* ---- threads ---- */

static int is_stopped(void *context)
{
    struct worker *worker = context;
    return atomic_load(&worker->submit->is_stopped) || worker->submit->options->interrupted(NULL);
}

static void on_pause(void *context, const char *why, int64_t pause_ms)
{
    struct worker *worker = context;
    char text[PF_ERROR_MESSAGE_MAX + 64];
    snprintf(text, sizeof text, "%s; next try in %lld s", why, (long long)(pause_ms + 999) / 1000);
    board_note(worker->submit->options->board, text);
}

static const struct item *take(struct worker *worker)
{
    struct submit *submit = worker->submit;
    const struct item *item = NULL;
    if (is_stopped(worker))
        return NULL;
    pthread_mutex_lock(&submit->lock);
    if (submit->next < submit->options->items->count)
        item = &submit->options->items->list[submit->next++];
    pthread_mutex_unlock(&submit->lock);
    return item;
}

static void on_progress(void *context, const struct remote_job *job)
{
    const struct worker *worker = context;
    board_move(
        worker->submit->options->board, worker->slot, job->queue_position, job->step, job->steps);
}

static void work(struct worker *worker, struct task *task)
{
    const struct item *item;
    while ((item = take(worker)) != NULL) {
        task_init(task, &worker->task_options, item);
        board_begin(worker->submit->options->board, worker->slot, item->source);
        do_task(worker, task);
        task_finish(task);
    }
}

static void *run_worker(void *context)
{
    struct worker *worker = context;
    struct submit *submit = worker->submit;
    struct pf_error err = PF_ERROR_INIT;
    struct task *task = malloc(sizeof *task);
    if (!task)
        pf_fail(&err, PF_NOMEM, "no memory for a thread");
    else if (client_create(&worker->task_options.client, &worker->client_options, &err) == PF_OK)
        work(worker, task);
    if (err.status != PF_OK)
        stop_all(submit, PHASE_RUN, &err);
    free(task);
    client_destroy(worker->task_options.client);
    pthread_mutex_lock(&submit->lock);
    submit->active--;
    pthread_cond_signal(&submit->ended);
    pthread_mutex_unlock(&submit->lock);
    return NULL;
}

/* Draws until all threads have ended. */
static void watch(struct submit *submit)
{
    pthread_mutex_lock(&submit->lock);
    while (submit->active > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += DRAW_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&submit->ended, &submit->lock, &until);
        pthread_mutex_unlock(&submit->lock);
        board_draw(submit->options->board);
        pthread_mutex_lock(&submit->lock);
    }
    pthread_mutex_unlock(&submit->lock);
}

static void init_worker(struct worker *worker, struct submit *submit, size_t slot)
{
    const struct submit_options *options = submit->options;
    *worker = (struct worker){.submit = submit,
        .slot = slot,
        .client_options = options->client,
        .task_options = {.report = options->report,
            .out = options->out,
            .body_max = options->body_max,
            .progress = on_progress,
            .context = worker}};
    worker->client_options.is_stopped = is_stopped;
    worker->client_options.pausing = on_pause;
    worker->client_options.context = worker;
}

static size_t start_workers(struct submit *submit, struct worker *workers)
{
    const struct submit_options *options = submit->options;
    size_t wanted =
        options->parallel < options->items->count ? options->parallel : options->items->count;
    size_t started = 0;
    submit->active = wanted;
    for (; started < wanted; started++) {
        init_worker(&workers[started], submit, started);
        int code = pthread_create(&workers[started].thread, NULL, run_worker, &workers[started]);
        if (code != 0) {
            struct pf_error err = PF_ERROR_INIT;
            pf_fail_errno(&err, code, "can't start a thread");
            stop_all(submit, PHASE_RUN, &err);
            break;
        }
    }
    pthread_mutex_lock(&submit->lock);
    submit->active -= wanted - started;
    pthread_mutex_unlock(&submit->lock);
    return started;
}

enum pf_status submit_run(const struct submit_options *options, struct submit_counts *ret_counts,
    enum phase *ret_phase, struct pf_error *err)
{
    struct submit submit = {.options = options, .phase = PHASE_RUN};
    AUTO_FREE struct worker *workers = calloc(options->parallel, sizeof *workers);
    if (!workers)
        return pf_fail(err, PF_NOMEM, "no memory for %zu threads", options->parallel);
    pthread_mutex_init(&submit.lock, NULL);
    pthread_cond_init(&submit.ended, NULL);
    atomic_init(&submit.is_stopped, 0);
    size_t started = start_workers(&submit, workers);
    watch(&submit);
    for (size_t i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_cond_destroy(&submit.ended);
    pthread_mutex_destroy(&submit.lock);
    submit.counts.left += options->items->count - submit.next;
    *ret_counts = submit.counts;
    *ret_phase = submit.phase;
    if (submit.failure.status != PF_OK)
        return pf_fail(err, submit.failure.status, "%s", submit.failure.message);
    if (submit.counts.left > 0)
        return pf_fail(err, PF_CANCELLED, "interrupted");
    return PF_OK;
}
