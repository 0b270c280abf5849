/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/estimate.h"

/* Weight of the newest value: a change of load shows after a handful of jobs. */
static const double weight = 0.2;

static void smooth(double *value, double sample)
{
    *value = *value < 0 ? sample : *value + weight * (sample - *value);
}

void estimate_init(struct estimate *estimate)
{
    *estimate = (struct estimate){-1, -1, -1};
}

void estimate_add_step(struct estimate *estimate, int64_t step_ms)
{
    smooth(&estimate->step_ms, (double)step_ms);
}

void estimate_add_run(struct estimate *estimate, int64_t steps, int64_t run_ms)
{
    smooth(&estimate->run_ms, (double)run_ms);
    double step_ms = estimate->step_ms < 0 ? 0 : estimate->step_ms;
    double other_ms = (double)run_ms - step_ms * (double)steps;
    smooth(&estimate->other_ms, other_ms < 0 ? 0 : other_ms);
}

int64_t estimate_run_ms(const struct estimate *estimate, int64_t steps)
{
    if (estimate->step_ms < 0)
        return estimate->run_ms < 0 ? -1 : (int64_t)estimate->run_ms;
    double other_ms = estimate->other_ms < 0 ? 0 : estimate->other_ms;
    return (int64_t)(estimate->step_ms * (double)steps + other_ms);
}

int64_t estimate_queued_ms(
    const struct estimate *estimate, int64_t position, int64_t slots, int64_t steps)
{
    int64_t own_ms = estimate_run_ms(estimate, steps);
    if (own_ms < 0)
        return -1;
    double each_ms = estimate->run_ms < 0 ? (double)own_ms : estimate->run_ms;
    return own_ms + (int64_t)(each_ms * (double)position / (double)(slots > 0 ? slots : 1));
}
