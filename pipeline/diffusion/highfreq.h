/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_DIFFUSION_HIGHFREQ_H
#define PIPELINE_DIFFUSION_HIGHFREQ_H

/* High-frequency guidance: gradient steps on the loss of highpass.h between the sampler's own
 * steps.
 *
 *   decoder mode  the request's own copy of the decoder's LoRA weights learns to bring the input's
 *                 detail back; the final latent is decoded with it
 *   latent mode   the latent itself is moved
 *
 * Models come in as functions. Their code runs with gradients on, inside the given scope;
 * everything in it is freed before these functions return. Loss and updates are float32 whatever
 * the models run in. Source  model.md §7; defaults and what was measured: docs/guidance.md */

#include "pipeline/diffusion/highpass.h"

enum highfreq_optimizer { HIGHFREQ_SGD, HIGHFREQ_ADAM };

/* A rate of 0 in params stands for these. */
#define HIGHFREQ_DECODER_RATE 1e-3 /* of Adam */
#define HIGHFREQ_LATENT_RATE  10.0 /* per latent cell: see highfreq_latent_update() */

/* Adam's usual constants (Kingma & Ba, 2015). */
#define HIGHFREQ_ADAM_BETA1 0.9
#define HIGHFREQ_ADAM_BETA2 0.999
#define HIGHFREQ_ADAM_EPS   1e-8

enum { HIGHFREQ_WEIGHTS_MAX = 512 };

/* One request's copy of some weights, and its optimizer. */
struct highfreq_decoder {
    enum highfreq_optimizer optimizer;
    double rate;
    int count;
    tensor *weights; /* float32 leaves that require gradients, owned */
    tensor *moment1; /* of Adam, owned; NULL for SGD */
    tensor *moment2;
    int64_t updates; /* done so far */
};

/* Copies the weights (any float type; borrowed, never written to).
 * Errors  PF_INVALID more than HIGHFREQ_WEIGHTS_MAX, or none; NOMEM */
PF_MUST_CHECK enum pf_status highfreq_decoder_init(struct highfreq_decoder *ret_decoder,
    const tensor *weights, int count, enum highfreq_optimizer optimizer, double rate,
    struct pf_error *err);
void highfreq_decoder_finish(struct highfreq_decoder *decoder);

/* Pixels [1,3,H,W] from a latent, differentiable in `weights`: the same count and order as given to
 * highfreq_decoder_init(), float32. */
struct highfreq_decode {
    void *context;
    tensor (*run)(void *context, struct scope *out, tensor x0, const tensor *weights, int count);
};

/* What an update is about. */
struct highfreq_step {
    const struct highpass_target *target;
    double t;    /* the timestep of the estimate */
    int updates; /* gradient steps, each with a new forward pass */
};

/* Gradient steps on the weights.
 *   x0        [1,C,h,w] float32, the estimate of the clean latent
 *   ret_loss  L before the first update; may be NULL
 * Errors  those of the decoder; INTERNAL when the loss is not finite: the weights are then as
 *         before this update */
PF_MUST_CHECK enum pf_status highfreq_decoder_update(struct highfreq_decoder *decoder,
    const struct highfreq_decode *decode, const struct highfreq_step *step, tensor x0,
    double *ret_loss, struct pf_error *err);

/* Pixels [1,3,H,W] from a noisy latent, differentiable in it: x0 of the conditional branch
 * (P,c_img), decoded. */
struct highfreq_estimate {
    void *context;
    tensor (*run)(void *context, struct scope *out, tensor z);
};

/* z - η∇L, `updates` times, with η = rate·h·w: L is a mean over pixels, so that its gradient in one
 * latent cell shrinks with the picture's size; times the cells, a rate fits every size.
 *   z  [1,C,h,w] float32
 * Returns   the new z, owned by `out`; NULL after an error (as above)
 *   ret_loss  L before the first update; may be NULL */
tensor highfreq_latent_update(struct scope *out, const struct highfreq_estimate *estimate,
    const struct highfreq_step *step, tensor z, double rate, double *ret_loss);

/* L and its gradients for `inputs` (leaves that require gradients), the core of both modes.
 * `pixels` was computed from them with gradients on; the graph is freed. */
double highfreq_gradients(struct scope *out, const struct highfreq_step *step, tensor pixels,
    const tensor *inputs, int count, tensor *ret_grads);

#endif
