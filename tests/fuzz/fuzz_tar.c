/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives: reading ends, every file found lies within the archive, and none before the last.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/data/ppm.h"
#include "tools/data/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

/* A ppm among them is decoded, or refused without a trace. */
static void decode(const uint8_t *bytes, size_t size)
{
    static const struct image_limits limits = {4096, 256};
    struct image image = IMAGE_INIT;
    if (!ppm_is(bytes, size))
        return;
    if (ppm_decode(bytes, size, &limits, &image, NULL) == PF_OK)
        require(image.width >= 1 && image.width <= limits.max_side && image.rgb != NULL);
    else
        require(image.rgb == NULL);
    image_finish(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t offset = 0, last = 0;
    for (;;) {
        struct tar_entry entry;
        struct pf_error err = PF_ERROR_INIT;
        int found = 0;
        size_t before = offset;
        if (tar_next(data, size, &offset, &entry, &found, &err) != PF_OK) {
            require(offset == before && err.message[0] != '\0');
            return 0;
        }
        if (!found)
            return 0;
        require(offset > before && offset <= size);
        require(entry.offset >= last + TAR_BLOCK && entry.offset <= size);
        require(entry.size <= size - entry.offset);
        require(strlen(entry.name) <= TAR_NAME_MAX);
        decode(data + entry.offset, entry.size);
        last = entry.offset - TAR_BLOCK + 1;
    }
}
