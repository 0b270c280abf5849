/* SPDX-License-Identifier: Apache-2.0 */
/* Every tensor is put in one of three boxes: used (in the layout of the sizes that were read),
 * ignored (left over from training, by name), or unused. A part whose sizes can't be read has no
 * layout; then all tensors with its prefix count for it. */
#include "pipeline/weights/inspect.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/weights/layout.h"

enum box { BOX_NONE, BOX_USED };

static const char *const part_prefixes[INSPECT_PART_COUNT] = {
    [INSPECT_UNET] = SIZES_PREFIX_UNET,
    [INSPECT_VAE] = SIZES_PREFIX_VAE,
    [INSPECT_TEXT] = SIZES_PREFIX_CLIP,
};

static int starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static int ends_with(const char *text, const char *end)
{
    size_t text_size = strlen(text), end_size = strlen(end);
    return text_size >= end_size && strcmp(text + text_size - end_size, end) == 0;
}

/* The buffers that the training code registers for its schedule. */
static int is_schedule(const char *name)
{
    static const char *const names[] = {"betas", "alphas_cumprod", "alphas_cumprod_prev",
        "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod", "log_one_minus_alphas_cumprod",
        "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_variance",
        "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2",
        "lvlb_weights", "scale_factor"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return 1;
    }
    return 0;
}

/* INSPECT_IGNORED_COUNT when the name is none of these. */
static enum inspect_ignored ignored_kind(const char *name)
{
    if (starts_with(name, "model_ema."))
        return INSPECT_EMA;
    if (starts_with(name, "loss.") || starts_with(name, SIZES_PREFIX_VAE "loss."))
        return INSPECT_LOSS;
    if (is_schedule(name))
        return INSPECT_SCHEDULE;
    if (strcmp(name, "logvar") == 0)
        return INSPECT_LOGVAR;
    if (starts_with(name, "optimizer") || starts_with(name, "lr_schedulers"))
        return INSPECT_OPTIMIZER;
    if (ends_with(name, ".position_ids") || ends_with(name, ".num_batches_tracked"))
        return INSPECT_BUFFER;
    return INSPECT_IGNORED_COUNT;
}

struct counting {
    const struct checkpoint *checkpoint;
    unsigned char *boxes; /* by index of the array */
    struct inspect_part *part;
};

static void count_array(struct counting *counting, const struct array *array)
{
    struct inspect_part *part = counting->part;
    part->tensors++;
    part->parameters += array->element_count;
    part->bytes += (uint64_t)array->element_count * dtype_size(array->dtype);
    part->dtypes[array->dtype]++;
    counting->boxes[array - checkpoint_array_at(counting->checkpoint, 0)] = BOX_USED;
}

static enum pf_status count_used(
    void *context, const struct layout_tensor *tensor, struct pf_error *err)
{
    struct counting *counting = context;
    const struct array *array = checkpoint_find(counting->checkpoint, tensor->name);
    (void)err;
    if (array)
        count_array(counting, array);
    return PF_OK;
}

static void count_by_prefix(struct counting *counting, const char *prefix)
{
    for (size_t i = 0; i < checkpoint_array_count(counting->checkpoint); i++) {
        const struct array *array = checkpoint_array_at(counting->checkpoint, i);
        if (starts_with(array->name, prefix) && ignored_kind(array->name) == INSPECT_IGNORED_COUNT)
            count_array(counting, array);
    }
}

static enum pf_status count_layout(
    struct counting *counting, const struct model_sizes *sizes, int part)
{
    struct layout_visitor visitor = {count_used, counting};
    if (part == INSPECT_UNET)
        return layout_visit_unet(&sizes->unet, &visitor, NULL);
    if (part == INSPECT_VAE)
        return layout_visit_vae(&sizes->vae, &visitor, NULL);
    return layout_visit_clip(&sizes->clip, &visitor, NULL);
}

static void read_parts(struct inspect *inspect, struct counting *counting)
{
    const struct checkpoint *checkpoint = counting->checkpoint;
    struct model_sizes *sizes = &inspect->sizes;
    inspect->parts[INSPECT_UNET].has_sizes =
        unet_sizes_read(checkpoint, &sizes->unet, NULL) == PF_OK;
    inspect->parts[INSPECT_VAE].has_sizes = vae_sizes_read(checkpoint, &sizes->vae, NULL) == PF_OK;
    inspect->parts[INSPECT_TEXT].has_sizes =
        clip_sizes_read(checkpoint, &sizes->clip, NULL) == PF_OK;
    for (int part = 0; part < INSPECT_PART_COUNT; part++) {
        counting->part = &inspect->parts[part];
        if (!inspect->parts[part].has_sizes || count_layout(counting, sizes, part) != PF_OK)
            count_by_prefix(counting, part_prefixes[part]);
    }
}

static enum pf_status read_rest(
    struct inspect *inspect, const struct counting *counting, struct pf_error *err)
{
    for (size_t i = 0; i < inspect->tensors; i++) {
        const char *name = checkpoint_array_at(counting->checkpoint, i)->name;
        if (counting->boxes[i] == BOX_USED)
            continue;
        enum inspect_ignored kind = ignored_kind(name);
        if (kind != INSPECT_IGNORED_COUNT) {
            inspect->ignored[kind]++;
            continue;
        }
        if (inspect->unused < INSPECT_UNUSED_SHOWN) {
            inspect->unused_names[inspect->unused] = strdup(name);
            if (!inspect->unused_names[inspect->unused])
                return pf_fail(err, PF_NOMEM, "no memory to look through a checkpoint");
        }
        inspect->unused++;
    }
    return PF_OK;
}

enum pf_status inspect_read(
    const struct checkpoint *checkpoint, struct inspect *ret_inspect, struct pf_error *err)
{
    struct inspect inspect = {
        .format = checkpoint_format(checkpoint),
        .file_size = checkpoint_file_size(checkpoint),
        .tensors = checkpoint_array_count(checkpoint),
        .skipped = checkpoint_skipped_count(checkpoint),
        .metadata = checkpoint_metadata_count(checkpoint),
        .has_merges = checkpoint_metadata(checkpoint, "merges") != NULL,
    };
    AUTO_FREE unsigned char *boxes = calloc(inspect.tensors + 1, 1);
    if (!boxes)
        return pf_fail(err, PF_NOMEM, "no memory to look through %zu tensors", inspect.tensors);
    struct counting counting = {.checkpoint = checkpoint, .boxes = boxes};
    struct model_sizes whole;
    read_parts(&inspect, &counting);
    if (model_sizes_read(checkpoint, &whole, &inspect.problem) == PF_OK)
        inspect.sizes = whole;
    enum pf_status status = read_rest(&inspect, &counting, err);
    if (status != PF_OK) {
        inspect_finish(&inspect);
        return status;
    }
    *ret_inspect = inspect;
    return PF_OK;
}

void inspect_finish(struct inspect *inspect)
{
    for (size_t i = 0; i < INSPECT_UNUSED_SHOWN; i++)
        free(inspect->unused_names[i]);
    *inspect = (struct inspect){0};
}

size_t inspect_capabilities(
    const struct inspect *inspect, const char *ret_names[INSPECT_CAPABILITIES_MAX])
{
    size_t count = 0;
    if (inspect->problem.status != PF_OK)
        return 0;
    ret_names[count++] = "instructions";
    if (inspect->sizes.unet.has_extra)
        ret_names[count++] = "auxiliary_prompt";
    if (inspect->sizes.vae.lora_rank > 0) {
        ret_names[count++] = "lora_skips";
        ret_names[count++] = "decoder_guidance";
    }
    ret_names[count++] = "latent_guidance";
    if (inspect->has_merges)
        ret_names[count++] = "tokenizer";
    return count;
}
