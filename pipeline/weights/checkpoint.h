/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_CHECKPOINT_H
#define PIPELINE_WEIGHTS_CHECKPOINT_H

/* A checkpoint file as a table of named arrays; knows nothing of libtorch. The file stays mapped,
 * arrays point into it, nothing is copied. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum dtype {
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F32,
    DTYPE_F64,
    DTYPE_I8,
    DTYPE_U8,
    DTYPE_I16,
    DTYPE_I32,
    DTYPE_I64,
    DTYPE_BOOL,
};

size_t dtype_size(enum dtype dtype);
const char *dtype_name(enum dtype dtype); /* safetensors' names: "F16", "BF16", … */

/* The dtype of such a name: 1 and *ret_dtype, or 0 for a name that isn't ours. */
int dtype_from_name(const char *name, enum dtype *ret_dtype);

enum { ARRAY_DIMS_MAX = 8 };

struct array {
    const char *name; /* the state dict's key; owned by the checkpoint */
    enum dtype dtype;
    int dim_count;
    int64_t dims[ARRAY_DIMS_MAX];
    int64_t strides[ARRAY_DIMS_MAX]; /* in elements; row-major unless a ckpt says otherwise */
    const unsigned char *data;       /* first element, little-endian, inside the mapped file; not
                                        necessarily aligned */
    int64_t element_count;
};

enum {
    CHECKPOINT_ARRAYS_MAX = 1 << 20,
    CHECKPOINT_NAME_MAX = 1024, /* bytes of an array's name; UTF-8 without control characters */
};

enum checkpoint_format { CHECKPOINT_SAFETENSORS, CHECKPOINT_TORCH_ZIP };

struct checkpoint;

/* Opens by content, not by name: safetensors, or a PyTorch zip (.ckpt/.pth/.pt; stored entries,
 * zip64; a flat state dict or one nested under "state_dict"). Every offset, shape, dtype and
 * overlap is checked before this returns. The pickle reader builds data by a whitelist of opcodes
 * and classes and never runs anything; plain entries of the dict that are no tensors (numbers,
 * texts, lists, dicts) are skipped, an object of a class we don't know in a tensor's place is an
 * error. Checksums of zip entries are not verified: that would read the whole file before its
 * first use.
 *
 * Errors  PF_NOT_FOUND, PF_IO can't be read; PF_CORRUPT broken, with the entry and the numbers;
 *         PF_UNSUPPORTED well-formed but not taken (legacy non-zip pickle, compressed entries,
 *         unknown dtype or class). Messages start with the path. */
PF_MUST_CHECK enum pf_status checkpoint_open(
    struct checkpoint **ret_checkpoint, const char *path, struct pf_error *err);
void checkpoint_close(struct checkpoint *checkpoint);

enum checkpoint_format checkpoint_format(const struct checkpoint *checkpoint);
size_t checkpoint_file_size(const struct checkpoint *checkpoint);

size_t checkpoint_array_count(const struct checkpoint *checkpoint);
const struct array *checkpoint_array_at(const struct checkpoint *checkpoint, size_t index);

/* By name, O(1); NULL when absent. */
const struct array *checkpoint_find(const struct checkpoint *checkpoint, const char *name);

/* Entries that were left out because they are no tensors (always 0 for safetensors). */
size_t checkpoint_skipped_count(const struct checkpoint *checkpoint);

/* safetensors' __metadata__; NULL when absent (always for a ckpt). */
const char *checkpoint_metadata(const struct checkpoint *checkpoint, const char *key);
size_t checkpoint_metadata_count(const struct checkpoint *checkpoint);
void checkpoint_metadata_at(const struct checkpoint *checkpoint, size_t index, const char **ret_key,
    const char **ret_value);

/* Tells the kernel that an array's pages are not needed any more (after it was copied to a device
 * or another dtype), so that peak memory stays near one copy of the model. */
void checkpoint_release(const struct checkpoint *checkpoint, const struct array *array);

#endif
