/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes are found from few telling tensors; then the layout of those sizes is held against the
 * checkpoint, so every other tensor is checked too and a wrong guess can't pass: whatever is
 * missing or of another shape is named. A feature counts as there when any of its tensors is
 * (attn_extra in one block, attention in one block of a level): a damaged checkpoint then fails
 * instead of quietly running without it. */
#include "pipeline/weights/sizes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/weights/array_table.h"
#include "pipeline/weights/checkpoint.h"
#include "pipeline/weights/layout.h"

enum { DIM_MAX = 1 << 20, UNET_HEADS_DEFAULT = 8, CLIP_HEAD_WIDTH_DEFAULT = 64, CONV_DIMS = 4 };

/* --- looking things up --- */

/* The array of that name, with its number of dimensions and all of them in range. */
static enum pf_status need(const struct checkpoint *checkpoint, const char *name, int dim_count,
    const struct array **ret_array, struct pf_error *err)
{
    const struct array *array = checkpoint_find(checkpoint, name);
    if (!array)
        return pf_fail(err, PF_INVALID, "the checkpoint has no tensor '%s'", name);
    if (array->dim_count != dim_count)
        return pf_fail(err, PF_INVALID, "tensor '%s' has %d dimensions, expected %d", name,
            array->dim_count, dim_count);
    for (int i = 0; i < dim_count; i++) {
        if (array->dims[i] < 1 || array->dims[i] > DIM_MAX)
            return pf_fail(err, PF_INVALID, "tensor '%s': dimension %d is %lld, expected 1 to %d",
                name, i, (long long)array->dims[i], DIM_MAX);
    }
    *ret_array = array;
    return PF_OK;
}

/* The first array whose name starts with the formatted text and holds `part` behind it, or NULL. */
static const struct array *find_any(
    const struct checkpoint *checkpoint, const char *part, const char *fmt, ...) PF_PRINTF(3, 4);

static const struct array *find_any(
    const struct checkpoint *checkpoint, const char *part, const char *fmt, ...)
{
    char start[LAYOUT_NAME_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(start, sizeof start, fmt, args);
    va_end(args);
    size_t start_size = strlen(start);
    for (size_t i = 0; i < checkpoint_array_count(checkpoint); i++) {
        const struct array *array = checkpoint_array_at(checkpoint, i);
        if (strncmp(array->name, start, start_size) == 0 && strstr(array->name + start_size, part))
            return array;
    }
    return NULL;
}

static enum pf_status read_count(const struct checkpoint *checkpoint, const char *key,
    int64_t fallback, int64_t *ret_value, int *ret_known, struct pf_error *err)
{
    const char *text = checkpoint_metadata(checkpoint, key);
    *ret_known = text != NULL;
    *ret_value = fallback;
    if (!text)
        return PF_OK;
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < 1 || value > DIM_MAX)
        return pf_fail(
            err, PF_INVALID, "metadata '%s' is '%.64s', expected 1 to %d", key, text, DIM_MAX);
    *ret_value = value;
    return PF_OK;
}

static enum pf_status read_norm_groups(
    const struct checkpoint *checkpoint, int64_t *ret_groups, struct pf_error *err)
{
    int known;
    return read_count(checkpoint, "norm_groups", SIZES_NORM_GROUPS, ret_groups, &known, err);
}

int64_t sizes_norm_groups(const struct checkpoint *checkpoint)
{
    struct pf_error unused = PF_ERROR_INIT;
    int64_t groups;
    if (read_norm_groups(checkpoint, &groups, &unused) != PF_OK)
        return SIZES_NORM_GROUPS;
    return groups;
}

const char *const conv_padding_names[] = {"zeros", "edge", NULL};
const char *const decoder_output_names[] = {"picture", "affine", NULL};

/* The metadata's place among the names; the first without it. */
static enum pf_status read_choice(const struct checkpoint *checkpoint, const char *key,
    const char *const *names, int *ret_index, struct pf_error *err)
{
    const char *text = checkpoint_metadata(checkpoint, key);
    char expected[128] = "";
    size_t used = 0;
    *ret_index = 0;
    if (!text)
        return PF_OK;
    for (int i = 0; names[i]; i++) {
        *ret_index = i;
        if (strcmp(text, names[i]) == 0)
            return PF_OK;
        used += (size_t)snprintf(
            expected + used, sizeof expected - used, "%s'%s'", i ? ", " : "", names[i]);
    }
    *ret_index = 0;
    return pf_fail(
        err, PF_UNSUPPORTED, "metadata '%s' is '%.64s', expected one of %s", key, text, expected);
}

enum conv_padding sizes_conv_padding(const struct checkpoint *checkpoint)
{
    struct pf_error unused = PF_ERROR_INIT;
    int index;
    (void)!read_choice(checkpoint, "conv_padding", conv_padding_names, &index, &unused);
    return (enum conv_padding)index;
}

static enum pf_status check_channels(const struct checkpoint *checkpoint, const char *what,
    int level, int64_t channels, struct pf_error *err)
{
    int64_t groups;
    PF_TRY(read_norm_groups(checkpoint, &groups, err));
    if (channels % groups != 0)
        return pf_fail(err, PF_UNSUPPORTED,
            "%s: %lld channels in level %d, expected a multiple of %lld (GroupNorm)", what,
            (long long)channels, level, (long long)groups);
    return PF_OK;
}

/* --- UNet --- */

static enum pf_status check_unet_heads(const struct unet_sizes *sizes, struct pf_error *err)
{
    for (int level = 0; level < sizes->level_count; level++) {
        /* the middle has attention on the deepest level's channels in any case */
        int used = sizes->attention[level] || level == sizes->level_count - 1;
        if (used && sizes->channels[level] % sizes->heads != 0)
            return pf_fail(err, PF_INVALID,
                "UNet: %lld channels in level %d can't be split into %lld heads",
                (long long)sizes->channels[level], level, (long long)sizes->heads);
    }
    return PF_OK;
}

/* Walks input_blocks.1, 2, …: residual blocks belong to the level, a downsampling ends it. */
static enum pf_status read_unet_levels(
    const struct checkpoint *checkpoint, struct unet_sizes *sizes, struct pf_error *err)
{
    const char *prefix = SIZES_PREFIX_UNET;
    int level = 0;
    for (int index = 1;; index++) {
        char name[LAYOUT_NAME_MAX];
        if (find_any(checkpoint, "", "%sinput_blocks.%d.0.op.", prefix, index)) {
            if (++level >= SIZES_LEVELS_MAX)
                return pf_fail(err, PF_UNSUPPORTED, "UNet: more than %d levels", SIZES_LEVELS_MAX);
            continue;
        }
        if (!find_any(checkpoint, "", "%sinput_blocks.%d.", prefix, index))
            break;
        const struct array *array = NULL;
        snprintf(name, sizeof name, "%sinput_blocks.%d.0.in_layers.2.weight", prefix, index);
        PF_TRY(need(checkpoint, name, CONV_DIMS, &array, err));
        if (sizes->res_blocks[level] >= SIZES_RES_BLOCKS_MAX)
            return pf_fail(err, PF_UNSUPPORTED, "UNet: more than %d residual blocks in level %d",
                SIZES_RES_BLOCKS_MAX, level);
        if (sizes->res_blocks[level]++ == 0)
            sizes->channels[level] = array->dims[0];
        if (find_any(checkpoint, "", "%sinput_blocks.%d.1.", prefix, index))
            sizes->attention[level] = 1;
    }
    sizes->level_count = level + 1;
    for (level = 0; level < sizes->level_count; level++) {
        if (sizes->res_blocks[level] == 0)
            return pf_fail(err, PF_INVALID,
                "UNet: no '%sinput_blocks.*' residual block in level %d", prefix, level);
        PF_TRY(check_channels(checkpoint, "UNet", level, sizes->channels[level], err));
    }
    return PF_OK;
}

static enum pf_status read_unet_transformer(
    const struct checkpoint *checkpoint, struct unet_sizes *sizes, struct pf_error *err)
{
    const char *prefix = SIZES_PREFIX_UNET;
    const struct array *array = NULL;
    PF_TRY(need(checkpoint,
        SIZES_PREFIX_UNET "middle_block.1.transformer_blocks.0.attn2.to_k.weight", 2, &array, err));
    sizes->context_dim = array->dims[1];
    while (find_any(checkpoint, "", "%smiddle_block.1.transformer_blocks.%d.", prefix,
        sizes->transformer_depth)) {
        if (++sizes->transformer_depth > SIZES_DEPTH_MAX)
            return pf_fail(err, PF_UNSUPPORTED, "UNet: more than %d transformer blocks in a row",
                SIZES_DEPTH_MAX);
    }
    sizes->has_extra = find_any(checkpoint, "_extra.", "%s", prefix) != NULL;
    PF_TRY(read_count(
        checkpoint, "unet_num_heads", UNET_HEADS_DEFAULT, &sizes->heads, &sizes->heads_known, err));
    return check_unet_heads(sizes, err);
}

enum pf_status unet_sizes_read(
    const struct checkpoint *checkpoint, struct unet_sizes *ret_sizes, struct pf_error *err)
{
    struct unet_sizes sizes = {0};
    const struct array *first = NULL, *last = NULL, *time = NULL;
    PF_TRY(need(checkpoint, SIZES_PREFIX_UNET "input_blocks.0.0.weight", CONV_DIMS, &first, err));
    PF_TRY(need(checkpoint, SIZES_PREFIX_UNET "out.2.weight", CONV_DIMS, &last, err));
    PF_TRY(need(checkpoint, SIZES_PREFIX_UNET "time_embed.0.weight", 2, &time, err));
    sizes.model_channels = first->dims[0];
    sizes.in_channels = first->dims[1];
    sizes.out_channels = last->dims[0];
    sizes.time_channels = time->dims[0];
    PF_TRY(check_channels(checkpoint, "UNet", 0, sizes.model_channels, err));
    PF_TRY(read_unet_levels(checkpoint, &sizes, err));
    PF_TRY(read_unet_transformer(checkpoint, &sizes, err));
    *ret_sizes = sizes;
    return PF_OK;
}

/* --- VAE --- */

static enum pf_status read_vae_levels(
    const struct checkpoint *checkpoint, struct vae_sizes *sizes, struct pf_error *err)
{
    const char *prefix = SIZES_PREFIX_VAE;
    while (find_any(checkpoint, "", "%sencoder.down.%d.", prefix, sizes->level_count) ||
           find_any(checkpoint, "", "%sdecoder.up.%d.", prefix, sizes->level_count)) {
        char name[LAYOUT_NAME_MAX];
        const struct array *array = NULL;
        int level = sizes->level_count;
        if (level >= SIZES_LEVELS_MAX)
            return pf_fail(err, PF_UNSUPPORTED, "VAE: more than %d levels", SIZES_LEVELS_MAX);
        snprintf(name, sizeof name, "%sencoder.down.%d.block.0.conv1.weight", prefix, level);
        PF_TRY(need(checkpoint, name, CONV_DIMS, &array, err));
        sizes->channels[sizes->level_count++] = array->dims[0];
        PF_TRY(check_channels(checkpoint, "VAE", level, array->dims[0], err));
        if (find_any(checkpoint, "", "%sencoder.down.%d.attn.", prefix, level))
            return pf_fail(err, PF_UNSUPPORTED,
                "VAE: attention in level %d ('%sencoder.down.%d.attn.0') is not supported", level,
                prefix, level);
    }
    if (sizes->level_count == 0)
        return pf_fail(err, PF_INVALID,
            "the checkpoint has no tensor '%sencoder.down.0.block.0.conv1.weight'", prefix);
    while (find_any(checkpoint, "", "%sencoder.down.0.block.%d.", prefix, sizes->res_blocks) ||
           find_any(checkpoint, "", "%sdecoder.up.0.block.%d.", prefix, sizes->res_blocks + 1)) {
        if (++sizes->res_blocks > SIZES_RES_BLOCKS_MAX)
            return pf_fail(err, PF_UNSUPPORTED, "VAE: more than %d residual blocks in a level",
                SIZES_RES_BLOCKS_MAX);
    }
    return PF_OK;
}

enum pf_status vae_sizes_read(
    const struct checkpoint *checkpoint, struct vae_sizes *ret_sizes, struct pf_error *err)
{
    struct vae_sizes sizes = {0};
    const struct array *first = NULL, *last = NULL, *post = NULL;
    PF_TRY(need(checkpoint, SIZES_PREFIX_VAE "encoder.conv_in.weight", CONV_DIMS, &first, err));
    PF_TRY(need(checkpoint, SIZES_PREFIX_VAE "decoder.conv_out.weight", CONV_DIMS, &last, err));
    PF_TRY(need(checkpoint, SIZES_PREFIX_VAE "post_quant_conv.weight", CONV_DIMS, &post, err));
    sizes.base_channels = first->dims[0];
    sizes.in_channels = first->dims[1];
    sizes.out_channels = last->dims[0];
    sizes.z_channels = post->dims[0];
    sizes.embed_channels = post->dims[1];
    PF_TRY(check_channels(checkpoint, "VAE", 0, sizes.base_channels, err));
    PF_TRY(read_vae_levels(checkpoint, &sizes, err));
    sizes.has_attention = find_any(checkpoint, ".mid.attn_1.", "%s", SIZES_PREFIX_VAE) != NULL;
    const struct array *lora =
        find_any(checkpoint, ".lora.lora_down.weight", SIZES_PREFIX_VAE "decoder.up.");
    if (lora) {
        PF_TRY(need(checkpoint, lora->name, CONV_DIMS, &lora, err));
        sizes.lora_rank = lora->dims[0];
    }
    sizes.factor = INT64_C(1) << (sizes.level_count - 1);
    int output;
    PF_TRY(read_choice(checkpoint, "decoder_output", decoder_output_names, &output, err));
    sizes.output = (enum decoder_output)output;
    int64_t least = sizes.output == DECODER_OUTPUT_AFFINE ? 6 : 3;
    int64_t most = sizes.output == DECODER_OUTPUT_AFFINE ? least + SIZES_BANDS_MAX : least;
    if (sizes.in_channels != 3 || sizes.out_channels < least || sizes.out_channels > most)
        return pf_fail(err, PF_UNSUPPORTED,
            "VAE: %lld channels in, %lld out; pictures have 3, and decoder_output %s has %lld to "
            "%lld",
            (long long)sizes.in_channels, (long long)sizes.out_channels,
            decoder_output_names[sizes.output], (long long)least, (long long)most);
    sizes.bands = sizes.out_channels - least;
    *ret_sizes = sizes;
    return PF_OK;
}

/* --- CLIP --- */

static enum pf_status check_clip_heads(const struct clip_sizes *sizes, struct pf_error *err)
{
    if (sizes->width % sizes->heads != 0)
        return pf_fail(err, PF_INVALID, "text encoder: width %lld can't be split into %lld heads",
            (long long)sizes->width, (long long)sizes->heads);
    return PF_OK;
}

enum pf_status clip_sizes_read(
    const struct checkpoint *checkpoint, struct clip_sizes *ret_sizes, struct pf_error *err)
{
    struct clip_sizes sizes = {0};
    const char *prefix = SIZES_PREFIX_CLIP;
    const struct array *tokens = NULL, *positions = NULL, *mlp = NULL;
    PF_TRY(
        need(checkpoint, SIZES_PREFIX_CLIP "embeddings.token_embedding.weight", 2, &tokens, err));
    PF_TRY(need(
        checkpoint, SIZES_PREFIX_CLIP "embeddings.position_embedding.weight", 2, &positions, err));
    PF_TRY(need(checkpoint, SIZES_PREFIX_CLIP "encoder.layers.0.mlp.fc1.weight", 2, &mlp, err));
    sizes.vocabulary = tokens->dims[0];
    sizes.width = tokens->dims[1];
    sizes.positions = positions->dims[0];
    sizes.mlp_width = mlp->dims[0];
    while (find_any(checkpoint, "", "%sencoder.layers.%d.", prefix, sizes.layers)) {
        if (++sizes.layers > SIZES_LAYERS_MAX)
            return pf_fail(
                err, PF_UNSUPPORTED, "text encoder: more than %d layers", SIZES_LAYERS_MAX);
    }
    int64_t assumed = sizes.width / CLIP_HEAD_WIDTH_DEFAULT;
    PF_TRY(read_count(checkpoint, "clip_num_heads", assumed ? assumed : 1, &sizes.heads,
        &sizes.heads_known, err));
    PF_TRY(check_clip_heads(&sizes, err));
    *ret_sizes = sizes;
    return PF_OK;
}

/* --- the whole --- */

const char *const prediction_type_names[] = {"epsilon", "v", "v_change", NULL};

const char *prediction_type_name(enum prediction_type prediction)
{
    return prediction_type_names[prediction];
}

static enum pf_status check_parts(const struct model_sizes *sizes, struct pf_error *err)
{
    if (sizes->unet.out_channels != sizes->vae.embed_channels ||
        sizes->unet.in_channels != 2 * sizes->vae.embed_channels)
        return pf_fail(err, PF_INVALID,
            "the UNet takes %lld channels and gives %lld, for latents of %lld it needs %lld and "
            "%lld",
            (long long)sizes->unet.in_channels, (long long)sizes->unet.out_channels,
            (long long)sizes->vae.embed_channels, (long long)sizes->vae.embed_channels * 2,
            (long long)sizes->vae.embed_channels);
    if (sizes->unet.context_dim != sizes->clip.width)
        return pf_fail(err, PF_INVALID,
            "the UNet's contexts have width %lld, the text encoder gives %lld",
            (long long)sizes->unet.context_dim, (long long)sizes->clip.width);
    return PF_OK;
}

static void format_shape(char *text, size_t size, const int64_t *dims, int dim_count)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < dim_count && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%lld", i ? "," : "", (long long)dims[i]);
}

/* A layout visitor: the checkpoint has this tensor, in this shape, in a dtype we compute with. */
static enum pf_status check_tensor(
    void *context, const struct layout_tensor *tensor, struct pf_error *err)
{
    const struct checkpoint *checkpoint = context;
    const struct array *array = checkpoint_find(checkpoint, tensor->name);
    if (!array)
        return pf_fail(err, PF_INVALID, "the checkpoint has no tensor '%s'", tensor->name);
    if (array->dim_count != tensor->dim_count ||
        memcmp(array->dims, tensor->dims, (size_t)tensor->dim_count * sizeof *array->dims) != 0) {
        char have[160], want[96];
        format_shape(have, sizeof have, array->dims, array->dim_count);
        format_shape(want, sizeof want, tensor->dims, tensor->dim_count);
        return pf_fail(
            err, PF_INVALID, "tensor '%s' has shape [%s], expected [%s]", tensor->name, have, want);
    }
    if (array->dtype != DTYPE_F16 && array->dtype != DTYPE_BF16 && array->dtype != DTYPE_F32 &&
        array->dtype != DTYPE_F64)
        return pf_fail(err, PF_UNSUPPORTED, "tensor '%s' is of %s, weights are F16, BF16, F32, F64",
            tensor->name, dtype_name(array->dtype));
    return PF_OK;
}

enum pf_status model_sizes_read(
    const struct checkpoint *checkpoint, struct model_sizes *ret_sizes, struct pf_error *err)
{
    struct model_sizes sizes = {0};
    int prediction, padding;
    PF_TRY(unet_sizes_read(checkpoint, &sizes.unet, err));
    PF_TRY(vae_sizes_read(checkpoint, &sizes.vae, err));
    PF_TRY(clip_sizes_read(checkpoint, &sizes.clip, err));
    PF_TRY(read_choice(checkpoint, "prediction_type", prediction_type_names, &prediction, err));
    PF_TRY(read_choice(checkpoint, "conv_padding", conv_padding_names, &padding, err));
    sizes.prediction = (enum prediction_type)prediction;
    sizes.conv_padding = (enum conv_padding)padding;
    PF_TRY(read_norm_groups(checkpoint, &sizes.norm_groups, err));
    PF_TRY(check_parts(&sizes, err));
    sizes.model_factor = sizes.vae.factor << (sizes.unet.level_count - 1);
    struct layout_visitor visitor = {check_tensor, (void *)checkpoint};
    PF_TRY(layout_visit(&sizes, &visitor, err));
    *ret_sizes = sizes;
    return PF_OK;
}

enum pf_status model_sizes_set_heads(
    struct model_sizes *sizes, int64_t unet_heads, int64_t clip_heads, struct pf_error *err)
{
    struct model_sizes changed = *sizes;
    if (unet_heads < 1 || clip_heads < 1)
        return pf_fail(err, PF_INVALID, "%lld heads of the UNet and %lld of the text encoder",
            (long long)unet_heads, (long long)clip_heads);
    changed.unet.heads = unet_heads;
    changed.clip.heads = clip_heads;
    changed.unet.heads_known = changed.clip.heads_known = 1;
    PF_TRY(check_unet_heads(&changed.unet, err));
    PF_TRY(check_clip_heads(&changed.clip, err));
    *sizes = changed;
    return PF_OK;
}
