/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/header.h"

#include <string.h>

/* RIFF chunks: type, length, data, padded to an even length. A simple file is one VP8 (lossy) or
 * VP8L (lossless) chunk; an extended one begins with VP8X, which has the canvas' size, and may hold
 * ALPH, EXIF and, when animated, one ANMF per frame. Source: RFC 9649 §2. */

enum {
    WEBP_FIRST_CHUNK = 12,
    WEBP_CHUNK_HEADER = 8,
    WEBP_FLAG_ALPHA = 0x10,
};

struct webp_walk {
    struct image_header *header;
    int is_extended;
    int has_picture; /* a VP8 or VP8L chunk */
    size_t frames;   /* ANMF chunks */
};

static enum pf_status set_size(
    struct webp_walk *walk, int64_t width, int64_t height, struct pf_error *err)
{
    struct image_header *header = walk->header;
    if (walk->is_extended && (width != header->stored_width || height != header->stored_height))
        return pf_fail(err, PF_CORRUPT, "webp: a picture of %d×%d on a canvas of %d×%d", (int)width,
            (int)height, (int)header->stored_width, (int)header->stored_height);
    header->stored_width = width;
    header->stored_height = height;
    walk->has_picture = 1;
    return PF_OK;
}

static enum pf_status read_lossy(
    struct webp_walk *walk, const uint8_t *data, size_t size, struct pf_error *err)
{
    if (size < 10 || (data[0] & 1) != 0 || memcmp(data + 3, "\x9d\x01\x2a", 3) != 0)
        return pf_fail(err, PF_CORRUPT, "webp: the VP8 chunk is no key frame");
    return set_size(walk, image_le16(data + 6) & 0x3fff, image_le16(data + 8) & 0x3fff, err);
}

static enum pf_status read_lossless(
    struct webp_walk *walk, const uint8_t *data, size_t size, struct pf_error *err)
{
    if (size < 5 || data[0] != 0x2f)
        return pf_fail(err, PF_CORRUPT, "webp: the VP8L chunk has no signature");
    uint32_t bits = image_le32(data + 1);
    if (!walk->is_extended)
        walk->header->has_alpha = (int)(bits >> 28 & 1);
    return set_size(walk, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1, err);
}

static enum pf_status read_extended(
    struct webp_walk *walk, const uint8_t *data, size_t size, struct pf_error *err)
{
    if (size < 10)
        return pf_fail(err, PF_CORRUPT, "webp: the VP8X chunk has %zu bytes, 10 are due", size);
    walk->is_extended = 1;
    walk->header->has_alpha = (data[0] & WEBP_FLAG_ALPHA) != 0;
    walk->header->stored_width = image_le24(data + 4) + 1;
    walk->header->stored_height = image_le24(data + 7) + 1;
    return PF_OK;
}

static enum pf_status read_chunk(struct webp_walk *walk, const uint8_t *type, const uint8_t *data,
    size_t size, struct pf_error *err)
{
    if (memcmp(type, "ANMF", 4) == 0)
        walk->frames++;
    if (memcmp(type, "EXIF", 4) == 0)
        walk->header->orientation = image_exif_orientation(data, size);
    if (memcmp(type, "VP8X", 4) == 0 || walk->has_picture)
        return PF_OK; /* VP8X counts as the first chunk only, a picture only once */
    if (memcmp(type, "VP8 ", 4) == 0)
        return read_lossy(walk, data, size, err);
    if (memcmp(type, "VP8L", 4) == 0)
        return read_lossless(walk, data, size, err);
    return PF_OK;
}

static enum pf_status check_walk(const struct webp_walk *walk, struct pf_error *err)
{
    if (walk->frames > 1)
        return pf_fail(
            err, PF_UNSUPPORTED, "an animation of %zu frames; one is taken", walk->frames);
    if (!walk->has_picture && walk->frames == 0)
        return pf_fail(err, PF_CORRUPT, "webp: no picture in the file");
    return PF_OK;
}

enum pf_status image_header_read_webp(
    const uint8_t *bytes, size_t count, struct image_header *header, struct pf_error *err)
{
    size_t riff_size = image_le32(bytes + 4);
    if (riff_size > count - 8)
        return pf_fail(
            err, PF_CORRUPT, "webp: the file says %zu bytes, it has %zu", riff_size + 8, count);
    size_t end = riff_size + 8;
    struct webp_walk walk = {.header = header};
    for (size_t at = WEBP_FIRST_CHUNK; at + WEBP_CHUNK_HEADER <= end;) {
        const uint8_t *type = bytes + at, *data = type + WEBP_CHUNK_HEADER;
        size_t size = image_le32(type + 4);
        if (size > end - at - WEBP_CHUNK_HEADER)
            return pf_fail(err, PF_CORRUPT, "webp: the chunk at byte %zu ends behind the file", at);
        if (at == WEBP_FIRST_CHUNK && memcmp(type, "VP8X", 4) == 0)
            PF_TRY(read_extended(&walk, data, size, err));
        else
            PF_TRY(read_chunk(&walk, type, data, size, err));
        at += WEBP_CHUNK_HEADER + size + (size & 1);
    }
    return check_walk(&walk, err);
}
