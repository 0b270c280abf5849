/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TENSOR_TENSOR_H
#define PIPELINE_TENSOR_TENSOR_H

/* Tensors and the scopes that own them.
 *
 * A scope owns every tensor its ops returned and frees them when it ends; the handles are borrowed.
 * After the first error in the scope's `err` all ops are no-ops that return NULL, so forward code is
 * written straight through, like the formula, and checked once at its end:
 *
 *     SCOPE(s, err);
 *     tensor h = op_silu(&s, nn_group_norm(&s, &block->norm, x));
 *     …
 *     return scope_move(&s, h, out);     NULL when anything above failed
 *
 * A scope belongs to one thread. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "pipeline/torch/torch_api.h"

/* Element types, by c10::ScalarType's numbers. */
enum tensor_type {
    TENSOR_U8 = 0,
    TENSOR_I64 = 4,
    TENSOR_F16 = 5,
    TENSOR_F32 = 6,
    TENSOR_F64 = 7,
    TENSOR_BOOL = 11,
    TENSOR_BF16 = 15,
};

enum { TENSOR_DIMS_MAX = 8 };

/* Where and in what precision a model computes. */
struct tensor_place {
    int device;            /* TORCH_DEVICE_CPU, or a CUDA device's index */
    enum tensor_type type; /* of weights and activations */
};

struct scope {
    tensor *tensors; /* owned */
    size_t count, capacity;
    struct pf_error *err; /* never NULL; shared by nested scopes */
};

#define SCOPE(name, error)                                                                         \
    struct scope name __attribute__((cleanup(scope_finish))) = {NULL, 0, 0, (error)}

void scope_init(struct scope *scope, struct pf_error *err);
void scope_finish(struct scope *scope);

/* Whether nothing failed so far. */
int scope_ok(const struct scope *scope);

/* Takes ownership of a handle from the shim (NULL: the pending libtorch error becomes the scope's). */
tensor scope_take(struct scope *scope, tensor owned);

/* Hands a tensor out: the caller frees it with tensor_free(). NULL stays NULL. */
tensor scope_keep(struct scope *scope, tensor t);

/* Passes a tensor on to another scope; returns it. */
tensor scope_move(struct scope *from, tensor t, struct scope *to);

/* Frees a tensor before its scope ends (large activations). */
void scope_drop(struct scope *scope, tensor t);

/* Frees NULL too. */
void tensor_free(tensor t);

/* The same storage behind a second handle, owned by `scope`. */
tensor tensor_alias(struct scope *scope, tensor t);

/* Reads `count` = product of dims row-major elements of the caller's memory into a new tensor. */
tensor tensor_from_f32(struct scope *scope, const float *data, const int64_t *dims, int dim_count);
tensor tensor_from_i64(struct scope *scope, const int64_t *data, const int64_t *dims, int dim_count);

/* Copies a tensor (any device and float type) out as row-major float32; `count` must be its number of
 * elements. */
PF_MUST_CHECK enum pf_status tensor_to_f32(tensor t, float *ret_data, int64_t count,
    struct pf_error *err);

/* The value of a tensor with one element; 0 after an error. */
double tensor_scalar(struct scope *scope, tensor t);

/* Sizes; 0 for NULL, as after an error (its type is then float32, its device the CPU). Negative
 * `dim` counts from the end. */
int64_t tensor_dim(tensor t, int dim);
int tensor_dim_count(tensor t);
int64_t tensor_count(tensor t);
enum tensor_type tensor_type(tensor t);
int tensor_device(tensor t);
int tensor_requires_grad(tensor t); /* a leaf that asks for gradients, or computed from one */

/* Whether both have the same sizes. */
int tensor_same_shape(tensor a, tensor b);

/* Bytes of one element; "float32", "bfloat16", … */
size_t tensor_type_size(enum tensor_type type);
const char *tensor_type_name(enum tensor_type type);

/* Lets somebody stop a computation in the middle: `wanted` is asked before every operation of this
 * thread, so it must be cheap; once it returns non-zero the scope at hand fails with PF_CANCELLED.
 * NULL switches it off. One per process. */
void tensor_set_interrupt(int (*wanted)(void *context), void *context);

/* Gradients on within a block: `int former = tensor_grad_enable(1); …; tensor_grad_enable(former);`
 * They are off from pipeline start on. */
int tensor_grad_enable(int enabled);

#endif
