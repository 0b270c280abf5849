/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/header.h"

#include <string.h>

/* Segments FF xx, most with a length. A frame header SOFn has the size, APP1 "Exif" the
 * orientation; behind each SOS follow entropy-coded bytes, in which FF is FF 00, so that FF xx is
 * always a marker. Source: ITU T.81 annex B.
 *
 * The walk goes on to the end, for one number: a progressive jpeg may have any number of scans,
 * each some twenty bytes in the file and a pass over all coefficients in the decoder, and libjpeg
 * has no bound. Bytes between segments are skipped as libjpeg skips them, so that both see the same
 * markers.
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
    JPEG_SCANS_MAX = 100, /* encoders make about ten, the thriftiest some dozens */
};

static int is_frame_header(int marker)
{
    return marker >= JPEG_SOF0 && marker <= JPEG_SOF15 && marker != JPEG_DHT &&
           marker != JPEG_JPG && marker != JPEG_DAC;
}

/* Markers below SOF0 are reserved: no decoder takes them for a segment. */
static int has_length(int marker)
{
    return marker >= JPEG_SOF0 && !(marker >= JPEG_RST0 && marker <= JPEG_EOI);
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

/* The next marker from *at on; *at is left behind it. -1 when there is none. */
static int next_marker(const uint8_t *bytes, size_t count, size_t *at)
{
    while (*at < count) {
        const uint8_t *found = memchr(bytes + *at, 0xff, count - *at);
        *at = found ? (size_t)(found - bytes) : count;
        while (*at < count && bytes[*at] == 0xff)
            ++*at;
        if (*at < count && bytes[(*at)++] != 0)
            return bytes[*at - 1];
    }
    return -1;
}

/* Size of the segment's data at `at`; -1 when it leaves the file. */
static int64_t segment_size(const uint8_t *bytes, size_t count, size_t at)
{
    if (count - at < 2 || image_be16(bytes + at) < 2 || image_be16(bytes + at) > count - at)
        return -1;
    return (int64_t)image_be16(bytes + at) - 2;
}

/* Everything up to and with the first scan's header; *at is left behind it. */
static enum pf_status read_header(const uint8_t *bytes, size_t count, size_t *at,
    struct image_header *header, struct pf_error *err)
{
    int seen_exif = 0;
    for (;;) {
        int marker = next_marker(bytes, count, at);
        if (marker < 0 || marker == JPEG_EOI)
            return pf_fail(err, PF_CORRUPT, "jpeg: no scan before byte %zu of %zu", *at, count);
        if (!has_length(marker))
            continue;
        int64_t size = segment_size(bytes, count, *at);
        if (size < 0)
            return pf_fail(err, PF_CORRUPT,
                "jpeg: the segment ff%02x at byte %zu leaves the file's %zu bytes", marker, *at,
                count);
        const uint8_t *data = bytes + *at + 2;
        *at += 2 + (size_t)size;
        if (marker == JPEG_SOS)
            return PF_OK;
        if (is_frame_header(marker))
            PF_TRY(read_frame_header(marker, data, (size_t)size, header, err));
        if (marker == JPEG_APP1 && !seen_exif && size >= 6 && memcmp(data, "Exif\0\0", 6) == 0) {
            header->orientation = image_exif_orientation(data, (size_t)size);
            seen_exif = 1;
        }
    }
}

/* Scans from `at`, which is behind the first one's header; a file cut short ends the count. */
static size_t count_scans(const uint8_t *bytes, size_t count, size_t at)
{
    size_t scans = 1;
    for (;;) {
        int marker = next_marker(bytes, count, &at);
        if (marker < 0 || marker == JPEG_EOI)
            return scans;
        if (!has_length(marker))
            continue;
        int64_t size = segment_size(bytes, count, at);
        if (size < 0)
            return scans;
        scans += marker == JPEG_SOS;
        at += 2 + (size_t)size;
    }
}

enum pf_status image_header_read_jpeg(
    const uint8_t *bytes, size_t count, struct image_header *header, struct pf_error *err)
{
    size_t at = 2;
    PF_TRY(read_header(bytes, count, &at, header, err));
    if (!header->stored_width)
        return pf_fail(err, PF_CORRUPT, "jpeg: a scan without a frame header");
    size_t scans = count_scans(bytes, count, at);
    if (scans > JPEG_SCANS_MAX)
        return pf_fail(
            err, PF_INVALID, "the jpeg has %zu scans, at most %d are taken", scans, JPEG_SCANS_MAX);
    return PF_OK;
}
