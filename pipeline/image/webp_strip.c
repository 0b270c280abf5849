/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/webp_strip.h"

#include <string.h>

#include "pipeline/image/header.h"

enum {
    WEBP_FIRST_CHUNK = 12,
    WEBP_CHUNK_HEADER = 8,
    WEBP_FLAGS_METADATA = 0x20 | 0x08 | 0x04, /* of VP8X: ICC, EXIF, XMP */
};

static int is_metadata(const uint8_t *type)
{
    return memcmp(type, "EXIF", 4) == 0 || memcmp(type, "XMP ", 4) == 0 ||
           memcmp(type, "ICCP", 4) == 0;
}

size_t image_webp_strip(uint8_t *bytes, size_t count)
{
    size_t kept = WEBP_FIRST_CHUNK;
    for (size_t at = WEBP_FIRST_CHUNK; at + WEBP_CHUNK_HEADER <= count;) {
        size_t size = image_le32(bytes + at + 4);
        size += WEBP_CHUNK_HEADER + (size & 1);
        if (size > count - at)
            size = count - at;
        if (memcmp(bytes + at, "VP8X", 4) == 0 && size > WEBP_CHUNK_HEADER)
            bytes[at + WEBP_CHUNK_HEADER] &= (uint8_t)~WEBP_FLAGS_METADATA;
        if (!is_metadata(bytes + at)) {
            memmove(bytes + kept, bytes + at, size);
            kept += size;
        }
        at += size;
    }
    for (int i = 0; i < 4; i++)
        bytes[4 + i] = (uint8_t)((kept - 8) >> 8 * i);
    return kept;
}
