/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_WORKERS_POOL_H
#define SERVER_WORKERS_POOL_H

/* What the files of the pool share. `lock` guards what other threads look at (`shared`) and say
 * (`is_draining`, `drain_at_ms`); all else belongs to the pool's thread. No call into the job
 * service and no notice is made under it. */

#include <pthread.h>

#include "server/workers/messages.h"
#include "server/workers/worker.h"

/* An attempt that has to be given back but could not be yet: the store was failing. */
struct pool_return {
    struct pool_return *next;
    char job[ID_SIZE];
    int64_t attempt;
    int is_counted;
    char code[JOB_CODE_SIZE];
    char reason[PF_ERROR_MESSAGE_MAX];
};

struct pool_outcome; /* outcome.c */

struct workers {
    struct workers_options options; /* texts are owned copies */
    char **texts;                   /* of them */
    size_t text_count;
    const char *devices[WORKERS_MAX];
    pthread_t thread;
    int wake_fd; /* eventfd */

    struct worker items[WORKERS_MAX];
    size_t count;
    struct pool_return *returns;
    struct pool_outcome *outcomes; /* ends that could not be written yet */
    int64_t retry_at_ms;           /* no job is taken before: the store failed */
    int64_t slots_told;
    int is_stopping; /* the thread's own view of is_draining */
    int64_t stop_at_ms;
    size_t unfinished; /* given back at the end of the drain */

    pthread_mutex_t lock;
    pthread_cond_t stopped;
    int is_draining, is_stopped, is_joined;
    int64_t drain_at_ms; /* monotonic: what is unfinished then is given back */
    struct {
        struct worker_stats stats[WORKERS_MAX];
        int was_ready;
        size_t broken_count; /* workers that failed to load broken_after times or more */
        char *model;         /* JSON of the first that got ready; NULL before */
        size_t model_size;
        char message[PF_ERROR_MESSAGE_MAX]; /* of the worker that broke last */
    } shared;
};

/* What a worker says, relayed. Not PF_OK: it broke the protocol, the talk is over. */
PF_MUST_CHECK enum pf_status relay_frame(
    struct workers *pool, struct worker *worker, const struct frame *frame, struct pf_error *err);

/* Gives an attempt back to the job service, or notes it for later when that fails. */
void pool_give_back(struct workers *pool, struct worker *worker, const struct pool_return *item);
/* Tries again what is noted. */
void pool_retry_returns(struct workers *pool);

/* Keeps the end of a job that the store could not take. PF_NOMEM. */
PF_MUST_CHECK enum pf_status pool_keep_outcome(
    struct workers *pool, const struct message *message, struct pf_error *err);
/* Tries again what is kept; forgets it. */
void pool_retry_outcomes(struct workers *pool);
void pool_drop_outcomes(struct workers *pool);

/* Hands out jobs while there are any and a worker has room; tells workers what was cancelled. */
void pool_hand_out(struct workers *pool);
void pool_forward_cancels(struct workers *pool);

void pool_notice(struct workers *pool, const struct worker *worker, enum workers_notice_kind kind,
    const char *job, const char *fmt, ...) PF_PRINTF(5, 6);

#endif
