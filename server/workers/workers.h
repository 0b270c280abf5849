/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_WORKERS_WORKERS_H
#define SERVER_WORKERS_WORKERS_H

/* The pool of worker processes: starts one for each device, hands jobs to them, relays what they
 * say into the job service, and starts them again when they die. One thread of its own serves them
 * all.
 *
 * A worker that dies (or breaks the protocol, or falls silent) gives its jobs back, counted as an
 * attempt, and is started again after a delay that doubles up to restart_max_ms. One that fails to
 * load `broken_after` times in a row is broken: it is still retried at the longest delay, but
 * readiness tells. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "server/jobs/jobs_work.h"

struct workers;

enum worker_state {
    WORKER_STARTING, /* process started, no hello yet */
    WORKER_LOADING,  /* said hello, loads its model */
    WORKER_READY,
    WORKER_WAITING, /* died; waits to be started again */
    WORKER_BROKEN,  /* failed to load several times; waits to be started again */
    WORKER_STOPPED, /* drained */
};
const char *worker_state_name(enum worker_state state);

/* Something the edge should log. Called on the pool's thread, under no lock. */
enum workers_notice_kind {
    WORKERS_NOTICE_STARTED, /* process started */
    WORKERS_NOTICE_READY,
    WORKERS_NOTICE_DIED,     /* message: how, and how many jobs went back */
    WORKERS_NOTICE_BROKEN,   /* message: what the worker said */
    WORKERS_NOTICE_RECYCLED, /* message: memory and its bound */
    WORKERS_NOTICE_ERROR,    /* message: a transition that could not be written, … */
};
struct workers_notice {
    enum workers_notice_kind kind;
    size_t worker; /* index */
    int64_t pid;   /* 0: none */
    const char *device;
    const char *job; /* id, or NULL */
    const char *message;
};

struct workers_options {
    struct jobs *jobs;   /* borrowed; outlives the pool */
    const char *program; /* path of promptfix-worker */
    const char *model;   /* path, passed on */
    const char *const *devices;
    size_t device_count; /* 1 … WORKERS_MAX; one worker each */
    const char *dtype;
    int64_t max_batch;             /* rows of one UNet call */
    int64_t max_runs;              /* jobs in flight per worker */
    const char *const *extra_args; /* further arguments, NULL-terminated; NULL: none */
    int64_t hello_timeout_ms;
    int64_t ready_timeout_ms;
    int64_t silence_timeout_ms; /* with jobs in flight and no message: hung, killed */
    int64_t restart_min_ms, restart_max_ms;
    int64_t broken_after;
    int64_t rss_max_bytes; /* recycled (no new jobs, then restarted) above it; 0: never */
    void (*notice)(void *context, const struct workers_notice *notice); /* or NULL */
    void *notice_context;
};
enum { WORKERS_MAX = 64 };

/* Defaults: hello 30 s, ready 30 min, silence 10 min, restarts 250 ms … 30 s, broken after 3, batch
 * 8, 4 runs, dtype and device "auto". jobs, program and model stay NULL. */
void workers_options_init(struct workers_options *options);

/* Starts thread and processes; returns before they are ready. PF_INVALID, PF_IO, PF_NOMEM. */
PF_MUST_CHECK enum pf_status workers_create(
    struct workers **ret_workers, const struct workers_options *options, struct pf_error *err);

/* Hands out no more jobs and waits until those in flight have ended, at most until deadline_ms from
 * now; what is unfinished then is given back, uncounted. Returns how many. Workers are stopped. */
size_t workers_drain(struct workers *workers, int64_t deadline_ms);

/* Drains with deadline 0 unless drained, reaps every process. Takes NULL. */
void workers_destroy(struct workers *workers);

/* LOADING until the first worker is ready; then READY while at least one is or is being restarted;
 * BROKEN when all are. */
enum workers_readiness { WORKERS_LOADING, WORKERS_READY, WORKERS_ALL_BROKEN, WORKERS_DRAINED };
/* ret_message (may be NULL) gets what a broken worker said; "" otherwise. */
enum workers_readiness workers_get_readiness(
    struct workers *workers, char ret_message[PF_ERROR_MESSAGE_MAX]);

struct worker_stats {
    enum worker_state state;
    int64_t pid;
    char device[64];
    char dtype[16];
    int64_t in_flight, max_runs;
    int64_t restarts; /* since the start, the first start not counted */
    int64_t load_ms;  /* -1 unknown */
    int64_t rss_bytes, device_bytes, unet_calls, unet_rows; /* as last told */
    char message[PF_ERROR_MESSAGE_MAX];                     /* of the last death; "" none */
};
/* Fills up to `count` entries; returns the number of workers. */
size_t workers_get_stats(struct workers *workers, struct worker_stats *ret_stats, size_t count);

/* Appends the model object of the first worker that got ready (JSON); PF_BUSY before. */
PF_MUST_CHECK enum pf_status workers_get_model(
    struct workers *workers, struct buffer *ret, struct pf_error *err);

#endif
