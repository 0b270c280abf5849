/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_SAFETENSORS_H
#define PIPELINE_WEIGHTS_SAFETENSORS_H

/* The safetensors format: 8 bytes little-endian header size, a JSON header {name: {dtype, shape,
 * data_offsets}, …, "__metadata__": {text: text}}, then the data. Arrays lie row-major,
 * little-endian, in any order of names but without hole or overlap from the header's end to the
 * file's. Source: the format's README and reference implementation (huggingface/safetensors). */

#include <stddef.h>

#include "base/error.h"
#include "pipeline/weights/array_table.h"

enum {
    SAFETENSORS_HEADER_MAX = 100000000, /* the reference implementation's own bound */
    SAFETENSORS_PREFIX_SIZE = 8,
};

/* Fills an initialised table with arrays that point into `data`. The table's content is undefined
 * after an error.
 * Errors  PF_CORRUPT with names and numbers; PF_UNSUPPORTED unknown dtype, too many dimensions */
PF_MUST_CHECK enum pf_status safetensors_read(
    const unsigned char *data, size_t size, struct array_table *table, struct pf_error *err);

#endif
