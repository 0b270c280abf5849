/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_ARRAY_TABLE_H
#define PIPELINE_WEIGHTS_ARRAY_TABLE_H

/* What the readers of both formats fill: arrays by name and metadata. Names are copied. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "pipeline/weights/checkpoint.h"

struct metadata_pair {
    char *key;
    char *value;
};

struct array_table {
    struct array *arrays;
    size_t count, capacity;
    uint32_t *slots; /* hash → index + 1; 0 is empty; at most half full */
    size_t slot_count;
    uint64_t seed; /* of the hash, so that a file can't be made to collide */
    struct metadata_pair *pairs;
    size_t pair_count, pair_capacity;
    size_t skipped_count; /* entries that are no tensors */
};

void array_table_init(struct array_table *table);
void array_table_finish(struct array_table *table);

/* Adds a copy of `array` under the name (bytes, without NUL). PF_CORRUPT when the name is empty,
 * too long, no text or taken, PF_UNSUPPORTED over CHECKPOINT_ARRAYS_MAX, PF_NOMEM. */
PF_MUST_CHECK enum pf_status array_table_add(struct array_table *table, const struct array *array,
    const char *name, size_t name_size, struct pf_error *err);

const struct array *array_table_find(const struct array_table *table, const char *name);

PF_MUST_CHECK enum pf_status array_table_add_metadata(
    struct array_table *table, const char *key, const char *value, struct pf_error *err);

/* How much of a foreign name goes into a message. */
enum { ARRAY_NAME_SHOWN = 160 };

/* Whether bytes can be a name: 1 … CHECKPOINT_NAME_MAX bytes of UTF-8 without control characters.
 */
PF_MUST_CHECK enum pf_status array_name_check(const char *name, size_t size, struct pf_error *err);

/* The number of elements of a shape; negative dims and overflow are PF_CORRUPT and name `name`. */
PF_MUST_CHECK enum pf_status array_count_elements(
    const char *name, const int64_t *dims, int dim_count, int64_t *ret_count, struct pf_error *err);

#endif
