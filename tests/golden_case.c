/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/golden_case.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jdoc.h"

enum { PATH_SIZE = 4096, CASE_JSON_MAX = 1 << 20 };

#define FP32_ON_CPU                                                                                \
    (struct tensor_place)                                                                          \
    {                                                                                              \
        TORCH_DEVICE_CPU, TENSOR_F32                                                               \
    }

void golden_count(struct golden_case *golden, const char *name, int passed, const char *remark)
{
    printf("%-72s %s%s\n", name, remark, passed ? "" : "  FAILED");
    if (passed)
        golden->tally->passed++;
    else
        golden->tally->failed++;
}

static void count_error(struct golden_case *golden, const char *what, struct pf_error *err)
{
    if (err->status != PF_OK)
        golden_count(golden, what, 0, err->message);
    *err = (struct pf_error)PF_ERROR_INIT;
}

static enum pf_status read_case_json(struct golden_case *golden, struct pf_error *err)
{
    char path[PATH_SIZE];
    struct file_map map;
    snprintf(path, sizeof path, "%s/case.json", golden->folder);
    PF_TRY(file_map_open(&map, path, err));
    enum pf_status status = map.size > CASE_JSON_MAX
                                ? pf_fail(err, PF_INVALID, "%s: %zu bytes", path, map.size)
                                : jdoc_parse(&golden->json, (const char *)map.data, map.size, err);
    file_map_close(&map);
    PF_TRY(status);
    const struct jdoc_value *root = jdoc_root(golden->json);
    golden->instruction = jdoc_get_string(root, "instruction", "");
    golden->auxiliary = jdoc_get_string(root, "auxiliary", NULL);
    golden->text_scale = jdoc_get_number(root, "text_cfg", 0);
    golden->image_scale = jdoc_get_number(root, "image_cfg", 0);
    double factor = jdoc_get_number(root, "scale_factor", VAE_SCALE_FACTOR);
    if (factor != VAE_SCALE_FACTOR)
        return pf_fail(
            err, PF_UNSUPPORTED, "scale factor %g, expected %g", factor, VAE_SCALE_FACTOR);
    return PF_OK;
}

/* A ckpt has no metadata: the case says what shapes can't tell. */
static enum pf_status set_heads(struct golden_case *golden, struct pf_error *err)
{
    const struct jdoc_value *root = jdoc_root(golden->json);
    struct model_sizes *sizes = &golden->sizes;
    int64_t unet = jdoc_get_integer(jdoc_get(root, "unet"), "heads", sizes->unet.heads);
    int64_t clip = jdoc_get_integer(jdoc_get(root, "clip"), "heads", sizes->clip.heads);
    return model_sizes_set_heads(sizes, sizes->unet.heads_known ? sizes->unet.heads : unet,
        sizes->clip.heads_known ? sizes->clip.heads : clip, err);
}

static enum pf_status load_models(
    struct golden_case *golden, const char *model, struct pf_error *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", golden->folder, model);
    PF_TRY(checkpoint_open(&golden->checkpoint, path, err));
    PF_TRY(model_sizes_read(golden->checkpoint, &golden->sizes, err));
    PF_TRY(set_heads(golden, err));
    PF_TRY(clip_create(&golden->clip, golden->checkpoint, &golden->sizes.clip, FP32_ON_CPU, err));
    PF_TRY(vae_create(&golden->vae, golden->checkpoint, &golden->sizes.vae, FP32_ON_CPU, err));
    return unet_create(&golden->unet, golden->checkpoint, &golden->sizes.unet, FP32_ON_CPU, err);
}

/* The case's own merges, else those given, else those of the case `tiny` beside it. */
static enum pf_status load_tokenizer(
    struct golden_case *golden, const char *merges, struct pf_error *err)
{
    char own[PATH_SIZE], sibling[PATH_SIZE];
    snprintf(own, sizeof own, "%s/merges.txt", golden->folder);
    snprintf(sibling, sizeof sibling, "%s/../tiny/merges.txt", golden->folder);
    const char *path = sibling;
    if (access(own, R_OK) == 0)
        path = own;
    else if (merges)
        path = merges;
    return tokenizer_create_from_file(
        &golden->tokenizer, path, (size_t)golden->sizes.clip.vocabulary, err);
}

void golden_case_init(struct golden_case *ret_case, struct golden_tally *tally, const char *folder,
    const char *model, const char *merges)
{
    char path[PATH_SIZE];
    struct pf_error err = PF_ERROR_INIT;
    *ret_case = (struct golden_case){.folder = folder, .tally = tally, .instruction = ""};
    if (read_case_json(ret_case, &err) == PF_OK && load_models(ret_case, model, &err) == PF_OK &&
        load_tokenizer(ret_case, merges, &err) != PF_OK)
        count_error(ret_case, "merges", &err);
    count_error(ret_case, "loading", &err);
    snprintf(path, sizeof path, "%s/expected.safetensors", folder);
    if (checkpoint_open(&ret_case->expected, path, &err) != PF_OK)
        count_error(ret_case, "expected.safetensors", &err);
    else
        ret_case->seen = calloc(checkpoint_array_count(ret_case->expected) + 1, 1);
}

void golden_case_finish(struct golden_case *golden)
{
    tokenizer_destroy(golden->tokenizer);
    unet_destroy(golden->unet);
    vae_destroy(golden->vae);
    clip_destroy(golden->clip);
    checkpoint_close(golden->checkpoint);
    checkpoint_close(golden->expected);
    free(golden->seen);
    jdoc_destroy(golden->json);
    *golden = (struct golden_case){0};
}

int golden_expects(const struct golden_case *golden, const char *fmt, ...)
{
    char name[GOLDEN_NAME_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    return checkpoint_find(golden->expected, name) != NULL;
}

static void mark_seen(struct golden_case *golden, const char *name)
{
    const struct array *array = checkpoint_find(golden->expected, name);
    for (size_t i = 0; array && i < checkpoint_array_count(golden->expected); i++)
        if (checkpoint_array_at(golden->expected, i) == array)
            golden->seen[i] = 1;
}

tensor golden_input(struct golden_case *golden, struct scope *scope, const char *fmt, ...)
{
    char name[GOLDEN_NAME_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    mark_seen(golden, name);
    return scope_ok(scope) ? golden_tensor(scope, golden->expected, name) : NULL;
}

/* The first channels, when fewer are expected. */
static tensor cut_channels(struct scope *s, tensor got, tensor want)
{
    int64_t channels = tensor_dim(want, 1);
    if (!got || !want || tensor_dim_count(got) != 4 || tensor_dim_count(want) != 4)
        return got;
    return channels < tensor_dim(got, 1) ? op_narrow(s, got, 1, 0, channels) : got;
}

void golden_check(struct golden_case *golden, const char *name, tensor got, double tolerance,
    struct pf_error *err)
{
    char remark[PF_ERROR_MESSAGE_MAX + 64];
    if (!golden_expects(golden, "%s", name))
        return;
    struct pf_error own = *err; /* one tensor's failure is not the next one's */
    mark_seen(golden, name);
    SCOPE(s, &own);
    tensor want = golden_tensor(&s, golden->expected, name);
    struct golden_error error = golden_compare(cut_channels(&s, got, want), want, &own);
    int passed = own.status == PF_OK && golden_agrees(error, tolerance);
    if (own.status == PF_OK)
        snprintf(remark, sizeof remark, "%.3e of %.3e", error.max, error.scale);
    else
        snprintf(remark, sizeof remark, "%s", own.message);
    golden_count(golden, name, passed, remark);
}

void golden_check_all_seen(struct golden_case *golden)
{
    for (size_t i = 0; golden->expected && i < checkpoint_array_count(golden->expected); i++)
        if (!golden->seen[i])
            golden_count(golden, checkpoint_array_at(golden->expected, i)->name, 0, "not checked");
}
