/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_WRITER_H
#define PIPELINE_WEIGHTS_WRITER_H

/* Inside of checkpoint_write.h: what the two formats add to the common stream of bytes. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "pipeline/weights/array_table.h"
#include "pipeline/weights/crc32.h"

struct writer_format;

/* Where an array's entry went in a zip. */
struct writer_entry {
    uint64_t local_at;
    uint64_t size;
    uint32_t crc;
};

struct checkpoint_writer {
    const struct writer_format *format;
    char *path, *temporary;
    int fd;
    unsigned char *pending; /* bytes not written yet */
    size_t pending_size;
    uint64_t position; /* in the file, pending bytes included */
    struct array_table table;
    int begun;                    /* header written, puts may come */
    size_t index;                 /* array in work */
    uint64_t left;                /* bytes it still needs */
    struct crc32 *crc32;          /* torch zip */
    uint32_t crc;                 /* torch zip: of the entry in work */
    struct writer_entry *entries; /* torch zip: by array, then the fixed ones */
    size_t entry_count;
};

/* Called in this order: begin, (array_begin, array_end) for each array, end. NULL: nothing to do.
 */
struct writer_format {
    enum pf_status (*begin)(struct checkpoint_writer *writer, struct pf_error *err);
    enum pf_status (*array_begin)(struct checkpoint_writer *writer, struct pf_error *err);
    void (*array_bytes)(struct checkpoint_writer *writer, const void *bytes, size_t count);
    enum pf_status (*array_end)(struct checkpoint_writer *writer, struct pf_error *err);
    enum pf_status (*end)(struct checkpoint_writer *writer, struct pf_error *err);
    int has_metadata;
};

extern const struct writer_format writer_safetensors;
extern const struct writer_format writer_torch_zip;

/* Appends bytes to the file. */
PF_MUST_CHECK enum pf_status writer_out(
    struct checkpoint_writer *writer, const void *bytes, size_t count, struct pf_error *err);

/* Bytes of an array; the table holds only arrays whose size fits. */
uint64_t writer_array_size(const struct array *array);

#endif
