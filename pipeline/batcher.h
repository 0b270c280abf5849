/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_BATCHER_H
#define PIPELINE_BATCHER_H

/* Steps many runs together: all runs of one latent size share a UNet call, whatever their sigma or
 * step (the timestep is per row). A new run joins at the next call. Among several sizes the run that
 * waited longest chooses. Belongs to one thread. */

#include "pipeline/run.h"

enum { BATCHER_RUNS_MAX = 64 };

struct batcher {
    struct pipeline *pipeline; /* borrowed */
    int max_batch;             /* runs in one call, 1 … BATCHER_RUNS_MAX */
    struct run *runs[BATCHER_RUNS_MAX]; /* borrowed; the one that waited longest first */
    int count;
    int64_t unet_calls, unet_rows;
};

void batcher_init(struct batcher *batcher, struct pipeline *pipeline, int max_batch);

/* PF_BUSY when full. */
PF_MUST_CHECK enum pf_status batcher_add(struct batcher *batcher, struct run *run,
    struct pf_error *err);
void batcher_remove(struct batcher *batcher, const struct run *run); /* not there: no-op */

/* One UNet call. ret_stepped gets the runs that took part, ret_errors[i] how each fared: a failure of
 * one run (its guidance, say) is its own; a failure of the shared call is everybody's. A run that is
 * done or failed has left the batcher. When a shared call runs out of memory nobody fails: the step has
 * no runs, and calls are half as large from then on. */
struct batcher_step {
    struct run *runs[BATCHER_RUNS_MAX];
    struct pf_error errors[BATCHER_RUNS_MAX];
    int count;
};
void batcher_step(struct batcher *batcher, struct batcher_step *ret_step);

#endif
