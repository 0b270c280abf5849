/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/weights/inspect.h"

#include <inttypes.h>
#include <string.h>

static const char *const format_names[] = {
    [CHECKPOINT_SAFETENSORS] = "safetensors",
    [CHECKPOINT_TORCH_ZIP] = "pytorch",
};

const char *inspect_part_name(enum inspect_part_kind part)
{
    static const char *const names[] = {"unet", "vae", "text"};
    return names[part];
}

const char *inspect_ignored_name(enum inspect_ignored ignored)
{
    static const char *const names[] = {
        "ema", "loss", "schedule", "logvar", "optimizer", "buffers"};
    return names[ignored];
}

/* --- text --- */

static void put_scaled(struct buffer *out, double value, const char *const *units, double step)
{
    int unit = 0;
    while (value >= step && units[unit + 1]) {
        value /= step;
        unit++;
    }
    buffer_put_format(out, unit ? "%.1f%s" : "%.0f%s", value, units[unit]);
}

static void put_bytes(struct buffer *out, double bytes)
{
    static const char *const units[] = {" B", " KB", " MB", " GB", " TB", NULL};
    put_scaled(out, bytes, units, 1000);
}

static void put_count(struct buffer *out, double count)
{
    static const char *const units[] = {"", " K", " M", " G", NULL};
    put_scaled(out, count, units, 1000);
}

static void put_channels(struct buffer *out, const int64_t *channels, int level_count)
{
    for (int level = 0; level < level_count; level++)
        buffer_put_format(out, "%s%" PRId64, level ? " " : "", channels[level]);
}

static void put_ints(struct buffer *out, const int *values, int count)
{
    for (int i = 0; i < count; i++)
        buffer_put_format(out, "%s%d", i ? " " : "", values[i]);
}

static void put_unet_text(struct buffer *out, const struct unet_sizes *sizes)
{
    buffer_put_format(out,
        "        %" PRId64 " channels in, %" PRId64 " out; model channels %" PRId64 "; levels ",
        sizes->in_channels, sizes->out_channels, sizes->model_channels);
    put_channels(out, sizes->channels, sizes->level_count);
    buffer_put_text(out, "\n        residual blocks ");
    put_ints(out, sizes->res_blocks, sizes->level_count);
    buffer_put_text(out, "; attention ");
    put_ints(out, sizes->attention, sizes->level_count);
    buffer_put_format(out, "; depth %d; heads %" PRId64 "%s; context %" PRId64 "\n",
        sizes->transformer_depth, sizes->heads, sizes->heads_known ? "" : " (assumed)",
        sizes->context_dim);
    buffer_put_format(
        out, "        auxiliary context (attn_extra): %s\n", sizes->has_extra ? "yes" : "no");
}

static void put_vae_text(struct buffer *out, const struct vae_sizes *sizes)
{
    buffer_put_format(out, "        downsampling %" PRId64 "; latent channels %" PRId64 "; levels ",
        sizes->factor, sizes->embed_channels);
    put_channels(out, sizes->channels, sizes->level_count);
    buffer_put_format(out, "; residual blocks %d; attention: %s\n", sizes->res_blocks,
        sizes->has_attention ? "yes" : "no");
    buffer_put_text(out, "        LoRA skips: ");
    if (sizes->lora_rank > 0)
        buffer_put_format(out, "rank %" PRId64 "\n", sizes->lora_rank);
    else
        buffer_put_text(out, "no\n");
}

static void put_clip_text(struct buffer *out, const struct clip_sizes *sizes)
{
    buffer_put_format(out,
        "        width %" PRId64 "; layers %d; heads %" PRId64 "%s; vocabulary %" PRId64
        "; positions %" PRId64 "\n",
        sizes->width, sizes->layers, sizes->heads, sizes->heads_known ? "" : " (assumed)",
        sizes->vocabulary, sizes->positions);
}

static void put_part_text(struct buffer *out, const struct inspect *inspect, int part)
{
    const struct inspect_part *found = &inspect->parts[part];
    buffer_put_format(out, "%-8s", inspect_part_name((enum inspect_part_kind)part));
    if (found->tensors == 0) {
        buffer_put_text(out, "missing\n");
        return;
    }
    put_count(out, (double)found->parameters);
    buffer_put_format(out, " parameters in %zu tensors, ", found->tensors);
    put_bytes(out, (double)found->bytes);
    for (int dtype = 0, any = 0; dtype < INSPECT_DTYPE_COUNT; dtype++) {
        if (found->dtypes[dtype] == found->tensors)
            buffer_put_format(out, ", %s", dtype_name((enum dtype)dtype));
        else if (found->dtypes[dtype] > 0)
            buffer_put_format(out, "%s%zu %s", any++ ? " + " : ", ", found->dtypes[dtype],
                dtype_name((enum dtype)dtype));
    }
    buffer_put_text(out, "\n");
    if (!found->has_sizes)
        return;
    if (part == INSPECT_UNET)
        put_unet_text(out, &inspect->sizes.unet);
    else if (part == INSPECT_VAE)
        put_vae_text(out, &inspect->sizes.vae);
    else
        put_clip_text(out, &inspect->sizes.clip);
}

static void put_rest_text(struct buffer *out, const struct inspect *inspect)
{
    buffer_put_text(out, "ignored ");
    int any = 0;
    for (int kind = 0; kind < INSPECT_IGNORED_COUNT; kind++) {
        if (inspect->ignored[kind])
            buffer_put_format(out, "%s%zu %s", any++ ? ", " : "", inspect->ignored[kind],
                inspect_ignored_name((enum inspect_ignored)kind));
    }
    if (inspect->skipped)
        buffer_put_format(
            out, "%s%zu entries that are no tensors", any++ ? ", " : "", inspect->skipped);
    buffer_put_format(out, "%s\nunused  %zu\n", any ? "" : "none", inspect->unused);
    for (size_t i = 0; i < INSPECT_UNUSED_SHOWN && i < inspect->unused; i++)
        buffer_put_format(out, "        %s\n", inspect->unused_names[i]);
    if (inspect->unused > INSPECT_UNUSED_SHOWN)
        buffer_put_format(out, "        and %zu more\n", inspect->unused - INSPECT_UNUSED_SHOWN);
}

void inspect_put_text(struct buffer *out, const struct inspect *inspect)
{
    const char *names[INSPECT_CAPABILITIES_MAX];
    size_t count = inspect_capabilities(inspect, names);
    buffer_put_format(out, "file    %s, ", format_names[inspect->format]);
    put_bytes(out, (double)inspect->file_size);
    buffer_put_format(
        out, ", %zu tensors, %zu metadata entries\n", inspect->tensors, inspect->metadata);
    for (int part = 0; part < INSPECT_PART_COUNT; part++)
        put_part_text(out, inspect, part);
    put_rest_text(out, inspect);
    if (inspect->problem.status != PF_OK) {
        buffer_put_format(out, "problem %s\n", inspect->problem.message);
        return;
    }
    buffer_put_format(out,
        "model   pictures in multiples of %" PRId64 "; predicts %s; norms of %" PRId64
        " groups; pads with %s; decodes the %s\ncan     ",
        inspect->sizes.model_factor, prediction_type_name(inspect->sizes.prediction),
        inspect->sizes.norm_groups, conv_padding_names[inspect->sizes.conv_padding],
        decoder_output_names[inspect->sizes.vae.output]);
    for (size_t i = 0; i < count; i++)
        buffer_put_format(out, "%s%s", i ? ", " : "", names[i]);
    buffer_put_text(out, "\n");
}

/* --- JSON --- */

static void put_member(struct buffer *out, const char *name, int64_t value)
{
    buffer_put_format(out, ",\"%s\":%" PRId64, name, value);
}

static void put_flag(struct buffer *out, const char *name, int value)
{
    buffer_put_format(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void put_channels_json(struct buffer *out, const int64_t *channels, int level_count)
{
    buffer_put_text(out, ",\"channels\":[");
    for (int level = 0; level < level_count; level++)
        buffer_put_format(out, "%s%" PRId64, level ? "," : "", channels[level]);
    buffer_put_text(out, "]");
}

static void put_unet_json(struct buffer *out, const struct unet_sizes *sizes)
{
    put_member(out, "in_channels", sizes->in_channels);
    put_member(out, "out_channels", sizes->out_channels);
    put_member(out, "model_channels", sizes->model_channels);
    put_channels_json(out, sizes->channels, sizes->level_count);
    buffer_put_text(out, ",\"res_blocks\":[");
    for (int level = 0; level < sizes->level_count; level++)
        buffer_put_format(out, "%s%d", level ? "," : "", sizes->res_blocks[level]);
    buffer_put_text(out, "],\"attention\":[");
    for (int level = 0; level < sizes->level_count; level++)
        buffer_put_format(
            out, "%s%s", level ? "," : "", sizes->attention[level] ? "true" : "false");
    buffer_put_text(out, "]");
    put_member(out, "transformer_depth", sizes->transformer_depth);
    put_member(out, "heads", sizes->heads);
    put_flag(out, "heads_known", sizes->heads_known);
    put_member(out, "context_dim", sizes->context_dim);
    put_flag(out, "has_extra", sizes->has_extra);
}

static void put_vae_json(struct buffer *out, const struct vae_sizes *sizes)
{
    put_member(out, "base_channels", sizes->base_channels);
    put_channels_json(out, sizes->channels, sizes->level_count);
    put_member(out, "res_blocks", sizes->res_blocks);
    put_member(out, "latent_channels", sizes->embed_channels);
    put_member(out, "factor", sizes->factor);
    put_flag(out, "has_attention", sizes->has_attention);
    put_member(out, "lora_rank", sizes->lora_rank);
}

static void put_clip_json(struct buffer *out, const struct clip_sizes *sizes)
{
    put_member(out, "width", sizes->width);
    put_member(out, "layers", sizes->layers);
    put_member(out, "heads", sizes->heads);
    put_flag(out, "heads_known", sizes->heads_known);
    put_member(out, "vocabulary", sizes->vocabulary);
    put_member(out, "positions", sizes->positions);
    put_member(out, "mlp_width", sizes->mlp_width);
}

static void put_part_json(struct buffer *out, const struct inspect *inspect, int part)
{
    const struct inspect_part *found = &inspect->parts[part];
    buffer_put_format(out, "\"%s\":{\"tensors\":%zu",
        inspect_part_name((enum inspect_part_kind)part), found->tensors);
    put_member(out, "parameters", found->parameters);
    put_member(out, "bytes", (int64_t)found->bytes);
    buffer_put_text(out, ",\"dtypes\":{");
    for (int dtype = 0, any = 0; dtype < INSPECT_DTYPE_COUNT; dtype++) {
        if (found->dtypes[dtype])
            buffer_put_format(out, "%s\"%s\":%zu", any++ ? "," : "", dtype_name((enum dtype)dtype),
                found->dtypes[dtype]);
    }
    buffer_put_text(out, "}");
    if (found->has_sizes && part == INSPECT_UNET)
        put_unet_json(out, &inspect->sizes.unet);
    else if (found->has_sizes && part == INSPECT_VAE)
        put_vae_json(out, &inspect->sizes.vae);
    else if (found->has_sizes)
        put_clip_json(out, &inspect->sizes.clip);
    buffer_put_text(out, "}");
}

static void put_rest_json(struct buffer *out, const struct inspect *inspect)
{
    buffer_put_text(out, ",\"ignored\":{");
    for (int kind = 0; kind < INSPECT_IGNORED_COUNT; kind++)
        buffer_put_format(out, "%s\"%s\":%zu", kind ? "," : "",
            inspect_ignored_name((enum inspect_ignored)kind), inspect->ignored[kind]);
    buffer_put_format(out, "},\"skipped\":%zu,\"unused\":%zu,\"unused_names\":[", inspect->skipped,
        inspect->unused);
    for (size_t i = 0; i < INSPECT_UNUSED_SHOWN && i < inspect->unused; i++) {
        buffer_put_text(out, i ? "," : "");
        buffer_put_json_string(out, inspect->unused_names[i], strlen(inspect->unused_names[i]));
    }
    buffer_put_text(out, "]");
}

void inspect_put_json(struct buffer *out, const struct inspect *inspect)
{
    const char *names[INSPECT_CAPABILITIES_MAX];
    size_t count = inspect_capabilities(inspect, names);
    buffer_put_format(out, "{\"format\":\"%s\",\"file_bytes\":%zu,\"tensors\":%zu,\"parts\":{",
        format_names[inspect->format], inspect->file_size, inspect->tensors);
    for (int part = 0; part < INSPECT_PART_COUNT; part++) {
        buffer_put_text(out, part ? "," : "");
        put_part_json(out, inspect, part);
    }
    buffer_put_text(out, "}");
    put_rest_json(out, inspect);
    put_flag(out, "has_merges", inspect->has_merges);
    if (inspect->problem.status == PF_OK) {
        put_member(out, "multiple", inspect->sizes.model_factor);
        put_member(out, "norm_groups", inspect->sizes.norm_groups);
        buffer_put_format(out,
            ",\"prediction_type\":\"%s\",\"conv_padding\":\"%s\",\"decoder_output\":\"%s\"",
            prediction_type_name(inspect->sizes.prediction),
            conv_padding_names[inspect->sizes.conv_padding],
            decoder_output_names[inspect->sizes.vae.output]);
    }
    buffer_put_text(out, ",\"capabilities\":[");
    for (size_t i = 0; i < count; i++)
        buffer_put_format(out, "%s\"%s\"", i ? "," : "", names[i]);
    buffer_put_text(out, "],\"problem\":");
    if (inspect->problem.status == PF_OK)
        buffer_put_text(out, "null");
    else
        buffer_put_json_string(out, inspect->problem.message, strlen(inspect->problem.message));
    buffer_put_text(out, "}");
}
