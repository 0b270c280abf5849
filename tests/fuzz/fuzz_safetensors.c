/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "pipeline/weights/safetensors.h"
#include "tests/fuzz/touch_arrays.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct array_table table;
    array_table_init(&table);
    if (safetensors_read(data, size, &table, NULL) == PF_OK)
        touch_arrays(&table);
    array_table_finish(&table);
    return 0;
}
