/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/weights/weights.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/weights/sizes.h"

static struct {
    tensor (*call)(void *context, const char *name, tensor loaded, struct scope *owner);
    void *context;
} replacing;

void weights_set_replace(
    tensor (*replace)(void *context, const char *name, tensor loaded, struct scope *owner),
    void *context)
{
    replacing.call = replace;
    replacing.context = context;
}

void weights_init(struct weights *ret_weights, const struct checkpoint *checkpoint,
    struct tensor_place place, struct scope *owner, const char *prefix)
{
    *ret_weights = (struct weights){.checkpoint = checkpoint,
        .owner = owner,
        .place = place,
        .norm_groups = (int)sizes_norm_groups(checkpoint),
        .pads_edge = sizes_conv_padding(checkpoint) == CONV_PADDING_EDGE};
    snprintf(ret_weights->prefix, sizeof ret_weights->prefix, "%s", prefix);
}

/* Writes prefix + text; a name that is too long can't be in a checkpoint's table: it is an error.
 */
static int name_fits(const struct weights *weights, int written)
{
    if (written >= 0 && (size_t)written < WEIGHTS_NAME_MAX)
        return 1;
    pf_fail(
        weights->owner->err, PF_INTERNAL, "a tensor name under '%s' is too long", weights->prefix);
    return 0;
}

struct weights weights_at(const struct weights *weights, const char *fmt, ...)
{
    struct weights sub = *weights;
    size_t used = strlen(sub.prefix);
    va_list args;
    va_start(args, fmt);
    int more = vsnprintf(sub.prefix + used, sizeof sub.prefix - used, fmt, args);
    va_end(args);
    name_fits(weights, more < 0 ? more : (int)used + more);
    return sub;
}

static const struct array *find(const struct weights *weights, const char *name, const char *suffix,
    char full[WEIGHTS_NAME_MAX])
{
    int written = snprintf(full, WEIGHTS_NAME_MAX, "%s%s%s", weights->prefix, name, suffix);
    return name_fits(weights, written) ? checkpoint_find(weights->checkpoint, full) : NULL;
}

int weights_has(const struct weights *weights, const char *name)
{
    char full[WEIGHTS_NAME_MAX];
    return find(weights, name, "", full) != NULL;
}

static int tensor_type_of(enum dtype dtype, enum tensor_type *ret_type)
{
    switch (dtype) {
    case DTYPE_F16:
        return *ret_type = TENSOR_F16, 1;
    case DTYPE_BF16:
        return *ret_type = TENSOR_BF16, 1;
    case DTYPE_F32:
        return *ret_type = TENSOR_F32, 1;
    case DTYPE_F64:
        return *ret_type = TENSOR_F64, 1;
    default:
        return 0;
    }
}

static int is_row_major(const struct array *array)
{
    int64_t expected = 1;
    for (int i = array->dim_count; i-- > 0;) {
        if (array->dims[i] != 1 && array->strides[i] != expected)
            return 0;
        expected *= array->dims[i];
    }
    return 1;
}

/* A tensor over the mapped bytes, or over a copy where they aren't aligned. */
static tensor wrap(struct scope *s, const struct array *array, enum tensor_type type)
{
    size_t element = tensor_type_size(type);
    int64_t *dims = (int64_t *)(uintptr_t)array->dims;
    int64_t *strides = (int64_t *)(uintptr_t)array->strides;
    void *data = (void *)(uintptr_t)array->data;
    size_t count = (size_t)array->dim_count;
    if ((uintptr_t)data % element == 0)
        return scope_take(
            s, at_tensor_of_blob(data, dims, count, strides, count, (int)type, TORCH_DEVICE_CPU));
    if (is_row_major(array))
        return scope_take(s, at_tensor_of_data(data, dims, count, element, (int)type));
    pf_fail(s->err, PF_UNSUPPORTED, "tensor '%s' is neither aligned nor row-major", array->name);
    return NULL;
}

/* Converts into memory of its own, so that the file's pages can be let go. */
static tensor convert(
    struct scope *s, const struct array *array, struct tensor_place place, enum tensor_type type)
{
    tensor t = op_to_place(s, wrap(s, array, type), place);
    if (array->dim_count == 4)
        return op_channels_last(s, t);
    return op_contiguous(s, t);
}

static tensor load(const struct weights *weights, const struct array *array)
{
    struct scope *owner = weights->owner;
    enum tensor_type type = TENSOR_F32;
    if (!scope_ok(owner))
        return NULL;
    if (!tensor_type_of(array->dtype, &type)) {
        pf_fail(owner->err, PF_INVALID, "tensor '%s' is %s, expected F16, BF16, F32 or F64",
            array->name, dtype_name(array->dtype));
        return NULL;
    }
    SCOPE(s, owner->err);
    tensor t = convert(&s, array, weights->place, type);
    int copied = t && at_data_ptr(t) != (const void *)array->data;
    if (copied)
        checkpoint_release(weights->checkpoint, array);
    if (t && replacing.call)
        return replacing.call(replacing.context, array->name, t, owner);
    return scope_move(&s, t, owner);
}

tensor weights_tensor(const struct weights *weights, const char *name)
{
    char full[WEIGHTS_NAME_MAX];
    const struct array *array = find(weights, name, "", full);
    if (!array) {
        pf_fail(weights->owner->err, PF_INVALID, "the checkpoint has no tensor '%s'", full);
        return NULL;
    }
    return load(weights, array);
}

static tensor weight_of(const struct weights *weights, const char *name)
{
    struct weights layer = weights_at(weights, "%s.", name);
    return weights_tensor(&layer, "weight");
}

static tensor bias_of(const struct weights *weights, const char *name)
{
    char full[WEIGHTS_NAME_MAX];
    const struct array *array = find(weights, name, ".bias", full);
    return array ? load(weights, array) : NULL;
}

struct nn_linear weights_linear(const struct weights *weights, const char *name)
{
    return (struct nn_linear){weight_of(weights, name), bias_of(weights, name)};
}

struct nn_conv2d weights_conv2d(
    const struct weights *weights, const char *name, int stride, int padding)
{
    return (struct nn_conv2d){
        weight_of(weights, name), bias_of(weights, name), stride, padding, weights->pads_edge};
}

struct nn_group_norm weights_group_norm(const struct weights *weights, const char *name, double eps)
{
    return (struct nn_group_norm){
        weight_of(weights, name), bias_of(weights, name), eps, weights->norm_groups};
}

struct nn_layer_norm weights_layer_norm(const struct weights *weights, const char *name, double eps)
{
    return (struct nn_layer_norm){weight_of(weights, name), bias_of(weights, name), eps};
}
