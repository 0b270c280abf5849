/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/unet/transformer.h"

#define LAYER_NORM_EPS   1e-5
#define SPATIAL_NORM_EPS 1e-6 /* the transformer's own GroupNorm; the residual blocks use 1e-5 */

static struct attention_layer attention_load(const struct weights *weights, int64_t heads)
{
    return (struct attention_layer){
        .q = weights_linear(weights, "to_q"),
        .k = weights_linear(weights, "to_k"),
        .v = weights_linear(weights, "to_v"),
        .out = weights_linear(weights, "to_out.0"),
        .heads = (int)heads,
    };
}

static struct transformer_block block_load(
    const struct weights *weights, const struct unet_sizes *sizes)
{
    struct weights self = weights_at(weights, "attn1."), cross = weights_at(weights, "attn2.");
    struct transformer_block block = {
        .norm1 = weights_layer_norm(weights, "norm1", LAYER_NORM_EPS),
        .norm2 = weights_layer_norm(weights, "norm2", LAYER_NORM_EPS),
        .norm3 = weights_layer_norm(weights, "norm3", LAYER_NORM_EPS),
        .self = attention_load(&self, sizes->heads),
        .cross = attention_load(&cross, sizes->heads),
        .ff_in = weights_linear(weights, "ff.net.0.proj"),
        .ff_out = weights_linear(weights, "ff.net.2"),
    };
    if (sizes->has_extra) {
        struct weights extra = weights_at(weights, "attn_extra.");
        block.norm_extra = weights_layer_norm(weights, "norm_extra", LAYER_NORM_EPS);
        block.extra = attention_load(&extra, sizes->heads);
    }
    return block;
}

struct spatial_transformer spatial_transformer_load(
    const struct weights *weights, const struct unet_sizes *sizes)
{
    struct spatial_transformer layer = {
        .norm = weights_group_norm(weights, "norm", SPATIAL_NORM_EPS),
        .proj_in = weights_conv2d(weights, "proj_in", 1, 0),
        .proj_out = weights_conv2d(weights, "proj_out", 1, 0),
        .depth = sizes->transformer_depth,
    };
    for (int i = 0; i < layer.depth; i++) {
        struct weights block = weights_at(weights, "transformer_blocks.%d.", i);
        layer.blocks[i] = block_load(&block, sizes);
    }
    return layer;
}

static tensor heads_of(struct scope *out, const struct attention_layer *layer,
    const struct nn_linear *projection, tensor x)
{
    SCOPE(s, out->err);
    return scope_move(&s, nn_split_heads(&s, nn_linear(&s, projection, x), layer->heads), out);
}

void transformer_context(struct scope *out, const struct transformer_block *block,
    tensor instruction, tensor auxiliary, struct context_kv *ret_kv)
{
    tensor *parts = ret_kv->parts;
    *ret_kv = (struct context_kv){{NULL}};
    parts[CONTEXT_CROSS_K] = heads_of(out, &block->cross, &block->cross.k, instruction);
    parts[CONTEXT_CROSS_V] = heads_of(out, &block->cross, &block->cross.v, instruction);
    if (!block->extra.q.weight)
        return;
    parts[CONTEXT_EXTRA_K] = heads_of(out, &block->extra, &block->extra.k, auxiliary);
    parts[CONTEXT_EXTRA_V] = heads_of(out, &block->extra, &block->extra.v, auxiliary);
}

/* x + out(attention(q(norm(x)), k, v)); k and v NULL: of norm(x) itself. */
static tensor attend(struct scope *out, const struct attention_layer *layer,
    const struct nn_layer_norm *norm, tensor x, tensor k, tensor v)
{
    SCOPE(s, out->err);
    tensor normed = nn_layer_norm(&s, norm, x);
    tensor q = heads_of(&s, layer, &layer->q, normed);
    if (!k) {
        k = heads_of(&s, layer, &layer->k, normed);
        v = heads_of(&s, layer, &layer->v, normed);
    }
    scope_drop(&s, normed);
    tensor mixed = nn_merge_heads(&s, op_attention(&s, q, k, v));
    return scope_move(&s, nn_add_to(&s, nn_linear(&s, &layer->out, mixed), x), out);
}

/* GEGLU: half of the projection, gated by GELU of the other half. */
static tensor feed_forward(struct scope *out, const struct transformer_block *block, tensor x)
{
    SCOPE(s, out->err);
    tensor both = nn_linear(&s, &block->ff_in, nn_layer_norm(&s, &block->norm3, x));
    int64_t width = tensor_dim(both, -1) / 2;
    tensor gate = op_gelu(&s, op_narrow(&s, both, -1, width, width));
    tensor gated = op_mul(&s, op_narrow(&s, both, -1, 0, width), gate);
    scope_drop(&s, both);
    return scope_move(&s, nn_add_to(&s, nn_linear(&s, &block->ff_out, gated), x), out);
}

static tensor block_forward(
    struct scope *out, const struct transformer_block *block, tensor x, const struct context_kv *kv)
{
    SCOPE(s, out->err);
    const tensor *parts = kv->parts;
    tensor h = attend(&s, &block->self, &block->norm1, x, NULL, NULL);
    h = attend(&s, &block->cross, &block->norm2, h, parts[CONTEXT_CROSS_K], parts[CONTEXT_CROSS_V]);
    if (block->extra.q.weight)
        h = attend(&s, &block->extra, &block->norm_extra, h, parts[CONTEXT_EXTRA_K],
            parts[CONTEXT_EXTRA_V]);
    return scope_move(&s, feed_forward(&s, block, h), out);
}

tensor spatial_transformer(struct scope *out, const struct spatial_transformer *layer, tensor x,
    const struct context_kv *kv)
{
    SCOPE(s, out->err);
    tensor normed = nn_group_norm(&s, &layer->norm, x);
    tensor h = nn_to_tokens(&s, nn_conv2d(&s, &layer->proj_in, normed));
    for (int i = 0; i < layer->depth; i++)
        h = block_forward(&s, &layer->blocks[i], h, &kv[i]);
    h = nn_from_tokens(&s, h, tensor_dim(x, 2), tensor_dim(x, 3));
    return scope_move(&s, nn_add_to(&s, nn_conv2d(&s, &layer->proj_out, h), x), out);
}
