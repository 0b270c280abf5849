/* SPDX-License-Identifier: Apache-2.0 */
/* Attention in bounded memory. libtorch 2 has a fused kernel; on 1.13 the queries are cut into
 * chunks so that one chunk's scores stay in the caches: softmax then runs over warm memory, and the
 * full [T,S] matrix (2.4 GB in float32 for three 64×64 latents) never exists. */
#include "pipeline/tensor/ops.h"

#include <math.h>

static tensor fused(struct scope *s, tensor q, tensor k, tensor v)
{
    tensor out = NULL;
    atg_scaled_dot_product_attention(&out, q, k, v, NULL, 0.0, 0);
    return scope_take(s, out);
}

/* q [N,T,D] scaled, kt [N,D,S], v [N,S,D] */
static tensor attend(struct scope *s, tensor q, tensor kt, tensor v)
{
    return op_bmm(s, op_softmax(s, op_bmm(s, q, kt), -1), v);
}

static tensor attend_chunked(struct scope *out, tensor q, tensor kt, tensor v, int64_t chunk)
{
    SCOPE(s, out->err);
    int64_t rows = tensor_dim(q, 1);
    struct tensor_place place = {tensor_device(q), tensor_type(q)};
    tensor result = op_empty(&s, place, DIMS(tensor_dim(q, 0), rows, tensor_dim(v, 2)));
    for (int64_t start = 0; start < rows && scope_ok(&s); start += chunk) {
        SCOPE(step, out->err);
        int64_t length = rows - start < chunk ? rows - start : chunk;
        tensor part = attend(&step, op_narrow(&step, q, 1, start, length), kt, v);
        op_copy_in(&step, op_narrow(&step, result, 1, start, length), part);
    }
    return scope_move(&s, result, out);
}

tensor op_attention(struct scope *out, tensor q, tensor k, tensor v)
{
    if (!scope_ok(out))
        return NULL;
    if (torch_has_fused_attention())
        return fused(out, q, k, v);

    SCOPE(s, out->err);
    int64_t batch = tensor_dim(q, 0), heads = tensor_dim(q, 1);
    int64_t rows = tensor_dim(q, 2), keys = tensor_dim(k, 2), depth = tensor_dim(q, 3);
    int64_t groups = batch * heads;
    tensor scaled = op_mul_scalar(&s, q, 1.0 / sqrt((double)depth));
    tensor flat_q = op_reshape(&s, scaled, DIMS(groups, rows, depth));
    tensor flat_kt = op_transpose(&s, op_reshape(&s, k, DIMS(groups, keys, depth)), 1, 2);
    tensor flat_v = op_reshape(&s, v, DIMS(groups, keys, tensor_dim(v, 3)));
    int64_t chunk = scope_ok(&s) ? ATTENTION_SCORES_MAX / (groups * keys) : 1;
    if (chunk < 1)
        chunk = 1;
    tensor result = rows <= chunk || tensor_requires_grad(flat_q)
                        ? attend(&s, flat_q, flat_kt, flat_v)
                        : attend_chunked(&s, flat_q, flat_kt, flat_v, chunk);
    return scope_move(&s, op_reshape(&s, result, DIMS(batch, heads, rows, tensor_dim(v, 3))), out);
}
