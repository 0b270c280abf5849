/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_DIFFUSION_SCHEDULE_H
#define PIPELINE_DIFFUSION_SCHEDULE_H

/* The noise schedule the model was trained with, and how sampling walks down it. Knows nothing of
 * libtorch; everything is computed in double.
 * Source  model.md §6; Stable Diffusion's "scaled linear" betas; k-diffusion's DiscreteSchedule */

#include "base/error.h"

enum {
    SCHEDULE_TIMESTEPS = 1000,
    SCHEDULE_STEPS_MAX = 1000, /* sampling steps; as the range of `steps` in base/params.c */
};

struct schedule {
    double alphas_cumprod[SCHEDULE_TIMESTEPS]; /* ᾱ, falling from 0.99915 to 0.00466 */
    double sigma[SCHEDULE_TIMESTEPS];          /* √((1-ᾱ)/ᾱ), rising from 0.029 to 14.6 */
    double log_sigma[SCHEDULE_TIMESTEPS];
};

void schedule_init(struct schedule *ret_schedule);

/* The σ before each of `steps` steps, then 0: t runs evenly from 999 to 0 (for one step: 999
 * alone), log σ is interpolated between the whole timesteps. ret_sigmas  steps + 1 numbers,
 * strictly falling PF_INVALID when steps is not in 1 … SCHEDULE_STEPS_MAX */
PF_MUST_CHECK enum pf_status schedule_sigmas(
    const struct schedule *schedule, int steps, double *ret_sigmas, struct pf_error *err);

/* The inverse: the timestep, 0 … 999 and not whole, at which the model was trained with this σ > 0.
 * A σ outside of the trained range gives the nearest end. */
double schedule_t_of_sigma(const struct schedule *schedule, double sigma);

#endif
