/* SPDX-License-Identifier: Apache-2.0 */
/* One line an operation: skip after an error, call the shim, let the scope own the result. */
#include "pipeline/tensor/ops.h"

#include <math.h>
#include <stdlib.h>

/* The shim takes lists as non-const, as tch's does, and writes to none of them. */
#define LIST(pointer) ((int64_t *)(uintptr_t)(pointer))

#define RUN(scope, call)                                                                           \
    do {                                                                                           \
        if (!scope_ok(scope))                                                                      \
            return NULL;                                                                           \
        tensor out = NULL;                                                                         \
        call;                                                                                      \
        return scope_take(scope, out);                                                             \
    } while (0)

/* In-place ops return a second handle to their first tensor, which is not needed. */
#define RUN_IN(scope, a, call)                                                                     \
    do {                                                                                           \
        if (!scope_ok(scope))                                                                      \
            return NULL;                                                                           \
        tensor out = NULL;                                                                         \
        call;                                                                                      \
        tensor taken = scope_take(scope, out);                                                     \
        scope_drop(scope, taken);                                                                  \
        return taken ? (a) : NULL;                                                                 \
    } while (0)

#define UNARY(name, shim)                                                                          \
    tensor name(struct scope *s, tensor a)                                                         \
    {                                                                                              \
        RUN(s, shim(&out, a));                                                                     \
    }

#define BINARY(name, shim)                                                                         \
    tensor name(struct scope *s, tensor a, tensor b)                                               \
    {                                                                                              \
        RUN(s, shim(&out, a, b));                                                                  \
    }

/* With a number: made a scalar handle for the call. */
#define BINARY_SCALAR(name, shim)                                                                  \
    tensor name(struct scope *s, tensor a, double b)                                               \
    {                                                                                              \
        scalar number = ats_float(b);                                                              \
        tensor out = NULL;                                                                         \
        if (scope_ok(s) && number)                                                                 \
            shim(&out, a, number);                                                                 \
        ats_free(number);                                                                          \
        return scope_take(s, out);                                                                 \
    }

UNARY(op_neg, atg_neg)
UNARY(op_abs, atg_abs)
UNARY(op_exp, atg_exp)
UNARY(op_log, atg_log)
UNARY(op_sqrt, atg_sqrt)
UNARY(op_square, atg_square)
UNARY(op_sin, atg_sin)
UNARY(op_cos, atg_cos)
UNARY(op_sigmoid, atg_sigmoid)
UNARY(op_silu, atg_silu)
UNARY(op_contiguous, atg_contiguous)
UNARY(op_clone, atg_clone)
UNARY(op_detach, atg_detach)
BINARY(op_add, atg_add)
BINARY(op_sub, atg_sub)
BINARY(op_mul, atg_mul)
BINARY(op_div, atg_div)
BINARY(op_matmul, atg_matmul)
BINARY(op_bmm, atg_bmm)
BINARY_SCALAR(op_add_scalar, atg_add_scalar)
BINARY_SCALAR(op_mul_scalar, atg_mul_scalar)
BINARY_SCALAR(op_pow, atg_pow_tensor_scalar)

tensor op_gelu(struct scope *s, tensor a)
{
    char none[] = "none";
    RUN(s, atg_gelu(&out, a, none, 4));
}

tensor op_clamp(struct scope *s, tensor a, double min, double max)
{
    scalar low = ats_float(min), high = ats_float(max);
    tensor out = NULL;
    if (scope_ok(s) && low && high)
        atg_clamp(&out, a, low, high);
    ats_free(low);
    ats_free(high);
    return scope_take(s, out);
}

tensor op_add_in(struct scope *s, tensor a, tensor b)
{
    RUN_IN(s, a, atg_add_(&out, a, b));
}

tensor op_silu_in(struct scope *s, tensor a)
{
    RUN_IN(s, a, atg_silu_(&out, a));
}

tensor op_copy_in(struct scope *s, tensor a, tensor b)
{
    RUN_IN(s, a, atg_copy_(&out, a, b));
}

/* In place, with a number as the last argument of `call`. */
#define RUN_IN_SCALAR(scope, a, value, call)                                                       \
    do {                                                                                           \
        scalar number = ats_float(value);                                                          \
        tensor out = NULL;                                                                         \
        if (scope_ok(scope) && number)                                                             \
            call;                                                                                  \
        ats_free(number);                                                                          \
        tensor taken = scope_take(scope, out);                                                     \
        scope_drop(scope, taken);                                                                  \
        return taken ? (a) : NULL;                                                                 \
    } while (0)

tensor op_mul_scalar_in(struct scope *s, tensor a, double b)
{
    RUN_IN_SCALAR(s, a, b, atg_mul_scalar_(&out, a, number));
}

tensor op_lerp_in(struct scope *s, tensor a, tensor b, double weight)
{
    if (!op_mul_scalar_in(s, a, 1 - weight)) /* libtorch 1.13's lerp_ is several times slower */
        return NULL;
    RUN_IN_SCALAR(s, a, weight, atg_add_scaled_(&out, a, b, number));
}

tensor op_addcmul_in(struct scope *s, tensor a, tensor b, tensor c, double factor)
{
    RUN_IN_SCALAR(s, a, factor, atg_addcmul_(&out, a, b, c, number));
}

tensor op_addcdiv_in(struct scope *s, tensor a, tensor b, tensor c, double factor)
{
    RUN_IN_SCALAR(s, a, factor, atg_addcdiv_(&out, a, b, c, number));
}

tensor op_reshape(struct scope *s, tensor a, const int64_t *dims, int dim_count)
{
    RUN(s, atg_reshape(&out, a, LIST(dims), dim_count));
}

tensor op_expand(struct scope *s, tensor a, const int64_t *dims, int dim_count)
{
    RUN(s, atg_expand(&out, a, LIST(dims), dim_count, 0));
}

tensor op_permute(struct scope *s, tensor a, const int64_t *dims, int dim_count)
{
    RUN(s, atg_permute(&out, a, LIST(dims), dim_count));
}

tensor op_transpose(struct scope *s, tensor a, int dim0, int dim1)
{
    RUN(s, atg_transpose(&out, a, dim0, dim1));
}

tensor op_unsqueeze(struct scope *s, tensor a, int dim)
{
    RUN(s, atg_unsqueeze(&out, a, dim));
}

tensor op_squeeze(struct scope *s, tensor a, int dim)
{
    RUN(s, atg_squeeze_dim(&out, a, dim));
}

tensor op_select(struct scope *s, tensor a, int dim, int64_t index)
{
    RUN(s, atg_select(&out, a, dim, index));
}

tensor op_narrow(struct scope *s, tensor a, int dim, int64_t start, int64_t length)
{
    RUN(s, atg_narrow(&out, a, dim, start, length));
}

tensor op_flip(struct scope *s, tensor a, const int64_t *dims, int dim_count)
{
    RUN(s, atg_flip(&out, a, LIST(dims), dim_count));
}

tensor op_cat(struct scope *s, const tensor *list, int count, int dim)
{
    RUN(s, atg_cat(&out, (tensor *)(uintptr_t)list, count, dim));
}

tensor op_stack(struct scope *s, const tensor *list, int count, int dim)
{
    RUN(s, atg_stack(&out, (tensor *)(uintptr_t)list, count, dim));
}

tensor op_pad(struct scope *s, tensor a, const int64_t *pads, int pad_count)
{
    RUN(s, atg_constant_pad_nd(&out, a, LIST(pads), pad_count));
}

tensor op_pad_edge(struct scope *s, tensor a, int before, int after)
{
    RUN(s, atc_pad_edge(&out, a, before, after));
}

tensor op_channels_last(struct scope *s, tensor a)
{
    enum { CHANNELS_LAST = 2 };
    RUN(s, at_contiguous_format(&out, a, CHANNELS_LAST));
}

tensor op_to_type(struct scope *s, tensor a, enum tensor_type type)
{
    RUN(s, atg_to_dtype(&out, a, (int)type, 0, 0));
}

tensor op_to_device(struct scope *s, tensor a, int device)
{
    RUN(s, atg_to(&out, a, device));
}

tensor op_to_place(struct scope *s, tensor a, struct tensor_place place)
{
    return op_to_type(s, op_to_device(s, a, place.device), place.type);
}

tensor op_zeros(struct scope *s, struct tensor_place place, const int64_t *dims, int dim_count)
{
    RUN(s, atg_zeros(&out, LIST(dims), dim_count, (int)place.type, place.device));
}

tensor op_empty(struct scope *s, struct tensor_place place, const int64_t *dims, int dim_count)
{
    RUN(s, atg_empty(&out, LIST(dims), dim_count, (int)place.type, place.device));
}

tensor op_full(
    struct scope *s, struct tensor_place place, double value, const int64_t *dims, int dim_count)
{
    scalar number = ats_float(value);
    tensor out = NULL;
    if (scope_ok(s) && number)
        atg_full(&out, LIST(dims), dim_count, number, (int)place.type, place.device);
    ats_free(number);
    return scope_take(s, out);
}

tensor op_arange(struct scope *s, struct tensor_place place, int64_t end)
{
    scalar number = ats_int(end);
    tensor out = NULL;
    if (scope_ok(s) && number)
        atg_arange(&out, number, (int)place.type, place.device);
    ats_free(number);
    return scope_take(s, out);
}

tensor op_triu(struct scope *s, tensor a, int64_t diagonal)
{
    RUN(s, atg_triu(&out, a, diagonal));
}

enum { SAME_TYPE = -1 };

tensor op_mean(struct scope *s, tensor a, const int64_t *dims, int dim_count, int keep)
{
    RUN(s, atg_mean_dim(&out, a, LIST(dims), dim_count, keep, SAME_TYPE));
}

tensor op_sum(struct scope *s, tensor a, const int64_t *dims, int dim_count, int keep)
{
    RUN(s, atg_sum_dim_intlist(&out, a, LIST(dims), dim_count, keep, SAME_TYPE));
}

tensor op_amax(struct scope *s, tensor a, const int64_t *dims, int dim_count, int keep)
{
    RUN(s, atg_amax(&out, a, LIST(dims), dim_count, keep));
}

tensor op_mean_all(struct scope *s, tensor a)
{
    RUN(s, atg_mean(&out, a, SAME_TYPE));
}

tensor op_sum_all(struct scope *s, tensor a)
{
    RUN(s, atg_sum(&out, a, SAME_TYPE));
}

tensor op_softmax(struct scope *s, tensor a, int dim)
{
    RUN(s, atg_softmax(&out, a, dim, SAME_TYPE));
}

static tensor all_finite(struct scope *s, tensor a)
{
    RUN(s, atg_isfinite(&out, a));
}

static tensor all_true(struct scope *s, tensor a)
{
    RUN(s, atg_all(&out, a));
}

int op_is_finite(struct scope *s, tensor a)
{
    SCOPE(inner, s->err);
    return tensor_scalar(&inner, all_true(&inner, all_finite(&inner, a))) != 0;
}

tensor op_linear(struct scope *s, tensor x, tensor weight, tensor bias)
{
    RUN(s, atg_linear(&out, x, weight, bias));
}

tensor op_conv2d(struct scope *s, tensor x, tensor weight, tensor bias, int stride, int padding)
{
    int64_t strides[] = {stride, stride}, paddings[] = {padding, padding}, dilation[] = {1, 1};
    RUN(s, atg_conv2d(&out, x, weight, bias, strides, 2, paddings, 2, dilation, 2, 1));
}

tensor op_embedding(struct scope *s, tensor weight, tensor ids)
{
    RUN(s, atg_embedding(&out, weight, ids, -1, 0, 0));
}

static tensor group_norm(
    struct scope *s, tensor x, int groups, tensor weight, tensor bias, double eps)
{
    RUN(s, atg_group_norm(&out, x, groups, weight, bias, eps, 1));
}

/* On the CPU in float32: libtorch 1.13 sums the elements of a group in the type they have, and in
 * bfloat16 such a sum stops growing after a few hundred. */
tensor op_group_norm(
    struct scope *out, tensor x, int groups, tensor weight, tensor bias, double eps)
{
    enum tensor_type type = tensor_type(x);
    if (!scope_ok(out) || type == TENSOR_F32 || tensor_device(x) != TORCH_DEVICE_CPU)
        return group_norm(out, x, groups, weight, bias, eps);
    SCOPE(s, out->err);
    tensor single = op_to_type(&s, x, TENSOR_F32);
    tensor normed = group_norm(&s, single, groups, op_to_type(&s, weight, TENSOR_F32),
        op_to_type(&s, bias, TENSOR_F32), eps);
    scope_drop(&s, single);
    return scope_move(&s, op_to_type(&s, normed, type), out);
}

tensor op_layer_norm(struct scope *s, tensor x, tensor weight, tensor bias, double eps)
{
    int64_t width = tensor_dim(x, -1);
    RUN(s, atg_layer_norm(&out, x, &width, 1, weight, bias, eps, 1));
}

tensor op_upsample_nearest(struct scope *s, tensor x, int64_t height, int64_t width)
{
    int64_t size[] = {height, width};
    RUN(s, atg_upsample_nearest2d(&out, x, size, 2, 0, 1, 0, 1));
}

tensor op_avg_pool(struct scope *s, tensor x, int kernel, int stride, int padding)
{
    int64_t kernels[] = {kernel, kernel}, strides[] = {stride, stride};
    int64_t paddings[] = {padding, padding};
    RUN(s, atg_avg_pool2d(&out, x, kernels, 2, strides, 2, paddings, 2));
}

tensor op_max_pool(struct scope *s, tensor x, int kernel, int stride, int padding)
{
    int64_t kernels[] = {kernel, kernel}, strides[] = {stride, stride};
    int64_t paddings[] = {padding, padding}, dilation[] = {1, 1};
    RUN(s, atg_max_pool2d(&out, x, kernels, 2, strides, 2, paddings, 2, dilation, 2, 0));
}

tensor op_fft2(struct scope *s, tensor x)
{
    int64_t dims[] = {-2, -1};
    RUN(s, atg_fft_fft2(&out, x, NULL, 0, dims, 2, NULL, 0));
}

tensor op_ifft2(struct scope *s, tensor x)
{
    int64_t dims[] = {-2, -1};
    RUN(s, atg_fft_ifft2(&out, x, NULL, 0, dims, 2, NULL, 0));
}

tensor op_attention(struct scope *s, tensor q, tensor k, tensor v)
{
    RUN(s, atc_attention(&out, q, k, v));
}

void op_backward(struct scope *s, tensor loss, const tensor *inputs, int count, tensor *ret_grads)
{
    for (int i = 0; i < count; i++)
        ret_grads[i] = NULL;
    if (!scope_ok(s))
        return;
    at_run_backward(&loss, 1, (tensor *)(uintptr_t)inputs, count, ret_grads, 0, 0);
    for (int i = 0; i < count; i++)
        ret_grads[i] = scope_take(s, ret_grads[i]);
}

tensor op_set_requires_grad(struct scope *s, tensor a, int enabled)
{
    RUN_IN(s, a, atg_set_requires_grad(&out, a, enabled));
}
