/* SPDX-License-Identifier: Apache-2.0 */
/* A value is drawn by looking up 12 random bits in a table of 4096 quantiles of the normal
 * distribution, scaled and encoded once per tensor: one lookup and one store a value, in every
 * dtype. That is a normal distribution in 4096 steps, plenty for weights nobody trained. */
#include "pipeline/weights/random_model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/weights/checkpoint_write.h"
#include "pipeline/weights/layout.h"

enum { QUANTILE_BITS = 12, QUANTILES = 1 << QUANTILE_BITS, CHUNK_VALUES = 1 << 16 };

/* --- presets --- */

static const struct model_sizes tiny = {
    .unet = {.model_channels = 32,
        .heads = 8,
        .level_count = 4,
        .channels = {32, 64, 64, 64},
        .res_blocks = {2, 2, 2, 2},
        .attention = {1, 1, 1, 0},
        .transformer_depth = 1,
        .has_extra = 1},
    .vae = {.base_channels = 32,
        .z_channels = 4,
        .level_count = 4,
        .channels = {32, 32, 64, 64},
        .res_blocks = 2,
        .has_attention = 1,
        .lora_rank = 4},
    .clip = {.width = 32, .heads = 4, .vocabulary = 49408, .positions = 77, .layers = 2},
};

static const struct model_sizes small = {
    .unet = {.model_channels = 64,
        .heads = 8,
        .level_count = 4,
        .channels = {64, 128, 256, 256},
        .res_blocks = {2, 2, 2, 2},
        .attention = {1, 1, 1, 0},
        .transformer_depth = 1,
        .has_extra = 1},
    .vae = {.base_channels = 32,
        .z_channels = 4,
        .level_count = 4,
        .channels = {32, 64, 128, 128},
        .res_blocks = 2,
        .has_attention = 1,
        .lora_rank = 4},
    .clip = {.width = 256, .heads = 4, .vocabulary = 49408, .positions = 77, .layers = 4},
};

static const struct model_sizes full = {
    .unet = {.model_channels = 320,
        .heads = 8,
        .level_count = 4,
        .channels = {320, 640, 1280, 1280},
        .res_blocks = {2, 2, 2, 2},
        .attention = {1, 1, 1, 0},
        .transformer_depth = 1,
        .has_extra = 1},
    .vae = {.base_channels = 128,
        .z_channels = 4,
        .level_count = 4,
        .channels = {128, 256, 512, 512},
        .res_blocks = 2,
        .has_attention = 1,
        .lora_rank = 4},
    .clip = {.width = 768, .heads = 12, .vocabulary = 49408, .positions = 77, .layers = 12},
};

static const struct {
    const char *name;
    const struct model_sizes *sizes;
} presets[] = {{"tiny", &tiny}, {"small", &small}, {"full", &full}};

enum pf_status random_model_preset(
    const char *name, struct model_sizes *ret_sizes, struct pf_error *err)
{
    for (size_t i = 0; i < COUNT_OF(presets); i++) {
        if (strcmp(presets[i].name, name) != 0)
            continue;
        struct model_sizes sizes = *presets[i].sizes;
        PF_TRY(random_model_complete(&sizes, err));
        *ret_sizes = sizes;
        return PF_OK;
    }
    return pf_fail(err, PF_NOT_FOUND, "no preset '%s'; there are tiny, small and full", name);
}

static enum pf_status check_range(
    const char *what, int64_t value, int64_t min, int64_t max, struct pf_error *err)
{
    if (value < min || value > max)
        return pf_fail(err, PF_INVALID, "%s is %lld, expected %lld to %lld", what, (long long)value,
            (long long)min, (long long)max);
    return PF_OK;
}

/* What the channels of a level are multiples of. */
struct divisors {
    int64_t groups, heads;
};

static enum pf_status check_channels(const char *what, const int64_t *channels, int level_count,
    struct divisors by, struct pf_error *err)
{
    PF_TRY(check_range(what, level_count, 1, SIZES_LEVELS_MAX, err));
    for (int level = 0; level < level_count; level++) {
        PF_TRY(check_range(what, channels[level], by.groups, 1 << 16, err));
        if (channels[level] % by.groups != 0 || channels[level] % by.heads != 0)
            return pf_fail(err, PF_INVALID,
                "%s: %lld channels in level %d are no multiple of %lld and of %lld heads", what,
                (long long)channels[level], level, (long long)by.groups, (long long)by.heads);
    }
    return PF_OK;
}

static enum pf_status check_sizes(const struct model_sizes *sizes, struct pf_error *err)
{
    const struct unet_sizes *unet = &sizes->unet;
    const struct vae_sizes *vae = &sizes->vae;
    const struct clip_sizes *clip = &sizes->clip;
    struct divisors no_heads = {sizes->norm_groups, 1};
    struct divisors with_heads = {sizes->norm_groups, unet->heads};
    PF_TRY(check_range("the groups of a GroupNorm", sizes->norm_groups, 1, 1 << 10, err));
    PF_TRY(check_range("the UNet's heads", unet->heads, 1, 1 << 10, err));
    PF_TRY(check_range(
        "the UNet's transformer depth", unet->transformer_depth, 1, SIZES_DEPTH_MAX, err));
    PF_TRY(check_channels("the UNet's first convolution", &unet->model_channels, 1, no_heads, err));
    PF_TRY(check_channels("the UNet's levels", unet->channels, unet->level_count, with_heads, err));
    for (int level = 0; level < unet->level_count; level++)
        PF_TRY(check_range(
            "the UNet's residual blocks", unet->res_blocks[level], 1, SIZES_RES_BLOCKS_MAX, err));
    PF_TRY(check_channels("the VAE's first convolution", &vae->base_channels, 1, no_heads, err));
    PF_TRY(check_channels("the VAE's levels", vae->channels, vae->level_count, no_heads, err));
    PF_TRY(check_range("the VAE's residual blocks", vae->res_blocks, 1, SIZES_RES_BLOCKS_MAX, err));
    PF_TRY(check_range("the VAE's latent channels", vae->z_channels, 1, 1 << 10, err));
    PF_TRY(check_range("the VAE's LoRA rank", vae->lora_rank, 0, 1 << 10, err));
    int64_t bands_most = vae->output == DECODER_OUTPUT_AFFINE ? SIZES_BANDS_MAX : 0;
    PF_TRY(check_range("the decoder's bands", vae->bands, 0, bands_most, err));
    PF_TRY(check_range("the text encoder's width", clip->width, 1, 1 << 16, err));
    PF_TRY(check_range("the text encoder's layers", clip->layers, 1, SIZES_LAYERS_MAX, err));
    PF_TRY(check_range("the text encoder's vocabulary", clip->vocabulary, 3, 1 << 20, err));
    PF_TRY(check_range("the text encoder's positions", clip->positions, 3, 1 << 16, err));
    PF_TRY(check_range("the text encoder's heads", clip->heads, 1, clip->width, err));
    if (clip->width % clip->heads != 0)
        return pf_fail(err, PF_INVALID, "width %lld can't be split into %lld heads",
            (long long)clip->width, (long long)clip->heads);
    return PF_OK;
}

enum pf_status random_model_complete(struct model_sizes *sizes, struct pf_error *err)
{
    if (sizes->norm_groups == 0)
        sizes->norm_groups = SIZES_NORM_GROUPS;
    PF_TRY(check_sizes(sizes, err));
    sizes->vae.in_channels = 3;
    sizes->vae.out_channels = sizes->vae.output == DECODER_OUTPUT_AFFINE ? 6 + sizes->vae.bands : 3;
    sizes->vae.embed_channels = sizes->vae.z_channels;
    sizes->vae.factor = INT64_C(1) << (sizes->vae.level_count - 1);
    sizes->unet.out_channels = sizes->vae.embed_channels;
    sizes->unet.in_channels = 2 * sizes->vae.embed_channels;
    sizes->unet.time_channels = 4 * sizes->unet.model_channels;
    sizes->unet.context_dim = sizes->clip.width;
    sizes->unet.heads_known = sizes->clip.heads_known = 1;
    sizes->clip.mlp_width = 4 * sizes->clip.width;
    sizes->model_factor = sizes->vae.factor << (sizes->unet.level_count - 1);
    return PF_OK;
}

/* --- values --- */

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The x with Φ(x) = p, by bisection of erfc: slow, but done 4096 times in all. */
static double normal_quantile(double p)
{
    double low = -8, high = 8;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (0.5 * erfc(-middle / sqrt(2)) < p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

/* Rounds to nearest even; overflow gives infinity. */
static uint16_t encode_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    if (magnitude >= 0x477FF000) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7C00);
    if (magnitude < 0x38800000) { /* below 2^-14: a multiple of 2^-24 */
        float absolute;
        memcpy(&absolute, &magnitude, sizeof absolute);
        return (uint16_t)(sign | (uint32_t)lrintf(ldexpf(absolute, 24)));
    }
    uint32_t odd = magnitude >> 13 & 1;
    return (uint16_t)(sign | (magnitude - 0x38000000 + 0xFFF + odd) >> 13);
}

static uint16_t encode_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

struct filler {
    const struct random_model *model;
    struct checkpoint_writer *writer;
    uint64_t index;
    float quantiles[QUANTILES];
    union {
        uint16_t halves[QUANTILES];
        float floats[QUANTILES];
    } table; /* of one tensor */
    union {
        uint16_t halves[CHUNK_VALUES];
        float floats[CHUNK_VALUES];
    } chunk;
};

static void make_table(struct filler *filler, float scale, float offset)
{
    for (size_t i = 0; i < QUANTILES; i++) {
        float value = filler->quantiles[i] * scale + offset;
        if (filler->model->dtype == DTYPE_F32)
            filler->table.floats[i] = value;
        else
            filler->table.halves[i] =
                filler->model->dtype == DTYPE_F16 ? encode_f16(value) : encode_bf16(value);
    }
}

static void fill_chunk(struct filler *filler, uint64_t *state, size_t count)
{
    const uint64_t mask = QUANTILES - 1;
    const int is_float = filler->model->dtype == DTYPE_F32;
    for (size_t i = 0; i < count;) {
        uint64_t bits = splitmix(state);
        for (int k = 0; k < 64 / QUANTILE_BITS && i < count; k++, i++, bits >>= QUANTILE_BITS) {
            if (is_float)
                filler->chunk.floats[i] = filler->table.floats[bits & mask];
            else
                filler->chunk.halves[i] = filler->table.halves[bits & mask];
        }
    }
}

/* Deviation and mean of a tensor's values. */
static void choose_values(const struct layout_tensor *tensor, float *ret_scale, float *ret_offset)
{
    int64_t fan_in = 1;
    for (int i = 1; i < tensor->dim_count; i++)
        fan_in *= tensor->dims[i];
    int is_random = tensor->role == LAYOUT_MATRIX || tensor->role == LAYOUT_EMBEDDING;
    *ret_scale = is_random ? (float)(1 / sqrt((double)fan_in)) : 0;
    *ret_offset = tensor->role == LAYOUT_NORM_WEIGHT ? 1 : 0;
}

static enum pf_status write_tensor(
    void *context, const struct layout_tensor *tensor, struct pf_error *err)
{
    struct filler *filler = context;
    float scale, offset;
    uint64_t state = filler->model->seed + UINT64_C(0xd1342543de82ef95) * ++filler->index;
    uint64_t left = 1;
    for (int i = 0; i < tensor->dim_count; i++)
        left *= (uint64_t)tensor->dims[i];
    choose_values(tensor, &scale, &offset);
    make_table(filler, scale, offset);
    while (left > 0) {
        size_t count = left < CHUNK_VALUES ? (size_t)left : CHUNK_VALUES;
        fill_chunk(filler, &state, count);
        PF_TRY(checkpoint_writer_put(
            filler->writer, &filler->chunk, count * dtype_size(filler->model->dtype), err));
        left -= count;
    }
    return PF_OK;
}

static enum pf_status declare_tensor(
    void *context, const struct layout_tensor *tensor, struct pf_error *err)
{
    struct filler *filler = context;
    return checkpoint_writer_add(
        filler->writer, tensor->name, filler->model->dtype, tensor->dims, tensor->dim_count, err);
}

static enum pf_status write_metadata(const struct filler *filler, struct pf_error *err)
{
    const struct model_sizes *sizes = &filler->model->sizes;
    char number[32];
    if (filler->model->format != CHECKPOINT_SAFETENSORS)
        return PF_OK;
    PF_TRY(checkpoint_writer_add_metadata(filler->writer, "format", "pt", err));
    snprintf(number, sizeof number, "%" PRId64, sizes->unet.heads);
    PF_TRY(checkpoint_writer_add_metadata(filler->writer, "unet_num_heads", number, err));
    snprintf(number, sizeof number, "%" PRId64, sizes->clip.heads);
    PF_TRY(checkpoint_writer_add_metadata(filler->writer, "clip_num_heads", number, err));
    if (sizes->norm_groups != SIZES_NORM_GROUPS) {
        snprintf(number, sizeof number, "%" PRId64, sizes->norm_groups);
        PF_TRY(checkpoint_writer_add_metadata(filler->writer, "norm_groups", number, err));
    }
    if (sizes->conv_padding != CONV_PADDING_ZEROS)
        PF_TRY(checkpoint_writer_add_metadata(
            filler->writer, "conv_padding", conv_padding_names[sizes->conv_padding], err));
    if (sizes->vae.output != DECODER_OUTPUT_PICTURE)
        PF_TRY(checkpoint_writer_add_metadata(
            filler->writer, "decoder_output", decoder_output_names[sizes->vae.output], err));
    return checkpoint_writer_add_metadata(
        filler->writer, "prediction_type", prediction_type_name(sizes->prediction), err);
}

static enum pf_status write_model(struct filler *filler, struct pf_error *err)
{
    const struct random_model *model = filler->model;
    struct layout_visitor declare = {declare_tensor, filler}, write = {write_tensor, filler};
    PF_TRY(write_metadata(filler, err));
    if (model->merges)
        PF_TRY(checkpoint_writer_add_metadata(filler->writer, "merges", model->merges, err));
    PF_TRY(layout_visit(&model->sizes, &declare, err));
    PF_TRY(layout_visit(&model->sizes, &write, err));
    return checkpoint_writer_finish(filler->writer, 0, err);
}

enum pf_status random_model_write(
    const struct random_model *model, const char *path, struct pf_error *err)
{
    if (model->dtype != DTYPE_F16 && model->dtype != DTYPE_BF16 && model->dtype != DTYPE_F32)
        return pf_fail(err, PF_UNSUPPORTED, "random weights are F16, BF16 or F32, not %s",
            dtype_name(model->dtype));
    AUTO_FREE struct filler *filler = malloc(sizeof *filler);
    if (!filler)
        return pf_fail(err, PF_NOMEM, "no memory to fill '%s'", path);
    filler->model = model;
    filler->index = 0;
    for (size_t i = 0; i < QUANTILES; i++)
        filler->quantiles[i] = (float)normal_quantile(((double)i + 0.5) / QUANTILES);
    PF_TRY(checkpoint_writer_create(&filler->writer, path, model->format, err));
    enum pf_status status = write_model(filler, err);
    checkpoint_writer_destroy(filler->writer);
    return status;
}
