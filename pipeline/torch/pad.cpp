// SPDX-License-Identifier: Apache-2.0
// Padding with the border's own values, for every type and both memory formats. libtorch's
// replication_pad2d takes neither bfloat16 (1.13, CPU) nor keeps channels last in its backward; put
// together of slices each border costs a whole picture of zeros and an addition in the backward
// (docs/speed.md).
#include "pipeline/torch/torch_cxx.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace
{
at::Tensor pad_edge(const at::Tensor &a, int64_t before, int64_t after)
{
    int64_t height = a.size(2), width = a.size(3), more = before + after;
    at::Tensor out = at::empty({a.size(0), a.size(1), height + more, width + more},
        a.options().memory_format(a.suggest_memory_format()));
    at::Tensor rows = out.narrow(2, before, height); // padded along the width first, corners last
    rows.narrow(3, before, width).copy_(a);
    rows.narrow(3, 0, before).copy_(a.narrow(3, 0, 1).expand({-1, -1, -1, before}));
    rows.narrow(3, before + width, after)
        .copy_(a.narrow(3, width - 1, 1).expand({-1, -1, -1, after}));
    out.narrow(2, 0, before).copy_(rows.narrow(2, 0, 1).expand({-1, -1, before, -1}));
    out.narrow(2, before + height, after)
        .copy_(rows.narrow(2, height - 1, 1).expand({-1, -1, after, -1}));
    return out;
}

// What was repeated along `dim` is added to where it came from; `inner` is grad's part in between.
void fold(
    const at::Tensor &inner, const at::Tensor &grad, int64_t dim, int64_t before, int64_t after)
{
    int64_t last = inner.size(dim) - 1;
    if (before > 0)
        inner.select(dim, 0).add_(grad.narrow(dim, 0, before).sum(dim));
    if (after > 0)
        inner.select(dim, last).add_(grad.narrow(dim, before + last + 1, after).sum(dim));
}

class edge_padding : public torch::autograd::Function<edge_padding>
{
  public:
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &a,
        int64_t before, int64_t after)
    {
        context->saved_data["before"] = before;
        context->saved_data["after"] = after;
        return pad_edge(a, before, after);
    }

    static torch::autograd::tensor_list backward(
        torch::autograd::AutogradContext *context, torch::autograd::tensor_list grads)
    {
        int64_t before = context->saved_data["before"].toInt(),
                after = context->saved_data["after"].toInt();
        const at::Tensor &grad = grads[0];
        int64_t height = grad.size(2) - before - after, width = grad.size(3) - before - after;
        at::Tensor ends[2]; // the repeated rows, folded along the width: small
        for (int end = 0; end < 2; end++) {
            at::Tensor part =
                end ? grad.narrow(2, before + height, after) : grad.narrow(2, 0, before);
            ends[end] = part.narrow(3, before, width).clone();
            fold(ends[end], part, 3, before, after);
        }
        at::Tensor rows = grad.narrow(2, before, height);
        at::Tensor inner = rows.narrow(3, before, width).clone(grad.suggest_memory_format());
        fold(inner, rows, 3, before, after);
        if (before > 0)
            inner.select(2, 0).add_(ends[0].sum(2));
        if (after > 0)
            inner.select(2, height - 1).add_(ends[1].sum(2));
        return {inner, at::Tensor(), at::Tensor()};
    }
};
} // namespace

extern "C" void atc_pad_edge(tensor *out__, tensor a, int64_t before, int64_t after)
{
    protect([&] {
        out__[0] = nullptr;
        TORCH_CHECK(a->dim() == 4 && before >= 0 && after >= 0, "edge padding of ", a->sizes(),
            " by ", before, " and ", after);
        bool differentiable = at::GradMode::is_enabled() && a->requires_grad();
        out__[0] = new at::Tensor(
            differentiable ? edge_padding::apply(*a, before, after) : pad_edge(*a, before, after));
    });
}
