/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/header.h"

#include <string.h>

/* EXIF is a small TIFF file: byte order, 42, the offset of a directory of 12-byte entries.
 * Orientation is tag 0x0112 of the first directory, one SHORT. Source: CIPA DC-008 (Exif 2.32)
 * §4.5, §4.6.4. */

enum {
    EXIF_TAG_ORIENTATION = 0x0112,
    EXIF_TYPE_SHORT = 3,
    EXIF_ENTRY_SIZE = 12,
};

struct tiff {
    const uint8_t *bytes;
    size_t count;
    int big_endian;
};

static uint32_t tiff_u16(const struct tiff *tiff, size_t at)
{
    return tiff->big_endian ? image_be16(tiff->bytes + at) : image_le16(tiff->bytes + at);
}

static uint32_t tiff_u32(const struct tiff *tiff, size_t at)
{
    return tiff->big_endian ? image_be32(tiff->bytes + at) : image_le32(tiff->bytes + at);
}

static int entry_orientation(const struct tiff *tiff, size_t at)
{
    if (tiff_u16(tiff, at) != EXIF_TAG_ORIENTATION || tiff_u16(tiff, at + 2) != EXIF_TYPE_SHORT ||
        tiff_u32(tiff, at + 4) != 1)
        return 0;
    uint32_t value = tiff_u16(tiff, at + 8);
    return value >= 1 && value <= 8 ? (int)value : 0;
}

int image_exif_orientation(const uint8_t *bytes, size_t count)
{
    if (count >= 6 && memcmp(bytes, "Exif\0\0", 6) == 0) {
        bytes += 6;
        count -= 6;
    }
    if (count < 8)
        return 1;
    struct tiff tiff = {bytes, count, bytes[0] == 'M'};
    if (memcmp(bytes, tiff.big_endian ? "MM" : "II", 2) != 0 || tiff_u16(&tiff, 2) != 42)
        return 1;
    size_t at = tiff_u32(&tiff, 4);
    if (at > count || count - at < 2)
        return 1;
    size_t entries = tiff_u16(&tiff, at);
    at += 2;
    for (size_t i = 0; i < entries && count - at >= EXIF_ENTRY_SIZE; i++, at += EXIF_ENTRY_SIZE) {
        int orientation = entry_orientation(&tiff, at);
        if (orientation)
            return orientation;
    }
    return 1;
}
