/* SPDX-License-Identifier: Apache-2.0 */
/* Locking: mutex guards the queue and `ending`; tasks run under no lock. */
#include "server/http/executor.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct executor {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct executor_task *first, *last;
    size_t waiting, max_waiting;
    int ending;
    size_t thread_count;
    pthread_t threads[EXECUTOR_THREADS_MAX];
};

static struct executor_task *take_task(struct executor *executor)
{
    pthread_mutex_lock(&executor->mutex);
    while (!executor->first && !executor->ending)
        pthread_cond_wait(&executor->changed, &executor->mutex);
    struct executor_task *task = executor->first;
    if (task) {
        executor->first = task->next;
        executor->waiting--;
    }
    pthread_mutex_unlock(&executor->mutex);
    return task;
}

static void *run_thread(void *context)
{
    struct executor *executor = context;
    struct executor_task *task;
    while ((task = take_task(executor)) != NULL)
        task->run(task);
    return NULL;
}

/* Signals are the main thread's business. */
static int start_thread(struct executor *executor)
{
    sigset_t all, kept;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept);
    int code =
        pthread_create(&executor->threads[executor->thread_count], NULL, run_thread, executor);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    if (code == 0)
        executor->thread_count++;
    return code;
}

enum pf_status executor_create(
    struct executor **ret_executor, size_t threads, size_t max_waiting, struct pf_error *err)
{
    if (threads < 1 || threads > EXECUTOR_THREADS_MAX)
        return pf_fail(err, PF_INVALID, "executor: %zu threads, expected 1 to %d", threads,
            EXECUTOR_THREADS_MAX);
    struct executor *executor = calloc(1, sizeof *executor);
    if (!executor)
        return pf_fail(err, PF_NOMEM, "executor: out of memory");
    pthread_mutex_init(&executor->mutex, NULL);
    pthread_cond_init(&executor->changed, NULL);
    executor->max_waiting = max_waiting;
    while (executor->thread_count < threads) {
        int code = start_thread(executor);
        if (code != 0) {
            executor_destroy(executor);
            return pf_fail_errno(err, code, "executor: can't start a thread");
        }
    }
    *ret_executor = executor;
    return PF_OK;
}

void executor_stop(struct executor *executor)
{
    pthread_mutex_lock(&executor->mutex);
    executor->ending = 1;
    pthread_cond_broadcast(&executor->changed);
    pthread_mutex_unlock(&executor->mutex);
    for (size_t i = 0; i < executor->thread_count; i++)
        pthread_join(executor->threads[i], NULL);
    executor->thread_count = 0;
}

void executor_destroy(struct executor *executor)
{
    if (!executor)
        return;
    executor_stop(executor);
    pthread_cond_destroy(&executor->changed);
    pthread_mutex_destroy(&executor->mutex);
    free(executor);
}

enum pf_status executor_submit(
    struct executor *executor, struct executor_task *task, struct pf_error *err)
{
    pthread_mutex_lock(&executor->mutex);
    int full = executor->ending || executor->waiting == executor->max_waiting;
    if (!full) {
        task->next = NULL;
        if (executor->first)
            executor->last->next = task;
        else
            executor->first = task;
        executor->last = task;
        executor->waiting++;
        pthread_cond_signal(&executor->changed);
    }
    pthread_mutex_unlock(&executor->mutex);
    return full ? pf_fail(err, PF_BUSY, "too many requests wait for a thread") : PF_OK;
}
