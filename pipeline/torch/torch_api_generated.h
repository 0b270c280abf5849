/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TORCH_TORCH_API_GENERATED_H
#define PIPELINE_TORCH_TORCH_API_GENERATED_H

/* The operators, one C function each, as tch's generator names and orders them: the output pointer
 * first, a list as pointer and length, an optional tensor as NULL, an optional number as value and
 * "is null" flag, a missing dtype as a negative number. Include torch_api.h, not this file. */

void atg_abs(tensor *out__, tensor self);
void atg_add(tensor *out__, tensor self, tensor other);
void atg_add_(tensor *out__, tensor self, tensor other);
void atg_add_scaled_(tensor *out__, tensor self, tensor other, scalar alpha);
void atg_add_scalar(tensor *out__, tensor self, scalar other);
void atg_addcdiv_(tensor *out__, tensor self, tensor tensor1, tensor tensor2, scalar value);
void atg_addcmul_(tensor *out__, tensor self, tensor tensor1, tensor tensor2, scalar value);
void atg_all(tensor *out__, tensor self);
void atg_amax(tensor *out__, tensor self, int64_t *dim_data, int dim_len, int keepdim);
void atg_arange(tensor *out__, scalar end, int options_kind, int options_device);
void atg_avg_pool2d(tensor *out__, tensor self, int64_t *kernel_size_data, int kernel_size_len, int64_t *stride_data, int stride_len, int64_t *padding_data, int padding_len);
void atg_baddbmm(tensor *out__, tensor self, tensor batch1, tensor batch2, scalar beta, scalar alpha);
void atg_bmm(tensor *out__, tensor self, tensor mat2);
void atg_cat(tensor *out__, tensor *tensors_data, int tensors_len, int64_t dim);
void atg_clamp(tensor *out__, tensor self, scalar min, scalar max);
void atg_clamp_min(tensor *out__, tensor self, scalar min);
void atg_clone(tensor *out__, tensor self);
void atg_constant_pad_nd(tensor *out__, tensor self, int64_t *pad_data, int pad_len);
void atg_contiguous(tensor *out__, tensor self);
void atg_conv2d(tensor *out__, tensor input, tensor weight, tensor bias, int64_t *stride_data, int stride_len, int64_t *padding_data, int padding_len, int64_t *dilation_data, int dilation_len, int64_t groups);
void atg_copy_(tensor *out__, tensor self, tensor src);
void atg_cos(tensor *out__, tensor self);
void atg_detach(tensor *out__, tensor self);
void atg_div(tensor *out__, tensor self, tensor other);
void atg_div_scalar(tensor *out__, tensor self, scalar other);
void atg_embedding(tensor *out__, tensor weight, tensor indices, int64_t padding_idx, int scale_grad_by_freq, int sparse);
void atg_empty(tensor *out__, int64_t *size_data, int size_len, int options_kind, int options_device);
void atg_exp(tensor *out__, tensor self);
void atg_expand(tensor *out__, tensor self, int64_t *size_data, int size_len, int implicit);
void atg_fft_fft2(tensor *out__, tensor self, int64_t *s_data, int s_len, int64_t *dim_data, int dim_len, char *norm_ptr, int norm_len);
void atg_fft_ifft2(tensor *out__, tensor self, int64_t *s_data, int s_len, int64_t *dim_data, int dim_len, char *norm_ptr, int norm_len);
void atg_flip(tensor *out__, tensor self, int64_t *dims_data, int dims_len);
void atg_full(tensor *out__, int64_t *size_data, int size_len, scalar fill_value, int options_kind, int options_device);
void atg_gelu(tensor *out__, tensor self, char *approximate, int approximate_len);
void atg_group_norm(tensor *out__, tensor input, int64_t num_groups, tensor weight, tensor bias, double eps, int cudnn_enabled);
void atg_index_select(tensor *out__, tensor self, int64_t dim, tensor index);
void atg_isfinite(tensor *out__, tensor self);
void atg_layer_norm(tensor *out__, tensor input, int64_t *normalized_shape_data, int normalized_shape_len, tensor weight, tensor bias, double eps, int cudnn_enable);
void atg_linear(tensor *out__, tensor input, tensor weight, tensor bias);
void atg_log(tensor *out__, tensor self);
void atg_matmul(tensor *out__, tensor self, tensor other);
void atg_max_pool2d(tensor *out__, tensor self, int64_t *kernel_size_data, int kernel_size_len, int64_t *stride_data, int stride_len, int64_t *padding_data, int padding_len, int64_t *dilation_data, int dilation_len, int ceil_mode);
void atg_maximum(tensor *out__, tensor self, tensor other);
void atg_mean(tensor *out__, tensor self, int dtype);
void atg_mean_dim(tensor *out__, tensor self, int64_t *dim_data, int dim_len, int keepdim, int dtype);
void atg_mul(tensor *out__, tensor self, tensor other);
void atg_mul_scalar(tensor *out__, tensor self, scalar other);
void atg_mul_scalar_(tensor *out__, tensor self, scalar other);
void atg_narrow(tensor *out__, tensor self, int64_t dim, int64_t start, int64_t length);
void atg_neg(tensor *out__, tensor self);
void atg_permute(tensor *out__, tensor self, int64_t *dims_data, int dims_len);
void atg_pow_tensor_scalar(tensor *out__, tensor self, scalar exponent);
void atg_real(tensor *out__, tensor self);
void atg_reshape(tensor *out__, tensor self, int64_t *shape_data, int shape_len);
void atg_select(tensor *out__, tensor self, int64_t dim, int64_t index);
void atg_set_requires_grad(tensor *out__, tensor self, int r);
void atg_sigmoid(tensor *out__, tensor self);
void atg_silu(tensor *out__, tensor self);
void atg_silu_(tensor *out__, tensor self);
void atg_sin(tensor *out__, tensor self);
void atg_softmax(tensor *out__, tensor self, int64_t dim, int dtype);
void atg_sqrt(tensor *out__, tensor self);
void atg_square(tensor *out__, tensor self);
void atg_squeeze_dim(tensor *out__, tensor self, int64_t dim);
void atg_stack(tensor *out__, tensor *tensors_data, int tensors_len, int64_t dim);
void atg_sub(tensor *out__, tensor self, tensor other);
void atg_sub_scalar(tensor *out__, tensor self, scalar other);
void atg_sum(tensor *out__, tensor self, int dtype);
void atg_sum_dim_intlist(tensor *out__, tensor self, int64_t *dim_data, int dim_len, int keepdim, int dtype);
void atg_to(tensor *out__, tensor self, int device);
void atg_to_dtype(tensor *out__, tensor self, int dtype, int non_blocking, int copy);
void atg_transpose(tensor *out__, tensor self, int64_t dim0, int64_t dim1);
void atg_triu(tensor *out__, tensor self, int64_t diagonal);
void atg_unsqueeze(tensor *out__, tensor self, int64_t dim);
void atg_upsample_nearest2d(tensor *out__, tensor self, int64_t *output_size_data, int output_size_len, double scales_h_v, uint8_t scales_h_null, double scales_w_v, uint8_t scales_w_null);
void atg_zeros(tensor *out__, int64_t *size_data, int size_len, int options_kind, int options_device);

/* As at::Tensor::contiguous(memory_format): 0 row-major, 2 channels last. */
void at_contiguous_format(tensor *out__, tensor self, int memory_format);

#endif
