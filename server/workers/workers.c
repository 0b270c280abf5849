/* SPDX-License-Identifier: Apache-2.0 */
/* The pool's thread: one loop over poll(2). Each turn it reads what workers said, lets time pass
 * (watchdogs, restarts, the drain's deadline), hands out jobs and writes. A worker's life:
 *
 *     starting ─hello─► loading ─ready─► ready
 *        ▲  any of them ─ end of its stream, broken protocol, silence ─► stopping: socket closed,
 *        │                                                              process killed, reaped
 *        └──── after a delay ───────── waiting | broken ◄───────────────┘
 *
 * Locking: see pool.h. */
#include "server/workers/workers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/workers/pool.h"

enum {
    TURN_MS = 1000,    /* a turn at least this often, for the watchdogs */
    REAP_TURN_MS = 10, /* while a process is ending */
};

static const char *const state_names[] = {
    "starting", "loading", "ready", "waiting", "broken", "stopped"};

const char *worker_state_name(enum worker_state state)
{
    return state_names[state];
}

void workers_options_init(struct workers_options *options)
{
    static const char *const devices[] = {"auto"};
    *options = (struct workers_options){
        .devices = devices,
        .device_count = 1,
        .dtype = "auto",
        .max_batch = 8,
        .max_runs = 4,
        .hello_timeout_ms = 30000,
        .ready_timeout_ms = INT64_C(30) * 60000,
        .silence_timeout_ms = INT64_C(10) * 60000,
        .restart_min_ms = 250,
        .restart_max_ms = 30000,
        .broken_after = 3,
    };
}

void pool_notice(struct workers *pool, const struct worker *worker, enum workers_notice_kind kind,
    const char *job, const char *fmt, ...)
{
    if (!pool->options.notice)
        return;
    char text[PF_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct workers_notice notice = {.kind = kind,
        .worker = worker->index,
        .pid = worker->pid,
        .device = worker->device,
        .job = job,
        .message = text};
    pool->options.notice(pool->options.notice_context, &notice);
}

/* ---- one worker's end ---- */

static int is_talking(const struct worker *worker)
{
    return worker->fd >= 0;
}

/* Every job the worker had goes back to the queue. */
static size_t return_jobs(
    struct workers *pool, struct worker *worker, int is_counted, const char *reason)
{
    size_t count = worker->slot_count + (worker->held != NULL);
    struct pool_return item = {.is_counted = is_counted, .code = "worker_died"};
    snprintf(item.reason, sizeof item.reason, "%s", reason);
    while (worker->slot_count > 0) {
        struct worker_slot *slot = &worker->slots[worker->slot_count - 1];
        memcpy(item.job, slot->job, ID_SIZE);
        item.attempt = slot->attempt;
        worker_free_slot(worker, slot);
        pool_give_back(pool, worker, &item);
    }
    if (worker->held) { /* never sent: not its attempt */
        AUTO_JOB struct job *held = STEAL(worker->held);
        memcpy(item.job, held->id, ID_SIZE);
        item.attempt = held->attempts;
        item.is_counted = 0;
        pool_give_back(pool, worker, &item);
    }
    return count;
}

/* The talk is over: whatever the process does now, it is killed, and its jobs go back. */
static void end_talk(struct workers *pool, struct worker *worker, const char *reason)
{
    int was_ready = worker->state == WORKER_READY;
    worker->load_failures += !was_ready;
    worker->deaths++;
    snprintf(worker->stats.message, sizeof worker->stats.message, "%s", reason);
    worker_kill(worker);
    worker->state = WORKER_WAITING;
    char text[PF_ERROR_MESSAGE_MAX];
    snprintf(text, sizeof text, "the worker on %.60s died: %.400s", worker->device, reason);
    size_t count = return_jobs(pool, worker, 1, text);
    if (worker->load_failures >= pool->options.broken_after) {
        worker->state = WORKER_BROKEN;
        pthread_mutex_lock(&pool->lock);
        snprintf(pool->shared.message, sizeof pool->shared.message, "%s", reason);
        pthread_mutex_unlock(&pool->lock);
        pool_notice(pool, worker, WORKERS_NOTICE_BROKEN, NULL, "failed to load %lld times: %s",
            (long long)worker->load_failures, reason);
    } else {
        pool_notice(
            pool, worker, WORKERS_NOTICE_DIED, NULL, "%s; %zu jobs queued again", reason, count);
    }
}

static int64_t restart_delay_ms(const struct workers *pool, const struct worker *worker)
{
    const struct workers_options *options = &pool->options;
    if (worker->state == WORKER_BROKEN)
        return options->restart_max_ms;
    int64_t delay_ms = options->restart_min_ms;
    for (int64_t i = 1; i < worker->deaths && delay_ms < options->restart_max_ms; i++)
        delay_ms *= 2;
    return delay_ms < options->restart_max_ms ? delay_ms : options->restart_max_ms;
}

/* End of the stream: how the process ended says more than that it did. */
static void note_eof(struct workers *pool, struct worker *worker)
{
    char how[128] = "closed its socket and still ran";
    for (int i = 0; i < 20 && !worker_reap(worker, how, sizeof how); i++)
        poll(NULL, 0, 5); /* the exit follows the closing at once */
    end_talk(pool, worker, how);
}

/* ---- time ---- */

static void spawn(struct workers *pool, struct worker *worker)
{
    struct pf_error err = PF_ERROR_INIT;
    if (worker->spawned_ms > 0)
        worker->stats.restarts++;
    if (worker_spawn(worker, &err) == PF_OK) {
        pool_notice(pool, worker, WORKERS_NOTICE_STARTED, NULL, "process started");
        return;
    }
    worker->deaths++;
    worker->state = WORKER_WAITING;
    worker->restart_at_ms = clock_monotonic_ms() + restart_delay_ms(pool, worker);
    snprintf(worker->stats.message, sizeof worker->stats.message, "%s", err.message);
    pool_notice(pool, worker, WORKERS_NOTICE_ERROR, NULL, "%s", err.message);
}

static void check_talk(struct workers *pool, struct worker *worker, int64_t now_ms)
{
    const struct workers_options *options = &pool->options;
    char text[128] = "";
    if (worker->state == WORKER_STARTING && now_ms - worker->spawned_ms > options->hello_timeout_ms)
        snprintf(
            text, sizeof text, "said no hello for %lld ms", (long long)options->hello_timeout_ms);
    else if (worker->state == WORKER_LOADING &&
             now_ms - worker->spawned_ms > options->ready_timeout_ms)
        snprintf(
            text, sizeof text, "was not ready after %lld ms", (long long)options->ready_timeout_ms);
    else if (worker->state == WORKER_READY && worker->slot_count > 0 &&
             now_ms - worker->heard_ms > options->silence_timeout_ms)
        snprintf(text, sizeof text, "was silent for %lld ms with jobs to do",
            (long long)options->silence_timeout_ms);
    if (text[0])
        end_talk(pool, worker, text);
    else if (worker->is_recycling && worker->slot_count == 0 && !worker->held)
        worker_stop(worker); /* restarted once it is reaped, without delay */
}

/* A process whose talk is over: reaped, then started again. */
static void check_end(struct workers *pool, struct worker *worker, int64_t now_ms)
{
    char how[128] = "";
    if (worker->pid > 0) {
        int was_recycled = worker->state == WORKER_READY;
        if (!worker_reap(worker, how, sizeof how)) {
            if (now_ms - worker->stopped_ms > WORKER_STOP_MS)
                worker_kill(worker);
            return;
        }
        worker->state = was_recycled ? WORKER_WAITING : worker->state;
        worker->restart_at_ms = was_recycled ? now_ms : now_ms + restart_delay_ms(pool, worker);
    } else if (worker->restart_at_ms == 0) { /* reaped before the talk was ended */
        worker->restart_at_ms = now_ms + restart_delay_ms(pool, worker);
    }
    if (pool->is_stopping || now_ms < worker->restart_at_ms)
        return;
    worker->restart_at_ms = 0;
    spawn(pool, worker);
}

static void pass_time(struct workers *pool)
{
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->items[i];
        if (is_talking(worker))
            check_talk(pool, worker, now_ms);
        if (!is_talking(worker))
            check_end(pool, worker, now_ms);
    }
    if ((pool->returns || pool->outcomes) && now_ms >= pool->retry_at_ms) {
        pool_retry_outcomes(pool);
        pool_retry_returns(pool);
        if (pool->returns || pool->outcomes)
            pool->retry_at_ms = now_ms + TURN_MS;
    }
}

/* ---- talk ---- */

static void receive(struct workers *pool, struct worker *worker)
{
    struct pf_error err = PF_ERROR_INIT;
    int is_eof = 0, have = 1;
    enum pf_status status = worker_receive(worker, &is_eof, &err);
    while (status == PF_OK && have) {
        struct frame frame;
        status = frame_reader_next(&worker->reader, &frame, &have, &err);
        if (status == PF_OK && have)
            status = relay_frame(pool, worker, &frame, &err);
    }
    if (status != PF_OK)
        end_talk(pool, worker, err.message);
    else if (is_eof)
        note_eof(pool, worker);
}

static void flush(struct workers *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->items[i];
        struct pf_error err = PF_ERROR_INIT;
        /* A failure shows as the end of the stream as well, with what was said before it. */
        if (is_talking(worker) && worker_flush(worker, &err) != PF_OK)
            receive(pool, worker);
    }
}

static int next_timeout_ms(const struct workers *pool)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t timeout_ms = TURN_MS;
    for (size_t i = 0; i < pool->count; i++) {
        const struct worker *worker = &pool->items[i];
        int64_t left_ms = TURN_MS;
        if (!is_talking(worker))
            left_ms = worker->pid > 0 ? REAP_TURN_MS : worker->restart_at_ms - now_ms;
        else if (worker->state == WORKER_STARTING)
            left_ms = worker->spawned_ms + pool->options.hello_timeout_ms - now_ms + 1;
        else if (worker->slot_count > 0)
            left_ms = worker->heard_ms + pool->options.silence_timeout_ms - now_ms + 1;
        timeout_ms = left_ms < timeout_ms ? left_ms : timeout_ms;
    }
    if (pool->is_stopping && pool->stop_at_ms - now_ms < timeout_ms)
        timeout_ms = pool->stop_at_ms - now_ms;
    return timeout_ms < 0 ? 0 : (int)timeout_ms;
}

static void wait_for_talk(struct workers *pool)
{
    struct pollfd fds[WORKERS_MAX + 1] = {{.fd = pool->wake_fd, .events = POLLIN}};
    for (size_t i = 0; i < pool->count; i++) {
        const struct worker *worker = &pool->items[i];
        fds[i + 1] = (struct pollfd){.fd = worker->fd, /* -1 is skipped */
            .events = worker_has_output(worker) ? POLLIN | POLLOUT : POLLIN};
    }
    if (poll(fds, (nfds_t)pool->count + 1, next_timeout_ms(pool)) <= 0)
        return;
    uint64_t count;
    if (fds[0].revents && read(pool->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        return;
    for (size_t i = 0; i < pool->count; i++)
        if (fds[i + 1].revents & (POLLIN | POLLHUP | POLLERR))
            receive(pool, &pool->items[i]);
}

/* ---- what others see ---- */

static void share_stats(struct workers *pool)
{
    int64_t slots = 0;
    size_t broken = 0;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->items[i];
        worker->stats.state = worker->state;
        worker->stats.pid = worker->pid;
        worker->stats.in_flight = (int64_t)worker->slot_count;
        worker->stats.max_runs = worker->max_runs;
        pool->shared.stats[i] = worker->stats;
        broken += worker->load_failures >= pool->options.broken_after;
        slots += worker->state == WORKER_READY ? worker->max_runs : 0;
    }
    pool->shared.broken_count = broken;
    pthread_mutex_unlock(&pool->lock);
    if (slots != pool->slots_told && slots > 0) {
        pool->slots_told = slots;
        jobs_set_slots(pool->options.jobs, slots);
    }
}

static void read_orders(struct workers *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->is_stopping = pool->is_draining;
    pool->stop_at_ms = pool->drain_at_ms;
    pthread_mutex_unlock(&pool->lock);
}

/* ---- the thread ---- */

static int has_jobs(const struct workers *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        if (pool->items[i].slot_count > 0 || pool->items[i].held)
            return 1;
    return pool->returns || pool->outcomes;
}

/* What is unfinished goes back, every process ends. */
static void stop_workers(struct workers *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->items[i];
        int has_unfinished = worker->slot_count > 0;
        pool->unfinished += return_jobs(pool, worker, 0, "the server is shutting down");
        if (has_unfinished)
            worker_kill(worker); /* it would finish a step nobody wants */
        else
            worker_stop(worker);
    }
    pool_retry_outcomes(pool);
    pool_retry_returns(pool);
    int64_t kill_at_ms = clock_monotonic_ms() + WORKER_STOP_MS;
    for (size_t i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->items[i];
        char how[128];
        while (!worker_reap(worker, how, sizeof how)) {
            if (clock_monotonic_ms() > kill_at_ms)
                worker_kill(worker);
            poll(NULL, 0, REAP_TURN_MS);
        }
        worker->state = WORKER_STOPPED;
    }
}

static void *run_pool(void *context)
{
    struct workers *pool = context;
    for (size_t i = 0; i < pool->count; i++)
        spawn(pool, &pool->items[i]);
    share_stats(pool);
    while (!pool->is_stopping || (has_jobs(pool) && clock_monotonic_ms() < pool->stop_at_ms)) {
        wait_for_talk(pool);
        read_orders(pool);
        pass_time(pool);
        pool_forward_cancels(pool);
        pool_hand_out(pool);
        flush(pool);
        jobs_tell_positions(pool->options.jobs);
        share_stats(pool);
    }
    stop_workers(pool);
    share_stats(pool);
    pthread_mutex_lock(&pool->lock);
    pool->is_stopped = 1;
    pthread_cond_broadcast(&pool->stopped);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void wake_pool(void *context)
{
    const struct workers *pool = context;
    uint64_t one = 1;
    ssize_t ignored = write(pool->wake_fd, &one, sizeof one); /* full means awake */
    (void)ignored;
}

/* ---- creating ---- */

static enum pf_status check_options(const struct workers_options *options, struct pf_error *err)
{
    if (!options->jobs || !options->program || !options->model || !options->dtype)
        return pf_fail(err, PF_INVALID, "a worker needs jobs, program, model and dtype");
    if (options->device_count < 1 || options->device_count > WORKERS_MAX)
        return pf_fail(
            err, PF_INVALID, "%zu devices, expected 1 to %d", options->device_count, WORKERS_MAX);
    if (options->max_runs < 1 || options->max_runs > WORKER_RUNS_MAX)
        return pf_fail(err, PF_INVALID, "max_runs is %lld, expected 1 to %d",
            (long long)options->max_runs, WORKER_RUNS_MAX);
    if (options->max_batch < 1)
        return pf_fail(err, PF_INVALID, "max_batch is %lld, expected 1 or more",
            (long long)options->max_batch);
    if (options->restart_min_ms < 1 || options->restart_max_ms < options->restart_min_ms)
        return pf_fail(err, PF_INVALID, "restart delays %lld to %lld ms are no range",
            (long long)options->restart_min_ms, (long long)options->restart_max_ms);
    if (access(options->program, X_OK) != 0)
        return pf_fail_errno(err, errno, "can't run the worker program '%s'", options->program);
    return PF_OK;
}

static const char *keep_text(struct workers *pool, const char *text)
{
    char *copy = strdup(text);
    if (copy)
        pool->texts[pool->text_count++] = copy;
    return copy;
}

/* Options are copied whole: their owner may go. */
static enum pf_status keep_options(
    struct workers *pool, const struct workers_options *options, struct pf_error *err)
{
    size_t extra = 0;
    while (options->extra_args && options->extra_args[extra])
        extra++;
    pool->options = *options;
    pool->texts = calloc(3 + options->device_count + extra, sizeof(char *));
    const char **args = calloc(extra + 1, sizeof(char *));
    pool->options.extra_args = args;
    if (!pool->texts || !args)
        return pf_fail(err, PF_NOMEM, "no memory for the workers' options");
    int is_whole = (pool->options.program = keep_text(pool, options->program)) != NULL;
    is_whole &= (pool->options.model = keep_text(pool, options->model)) != NULL;
    is_whole &= (pool->options.dtype = keep_text(pool, options->dtype)) != NULL;
    for (size_t i = 0; i < options->device_count; i++)
        is_whole &= (pool->devices[i] = keep_text(pool, options->devices[i])) != NULL;
    for (size_t i = 0; i < extra; i++)
        is_whole &= (args[i] = keep_text(pool, options->extra_args[i])) != NULL;
    pool->options.devices = pool->devices;
    return is_whole ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for the workers' options");
}

static void free_pool(struct workers *pool)
{
    if (pool->wake_fd >= 0)
        close(pool->wake_fd);
    for (size_t i = 0; i < pool->text_count; i++)
        free(pool->texts[i]);
    free(pool->texts);
    free((void *)(uintptr_t)pool->options.extra_args);
    free(pool->shared.model);
    while (pool->returns) {
        struct pool_return *item = pool->returns;
        pool->returns = item->next;
        free(item);
    }
    pool_drop_outcomes(pool);
    pthread_cond_destroy(&pool->stopped);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static enum pf_status start_thread(struct workers *pool, struct pf_error *err)
{
    /* Signals are the main thread's. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&pool->thread, NULL, run_pool, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return pf_fail_errno(err, rc, "can't start the thread of the workers");
    jobs_set_wake(pool->options.jobs, wake_pool, pool);
    wake_pool(pool);
    return PF_OK;
}

enum pf_status workers_create(
    struct workers **ret_workers, const struct workers_options *options, struct pf_error *err)
{
    PF_TRY(check_options(options, err));
    struct workers *pool = calloc(1, sizeof *pool);
    if (!pool)
        return pf_fail(err, PF_NOMEM, "no memory for the workers");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->stopped, NULL);
    pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum pf_status status = pool->wake_fd < 0
                                ? pf_fail_errno(err, errno, "can't make an event descriptor")
                                : keep_options(pool, options, err);
    pool->count = options->device_count;
    for (size_t i = 0; i < pool->count; i++)
        pool->items[i] = (struct worker){.index = i,
            .device = pool->devices[i],
            .options = &pool->options,
            .state = WORKER_WAITING,
            .fd = -1,
            .max_runs = options->max_runs,
            .stats = {.load_ms = -1}};
    if (status == PF_OK)
        status = start_thread(pool, err);
    if (status != PF_OK) {
        free_pool(pool);
        return status;
    }
    *ret_workers = pool;
    return PF_OK;
}

size_t workers_drain(struct workers *pool, int64_t deadline_ms)
{
    pthread_mutex_lock(&pool->lock);
    if (!pool->is_draining)
        pool->drain_at_ms = clock_monotonic_ms() + deadline_ms;
    pool->is_draining = 1;
    pthread_mutex_unlock(&pool->lock);
    wake_pool(pool);
    pthread_mutex_lock(&pool->lock);
    while (!pool->is_stopped)
        pthread_cond_wait(&pool->stopped, &pool->lock);
    int is_mine = !pool->is_joined;
    pool->is_joined = 1;
    size_t unfinished = pool->unfinished;
    pthread_mutex_unlock(&pool->lock);
    if (is_mine)
        pthread_join(pool->thread, NULL);
    return unfinished;
}

void workers_destroy(struct workers *pool)
{
    if (!pool)
        return;
    workers_drain(pool, 0);
    jobs_set_wake(pool->options.jobs, NULL, NULL);
    free_pool(pool);
}

enum workers_readiness workers_get_readiness(
    struct workers *pool, char ret_message[PF_ERROR_MESSAGE_MAX])
{
    pthread_mutex_lock(&pool->lock);
    size_t broken = pool->shared.broken_count;
    enum workers_readiness readiness = pool->is_draining        ? WORKERS_DRAINED
                                       : broken == pool->count  ? WORKERS_ALL_BROKEN
                                       : pool->shared.was_ready ? WORKERS_READY
                                                                : WORKERS_LOADING;
    if (ret_message)
        memcpy(ret_message, broken > 0 ? pool->shared.message : "",
            broken > 0 ? PF_ERROR_MESSAGE_MAX : 1);
    pthread_mutex_unlock(&pool->lock);
    return readiness;
}

size_t workers_get_stats(struct workers *pool, struct worker_stats *ret_stats, size_t count)
{
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < pool->count && i < count; i++)
        ret_stats[i] = pool->shared.stats[i];
    pthread_mutex_unlock(&pool->lock);
    return pool->count;
}

enum pf_status workers_get_model(struct workers *pool, struct buffer *ret, struct pf_error *err)
{
    pthread_mutex_lock(&pool->lock);
    const char *model = pool->shared.model; /* set once, never changed */
    size_t size = pool->shared.model_size;
    pthread_mutex_unlock(&pool->lock);
    if (!model)
        return pf_fail(err, PF_BUSY, "no worker has loaded the model yet");
    buffer_put(ret, model, size);
    return buffer_status(ret, err);
}
