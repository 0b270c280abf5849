/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WORKER_STATE_H
#define PIPELINE_WORKER_STATE_H

/* What worker.c (the loop) and worker_messages.c (what it tells the server) share. */

#include "pipeline/image/image.h"
#include "pipeline/worker.h"

struct worker_job {
    struct worker_job *next;
    char *id, *instruction, *auxiliary_prompt;
    char *body; /* image file, then mask file */
    size_t image_size, mask_size;
    int64_t attempt;
    struct params params;
    struct pf_error refused; /* the frame was no good: told when the job's turn comes */
    const char
        *field; /* of the request that is being read; NULL when it is no single one. Static */
    int cancelled;
    int64_t start_ms;
    struct run *run; /* NULL until begun */
};

struct worker {
    const struct worker_options *options;
    struct pipeline *pipeline;
    struct batcher batcher;
    struct worker_link link;
    struct worker_job *jobs; /* oldest first, at most max_runs */
    struct worker_job *busy; /* whose run is being begun or finished */
    struct batcher_step step;
    int64_t looked_us, stats_ms;
};

/* worker_serve() in its parts: says hello, loads and says ready (or broken: then it is closed
 * again); looks at the socket (waiting when there is nothing to do) and does one round of work;
 * ends. */
PF_MUST_CHECK enum pf_status worker_open(
    struct worker *worker, const struct worker_options *options, struct pf_error *err);
void worker_turn(struct worker *worker);
void worker_close(struct worker *worker);

/* Asked between two operations (tensor_set_interrupt()): is nobody left for whom this is computed?
 */
int worker_interrupt(void *worker);

/* The messages of base/protocol.h, of the same names. */
void worker_send_hello(struct worker *worker);
void worker_send_ready(struct worker *worker);
void worker_send_broken(struct worker *worker, const struct pf_error *error);
void worker_send_started(struct worker *worker, const struct worker_job *job);
void worker_send_encoded(struct worker *worker, const struct worker_job *job);
void worker_send_step(struct worker *worker, const struct worker_job *job);
void worker_send_preview(struct worker *worker, const struct worker_job *job);
void worker_send_succeeded(struct worker *worker, const struct worker_job *job,
    const struct image *image, const struct buffer *file);
void worker_send_failed(
    struct worker *worker, const struct worker_job *job, const struct pf_error *error);
void worker_send_cancelled(struct worker *worker, const struct worker_job *job);
void worker_send_stats(struct worker *worker); /* at most once a second */

#endif
