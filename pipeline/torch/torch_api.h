/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TORCH_TORCH_API_H
#define PIPELINE_TORCH_TORCH_API_H

/* A C face of libtorch, in the names and signatures of the shim that comes with tch (the Rust
 * bindings), for the functions we use. What is different here:
 *
 *   - handles are typed and opaque (there: void *);
 *   - every C++ exception is caught, also those that are no std::exception;
 *   - the first error is kept until read, a second one is dropped, not leaked;
 *   - outputs are NULL (or 0) on failure, never left undefined;
 *   - running out of host or device memory can be told from other errors.
 *
 * Errors are per thread: after a call, get_and_reset_last_err() gives the message or NULL.
 * Handles returned are owned by the caller and freed with at_free().
 *
 * Devices: -1 is the CPU, i >= 0 is CUDA device i. Types: c10::ScalarType as int. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
namespace at
{
class Tensor;
}
namespace c10
{
class Scalar;
}
typedef at::Tensor *tensor;
typedef c10::Scalar *scalar;
extern "C" {
#else
typedef struct torch_tensor *tensor;
typedef struct torch_scalar *scalar;
#endif

enum { TORCH_DEVICE_CPU = -1 };

/* The first error since the last call, malloc'd, or NULL. One line, without the C++ backtrace. */
char *get_and_reset_last_err(void);

/* 1 when the pending error (not yet reset) is an out-of-memory. */
int torch_last_err_is_oom(void);

/* "1.13.1", "2.5.1+cu124": of the headers built against. Static. */
const char *torch_version(void);

void at_manual_seed(int64_t seed);
int at_get_num_threads(void);
void at_set_num_threads(int threads);
void at_set_num_interop_threads(int threads);

/* A tensor over the caller's memory, which must outlive it. */
tensor at_tensor_of_blob(void *data, int64_t *dims, size_t dim_count, int64_t *strides,
    size_t stride_count, int type, int device);
/* A tensor with a copy of the caller's row-major memory. */
tensor at_tensor_of_data(void *data, int64_t *dims, size_t dim_count, size_t element_size, int type);
/* Copies `element_count` elements out, row-major, from any device. */
void at_copy_data(tensor t, void *data, size_t element_count, size_t element_size);
tensor at_shallow_clone(tensor t);
void at_free(tensor t);

void *at_data_ptr(tensor t);
int at_defined(tensor t);
size_t at_dim(tensor t);
void at_shape(tensor t, int64_t *ret_dims);
void at_stride(tensor t, int64_t *ret_strides);
int at_scalar_type(tensor t);
int at_device(tensor t);
int at_is_contiguous(tensor t);
int at_requires_grad(tensor t);

/* Sets the thread's grad mode; returns the former one. */
int at_grad_set_enabled(int enabled);
/* Gradients of the sum of `tensors` (scalars) with respect to `inputs`, into `outputs`. */
void at_run_backward(tensor *tensors, int tensor_count, tensor *inputs, int input_count,
    tensor *outputs, int keep_graph, int create_graph);

void at_copy_(tensor dst, tensor src);

scalar ats_int(int64_t value);
scalar ats_float(double value);
void ats_free(scalar value);

int atc_cuda_device_count(void);
int atc_cuda_is_available(void);
int atc_cudnn_is_available(void);
void atc_synchronize(int64_t device_index);

/* Ours, without a counterpart in tch. */

/* Runs on the CPU in bfloat16 fast (the CPU has the instructions and libtorch its oneDNN kernels). */
int atc_cpu_has_fast_bf16(void);
/* Compute capability of a CUDA device as 10 * major + minor; 0 when it can't be told. */
int atc_cuda_capability(int device_index);
/* softmax(q·kᵀ/√D)·v for q [B,H,T,D], k [B,H,S,D], v [B,H,S,E]: libtorch's fused kernel where it has
 * one, chunks of queries elsewhere; the [T,S] scores never exist whole, nor in the backward. The result
 * [B,H,T,E] may be strided. */
void atc_attention(tensor *out__, tensor q, tensor k, tensor v);
/* a [B,C,H,W], of any type and memory format, with its first row and column repeated `before` times and
 * the last ones `after` times: a new tensor [B,C,H+before+after,W+before+after] in a's format. */
void atc_pad_edge(tensor *out__, tensor a, int64_t before, int64_t after);

/* Frees what the caching allocators hold unused. */
void atc_empty_cache(void);
/* Bytes of device memory in use by this process' allocator; 0 where unknown. */
int64_t atc_cuda_memory_allocated(int device_index);

#include "pipeline/torch/torch_api_generated.h"

#ifdef __cplusplus
}
#endif

#endif
