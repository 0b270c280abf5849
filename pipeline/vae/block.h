/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_VAE_BLOCK_H
#define PIPELINE_VAE_BLOCK_H

/* The VAE's building blocks, shared by encoder and decoder. */

#include "pipeline/weights/weights.h"

#define VAE_NORM_EPS 1e-6

struct vae_res_block {
    struct nn_group_norm norm1, norm2;
    struct nn_conv2d conv1, conv2;
    struct nn_conv2d shortcut; /* nin_shortcut, 1×1; weight NULL where channels stay */
};

/* Single-head self-attention over all positions. */
struct vae_attention {
    struct nn_group_norm norm;
    struct nn_conv2d q, k, v, proj; /* 1×1 */
};

/* residual, attention, residual */
struct vae_middle {
    struct vae_res_block block1, block2;
    struct vae_attention attention;
    int has_attention;
};

/* One LoRA in use: both weights, and the encoder feature to add (NULL: none of that shape). */
struct vae_lora_use {
    tensor down, up, skip;
};

struct vae_res_block vae_res_block_load(const struct weights *weights);
struct vae_middle vae_middle_load(const struct weights *weights, int has_attention);

/* [B,C_in,H,W] → [B,C_out,H,W]; lora may be NULL. */
tensor vae_res_block(struct scope *out, const struct vae_res_block *block, tensor x,
    const struct vae_lora_use *lora);
tensor vae_middle(struct scope *out, const struct vae_middle *middle, tensor x);

#endif
