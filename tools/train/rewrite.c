/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/weights/checkpoint_write.h"
#include "pipeline/weights/weights.h"

/* One array of the new file: of the source, or replaced. */
struct entry {
    const char *name;
    const struct array *array; /* NULL: value */
    tensor value;
};

struct plan {
    struct entry *entries;
    size_t count;
};

static tensor replacement(const struct rewrite *rewrite, const char *name)
{
    for (size_t i = 0; i < rewrite->array_count; i++)
        if (strcmp(rewrite->arrays[i].name, name) == 0)
            return rewrite->arrays[i].value;
    return NULL;
}

static int is_left_out(const struct rewrite *rewrite, const char *name)
{
    return rewrite->left_out && strncmp(name, rewrite->left_out, strlen(rewrite->left_out)) == 0;
}

static enum pf_status make_plan(
    const struct rewrite *rewrite, struct plan *ret_plan, struct pf_error *err)
{
    size_t source_count = checkpoint_array_count(rewrite->source);
    struct plan plan = {calloc(source_count + rewrite->array_count, sizeof *plan.entries), 0};
    if (!plan.entries)
        return pf_fail(err, PF_NOMEM, "a table of %zu arrays", source_count);
    for (size_t i = 0; i < source_count; i++) {
        const struct array *array = checkpoint_array_at(rewrite->source, i);
        if (!is_left_out(rewrite, array->name))
            plan.entries[plan.count++] =
                (struct entry){array->name, array, replacement(rewrite, array->name)};
    }
    for (size_t i = 0; i < rewrite->array_count; i++)
        if (!checkpoint_find(rewrite->source, rewrite->arrays[i].name) ||
            is_left_out(rewrite, rewrite->arrays[i].name))
            plan.entries[plan.count++] =
                (struct entry){rewrite->arrays[i].name, NULL, rewrite->arrays[i].value};
    *ret_plan = plan;
    return PF_OK;
}

static enum pf_status declare(const struct rewrite *rewrite, struct checkpoint_writer *writer,
    const struct entry *entry, struct pf_error *err)
{
    if (!entry->value)
        return checkpoint_writer_add(
            writer, entry->name, rewrite->dtype, entry->array->dims, entry->array->dim_count, err);
    int64_t dims[ARRAY_DIMS_MAX];
    int dim_count = tensor_dim_count(entry->value);
    for (int d = 0; d < dim_count && d < ARRAY_DIMS_MAX; d++)
        dims[d] = tensor_dim(entry->value, d);
    return checkpoint_writer_add(writer, entry->name, rewrite->dtype, dims, dim_count, err);
}

static enum pf_status add_metadata(
    const struct rewrite *rewrite, struct checkpoint_writer *writer, struct pf_error *err)
{
    for (size_t i = 0; i < checkpoint_metadata_count(rewrite->source); i++) {
        const char *key, *value;
        int replaced = 0;
        checkpoint_metadata_at(rewrite->source, i, &key, &value);
        for (size_t t = 0; t < rewrite->text_count; t++)
            replaced = replaced || strcmp(rewrite->texts[t].key, key) == 0;
        if (!replaced && !is_left_out(rewrite, key))
            PF_TRY(checkpoint_writer_add_metadata(writer, key, value, err));
    }
    for (size_t t = 0; t < rewrite->text_count; t++)
        if (rewrite->texts[t].value)
            PF_TRY(checkpoint_writer_add_metadata(
                writer, rewrite->texts[t].key, rewrite->texts[t].value, err));
    return PF_OK;
}

static enum pf_status put(const struct rewrite *rewrite, struct checkpoint_writer *writer,
    const struct entry *entry, struct pf_error *err)
{
    SCOPE(s, err);
    tensor value = entry->value;
    if (!value) {
        struct weights view;
        struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
        weights_init(&view, rewrite->source, place, &s, "");
        value = weights_tensor(&view, entry->name);
    }
    enum tensor_type type = rewrite->dtype == DTYPE_F16 ? TENSOR_F16 : TENSOR_F32;
    value = op_to_device(&s, op_detach(&s, value), TORCH_DEVICE_CPU);
    value = op_contiguous(&s, op_to_type(&s, value, type));
    if (scope_ok(&s) && !op_is_finite(&s, value))
        pf_fail(err, PF_INVALID, "tensor '%s' holds a value that is not finite", entry->name);
    if (!scope_ok(&s))
        return err->status;
    return checkpoint_writer_put(
        writer, at_data_ptr(value), (size_t)tensor_count(value) * tensor_type_size(type), err);
}

static enum pf_status write_all(const struct rewrite *rewrite, const struct plan *plan,
    struct checkpoint_writer *writer, struct pf_error *err)
{
    PF_TRY(add_metadata(rewrite, writer, err));
    for (size_t i = 0; i < plan->count; i++)
        PF_TRY(declare(rewrite, writer, &plan->entries[i], err));
    for (size_t i = 0; i < plan->count; i++)
        PF_TRY(put(rewrite, writer, &plan->entries[i], err));
    return checkpoint_writer_finish(writer, 1, err);
}

enum pf_status rewrite_checkpoint(
    const struct rewrite *rewrite, const char *path, struct pf_error *err)
{
    struct plan plan = {NULL, 0};
    struct checkpoint_writer *writer = NULL;
    enum pf_status status = make_plan(rewrite, &plan, err);
    if (status == PF_OK)
        status = checkpoint_writer_create(&writer, path, CHECKPOINT_SAFETENSORS, err);
    if (status == PF_OK)
        status = write_all(rewrite, &plan, writer, err);
    checkpoint_writer_destroy(writer);
    free(plan.entries);
    return status;
}
