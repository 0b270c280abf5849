/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/vae/block.h"

struct vae_res_block vae_res_block_load(const struct weights *weights)
{
    struct vae_res_block block = {
        .norm1 = weights_group_norm(weights, "norm1", VAE_NORM_EPS),
        .norm2 = weights_group_norm(weights, "norm2", VAE_NORM_EPS),
        .conv1 = weights_conv2d(weights, "conv1", 1, 1),
        .conv2 = weights_conv2d(weights, "conv2", 1, 1),
    };
    if (weights_has(weights, "nin_shortcut.weight"))
        block.shortcut = weights_conv2d(weights, "nin_shortcut", 1, 0);
    return block;
}

static struct vae_attention attention_load(const struct weights *weights)
{
    return (struct vae_attention){
        .norm = weights_group_norm(weights, "norm", VAE_NORM_EPS),
        .q = weights_conv2d(weights, "q", 1, 0),
        .k = weights_conv2d(weights, "k", 1, 0),
        .v = weights_conv2d(weights, "v", 1, 0),
        .proj = weights_conv2d(weights, "proj_out", 1, 0),
    };
}

struct vae_middle vae_middle_load(const struct weights *weights, int has_attention)
{
    struct vae_middle middle = {.has_attention = has_attention};
    struct weights part = weights_at(weights, "block_1.");
    middle.block1 = vae_res_block_load(&part);
    part = weights_at(weights, "block_2.");
    middle.block2 = vae_res_block_load(&part);
    part = weights_at(weights, "attn_1.");
    if (has_attention)
        middle.attention = attention_load(&part);
    return middle;
}

/* lora_up(lora_down(h + skip)): the skip takes part where its shape is h's. */
static tensor lora_forward(
    struct scope *s, tensor h, const struct vae_lora_use *lora, int pads_edge)
{
    enum tensor_type type = tensor_type(h);
    struct nn_conv2d down = {op_to_type(s, lora->down, type), NULL, 1, 1, pads_edge};
    struct nn_conv2d up = {op_to_type(s, lora->up, type), NULL, 1, 0, 0};
    tensor input = tensor_same_shape(h, lora->skip) ? op_add(s, h, lora->skip) : h;
    return nn_conv2d(s, &up, nn_conv2d(s, &down, input));
}

tensor vae_res_block(
    struct scope *out, const struct vae_res_block *block, tensor x, const struct vae_lora_use *lora)
{
    SCOPE(s, out->err);
    tensor normed = nn_group_norm_silu(&s, &block->norm1, x);
    tensor h = nn_conv2d(&s, &block->conv1, normed);
    if (lora && scope_ok(&s))
        h = nn_add_to(&s, h, lora_forward(&s, normed, lora, block->conv1.pads_edge));
    scope_drop(&s, normed);
    h = nn_conv2d(&s, &block->conv2, nn_group_norm_silu(&s, &block->norm2, h));
    tensor shortcut = block->shortcut.weight ? nn_conv2d(&s, &block->shortcut, x) : x;
    return scope_move(&s, nn_add_to(&s, h, shortcut), out);
}

static tensor attention(struct scope *out, const struct vae_attention *layer, tensor x)
{
    SCOPE(s, out->err);
    tensor normed = nn_group_norm(&s, &layer->norm, x);
    tensor q = nn_to_tokens(&s, nn_conv2d(&s, &layer->q, normed));
    tensor k = nn_to_tokens(&s, nn_conv2d(&s, &layer->k, normed));
    tensor v = nn_to_tokens(&s, nn_conv2d(&s, &layer->v, normed));
    tensor mixed =
        op_attention(&s, op_unsqueeze(&s, q, 1), op_unsqueeze(&s, k, 1), op_unsqueeze(&s, v, 1));
    tensor h = nn_from_tokens(&s, op_squeeze(&s, mixed, 1), tensor_dim(x, 2), tensor_dim(x, 3));
    return scope_move(&s, nn_add_to(&s, nn_conv2d(&s, &layer->proj, h), x), out);
}

tensor vae_middle(struct scope *out, const struct vae_middle *middle, tensor x)
{
    SCOPE(s, out->err);
    tensor h = vae_res_block(&s, &middle->block1, x, NULL);
    if (middle->has_attention)
        h = attention(&s, &middle->attention, h);
    return scope_move(&s, vae_res_block(&s, &middle->block2, h, NULL), out);
}
