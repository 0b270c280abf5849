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

/* The estimate of the clean latent.
 *   prediction  what the model was trained to predict
 *   z           [B,C,h,w] float32, not scaled
 *   output      [B,C,h,w] of the UNet, any float type
 * Returns   [B,C,h,w] float32: ε: z - σ·ε; v: z/(σ²+1) - v·σ/√(σ²+1); differentiable in z and
 * output */
tensor denoiser_x0(struct scope *out, enum prediction_type prediction, tensor z, tensor output,
    const double *sigmas);

#endif
