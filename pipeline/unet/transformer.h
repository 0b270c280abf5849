/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_UNET_TRANSFORMER_H
#define PIPELINE_UNET_TRANSFORMER_H

/* The spatial transformer: every position is a token; self-attention, cross-attention to the
 * instruction, cross-attention to the auxiliary prompt, feed-forward. */

#include "pipeline/weights/sizes.h"
#include "pipeline/weights/weights.h"

struct attention_layer {
    struct nn_linear q, k, v, out;
    int heads;
};

struct transformer_block {
    struct nn_layer_norm norm1, norm2, norm3, norm_extra;
    struct attention_layer self, cross, extra; /* extra.q.weight NULL: the model has none */
    struct nn_linear ff_in;                    /* GEGLU: [2·4C,C] */
    struct nn_linear ff_out;                   /* [C,4C] */
};

struct spatial_transformer {
    struct nn_group_norm norm;
    struct nn_conv2d proj_in, proj_out; /* 1×1 */
    struct transformer_block blocks[SIZES_DEPTH_MAX];
    int depth;
};

/* Keys and values of the two contexts for one transformer block, [B,heads,S,d] each; the auxiliary
 * ones are NULL without attn_extra. */
enum context_part {
    CONTEXT_CROSS_K,
    CONTEXT_CROSS_V,
    CONTEXT_EXTRA_K,
    CONTEXT_EXTRA_V,
    CONTEXT_PARTS
};

struct context_kv {
    tensor parts[CONTEXT_PARTS];
};

struct spatial_transformer spatial_transformer_load(
    const struct weights *weights, const struct unet_sizes *sizes);

/* The block's keys and values of the encodings [B,S,D]. */
void transformer_context(struct scope *out, const struct transformer_block *block,
    tensor instruction, tensor auxiliary, struct context_kv *ret_kv);

/* [B,C,H,W] → [B,C,H,W]; kv: one for each of the `depth` blocks. */
tensor spatial_transformer(struct scope *out, const struct spatial_transformer *layer, tensor x,
    const struct context_kv *kv);

#endif
