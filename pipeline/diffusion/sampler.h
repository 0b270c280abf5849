/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_DIFFUSION_SAMPLER_H
#define PIPELINE_DIFFUSION_SAMPLER_H

/* Samplers as state machines: the caller evaluates the model between the steps, and may stop, look
 * or wait there.
 *
 *     while (!sampler_done(&sampler)) {
 *         x0 = … the model's estimate from z at sampler_sigma(&sampler) …
 *         noise = sampler_needs_noise(&sampler) ? … : NULL;
 *         z = sampler_step(&sampler, &scope, z, x0, noise);
 *     }
 *
 * z = x0 + σ·ε (k-diffusion's parametrisation) everywhere; the initial z is noise·sampler_sigma().
 * Every evaluation gives one step: no sampler here evaluates the model twice a step.
 * Source  model.md §6; k-diffusion (sample_euler, sample_euler_ancestral, sample_dpmpp_2m);
 *         Song et al., "Denoising diffusion implicit models"; Lu et al., "DPM-Solver++" */

#include "base/params.h"
#include "pipeline/tensor/ops.h"

struct sampler {
    enum sampler_kind kind;
    double *sigmas; /* steps + 1, owned */
    int steps;
    int step;         /* of the next evaluation, 0 … steps */
    tensor former_x0; /* dpmpp_2m: x0 of the step before, owned; NULL at first and for the others */
};

/* Copies `sigmas`: steps + 1 numbers, positive, strictly falling, the last may be 0.
 * Errors  PF_INVALID with the numbers; PF_NOMEM */
PF_MUST_CHECK enum pf_status sampler_init(struct sampler *ret_sampler, enum sampler_kind kind,
    const double *sigmas, int steps, struct pf_error *err);
void sampler_finish(struct sampler *sampler);

int sampler_done(const struct sampler *sampler);

/* The σ of the current z. After the last step: the last of the list. */
double sampler_sigma(const struct sampler *sampler);

/* Whether the next step wants noise. */
int sampler_needs_noise(const struct sampler *sampler);

/* Goes one step down.
 *   z, x0   [B,C,h,w] float32
 *   noise   as z, standard normal; NULL when sampler_needs_noise() says no
 * Returns   the new z, float32, owned by `out`; NULL after an error, the step is then not taken
 * Errors    INTERNAL when called after the end, or without the noise it needs; NOMEM */
tensor sampler_step(struct sampler *sampler, struct scope *out, tensor z, tensor x0, tensor noise);

#endif
