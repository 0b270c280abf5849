/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_DIFFUSION_DENOISER_H
#define PIPELINE_DIFFUSION_DENOISER_H

/* From the UNet's output to the estimate of the clean latent. Every row of a batch has its own σ.
 * Source  model.md §6; k-diffusion's CompVisDenoiser and CompVisVDenoiser */

#include "pipeline/tensor/ops.h"
#include "pipeline/weights/sizes.h"

/* What the UNet sees: z / √(σ²+1), which has variance 1.
 *   z       [B,C,h,w] float32
 *   sigmas  B numbers
 * Returns   [B,C,h,w] float32; differentiable in z */
tensor denoiser_input(struct scope *out, tensor z, const double *sigmas);

/* The estimate of the clean latent. What the UNet predicts, with the clean latent x0, the noise ε,
 * the image condition c = VAE_SCALE_FACTOR·image, α = 1/√(σ²+1) and β = σ/√(σ²+1):
 *   epsilon   ε                      x0 = z - σ·output
 *   v         v = α·ε - β·x0         x0 = α²·z - β·output
 *   v_change  v of x0 - c: v + β·c   x0 = α²·z + β²·c - β·output
 * With v_change an output of 0 at the noisiest step is the input unchanged, so that a small model
 * learns the change alone; without image condition it is v.
 *   prediction  what the model was trained to predict
 *   z           [B,C,h,w] float32, not scaled
 *   image       [B,C,h,w] the rows' image conditions as the UNet gets them, 0 for none
 *   output      [B,C,h,w] of the UNet, any float type
 * Returns   [B,C,h,w] float32, differentiable in z and output */
tensor denoiser_x0(struct scope *out, enum prediction_type prediction, tensor z, tensor image,
    tensor output, const double *sigmas);

#endif
