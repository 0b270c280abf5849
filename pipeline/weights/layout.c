/* SPDX-License-Identifier: Apache-2.0 */
/* A walk keeps the prefix of the module it is in and, like a scope, its first error: after it every
 * put is a no-op, so the functions below read like the modules' constructors. */
#include "pipeline/weights/layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct walk {
    const struct layout_visitor *visitor;
    const char *part;                 /* prefix of the part */
    char module[LAYOUT_NAME_MAX / 2]; /* "input_blocks.1.0."; relative to part */
    enum pf_status status;
    struct pf_error *err;
};

static void walk_enter(struct walk *walk, const char *fmt, ...) PF_PRINTF(2, 3);

static void walk_enter(struct walk *walk, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(walk->module, sizeof walk->module, fmt, args);
    va_end(args);
}

static void put(struct walk *walk, const char *name, struct layout_tensor tensor)
{
    char text[LAYOUT_NAME_MAX];
    if (walk->status != PF_OK)
        return;
    snprintf(text, sizeof text, "%s%s%s", walk->part, walk->module, name);
    tensor.name = text;
    walk->status = walk->visitor->visit(walk->visitor->context, &tensor, walk->err);
}

static void put_named(
    struct walk *walk, const char *name, const char *member, struct layout_tensor tensor)
{
    char text[LAYOUT_NAME_MAX];
    snprintf(text, sizeof text, "%s.%s", name, member);
    put(walk, text, tensor);
}

static void put_bias(struct walk *walk, const char *name, int64_t size)
{
    put_named(walk, name, "bias", (struct layout_tensor){NULL, LAYOUT_BIAS, 1, {size}});
}

static void put_conv_without_bias(
    struct walk *walk, const char *name, int64_t in, int64_t out, int64_t kernel)
{
    put_named(walk, name, "weight",
        (struct layout_tensor){NULL, LAYOUT_MATRIX, 4, {out, in, kernel, kernel}});
}

static void put_conv(struct walk *walk, const char *name, int64_t in, int64_t out, int64_t kernel)
{
    put_conv_without_bias(walk, name, in, out, kernel);
    put_bias(walk, name, out);
}

static void put_linear_without_bias(struct walk *walk, const char *name, int64_t in, int64_t out)
{
    put_named(walk, name, "weight", (struct layout_tensor){NULL, LAYOUT_MATRIX, 2, {out, in}});
}

static void put_linear(struct walk *walk, const char *name, int64_t in, int64_t out)
{
    put_linear_without_bias(walk, name, in, out);
    put_bias(walk, name, out);
}

static void put_norm(struct walk *walk, const char *name, int64_t channels)
{
    put_named(
        walk, name, "weight", (struct layout_tensor){NULL, LAYOUT_NORM_WEIGHT, 1, {channels}});
    put_named(walk, name, "bias", (struct layout_tensor){NULL, LAYOUT_NORM_BIAS, 1, {channels}});
}

/* --- UNet --- */

static void put_unet_res_block(
    struct walk *walk, const struct unet_sizes *sizes, int64_t in, int64_t out)
{
    put_norm(walk, "in_layers.0", in);
    put_conv(walk, "in_layers.2", in, out, 3);
    put_linear(walk, "emb_layers.1", sizes->time_channels, out);
    put_norm(walk, "out_layers.0", out);
    put_conv(walk, "out_layers.3", out, out, 3);
    if (in != out)
        put_conv(walk, "skip_connection", in, out, 1);
}

/* `name` is "transformer_blocks.0.attn2" or alike. */
static void put_attention(struct walk *walk, const char *name, int64_t channels, int64_t context)
{
    char member[LAYOUT_NAME_MAX / 2];
    snprintf(member, sizeof member, "%s.to_q", name);
    put_linear_without_bias(walk, member, channels, channels);
    snprintf(member, sizeof member, "%s.to_k", name);
    put_linear_without_bias(walk, member, context, channels);
    snprintf(member, sizeof member, "%s.to_v", name);
    put_linear_without_bias(walk, member, context, channels);
    snprintf(member, sizeof member, "%s.to_out.0", name);
    put_linear(walk, member, channels, channels);
}

static const char *block_member(char text[LAYOUT_NAME_MAX / 2], int index, const char *name)
{
    snprintf(text, LAYOUT_NAME_MAX / 2, "transformer_blocks.%d.%s", index, name);
    return text;
}

static void put_transformer(struct walk *walk, const struct unet_sizes *sizes, int64_t channels)
{
    const int64_t inner = 4 * channels; /* GEGLU: twice that, gate and value */
    char text[LAYOUT_NAME_MAX / 2];
    put_norm(walk, "norm", channels);
    put_conv(walk, "proj_in", channels, channels, 1);
    for (int i = 0; i < sizes->transformer_depth; i++) {
        put_attention(walk, block_member(text, i, "attn1"), channels, channels);
        put_linear(walk, block_member(text, i, "ff.net.0.proj"), channels, 2 * inner);
        put_linear(walk, block_member(text, i, "ff.net.2"), inner, channels);
        put_attention(walk, block_member(text, i, "attn2"), channels, sizes->context_dim);
        put_norm(walk, block_member(text, i, "norm1"), channels);
        put_norm(walk, block_member(text, i, "norm2"), channels);
        put_norm(walk, block_member(text, i, "norm3"), channels);
        if (sizes->has_extra) {
            put_norm(walk, block_member(text, i, "norm_extra"), channels);
            put_attention(walk, block_member(text, i, "attn_extra"), channels, sizes->context_dim);
        }
    }
    put_conv(walk, "proj_out", channels, channels, 1);
}

/* Channels of the features the input side hands to the output side, in order. */
struct skips {
    int64_t channels[SIZES_LEVELS_MAX * (SIZES_RES_BLOCKS_MAX + 1)];
    int count;
};

static void put_input_side(struct walk *walk, const struct unet_sizes *sizes, struct skips *skips)
{
    int64_t channels = sizes->model_channels;
    int index = 1;
    walk_enter(walk, "input_blocks.0.");
    put_conv(walk, "0", sizes->in_channels, channels, 3);
    skips->channels[skips->count++] = channels;
    for (int level = 0; level < sizes->level_count; level++) {
        for (int i = 0; i < sizes->res_blocks[level]; i++, index++) {
            walk_enter(walk, "input_blocks.%d.0.", index);
            put_unet_res_block(walk, sizes, channels, sizes->channels[level]);
            channels = sizes->channels[level];
            walk_enter(walk, "input_blocks.%d.1.", index);
            if (sizes->attention[level])
                put_transformer(walk, sizes, channels);
            skips->channels[skips->count++] = channels;
        }
        if (level == sizes->level_count - 1)
            break;
        walk_enter(walk, "input_blocks.%d.0.", index++);
        put_conv(walk, "op", channels, channels, 3);
        skips->channels[skips->count++] = channels;
    }
}

static void put_output_side(struct walk *walk, const struct unet_sizes *sizes, struct skips *skips)
{
    int64_t channels = sizes->channels[sizes->level_count - 1];
    int index = 0;
    for (int level = sizes->level_count - 1; level >= 0; level--) {
        for (int i = 0; i <= sizes->res_blocks[level]; i++, index++) {
            walk_enter(walk, "output_blocks.%d.0.", index);
            put_unet_res_block(
                walk, sizes, channels + skips->channels[--skips->count], sizes->channels[level]);
            channels = sizes->channels[level];
            walk_enter(walk, "output_blocks.%d.1.", index);
            if (sizes->attention[level])
                put_transformer(walk, sizes, channels);
            walk_enter(walk, "output_blocks.%d.%d.", index, sizes->attention[level] ? 2 : 1);
            if (level > 0 && i == sizes->res_blocks[level])
                put_conv(walk, "conv", channels, channels, 3);
        }
    }
}

enum pf_status layout_visit_unet(
    const struct unet_sizes *sizes, const struct layout_visitor *visitor, struct pf_error *err)
{
    struct walk walk = {.visitor = visitor, .part = SIZES_PREFIX_UNET, .err = err};
    struct skips skips = {.count = 0};
    const int64_t deepest = sizes->channels[sizes->level_count - 1];
    walk_enter(&walk, "time_embed.");
    put_linear(&walk, "0", sizes->model_channels, sizes->time_channels);
    put_linear(&walk, "2", sizes->time_channels, sizes->time_channels);
    put_input_side(&walk, sizes, &skips);
    walk_enter(&walk, "middle_block.0.");
    put_unet_res_block(&walk, sizes, deepest, deepest);
    walk_enter(&walk, "middle_block.1.");
    put_transformer(&walk, sizes, deepest);
    walk_enter(&walk, "middle_block.2.");
    put_unet_res_block(&walk, sizes, deepest, deepest);
    put_output_side(&walk, sizes, &skips);
    walk_enter(&walk, "out.");
    put_norm(&walk, "0", sizes->channels[0]);
    put_conv(&walk, "2", sizes->channels[0], sizes->out_channels, 3);
    return walk.status;
}

/* --- VAE --- */

static void put_vae_block(struct walk *walk, int64_t in, int64_t out, int64_t lora_rank)
{
    put_norm(walk, "norm1", in);
    put_conv(walk, "conv1", in, out, 3);
    if (lora_rank > 0) {
        put_conv_without_bias(walk, "lora.lora_down", in, lora_rank, 3);
        put_conv_without_bias(walk, "lora.lora_up", lora_rank, out, 1);
    }
    put_norm(walk, "norm2", out);
    put_conv(walk, "conv2", out, out, 3);
    if (in != out)
        put_conv(walk, "nin_shortcut", in, out, 1);
}

static void put_vae_middle(struct walk *walk, const struct vae_sizes *sizes, const char *side)
{
    const int64_t channels = sizes->channels[sizes->level_count - 1];
    walk_enter(walk, "%s.mid.block_1.", side);
    put_vae_block(walk, channels, channels, 0);
    if (sizes->has_attention) {
        walk_enter(walk, "%s.mid.attn_1.", side);
        put_norm(walk, "norm", channels);
        put_conv(walk, "q", channels, channels, 1);
        put_conv(walk, "k", channels, channels, 1);
        put_conv(walk, "v", channels, channels, 1);
        put_conv(walk, "proj_out", channels, channels, 1);
    }
    walk_enter(walk, "%s.mid.block_2.", side);
    put_vae_block(walk, channels, channels, 0);
}

static void put_vae_encoder(struct walk *walk, const struct vae_sizes *sizes)
{
    int64_t channels = sizes->base_channels;
    walk_enter(walk, "encoder.");
    put_conv(walk, "conv_in", sizes->in_channels, channels, 3);
    for (int level = 0; level < sizes->level_count; level++) {
        for (int i = 0; i < sizes->res_blocks; i++) {
            walk_enter(walk, "encoder.down.%d.block.%d.", level, i);
            put_vae_block(walk, channels, sizes->channels[level], 0);
            channels = sizes->channels[level];
        }
        walk_enter(walk, "encoder.down.%d.downsample.", level);
        if (level < sizes->level_count - 1)
            put_conv(walk, "conv", channels, channels, 3);
    }
    put_vae_middle(walk, sizes, "encoder");
    walk_enter(walk, "encoder.");
    put_norm(walk, "norm_out", channels);
    put_conv(walk, "conv_out", channels, 2 * sizes->z_channels, 3);
}

/* Runs from the deepest level, but is registered from the finest. */
static void put_vae_decoder(struct walk *walk, const struct vae_sizes *sizes)
{
    const int deepest = sizes->level_count - 1;
    walk_enter(walk, "decoder.");
    put_conv(walk, "conv_in", sizes->z_channels, sizes->channels[deepest], 3);
    put_vae_middle(walk, sizes, "decoder");
    for (int level = 0; level <= deepest; level++) {
        int64_t channels = sizes->channels[level < deepest ? level + 1 : deepest];
        for (int i = 0; i <= sizes->res_blocks; i++) {
            walk_enter(walk, "decoder.up.%d.block.%d.", level, i);
            put_vae_block(walk, channels, sizes->channels[level], sizes->lora_rank);
            channels = sizes->channels[level];
        }
        walk_enter(walk, "decoder.up.%d.upsample.", level);
        if (level > 0)
            put_conv(walk, "conv", channels, channels, 3);
    }
    walk_enter(walk, "decoder.");
    put_norm(walk, "norm_out", sizes->channels[0]);
    put_conv(walk, "conv_out", sizes->channels[0], sizes->out_channels, 3);
}

enum pf_status layout_visit_vae(
    const struct vae_sizes *sizes, const struct layout_visitor *visitor, struct pf_error *err)
{
    struct walk walk = {.visitor = visitor, .part = SIZES_PREFIX_VAE, .err = err};
    put_vae_encoder(&walk, sizes);
    put_vae_decoder(&walk, sizes);
    walk_enter(&walk, "%s", "");
    put_conv(&walk, "quant_conv", 2 * sizes->z_channels, 2 * sizes->embed_channels, 1);
    put_conv(&walk, "post_quant_conv", sizes->embed_channels, sizes->z_channels, 1);
    return walk.status;
}

/* --- CLIP text encoder --- */

enum pf_status layout_visit_clip(
    const struct clip_sizes *sizes, const struct layout_visitor *visitor, struct pf_error *err)
{
    struct walk walk = {.visitor = visitor, .part = SIZES_PREFIX_CLIP, .err = err};
    const int64_t width = sizes->width;
    walk_enter(&walk, "embeddings.");
    put(&walk, "token_embedding.weight",
        (struct layout_tensor){NULL, LAYOUT_EMBEDDING, 2, {sizes->vocabulary, width}});
    put(&walk, "position_embedding.weight",
        (struct layout_tensor){NULL, LAYOUT_EMBEDDING, 2, {sizes->positions, width}});
    for (int i = 0; i < sizes->layers; i++) {
        walk_enter(&walk, "encoder.layers.%d.", i);
        put_linear(&walk, "self_attn.q_proj", width, width);
        put_linear(&walk, "self_attn.k_proj", width, width);
        put_linear(&walk, "self_attn.v_proj", width, width);
        put_linear(&walk, "self_attn.out_proj", width, width);
        put_norm(&walk, "layer_norm1", width);
        put_norm(&walk, "layer_norm2", width);
        put_linear(&walk, "mlp.fc1", width, sizes->mlp_width);
        put_linear(&walk, "mlp.fc2", sizes->mlp_width, width);
    }
    walk_enter(&walk, "%s", "");
    put_norm(&walk, "final_layer_norm", width);
    return walk.status;
}

enum pf_status layout_visit(
    const struct model_sizes *sizes, const struct layout_visitor *visitor, struct pf_error *err)
{
    PF_TRY(layout_visit_unet(&sizes->unet, visitor, err));
    PF_TRY(layout_visit_vae(&sizes->vae, visitor, err));
    return layout_visit_clip(&sizes->clip, visitor, err);
}
