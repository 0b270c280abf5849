/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/tensor/tensor.h"

#include <stdlib.h>
#include <string.h>

static int (*interrupt_wanted)(void *context);
static void *interrupt_context;

void tensor_set_interrupt(int (*wanted)(void *context), void *context)
{
    interrupt_wanted = wanted;
    interrupt_context = context;
}

/* Turns the thread's pending libtorch error into the scope's. */
static void scope_fail_from_torch(struct scope *scope)
{
    int oom = torch_last_err_is_oom();
    char *message = get_and_reset_last_err();
    pf_fail(scope->err, oom ? PF_NOMEM : PF_INTERNAL, "libtorch: %s",
        message ? message : "no tensor and no error");
    free(message);
}

void scope_init(struct scope *scope, struct pf_error *err)
{
    *scope = (struct scope){NULL, 0, 0, err};
}

void scope_finish(struct scope *scope)
{
    for (size_t i = scope->count; i-- > 0;)
        at_free(scope->tensors[i]);
    free(scope->tensors);
    scope->tensors = NULL;
    scope->count = scope->capacity = 0;
}

int scope_ok(const struct scope *scope)
{
    return scope->err->status == PF_OK;
}

static int scope_grow(struct scope *scope)
{
    size_t capacity = scope->capacity ? 2 * scope->capacity : 32;
    tensor *tensors = realloc(scope->tensors, capacity * sizeof(tensor));
    if (!tensors) {
        pf_fail(scope->err, PF_NOMEM, "a scope of %zu tensors", capacity);
        return 0;
    }
    scope->tensors = tensors;
    scope->capacity = capacity;
    return 1;
}

tensor scope_take(struct scope *scope, tensor owned)
{
    if (owned && interrupt_wanted && interrupt_wanted(interrupt_context))
        pf_fail(scope->err, PF_CANCELLED, "stopped on request");
    if (!owned || !scope_ok(scope)) {
        if (scope_ok(scope))
            scope_fail_from_torch(scope);
        at_free(owned);
        return NULL;
    }
    if (scope->count == scope->capacity && !scope_grow(scope)) {
        at_free(owned);
        return NULL;
    }
    scope->tensors[scope->count++] = owned;
    return owned;
}

tensor scope_keep(struct scope *scope, tensor t)
{
    for (size_t i = scope->count; t && i-- > 0;) {
        if (scope->tensors[i] != t)
            continue;
        scope->count--;
        memmove(scope->tensors + i, scope->tensors + i + 1, (scope->count - i) * sizeof(tensor));
        return t;
    }
    return NULL;
}

tensor scope_move(struct scope *from, tensor t, struct scope *to)
{
    if (!scope_ok(from))
        return NULL;
    return scope_take(to, scope_keep(from, t));
}

void scope_drop(struct scope *scope, tensor t)
{
    at_free(scope_keep(scope, t));
}

void tensor_free(tensor t)
{
    at_free(t);
}

tensor tensor_alias(struct scope *scope, tensor t)
{
    return scope_ok(scope) ? scope_take(scope, at_shallow_clone(t)) : NULL;
}

static tensor from_data(struct scope *scope, const void *data, const int64_t *dims, int dim_count,
    enum tensor_type type)
{
    if (!scope_ok(scope))
        return NULL;
    return scope_take(scope, at_tensor_of_data((void *)(uintptr_t)data, (int64_t *)(uintptr_t)dims,
                                 (size_t)dim_count, tensor_type_size(type), (int)type));
}

tensor tensor_from_f32(struct scope *scope, const float *data, const int64_t *dims, int dim_count)
{
    return from_data(scope, data, dims, dim_count, TENSOR_F32);
}

tensor tensor_from_i64(struct scope *scope, const int64_t *data, const int64_t *dims, int dim_count)
{
    return from_data(scope, data, dims, dim_count, TENSOR_I64);
}

enum pf_status tensor_to_f32(tensor t, float *ret_data, int64_t count, struct pf_error *err)
{
    if (err->status != PF_OK)
        return err->status;
    SCOPE(s, err);
    tensor single = NULL;
    atg_to_dtype(&single, t, TENSOR_F32, 0, 0);
    if (!scope_take(&s, single))
        return err->status;
    at_copy_data(single, ret_data, (size_t)count, sizeof *ret_data);
    char *message = get_and_reset_last_err();
    if (message)
        pf_fail(err, PF_INTERNAL, "libtorch: %s", message);
    free(message);
    return err->status;
}

double tensor_scalar(struct scope *scope, tensor t)
{
    float value = 0;
    if (!scope_ok(scope) || tensor_to_f32(t, &value, 1, scope->err) != PF_OK)
        return 0;
    return (double)value;
}

int tensor_dim_count(tensor t)
{
    return t ? (int)at_dim(t) : 0;
}

int64_t tensor_dim(tensor t, int dim)
{
    int count = tensor_dim_count(t);
    int at = dim < 0 ? dim + count : dim;
    int64_t dims[TENSOR_DIMS_MAX];
    if (at < 0 || at >= count || count > TENSOR_DIMS_MAX)
        return 0;
    at_shape(t, dims);
    return dims[at];
}

int64_t tensor_count(tensor t)
{
    if (!t)
        return 0;
    int64_t product = 1;
    for (int i = 0; i < tensor_dim_count(t); i++)
        product *= tensor_dim(t, i);
    return product;
}

enum tensor_type tensor_type(tensor t)
{
    return t ? (enum tensor_type)at_scalar_type(t) : TENSOR_F32;
}

int tensor_device(tensor t)
{
    return t ? at_device(t) : TORCH_DEVICE_CPU;
}

int tensor_requires_grad(tensor t)
{
    return t && at_requires_grad(t);
}

int tensor_same_shape(tensor a, tensor b)
{
    if (!a || !b || tensor_dim_count(a) != tensor_dim_count(b))
        return 0;
    for (int i = 0; i < tensor_dim_count(a); i++)
        if (tensor_dim(a, i) != tensor_dim(b, i))
            return 0;
    return 1;
}

size_t tensor_type_size(enum tensor_type type)
{
    switch (type) {
    case TENSOR_U8:
    case TENSOR_BOOL:
        return 1;
    case TENSOR_F16:
    case TENSOR_BF16:
        return 2;
    case TENSOR_F32:
        return 4;
    case TENSOR_I64:
    case TENSOR_F64:
        return 8;
    }
    return 0;
}

const char *tensor_type_name(enum tensor_type type)
{
    switch (type) {
    case TENSOR_U8:
        return "uint8";
    case TENSOR_BOOL:
        return "bool";
    case TENSOR_F16:
        return "float16";
    case TENSOR_BF16:
        return "bfloat16";
    case TENSOR_F32:
        return "float32";
    case TENSOR_I64:
        return "int64";
    case TENSOR_F64:
        return "float64";
    }
    return "unknown";
}

int tensor_grad_enable(int enabled)
{
    return at_grad_set_enabled(enabled);
}
