/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "pipeline/weights/pickle.h"
#include "pipeline/weights/torch_zip.h"
#include "tests/fuzz/touch_arrays.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The archive, and the same bytes as a bare pickle, so that the pickle reader is reached without a zip
 * around it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct array_table table;
    struct pickle *pickle = NULL;
    array_table_init(&table);
    if (torch_zip_read(data, size, &table, NULL) == PF_OK)
        touch_arrays(&table);
    array_table_finish(&table);
    if (pickle_read(&pickle, data, size, NULL) == PF_OK)
        pickle_destroy(pickle);
    return 0;
}
