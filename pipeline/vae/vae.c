/* SPDX-License-Identifier: Apache-2.0 */
/* Encoder, decoder, and what lies between them. The encoder goes down the levels, the decoder comes
 * up them and takes the encoder's features from the end of their list, one a residual block, which
 * makes the pairs meet at equal resolution (levels × (res_blocks + 1) on both sides). */
#include "pipeline/vae/vae.h"

#include <stdio.h>
#include <stdlib.h>

#include "pipeline/vae/bands.h"
#include "pipeline/vae/block.h"
#include "pipeline/weights/weights.h"

struct vae_level {
    struct vae_res_block blocks[SIZES_RES_BLOCKS_MAX + 1];
    struct nn_conv2d
        resample; /* stride-2 or after-upsampling convolution; weight NULL at the end */
};

struct vae_half {
    struct nn_conv2d conv_in, conv_out;
    struct nn_group_norm norm_out;
    struct vae_middle middle;
    struct vae_level levels[SIZES_LEVELS_MAX]; /* 0 is the finest */
};

struct vae {
    struct vae_sizes sizes;
    struct tensor_place place;
    struct scope weights; /* owns all tensors */
    struct vae_half encoder, decoder;
    struct nn_conv2d quant, post_quant;
    struct vae_lora lora;
};

static void load_half(const struct vae *vae, struct vae_half *half, const struct weights *weights)
{
    half->conv_in = weights_conv2d(weights, "conv_in", 1, 1);
    half->conv_out = weights_conv2d(weights, "conv_out", 1, 1);
    half->norm_out = weights_group_norm(weights, "norm_out", VAE_NORM_EPS);
    struct weights mid = weights_at(weights, "mid.");
    half->middle = vae_middle_load(&mid, vae->sizes.has_attention);
}

static void load_encoder(struct vae *vae, const struct weights *weights)
{
    load_half(vae, &vae->encoder, weights);
    for (int l = 0; l < vae->sizes.level_count; l++) {
        struct vae_level *level = &vae->encoder.levels[l];
        for (int b = 0; b < vae->sizes.res_blocks; b++) {
            struct weights block = weights_at(weights, "down.%d.block.%d.", l, b);
            level->blocks[b] = vae_res_block_load(&block);
        }
        struct weights down = weights_at(weights, "down.%d.downsample.", l);
        if (l + 1 < vae->sizes.level_count)
            level->resample = weights_conv2d(&down, "conv", 2, 0);
    }
}

static void load_decoder(struct vae *vae, const struct weights *weights)
{
    load_half(vae, &vae->decoder, weights);
    for (int l = vae->sizes.level_count; l-- > 0;) {
        struct vae_level *level = &vae->decoder.levels[l];
        for (int b = 0; b <= vae->sizes.res_blocks; b++) {
            struct weights block = weights_at(weights, "up.%d.block.%d.", l, b);
            level->blocks[b] = vae_res_block_load(&block);
            if (vae->sizes.lora_rank == 0)
                continue;
            vae->lora.down[vae->lora.count] = weights_tensor(&block, "lora.lora_down.weight");
            vae->lora.up[vae->lora.count++] = weights_tensor(&block, "lora.lora_up.weight");
        }
        struct weights up = weights_at(weights, "up.%d.upsample.", l);
        if (l > 0)
            level->resample = weights_conv2d(&up, "conv", 1, 1);
    }
}

enum pf_status vae_create(struct vae **ret_vae, const struct checkpoint *checkpoint,
    const struct vae_sizes *sizes, struct tensor_place place, struct pf_error *err)
{
    struct vae *vae = calloc(1, sizeof *vae);
    if (!vae)
        return pf_fail(err, PF_NOMEM, "the VAE's table of layers");
    vae->sizes = *sizes;
    vae->place = place;
    scope_init(&vae->weights, err);
    struct weights root;
    weights_init(&root, checkpoint, place, &vae->weights, SIZES_PREFIX_VAE);
    struct weights encoder = weights_at(&root, "encoder."), decoder = weights_at(&root, "decoder.");
    load_encoder(vae, &encoder);
    load_decoder(vae, &decoder);
    vae->quant = weights_conv2d(&root, "quant_conv", 1, 0);
    vae->post_quant = weights_conv2d(&root, "post_quant_conv", 1, 0);
    if (err->status != PF_OK) {
        vae_destroy(vae);
        return err->status;
    }
    vae->weights.err = NULL;
    *ret_vae = vae;
    return PF_OK;
}

void vae_destroy(struct vae *vae)
{
    if (!vae)
        return;
    scope_finish(&vae->weights);
    free(vae);
}

const struct vae_sizes *vae_sizes(const struct vae *vae)
{
    return &vae->sizes;
}

struct tensor_place vae_place(const struct vae *vae)
{
    return vae->place;
}

const struct vae_lora *vae_lora(const struct vae *vae)
{
    return &vae->lora;
}

/* Hands a feature out to the skips, which outlive the encoder's scope. */
static void keep_skip(struct scope *out, struct vae_skips *skips, tensor feature)
{
    if (skips && scope_ok(out))
        skips->features[skips->count++] = tensor_alias(out, feature);
}

/* Replaces the activation `h` of scope `s` by `next`, freeing the former. */
static tensor advance(struct scope *s, tensor h, tensor next)
{
    scope_drop(s, h);
    return next;
}

static tensor downsample(struct scope *out, const struct nn_conv2d *conv, tensor x)
{
    SCOPE(s, out->err);
    return scope_move(&s, nn_conv2d(&s, conv, nn_pad_end(&s, conv, x)), out);
}

static tensor upsample(struct scope *out, const struct nn_conv2d *conv, tensor x)
{
    SCOPE(s, out->err);
    tensor larger = op_upsample_nearest(&s, x, 2 * tensor_dim(x, 2), 2 * tensor_dim(x, 3));
    return scope_move(&s, nn_conv2d(&s, conv, larger), out);
}

static tensor head(struct scope *out, const struct vae_half *half, tensor h)
{
    SCOPE(s, out->err);
    tensor normed = nn_group_norm_silu(&s, &half->norm_out, h);
    return scope_move(&s, nn_conv2d(&s, &half->conv_out, normed), out);
}

tensor vae_encode(
    const struct vae *vae, struct scope *out, tensor pixels, struct vae_skips *ret_skips)
{
    const struct vae_half *encoder = &vae->encoder;
    SCOPE(s, out->err);
    if (ret_skips)
        ret_skips->count = 0;
    tensor x = op_channels_last(&s, op_to_place(&s, pixels, vae->place));
    if (ret_skips && scope_ok(&s))
        ret_skips->picture = tensor_alias(out, x);
    tensor h = nn_conv2d(&s, &encoder->conv_in, x);
    keep_skip(out, ret_skips, h);
    for (int l = 0; l < vae->sizes.level_count; l++) {
        const struct vae_level *level = &encoder->levels[l];
        for (int b = 0; b < vae->sizes.res_blocks; b++) {
            h = advance(&s, h, vae_res_block(&s, &level->blocks[b], h, NULL));
            keep_skip(out, ret_skips, h);
        }
        if (!level->resample.weight)
            continue;
        h = advance(&s, h, downsample(&s, &level->resample, h));
        keep_skip(out, ret_skips, h);
    }
    h = advance(&s, h, vae_middle(&s, &encoder->middle, h));
    h = advance(&s, h, head(&s, encoder, h));
    return scope_move(&s, nn_conv2d(&s, &vae->quant, h), out);
}

tensor vae_mode(struct scope *out, tensor moments)
{
    SCOPE(s, out->err);
    tensor mean = op_narrow(&s, moments, 1, 0, tensor_dim(moments, 1) / 2);
    return scope_move(&s, op_contiguous(&s, op_to_type(&s, mean, TENSOR_F32)), out);
}

static int skips_fit(const struct vae *vae, struct scope *s, const struct vae_skips *skips,
    const struct vae_lora *lora)
{
    int expected = vae->sizes.level_count * (vae->sizes.res_blocks + 1);
    if (skips->count == expected && lora->count == expected)
        return 1;
    pf_fail(s->err, PF_INVALID, "%d skip features and %d LoRA blocks, the decoder has %d",
        skips->count, lora->count, expected);
    return 0;
}

/* The up path. `index` runs over the residual blocks as the decoder meets them. */
static tensor decode_up(const struct vae *vae, struct scope *out, tensor h,
    const struct vae_skips *skips, const struct vae_lora *lora)
{
    SCOPE(s, out->err);
    int index = 0;
    for (int l = vae->sizes.level_count; l-- > 0;) {
        const struct vae_level *level = &vae->decoder.levels[l];
        for (int b = 0; b <= vae->sizes.res_blocks; b++, index++) {
            struct vae_lora_use use = {NULL, NULL, NULL};
            if (skips)
                use = (struct vae_lora_use){
                    lora->down[index], lora->up[index], skips->features[skips->count - 1 - index]};
            h = advance(&s, h, vae_res_block(&s, &level->blocks[b], h, skips ? &use : NULL));
        }
        if (level->resample.weight)
            h = advance(&s, h, upsample(&s, &level->resample, h));
    }
    return scope_move(&s, h, out);
}

/* picture · (1 + gain) + offset + bands weighed, of which `change` [B,6+K,H,W] is made. */
static tensor change_picture(struct scope *s, tensor picture, tensor change)
{
    tensor gain = op_narrow(s, change, 1, 0, 3), offset = op_narrow(s, change, 1, 3, 3);
    tensor changed = op_add(s, op_add(s, picture, op_mul(s, picture, gain)), offset);
    int64_t bands = scope_ok(s) ? tensor_dim(change, 1) - 6 : 0;
    if (bands == 0)
        return changed;
    return op_add(s, changed, bands_weighed(s, picture, op_narrow(s, change, 1, 6, bands)));
}

tensor vae_decode(const struct vae *vae, struct scope *out, tensor z, const struct vae_skips *skips,
    const struct vae_lora *lora)
{
    SCOPE(s, out->err);
    int is_affine = vae->sizes.output == DECODER_OUTPUT_AFFINE;
    if (is_affine && !skips && scope_ok(&s))
        pf_fail(s.err, PF_INVALID, "a decoder of output affine needs the picture that it changes");
    tensor picture = is_affine && skips ? skips->picture : NULL;
    if (vae->lora.count == 0)
        skips = NULL;
    if (!lora)
        lora = &vae->lora;
    if (!scope_ok(&s) || (skips && !skips_fit(vae, &s, skips, lora)))
        return NULL;
    tensor latent = op_mul_scalar(&s, z, 1.0 / VAE_SCALE_FACTOR);
    tensor x = op_channels_last(&s, op_to_place(&s, latent, vae->place));
    tensor h = nn_conv2d(&s, &vae->decoder.conv_in, nn_conv2d(&s, &vae->post_quant, x));
    h = advance(&s, h, vae_middle(&s, &vae->decoder.middle, h));
    h = decode_up(vae, &s, h, skips, lora);
    h = advance(&s, h, head(&s, &vae->decoder, h));
    return scope_move(&s, picture ? change_picture(&s, picture, h) : h, out);
}

static tensor writable_copy(struct scope *out, tensor t)
{
    SCOPE(s, out->err);
    tensor single = op_to_type(&s, t, TENSOR_F32);
    return scope_move(&s, op_detach(&s, op_clone(&s, single)), out);
}

void vae_lora_copy(const struct vae *vae, struct scope *out, struct vae_lora *ret_copy)
{
    ret_copy->count = vae->lora.count;
    for (int i = 0; i < vae->lora.count; i++) {
        ret_copy->down[i] = writable_copy(out, vae->lora.down[i]);
        ret_copy->up[i] = writable_copy(out, vae->lora.up[i]);
    }
}

void vae_lora_name(const struct vae *vae, int index, char ret_name[VAE_LORA_NAME_MAX])
{
    int per_level = vae->sizes.res_blocks + 1;
    snprintf(ret_name, VAE_LORA_NAME_MAX, "decoder.up.%d.block.%d",
        vae->sizes.level_count - 1 - index / per_level, index % per_level);
}
