/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PIPELINE_WEIGHTS_ARCHIVE_H
#define TESTS_PIPELINE_WEIGHTS_ARCHIVE_H

/* Hand-made files for the readers' tests: safetensors, zip archives with every field open to lies,
 * and pickles assembled from opcodes. Nothing here checks anything. */

#include "base/buffer.h"

/* One entry of a zip; what is 0 is told truthfully. */
struct archive_entry {
    const char *name;
    const void *data;
    size_t size;
    int method;             /* 8: claims to be deflated */
    int flags;              /* 8: sizes behind the data */
    int zip64;              /* sizes and offset in the zip64 extra field */
    const char *local_name; /* another name in the local header */
    uint64_t size_lie;      /* another size in the directory */
    uint64_t local_lie;     /* another size in the local header */
    uint64_t offset_lie;    /* another place of the local header in the directory */
};

struct archive_options {
    int zip64;              /* end record of zip64, the plain one full of 0xFF */
    const char *comment;    /* behind the end record */
    uint64_t count_lie;     /* another number of entries */
    uint64_t directory_lie; /* another begin of the directory */
    uint64_t end64_lie;     /* another place of the zip64 record */
};

void archive_put_le(struct buffer *out, uint64_t value, int byte_count);
void archive_put(struct buffer *out, const struct archive_entry *entries, size_t count,
    const struct archive_options *options);

/* header size, header, body */
void archive_put_safetensors(struct buffer *out, const char *header, const void *body, size_t size);

/* --- pickles: each puts the opcodes that leave one value on the stack --- */

void pickle_put_text(struct buffer *out, const char *text);
void pickle_put_int(struct buffer *out, int64_t value);
void pickle_put_ints(struct buffer *out, const int64_t *values, int count); /* a tuple */

struct pickle_tensor {
    const char *storage_class; /* "torch\nFloatStorage" */
    const char *key;
    int64_t storage_size;
    int64_t offset;
    int count; /* of dims and strides */
    int64_t dims[12], strides[12];
    const char *scalar; /* "torch\nfloat16": _rebuild_tensor_v3 over an untyped storage */
};

void pickle_put_tensor(struct buffer *out, const struct pickle_tensor *tensor);

#endif
