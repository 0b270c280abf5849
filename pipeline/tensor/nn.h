/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TENSOR_NN_H
#define PIPELINE_TENSOR_NN_H

/* Layers: their weights (borrowed from the scope that loaded them) and their forward.
 * Loading lives in pipeline/weights/weights.h. */

#include "pipeline/tensor/ops.h"

struct nn_linear {
    tensor weight; /* [out,in] */
    tensor bias;   /* [out], or NULL */
};

struct nn_conv2d {
    tensor weight; /* [out,in,k,k], channels last */
    tensor bias;   /* [out], or NULL */
    int stride, padding;
    int pads_edge; /* pads with the border's own values (metadata `conv_padding`), else with 0 */
};

/* GroupNorm; C is a multiple of `groups`, 32 everywhere in Stable Diffusion. */
struct nn_group_norm {
    tensor weight, bias; /* [C] */
    double eps;
    int groups;
};

struct nn_layer_norm {
    tensor weight, bias; /* [D] */
    double eps;
};

tensor nn_linear(
    struct scope *s, const struct nn_linear *layer, tensor x); /* [...,in] → [...,out] */
tensor nn_conv2d(struct scope *s, const struct nn_conv2d *layer, tensor x); /* [B,C,H,W] */

/* x [B,C,H,W] with one more row below and one more column at the right, padded as `layer` says. */
tensor nn_pad_end(struct scope *s, const struct nn_conv2d *layer, tensor x);
tensor nn_group_norm(struct scope *s, const struct nn_group_norm *layer, tensor x);
tensor nn_layer_norm(struct scope *s, const struct nn_layer_norm *layer, tensor x);

/* SiLU(GroupNorm(x)), the head of every residual block. */
tensor nn_group_norm_silu(struct scope *s, const struct nn_group_norm *layer, tensor x);

/* a + b, written over `a` where no gradient is being recorded: for `a` that nobody else reads. */
tensor nn_add_to(struct scope *s, tensor a, tensor b);

/* [B,C,H,W] → [B,H·W,C] and back; a view of channels-last memory. */
tensor nn_to_tokens(struct scope *s, tensor x);
tensor nn_from_tokens(struct scope *s, tensor tokens, int64_t height, int64_t width);

/* [B,T,heads·d] → [B,heads,T,d] and back */
tensor nn_split_heads(struct scope *s, tensor x, int heads);
tensor nn_merge_heads(struct scope *s, tensor x);

#endif
