/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TENSOR_OPS_H
#define PIPELINE_TENSOR_OPS_H

/* Operations on tensors. Each returns a new handle owned by the scope, or NULL once anything in the
 * scope has failed. Broadcasting is libtorch's. In-place ops (name ends in `_in`) return their
 * first tensor. */

#include "pipeline/tensor/tensor.h"

/* A list of sizes as the two arguments (pointer, count). */
#define DIMS(...)                                                                                  \
    (const int64_t[]){__VA_ARGS__}, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* Element by element */
tensor op_add(struct scope *s, tensor a, tensor b);
tensor op_sub(struct scope *s, tensor a, tensor b);
tensor op_mul(struct scope *s, tensor a, tensor b);
tensor op_div(struct scope *s, tensor a, tensor b);
tensor op_add_scalar(struct scope *s, tensor a, double b);
tensor op_mul_scalar(struct scope *s, tensor a, double b);
tensor op_pow(struct scope *s, tensor a, double exponent);
tensor op_clamp(struct scope *s, tensor a, double min, double max);
tensor op_neg(struct scope *s, tensor a);
tensor op_abs(struct scope *s, tensor a);
tensor op_exp(struct scope *s, tensor a);
tensor op_log(struct scope *s, tensor a);
tensor op_sqrt(struct scope *s, tensor a);
tensor op_square(struct scope *s, tensor a);
tensor op_sin(struct scope *s, tensor a);
tensor op_cos(struct scope *s, tensor a);
tensor op_sigmoid(struct scope *s, tensor a);
tensor op_silu(struct scope *s, tensor a);
tensor op_gelu(struct scope *s, tensor a); /* exact (erf) */
tensor op_add_in(struct scope *s, tensor a, tensor b);
tensor op_mul_scalar_in(struct scope *s, tensor a, double b);
tensor op_silu_in(struct scope *s, tensor a);
tensor op_copy_in(struct scope *s, tensor a, tensor b);
tensor op_lerp_in(struct scope *s, tensor a, tensor b, double weight); /* a += weight·(b - a) */
tensor op_addcmul_in(struct scope *s, tensor a, tensor b, tensor c, double factor); /* a += f·b·c */
tensor op_addcdiv_in(struct scope *s, tensor a, tensor b, tensor c, double factor); /* a += f·b/c */

/* Shape */
tensor op_reshape(struct scope *s, tensor a, const int64_t *dims, int dim_count);
tensor op_expand(struct scope *s, tensor a, const int64_t *dims, int dim_count);
tensor op_permute(struct scope *s, tensor a, const int64_t *dims, int dim_count);
tensor op_transpose(struct scope *s, tensor a, int dim0, int dim1);
tensor op_unsqueeze(struct scope *s, tensor a, int dim);
tensor op_squeeze(struct scope *s, tensor a, int dim);
tensor op_select(struct scope *s, tensor a, int dim, int64_t index);
tensor op_narrow(struct scope *s, tensor a, int dim, int64_t start, int64_t length);
tensor op_flip(struct scope *s, tensor a, const int64_t *dims, int dim_count);
tensor op_cat(struct scope *s, const tensor *list, int count, int dim);
tensor op_stack(struct scope *s, const tensor *list, int count, int dim);
tensor op_pad(
    struct scope *s, tensor a, const int64_t *pads, int pad_count); /* zeros; last dim first */
/* [B,C,H,W] with its first row and column repeated `before` times and the last ones `after` times.
 */
tensor op_pad_edge(struct scope *s, tensor a, int before, int after);
tensor op_contiguous(struct scope *s, tensor a);
tensor op_channels_last(struct scope *s, tensor a); /* [B,C,H,W] stored as B,H,W,C */
tensor op_clone(struct scope *s, tensor a);
tensor op_detach(struct scope *s, tensor a);

/* Type and device */
tensor op_to_type(struct scope *s, tensor a, enum tensor_type type);
tensor op_to_device(struct scope *s, tensor a, int device);
tensor op_to_place(struct scope *s, tensor a, struct tensor_place place);

/* Creation; `place.type` and `place.device` of the result */
tensor op_zeros(struct scope *s, struct tensor_place place, const int64_t *dims, int dim_count);
tensor op_empty(struct scope *s, struct tensor_place place, const int64_t *dims, int dim_count);
tensor op_full(
    struct scope *s, struct tensor_place place, double value, const int64_t *dims, int dim_count);
tensor op_arange(struct scope *s, struct tensor_place place, int64_t end); /* 0 … end-1 */
tensor op_triu(struct scope *s, tensor a, int64_t diagonal);

/* Reductions; the listed dims are kept with size 1 when `keep` */
tensor op_mean(struct scope *s, tensor a, const int64_t *dims, int dim_count, int keep);
tensor op_sum(struct scope *s, tensor a, const int64_t *dims, int dim_count, int keep);
tensor op_amax(struct scope *s, tensor a, const int64_t *dims, int dim_count, int keep);
tensor op_mean_all(struct scope *s, tensor a);
tensor op_sum_all(struct scope *s, tensor a);
tensor op_softmax(struct scope *s, tensor a, int dim);
int op_is_finite(struct scope *s, tensor a); /* all elements; 0 after an error */

/* Products */
tensor op_matmul(struct scope *s, tensor a, tensor b);
tensor op_bmm(struct scope *s, tensor a, tensor b);                      /* [B,n,k]·[B,k,m] */
tensor op_linear(struct scope *s, tensor x, tensor weight, tensor bias); /* bias may be NULL */
tensor op_conv2d(struct scope *s, tensor x, tensor weight, tensor bias, int stride, int padding);
tensor op_embedding(struct scope *s, tensor weight, tensor ids);

/* Normalisation, resampling, spectrum */
tensor op_group_norm(struct scope *s, tensor x, int groups, tensor weight, tensor bias, double eps);
tensor op_layer_norm(struct scope *s, tensor x, tensor weight, tensor bias, double eps);
tensor op_upsample_nearest(struct scope *s, tensor x, int64_t height, int64_t width);
tensor op_avg_pool(struct scope *s, tensor x, int kernel, int stride, int padding);
tensor op_max_pool(struct scope *s, tensor x, int kernel, int stride, int padding);
tensor op_fft2(struct scope *s, tensor x);  /* last two dims; complex result */
tensor op_ifft2(struct scope *s, tensor x); /* complex result */

/* softmax(q·kᵀ/√D)·v for q [B,H,T,D] and k, v [B,H,S,D]; result [B,H,T,D]. Memory is bounded, with
 * gradients too: the [T,S] scores never exist whole (pipeline/torch/attention.cpp). */
tensor op_attention(struct scope *s, tensor q, tensor k, tensor v);

/* Gradients of the one-element tensor `loss` with respect to `inputs`, into ret_grads (owned by the
 * scope); frees the graph. */
void op_backward(struct scope *s, tensor loss, const tensor *inputs, int count, tensor *ret_grads);
tensor op_set_requires_grad(struct scope *s, tensor a, int enabled);

#endif
