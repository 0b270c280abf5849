// SPDX-License-Identifier: Apache-2.0
// Attention in bounded memory: softmax(q·kᵀ/√D)·v without ever holding the [T,S] scores, forward or
// backward. libtorch has fused kernels for it (CUDA from 2.0, CPU from 2.1). Elsewhere the queries are
// cut into chunks whose scores stay in the caches, so that softmax runs over warm memory; the backward
// recomputes each chunk's scores instead of keeping them.
#include "pipeline/torch/torch_cxx.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

namespace
{
constexpr int64_t CHUNK_BYTES = 4 << 20; // of scores at a time; measured, see docs/speed.md

// Queries in one chunk, for q [G,T,D] and k [G,S,D].
int64_t chunk_rows(const at::Tensor &q, const at::Tensor &k)
{
    int64_t row_bytes = q.size(0) * k.size(1) * static_cast<int64_t>(q.element_size());
    return std::min(q.size(1), std::max<int64_t>(1, CHUNK_BYTES / row_bytes));
}

// One chunk: q [G,n,D] against all keys.
at::Tensor weights(const at::Tensor &q, const at::Tensor &k, double scale)
{
    return at::softmax(at::matmul(q * scale, k.transpose(-2, -1)), -1);
}

// q [G,T,D], k [G,S,D], v [G,S,E], contiguous, into out [G,T,E] of any strides.
void attend_groups(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, double scale,
    const at::Tensor &out)
{
    int64_t rows = q.size(1), step = chunk_rows(q, k);
    for (int64_t start = 0; start < rows; start += step) {
        int64_t count = std::min(step, rows - start);
        out.narrow(1, start, count)
            .copy_(at::bmm(weights(q.narrow(1, start, count), k, scale), v));
    }
}

at::Tensor grouped(const at::Tensor &x)
{
    return x.reshape({x.size(0) * x.size(1), x.size(2), x.size(3)}).contiguous();
}

// The result is laid out as [B,T,H,E], which merges its heads without a copy.
at::Tensor attend(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v)
{
    double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
    int64_t batch = q.size(0), heads = q.size(1), rows = q.size(2), depth = v.size(3);
    at::Tensor out = at::empty({batch, rows, heads, depth}, q.options());
    at::Tensor by_head = out.transpose(1, 2);
    for (int64_t b = 0; b < batch; b++) {
        attend_groups(q[b].contiguous(), k[b].contiguous(), v[b].contiguous(), scale, by_head[b]);
    }
    return by_head;
}

class attention : public torch::autograd::Function<attention>
{
  public:
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &q,
        const at::Tensor &k, const at::Tensor &v)
    {
        at::Tensor out = attend(q, k, v);
        context->save_for_backward({q, k, v, out});
        return out;
    }

    // P = softmax(S): dV = Pᵀ·dO, dS = P∘(dO·Vᵀ - rowsum(dO∘O)), dQ = dS·K/√D, dK = dSᵀ·Q/√D.
    static torch::autograd::tensor_list backward(
        torch::autograd::AutogradContext *context, torch::autograd::tensor_list grads)
    {
        auto saved = context->get_saved_variables();
        at::Tensor q = grouped(saved[0]), k = grouped(saved[1]), v = grouped(saved[2]);
        at::Tensor out = grouped(saved[3]), grad = grouped(grads[0]);
        double scale = 1.0 / std::sqrt(static_cast<double>(q.size(2)));
        at::Tensor inner = (grad * out).sum(-1, true);
        at::Tensor dq = at::empty_like(q), dk = at::zeros_like(k), dv = at::zeros_like(v);
        int64_t rows = q.size(1), step = chunk_rows(q, k);
        for (int64_t start = 0; start < rows; start += step) {
            int64_t count = std::min(step, rows - start);
            at::Tensor part = q.narrow(1, start, count), g = grad.narrow(1, start, count);
            at::Tensor p = weights(part, k, scale);
            dv += at::bmm(p.transpose(1, 2), g);
            at::Tensor ds =
                p * (at::bmm(g, v.transpose(1, 2)) - inner.narrow(1, start, count)) * scale;
            dq.narrow(1, start, count).copy_(at::bmm(ds, k));
            dk += at::bmm(ds.transpose(1, 2), part);
        }
        return {dq.view(saved[0].sizes()), dk.view(saved[1].sizes()), dv.view(saved[2].sizes())};
    }
};

// Whether libtorch's own kernel keeps to bounded memory here.
bool has_fused_kernel(const at::Tensor &q)
{
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 1)
    return q.defined();
#elif TORCH_VERSION_MAJOR == 2
    return q.is_cuda();
#else
    return !q.defined();
#endif
}

at::Tensor fused_kernel(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v)
{
#if TORCH_VERSION_MAJOR >= 2
    return at::scaled_dot_product_attention(q, k, v);
#else
    return attend(q, k, v);
#endif
}
} // namespace

extern "C" void atc_attention(tensor *out__, tensor q, tensor k, tensor v)
{
    protect([&] {
        out__[0] = nullptr;
        TORCH_CHECK(q->dim() == 4 && k->dim() == 4 && v->dim() == 4 && q->size(0) == k->size(0) &&
                        q->size(1) == k->size(1) && q->size(3) == k->size(3) &&
                        k->size(2) == v->size(2) && k->size(0) == v->size(0) &&
                        k->size(1) == v->size(1),
            "attention of q ", q->sizes(), ", k ", k->sizes(), ", v ", v->sizes());
        bool differentiable = at::GradMode::is_enabled() &&
                              (q->requires_grad() || k->requires_grad() || v->requires_grad());
        if (has_fused_kernel(*q))
            out__[0] = new at::Tensor(fused_kernel(*q, *k, *v));
        else if (differentiable)
            out__[0] = new at::Tensor(attention::apply(*q, *k, *v));
        else
            out__[0] = new at::Tensor(attend(*q, *k, *v));
    });
}
