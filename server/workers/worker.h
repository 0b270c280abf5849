/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_WORKERS_WORKER_H
#define SERVER_WORKERS_WORKER_H

/* One worker process as the pool's thread sees it: the process, its socket, and the jobs it has.
 * Only that thread touches it: no lock. */

#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/frame.h"
#include "server/jobs/job.h"
#include "server/workers/workers.h"

enum {
    WORKER_RUNS_MAX = 64,
    WORKER_STOP_MS = 5000, /* to exit after its socket was closed; then it is killed */
};

struct worker_slot {
    char job[ID_SIZE];
    int64_t attempt;
    int is_cancelling; /* told to stop; its end is still to come */
};

struct worker {
    size_t index;
    const char *device;                    /* of the options */
    const struct workers_options *options; /* the pool's */
    enum worker_state state;
    pid_t pid; /* 0: no process, or reaped */
    int fd;    /* our end of the socket, non-blocking; -1 once closed */
    struct frame_reader reader;
    struct buffer out; /* frames to send; `sent` of its bytes are gone */
    size_t sent;

    struct worker_slot slots[WORKER_RUNS_MAX];
    size_t slot_count;
    int64_t max_runs; /* the smaller of the option and what the worker said */
    struct job *held; /* waits to run alone: see workers.c */
    int is_alone;     /* the one job in flight wants no company */
    int is_recycling; /* takes no more jobs, is stopped when the last ends */

    int64_t spawned_ms, heard_ms, stopped_ms; /* monotonic; stopped_ms 0: not told to stop */
    int64_t restart_at_ms;
    int64_t deaths;        /* since a job last ended well */
    int64_t load_failures; /* in a row */
    struct worker_stats stats;
};

/* Starts the process. PF_IO, PF_NOMEM: the worker stays without one. */
PF_MUST_CHECK enum pf_status worker_spawn(struct worker *worker, struct pf_error *err);

/* Closes the socket: a sound worker then exits by itself. */
void worker_stop(struct worker *worker);
/* Closes the socket and kills the process. */
void worker_kill(struct worker *worker);
/* 1 when the process is gone (or never was); ret_how then says how it ended. Never waits. */
int worker_reap(struct worker *worker, char *ret_how, size_t how_size);

/* Queues a frame; its header is `header`. */
PF_MUST_CHECK enum pf_status worker_send(struct worker *worker, const struct buffer *header,
    const void *body, size_t body_size, struct pf_error *err);
/* Writes as much as the socket takes now. PF_IO: the worker is gone. */
PF_MUST_CHECK enum pf_status worker_flush(struct worker *worker, struct pf_error *err);
/* Reads what has come, at most about a mebibyte. *ret_eof is 1 at the end of the stream. */
PF_MUST_CHECK enum pf_status worker_receive(
    struct worker *worker, int *ret_eof, struct pf_error *err);
int worker_has_output(const struct worker *worker);

/* The slot of a job's attempt, or NULL. */
struct worker_slot *worker_find_slot(struct worker *worker, const char *job, int64_t attempt);
void worker_free_slot(struct worker *worker, struct worker_slot *slot);

#endif
