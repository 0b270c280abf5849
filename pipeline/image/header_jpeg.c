/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/header.h"

#include <string.h>

/* Segments FF xx, most with a length, up to the first scan (SOS). A frame header SOFn has the size,
 * APP1 "Exif" the orientation. Source: ITU T.81 annex B.
 *
 * Pictures behind the first one (MPO, gain maps of phones) are no frames of an animation: ignored.
 */

enum {
    JPEG_SOF0 = 0xc0,
    JPEG_DHT = 0xc4,
    JPEG_JPG = 0xc8,
    JPEG_DAC = 0xcc,
    JPEG_SOF15 = 0xcf,
    JPEG_RST0 = 0xd0,
    JPEG_RST7 = 0xd7,
    JPEG_SOI = 0xd8,
    JPEG_EOI = 0xd9,
    JPEG_SOS = 0xda,
    JPEG_APP1 = 0xe1,
    JPEG_TEM = 0x01,
};

static int is_frame_header(int marker)
{
    return marker >= JPEG_SOF0 && marker <= JPEG_SOF15 && marker != JPEG_DHT &&
           marker != JPEG_JPG && marker != JPEG_DAC;
}

static int has_length(int marker)
{
    return !(marker >= JPEG_RST0 && marker <= JPEG_EOI) && marker != JPEG_TEM;
}

static enum pf_status read_frame_header(
    int marker, const uint8_t *data, size_t size, struct image_header *header, struct pf_error *err)
{
    if (header->stored_width)
        return pf_fail(err, PF_CORRUPT, "jpeg: two frame headers");
    if (size < 6)
        return pf_fail(
            err, PF_CORRUPT, "jpeg: the frame header has %zu bytes, at least 6 are due", size);
    /* Baseline, extended and progressive, by Huffman or arithmetic coding. */
    int kind = marker - JPEG_SOF0;
    if (kind != 0 && kind != 1 && kind != 2 && kind != 9 && kind != 10)
        return pf_fail(err, PF_UNSUPPORTED, "a lossless or hierarchical jpeg (SOF%d)", kind);
    if (data[0] != 8)
        return pf_fail(err, PF_UNSUPPORTED, "a jpeg of %d bits; 8 are taken", data[0]);
    header->stored_height = image_be16(data + 1);
    header->stored_width = image_be16(data + 3);
    int components = data[5];
    if (components != 1 && components != 3 && components != 4)
        return pf_fail(
            err, PF_UNSUPPORTED, "a jpeg of %d components; 1, 3 or 4 are taken", components);
    if (header->stored_width < 1 || header->stored_height < 1)
        return pf_fail(err, PF_CORRUPT, "jpeg: the size is %d×%d", (int)header->stored_width,
            (int)header->stored_height);
    return PF_OK;
}

/* The marker at *at, behind fill bytes; *at is left behind it. -1 when there is none. */
static int next_marker(const uint8_t *bytes, size_t count, size_t *at)
{
    if (*at >= count || bytes[*at] != 0xff)
        return -1;
    while (*at < count && bytes[*at] == 0xff)
        ++*at;
    return *at < count ? bytes[(*at)++] : -1;
}

enum pf_status image_header_read_jpeg(
    const uint8_t *bytes, size_t count, struct image_header *header, struct pf_error *err)
{
    int seen_exif = 0;
    for (size_t at = 2;;) {
        int marker = next_marker(bytes, count, &at);
        if (marker < 0 || marker == 0 || marker == JPEG_EOI)
            return pf_fail(err, PF_CORRUPT, "jpeg: no scan before byte %zu of %zu", at, count);
        if (!has_length(marker))
            continue;
        if (count - at < 2 || image_be16(bytes + at) < 2 || image_be16(bytes + at) > count - at)
            return pf_fail(err, PF_CORRUPT,
                "jpeg: the segment ff%02x at byte %zu leaves the file's %zu bytes", marker, at,
                count);
        const uint8_t *data = bytes + at + 2;
        size_t size = image_be16(bytes + at) - 2;
        if (marker == JPEG_SOS)
            break;
        if (is_frame_header(marker))
            PF_TRY(read_frame_header(marker, data, size, header, err));
        if (marker == JPEG_APP1 && !seen_exif && size >= 6 && memcmp(data, "Exif\0\0", 6) == 0) {
            header->orientation = image_exif_orientation(data, size);
            seen_exif = 1;
        }
        at += 2 + size;
    }
    if (!header->stored_width)
        return pf_fail(err, PF_CORRUPT, "jpeg: a scan without a frame header");
    return PF_OK;
}
