/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_BATCHER_H
#define PIPELINE_BATCHER_H

/* Steps many runs together: all runs of one latent size share a UNet call, whatever their sigma or
 * step (the timestep is per row). A new run joins at the next call. Among several sizes the run
 * that waited longest chooses. Belongs to one thread. */

#include "pipeline/run.h"

enum { BATCHER_RUNS_MAX = 64 };

struct batcher {
    struct pipeline *pipeline; /* borrowed */
    tensor (*forward)(const struct unet *unet, struct scope *out, tensor x, const float *t,
        const struct unet_context *const *contexts); /* unet_forward(); a test may put its own */
    int max_batch;                                   /* runs in one call, 1 … BATCHER_RUNS_MAX */
    struct run *runs[BATCHER_RUNS_MAX]; /* borrowed; the one that waited longest first */
    int count;
    struct run *const *busy; /* whom the present computation is for; NULL between calls */
    int busy_count;
    int64_t unet_calls, unet_rows;
};

void batcher_init(struct batcher *batcher, struct pipeline *pipeline, int max_batch);

/* Whether what is computed right now, inside batcher_step(), is for this run: the shared UNet call
 * is for all that take part, guidance for one. For whoever decides to interrupt it. */
int batcher_is_busy_with(const struct batcher *batcher, const struct run *run);

/* PF_BUSY when full. */
PF_MUST_CHECK enum pf_status batcher_add(
    struct batcher *batcher, struct run *run, struct pf_error *err);
void batcher_remove(struct batcher *batcher, const struct run *run); /* not there: no-op */

/* Who took part in a UNet call and how each fared. */
struct batcher_step {
    struct run *runs[BATCHER_RUNS_MAX];
    struct pf_error errors[BATCHER_RUNS_MAX];
    int count;
};

/* One UNet call, at least one run waiting. A failure of one run (its guidance, say) is its own; a
 * failure of the shared call is everybody's in it. A run that is done or failed has left the
 * batcher. When a call that several share runs out of memory none of them fails: they stay in line,
 * and calls are half as large from then on. */
void batcher_step(struct batcher *batcher, struct batcher_step *ret_step);

#endif
