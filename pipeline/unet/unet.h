/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_UNET_UNET_H
#define PIPELINE_UNET_UNET_H

/* The denoising UNet of Stable Diffusion 1.5 with a second text context.
 * Source  model.md §5; PromptFix §3.2; CompVis latent-diffusion's openaimodel (names)
 *
 * Shapes: B rows, z latent channels, h×w latent size (multiples of 2^(levels-1)), S tokens, D
 * context width. */

#include "pipeline/tensor/nn.h"
#include "pipeline/weights/checkpoint.h"
#include "pipeline/weights/sizes.h"

struct unet;

/* Loads the UNet. The checkpoint must stay open as long as it lives. */
PF_MUST_CHECK enum pf_status unet_create(struct unet **ret_unet,
    const struct checkpoint *checkpoint, const struct unet_sizes *sizes, struct tensor_place place,
    struct pf_error *err);
void unet_destroy(struct unet *unet);

const struct unet_sizes *unet_sizes(const struct unet *unet);
struct tensor_place unet_place(const struct unet *unet);

/* What the cross-attentions keep of one row's texts: keys and values of every layer, computed once
 * a run instead of once a step. */
struct unet_context;

/*   instruction, auxiliary   [1,S,D] encodings; auxiliary may be NULL when the model has no
 *                            attn_extra
 * The context belongs to the caller and to this UNet. */
PF_MUST_CHECK enum pf_status unet_context_create(struct unet_context **ret_context,
    const struct unet *unet, tensor instruction, tensor auxiliary, struct pf_error *err);
void unet_context_destroy(struct unet_context *context);

/* Predicts the noise (or v) of each row.
 *   x         [B,2z,h,w] scaled noisy latent and image latent, joined; any float type
 *   t         B timesteps, floats in 0 … 999
 *   contexts  B contexts; rows may share one
 * Returns   [B,z,h,w] float32. A row's result doesn't depend on the other rows (beyond rounding).
 * Errors    INVALID on wrong sizes; NOMEM */
tensor unet_forward(const struct unet *unet, struct scope *out, tensor x, const float *t,
    const struct unet_context *const *contexts);

#endif
