// SPDX-License-Identifier: Apache-2.0
// The operators of torch_api_generated.h: each body is one libtorch call behind the exception wall.
#include "pipeline/torch/torch_cxx.h"

#define OUT(expression) protect([&] { out__[0] = nullptr; out__[0] = new at::Tensor(expression); })

extern "C" {

void atg_abs(tensor *out__, tensor self)
{
    OUT(torch::abs(*self));
}

void atg_add(tensor *out__, tensor self, tensor other)
{
    OUT(torch::add(*self, *other));
}

void atg_add_(tensor *out__, tensor self, tensor other)
{
    OUT(self->add_(*other));
}

void atg_add_scaled_(tensor *out__, tensor self, tensor other, scalar alpha)
{
    OUT(self->add_(*other, *alpha));
}

void atg_add_scalar(tensor *out__, tensor self, scalar other)
{
    OUT(torch::add(*self, *other));
}

void atg_addcdiv_(tensor *out__, tensor self, tensor tensor1, tensor tensor2, scalar value)
{
    OUT(self->addcdiv_(*tensor1, *tensor2, *value));
}

void atg_addcmul_(tensor *out__, tensor self, tensor tensor1, tensor tensor2, scalar value)
{
    OUT(self->addcmul_(*tensor1, *tensor2, *value));
}

void atg_all(tensor *out__, tensor self)
{
    OUT(torch::all(*self));
}

void atg_amax(tensor *out__, tensor self, int64_t *dim_data, int dim_len, int keepdim)
{
    OUT(torch::amax(*self, dims(dim_data, dim_len), keepdim != 0));
}

void atg_arange(tensor *out__, scalar end, int options_kind, int options_device)
{
    OUT(torch::arange(*end, options(options_kind, options_device)));
}

void atg_avg_pool2d(tensor *out__, tensor self, int64_t *kernel_size_data, int kernel_size_len, int64_t *stride_data, int stride_len, int64_t *padding_data, int padding_len)
{
    OUT(torch::avg_pool2d(*self, dims(kernel_size_data, kernel_size_len), dims(stride_data, stride_len), dims(padding_data, padding_len)));
}

void atg_baddbmm(tensor *out__, tensor self, tensor batch1, tensor batch2, scalar beta, scalar alpha)
{
    OUT(torch::baddbmm(*self, *batch1, *batch2, *beta, *alpha));
}

void atg_bmm(tensor *out__, tensor self, tensor mat2)
{
    OUT(torch::bmm(*self, *mat2));
}

void atg_cat(tensor *out__, tensor *tensors_data, int tensors_len, int64_t dim)
{
    OUT(torch::cat(list(tensors_data, tensors_len), dim));
}

void atg_clamp(tensor *out__, tensor self, scalar min, scalar max)
{
    OUT(torch::clamp(*self, *min, *max));
}

void atg_clamp_min(tensor *out__, tensor self, scalar min)
{
    OUT(torch::clamp_min(*self, *min));
}

void atg_clone(tensor *out__, tensor self)
{
    OUT(torch::clone(*self));
}

void atg_constant_pad_nd(tensor *out__, tensor self, int64_t *pad_data, int pad_len)
{
    OUT(torch::constant_pad_nd(*self, dims(pad_data, pad_len)));
}

void atg_contiguous(tensor *out__, tensor self)
{
    OUT(self->contiguous());
}

void atg_conv2d(tensor *out__, tensor input, tensor weight, tensor bias, int64_t *stride_data, int stride_len, int64_t *padding_data, int padding_len, int64_t *dilation_data, int dilation_len, int64_t groups)
{
    OUT(torch::conv2d(*input, *weight, optional(bias), dims(stride_data, stride_len), dims(padding_data, padding_len), dims(dilation_data, dilation_len), groups));
}

void atg_copy_(tensor *out__, tensor self, tensor src)
{
    OUT(self->copy_(*src));
}

void atg_cos(tensor *out__, tensor self)
{
    OUT(torch::cos(*self));
}

void atg_detach(tensor *out__, tensor self)
{
    OUT(torch::detach(*self));
}

void atg_div(tensor *out__, tensor self, tensor other)
{
    OUT(torch::div(*self, *other));
}

void atg_div_scalar(tensor *out__, tensor self, scalar other)
{
    OUT(torch::div(*self, *other));
}

void atg_embedding(tensor *out__, tensor weight, tensor indices, int64_t padding_idx, int scale_grad_by_freq, int sparse)
{
    OUT(torch::embedding(*weight, *indices, padding_idx, scale_grad_by_freq != 0, sparse != 0));
}

void atg_empty(tensor *out__, int64_t *size_data, int size_len, int options_kind, int options_device)
{
    OUT(torch::empty(dims(size_data, size_len), options(options_kind, options_device)));
}

void atg_exp(tensor *out__, tensor self)
{
    OUT(torch::exp(*self));
}

void atg_expand(tensor *out__, tensor self, int64_t *size_data, int size_len, int implicit)
{
    OUT(self->expand(dims(size_data, size_len), implicit != 0));
}

void atg_fft_fft2(tensor *out__, tensor self, int64_t *s_data, int s_len, int64_t *dim_data, int dim_len, char *norm_ptr, int norm_len)
{
    OUT(torch::fft_fft2(*self, size_or_none(s_data, s_len), dims(dim_data, dim_len), norm_or_none(norm_ptr, norm_len)));
}

void atg_fft_ifft2(tensor *out__, tensor self, int64_t *s_data, int s_len, int64_t *dim_data, int dim_len, char *norm_ptr, int norm_len)
{
    OUT(torch::fft_ifft2(*self, size_or_none(s_data, s_len), dims(dim_data, dim_len), norm_or_none(norm_ptr, norm_len)));
}

void atg_flip(tensor *out__, tensor self, int64_t *dims_data, int dims_len)
{
    OUT(torch::flip(*self, dims(dims_data, dims_len)));
}

void atg_full(tensor *out__, int64_t *size_data, int size_len, scalar fill_value, int options_kind, int options_device)
{
    OUT(torch::full(dims(size_data, size_len), *fill_value, options(options_kind, options_device)));
}

void atg_gelu(tensor *out__, tensor self, char *approximate, int approximate_len)
{
    OUT(torch::gelu(*self, std::string(approximate, approximate_len)));
}

void atg_group_norm(tensor *out__, tensor input, int64_t num_groups, tensor weight, tensor bias, double eps, int cudnn_enabled)
{
    OUT(torch::group_norm(*input, num_groups, optional(weight), optional(bias), eps, cudnn_enabled != 0));
}

void atg_index_select(tensor *out__, tensor self, int64_t dim, tensor index)
{
    OUT(torch::index_select(*self, dim, *index));
}

void atg_isfinite(tensor *out__, tensor self)
{
    OUT(torch::isfinite(*self));
}

void atg_layer_norm(tensor *out__, tensor input, int64_t *normalized_shape_data, int normalized_shape_len, tensor weight, tensor bias, double eps, int cudnn_enable)
{
    OUT(torch::layer_norm(*input, dims(normalized_shape_data, normalized_shape_len), optional(weight), optional(bias), eps, cudnn_enable != 0));
}

void atg_linear(tensor *out__, tensor input, tensor weight, tensor bias)
{
    OUT(torch::linear(*input, *weight, optional(bias)));
}

void atg_log(tensor *out__, tensor self)
{
    OUT(torch::log(*self));
}

void atg_matmul(tensor *out__, tensor self, tensor other)
{
    OUT(torch::matmul(*self, *other));
}

void atg_max_pool2d(tensor *out__, tensor self, int64_t *kernel_size_data, int kernel_size_len, int64_t *stride_data, int stride_len, int64_t *padding_data, int padding_len, int64_t *dilation_data, int dilation_len, int ceil_mode)
{
    OUT(torch::max_pool2d(*self, dims(kernel_size_data, kernel_size_len), dims(stride_data, stride_len), dims(padding_data, padding_len), dims(dilation_data, dilation_len), ceil_mode != 0));
}

void atg_maximum(tensor *out__, tensor self, tensor other)
{
    OUT(torch::maximum(*self, *other));
}

void atg_mean(tensor *out__, tensor self, int dtype)
{
    OUT(torch::mean(*self, dtype_or_none(dtype)));
}

void atg_mean_dim(tensor *out__, tensor self, int64_t *dim_data, int dim_len, int keepdim, int dtype)
{
    OUT(torch::mean(*self, dims(dim_data, dim_len), keepdim != 0, dtype_or_none(dtype)));
}

void atg_mul(tensor *out__, tensor self, tensor other)
{
    OUT(torch::mul(*self, *other));
}

void atg_mul_scalar(tensor *out__, tensor self, scalar other)
{
    OUT(torch::mul(*self, *other));
}

void atg_mul_scalar_(tensor *out__, tensor self, scalar other)
{
    OUT(self->mul_(*other));
}

void atg_narrow(tensor *out__, tensor self, int64_t dim, int64_t start, int64_t length)
{
    OUT(torch::narrow(*self, dim, start, length));
}

void atg_neg(tensor *out__, tensor self)
{
    OUT(torch::neg(*self));
}

void atg_permute(tensor *out__, tensor self, int64_t *dims_data, int dims_len)
{
    OUT(self->permute(dims(dims_data, dims_len)));
}

void atg_pow_tensor_scalar(tensor *out__, tensor self, scalar exponent)
{
    OUT(torch::pow(*self, *exponent));
}

void atg_real(tensor *out__, tensor self)
{
    OUT(torch::real(*self));
}

void atg_reshape(tensor *out__, tensor self, int64_t *shape_data, int shape_len)
{
    OUT(torch::reshape(*self, dims(shape_data, shape_len)));
}

void atg_select(tensor *out__, tensor self, int64_t dim, int64_t index)
{
    OUT(torch::select(*self, dim, index));
}

void atg_set_requires_grad(tensor *out__, tensor self, int r)
{
    OUT(self->set_requires_grad(r != 0));
}

void atg_sigmoid(tensor *out__, tensor self)
{
    OUT(torch::sigmoid(*self));
}

void atg_silu(tensor *out__, tensor self)
{
    OUT(torch::silu(*self));
}

void atg_silu_(tensor *out__, tensor self)
{
    OUT(torch::silu_(*self));
}

void atg_sin(tensor *out__, tensor self)
{
    OUT(torch::sin(*self));
}

void atg_softmax(tensor *out__, tensor self, int64_t dim, int dtype)
{
    OUT(torch::softmax(*self, dim, dtype_or_none(dtype)));
}

void atg_sqrt(tensor *out__, tensor self)
{
    OUT(torch::sqrt(*self));
}

void atg_square(tensor *out__, tensor self)
{
    OUT(torch::square(*self));
}

void atg_squeeze_dim(tensor *out__, tensor self, int64_t dim)
{
    OUT(torch::squeeze(*self, dim));
}

void atg_stack(tensor *out__, tensor *tensors_data, int tensors_len, int64_t dim)
{
    OUT(torch::stack(list(tensors_data, tensors_len), dim));
}

void atg_sub(tensor *out__, tensor self, tensor other)
{
    OUT(torch::sub(*self, *other));
}

void atg_sub_scalar(tensor *out__, tensor self, scalar other)
{
    OUT(torch::sub(*self, *other));
}

void atg_sum(tensor *out__, tensor self, int dtype)
{
    OUT(torch::sum(*self, dtype_or_none(dtype)));
}

void atg_sum_dim_intlist(tensor *out__, tensor self, int64_t *dim_data, int dim_len, int keepdim, int dtype)
{
    OUT(torch::sum(*self, dims(dim_data, dim_len), keepdim != 0, dtype_or_none(dtype)));
}

void atg_to(tensor *out__, tensor self, int device)
{
    OUT(self->to(device_of(device)));
}

void atg_to_dtype(tensor *out__, tensor self, int dtype, int non_blocking, int copy)
{
    OUT(self->to(at::ScalarType(dtype), non_blocking != 0, copy != 0));
}

void atg_transpose(tensor *out__, tensor self, int64_t dim0, int64_t dim1)
{
    OUT(torch::transpose(*self, dim0, dim1));
}

void atg_triu(tensor *out__, tensor self, int64_t diagonal)
{
    OUT(torch::triu(*self, diagonal));
}

void atg_unsqueeze(tensor *out__, tensor self, int64_t dim)
{
    OUT(torch::unsqueeze(*self, dim));
}

void atg_upsample_nearest2d(tensor *out__, tensor self, int64_t *output_size_data, int output_size_len, double scales_h_v, uint8_t scales_h_null, double scales_w_v, uint8_t scales_w_null)
{
    OUT(torch::upsample_nearest2d(*self, dims(output_size_data, output_size_len), scale_or_none(scales_h_v, scales_h_null != 0), scale_or_none(scales_w_v, scales_w_null != 0)));
}

void atg_zeros(tensor *out__, int64_t *size_data, int size_len, int options_kind, int options_device)
{
    OUT(torch::zeros(dims(size_data, size_len), options(options_kind, options_device)));
}

} // extern "C"
