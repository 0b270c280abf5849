/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_DIFFUSION_HIGHPASS_H
#define PIPELINE_DIFFUSION_HIGHPASS_H

/* The high frequencies of a picture, and how far a second picture is from having the same.
 *
 *     F   Fourier high-pass of the luma: a disc around frequency 0 is zeroed, then the magnitude
 *     S   Sobel gradient magnitude of the luma
 *     L   mean over pixels of ½[(F(x̂)-F(I))² + (S(x̂)-S(I))²] · e^(-λt)
 *
 * Each map is divided by its picture's own maximum. All of it is differentiable and float32.
 * Source  model.md §7; PromptFix §3.3 */

#include "pipeline/tensor/ops.h"

enum {
    HIGHPASS_RADIUS = 30
}; /* of the zeroed disc, in cycles per picture; the rim is zeroed too */

#define HIGHPASS_LAMBDA 0.001 /* e^(-λt) counts late steps (small t) more */

/* Below this a map has nothing but rounding errors and is not blown up to 1. */
#define HIGHPASS_MAXIMUM_MIN 1e-6

/* Pixels [B,3,H,W] in [-1,1], any float type, to luma [B,1,H,W] in [0,1], float32; values outside
 * are clamped, as they will be in the file. */
tensor highpass_luma(struct scope *out, tensor pixels);

/* Luma [B,1,H,W] to F and S, [B,1,H,W].
 *   weight  [1,1,H,W] in [0,1], multiplied in before the maximum is taken, so that what is masked
 * out does not set the scale either; or NULL */
tensor highpass_fourier(struct scope *out, tensor luma, tensor weight);
tensor highpass_sobel(struct scope *out, tensor luma, tensor weight);

/* What a run is compared with: the maps of its input. They are computed once. */
struct highpass_target {
    tensor fourier, sobel; /* [1,1,H,W] float32, owned */
    tensor weight;         /* [1,1,H,W] float32, owned; NULL: 1 everywhere */
    tensor luma;           /* [1,1,H,W] float32, owned: to take the maps again for another weight */
    double lambda;
};

/*   pixels  [1,3,H,W] of the input, on the device the loss will be computed on
 *   weight  as above, or NULL */
PF_MUST_CHECK enum pf_status highpass_target_init(
    struct highpass_target *ret_target, tensor pixels, tensor weight, struct pf_error *err);
/* Replaces the weight (a region inferred during the run) and takes the maps again. */
PF_MUST_CHECK enum pf_status highpass_target_set_weight(
    struct highpass_target *target, tensor weight, struct pf_error *err);
void highpass_target_finish(struct highpass_target *target);

/* L of pixels [1,3,H,W] at timestep t (0 … 999, not whole). Returns one element, float32. */
tensor highpass_loss(
    const struct highpass_target *target, struct scope *out, tensor pixels, double t);

#endif
