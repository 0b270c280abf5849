/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_ESTIMATE_H
#define SERVER_JOBS_ESTIMATE_H

/* How long jobs take, from what was measured: a job is its steps plus the rest (decoding, encoding,
 * loading), both smoothed exponentially. No lock, no clock. */

#include <stdint.h>

struct estimate {
    double step_ms;  /* of one sampling step; < 0 before the first */
    double other_ms; /* of a job beside its steps; < 0 before the first */
    double run_ms;   /* of a whole job; < 0 before the first */
};

void estimate_init(struct estimate *estimate);
void estimate_add_step(struct estimate *estimate, int64_t step_ms);
/* A job of `steps` that ran for run_ms and succeeded. */
void estimate_add_run(struct estimate *estimate, int64_t steps, int64_t run_ms);

/* A job of `steps`, from its start; -1 unknown. */
int64_t estimate_run_ms(const struct estimate *estimate, int64_t steps);
/* A job at this queue position (1 = next), with `slots` jobs running at once, to its end; -1. */
int64_t estimate_queued_ms(
    const struct estimate *estimate, int64_t position, int64_t slots, int64_t steps);

#endif
