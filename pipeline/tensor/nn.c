/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/tensor/nn.h"

tensor nn_linear(struct scope *s, const struct nn_linear *layer, tensor x)
{
    return op_linear(s, x, layer->weight, layer->bias);
}

tensor nn_conv2d(struct scope *s, const struct nn_conv2d *layer, tensor x)
{
    int padding = layer->padding;
    if (padding == 0 || !layer->pads_edge)
        return op_conv2d(s, x, layer->weight, layer->bias, layer->stride, padding);
    tensor padded = op_pad_edge(s, x, padding, padding);
    tensor y = op_conv2d(s, padded, layer->weight, layer->bias, layer->stride, 0);
    scope_drop(s, padded);
    return y;
}

tensor nn_pad_end(struct scope *s, const struct nn_conv2d *layer, tensor x)
{
    return layer->pads_edge ? op_pad_edge(s, x, 0, 1) : op_pad(s, x, DIMS(0, 1, 0, 1));
}

tensor nn_group_norm(struct scope *s, const struct nn_group_norm *layer, tensor x)
{
    return op_group_norm(s, x, layer->groups, layer->weight, layer->bias, layer->eps);
}

tensor nn_layer_norm(struct scope *s, const struct nn_layer_norm *layer, tensor x)
{
    return op_layer_norm(s, x, layer->weight, layer->bias, layer->eps);
}

tensor nn_group_norm_silu(struct scope *s, const struct nn_group_norm *layer, tensor x)
{
    tensor normed = nn_group_norm(s, layer, x);
    return tensor_requires_grad(normed) ? op_silu(s, normed) : op_silu_in(s, normed);
}

tensor nn_add_to(struct scope *s, tensor a, tensor b)
{
    if (!scope_ok(s))
        return NULL;
    return tensor_requires_grad(a) || tensor_requires_grad(b) ? op_add(s, a, b)
                                                              : op_add_in(s, a, b);
}

tensor nn_to_tokens(struct scope *s, tensor x)
{
    int64_t batch = tensor_dim(x, 0), channels = tensor_dim(x, 1);
    return op_reshape(s, op_permute(s, x, DIMS(0, 2, 3, 1)),
        DIMS(batch, tensor_dim(x, 2) * tensor_dim(x, 3), channels));
}

tensor nn_from_tokens(struct scope *s, tensor tokens, int64_t height, int64_t width)
{
    int64_t batch = tensor_dim(tokens, 0), channels = tensor_dim(tokens, 2);
    return op_permute(
        s, op_reshape(s, tokens, DIMS(batch, height, width, channels)), DIMS(0, 3, 1, 2));
}

tensor nn_split_heads(struct scope *s, tensor x, int heads)
{
    int64_t batch = tensor_dim(x, 0), length = tensor_dim(x, 1), width = tensor_dim(x, 2);
    return op_transpose(s, op_reshape(s, x, DIMS(batch, length, heads, width / heads)), 1, 2);
}

tensor nn_merge_heads(struct scope *s, tensor x)
{
    int64_t batch = tensor_dim(x, 0), length = tensor_dim(x, 2);
    return op_reshape(
        s, op_transpose(s, x, 1, 2), DIMS(batch, length, tensor_dim(x, 1) * tensor_dim(x, 3)));
}
