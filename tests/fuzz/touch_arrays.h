/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_TOUCH_ARRAYS_H
#define TESTS_FUZZ_TOUCH_ARRAYS_H

/* Reads the first and last byte that each array claims, so that a sanitizer sees a wrong claim, and
 * finds each by its name. */

#include <stdint.h>
#include <stdlib.h>

#include "pipeline/weights/array_table.h"

static inline void touch_arrays(const struct array_table *table)
{
    volatile unsigned char sink = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct array *array = &table->arrays[i];
        int64_t last = 0;
        if (array_table_find(table, array->name) != array)
            abort();
        if (array->element_count == 0)
            continue;
        for (int d = 0; d < array->dim_count; d++)
            last += (array->dims[d] - 1) * array->strides[d];
        sink = (unsigned char)(sink + array->data[0]);
        sink = (unsigned char)(sink +
                               array->data[((size_t)last + 1) * dtype_size(array->dtype) - 1]);
    }
}

#endif
