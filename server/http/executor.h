/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_EXECUTOR_H
#define SERVER_HTTP_EXECUTOR_H

/* A few threads that run what may block (a commit to disk, reading a file), so that the HTTP thread
 * never does. First in, first out. */

#include <stddef.h>

#include "base/error.h"

enum { EXECUTOR_THREADS_MAX = 64 };

struct executor;

/* A piece of work, embedded in what it works on. */
struct executor_task {
    void (*run)(struct executor_task *task);
    struct executor_task *next;
};

/* threads: 1 … EXECUTOR_THREADS_MAX; max_waiting: tasks not yet taken up. PF_NOMEM, PF_IO. */
PF_MUST_CHECK enum pf_status executor_create(
    struct executor **ret_executor, size_t threads, size_t max_waiting, struct pf_error *err);

/* Runs what is waiting, then ends the threads; later submissions are PF_BUSY. */
void executor_stop(struct executor *executor);
void executor_destroy(struct executor *executor); /* stops; takes NULL */

/* Queues a task; it belongs to the executor until run() is called. PF_BUSY when max_waiting wait.
 */
PF_MUST_CHECK enum pf_status executor_submit(
    struct executor *executor, struct executor_task *task, struct pf_error *err);

#endif
