/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/header.h"

#include <inttypes.h>
#include <string.h>

/* A signature, then chunks: length, type, data, CRC. IHDR comes first and has the size; tRNS and
 * acTL (an APNG's number of frames) come before the pixels (IDAT), eXIf on either side of them.
 * Source: PNG, Third Edition, §5, §11. CRCs are left to the decoder. */

enum {
    PNG_SIGNATURE_SIZE = 8,
    PNG_CHUNK_OVERHEAD = 12,
    PNG_IHDR_SIZE = 13,
    PNG_COLOUR_GREY = 0,
    PNG_COLOUR_RGB = 2,
    PNG_COLOUR_PALETTE = 3,
    PNG_COLOUR_GREY_ALPHA = 4,
    PNG_COLOUR_RGB_ALPHA = 6,
};

struct png_chunk {
    const uint8_t *type; /* 4 bytes */
    const uint8_t *data;
    size_t size;     /* as the chunk says */
    int is_complete; /* data and CRC are within the file */
};

static int chunk_is(const struct png_chunk *chunk, const char *type)
{
    return memcmp(chunk->type, type, 4) == 0;
}

/* The chunk at `at`; 0 when not even its type is there. */
static int read_chunk(const uint8_t *bytes, size_t count, size_t at, struct png_chunk *ret_chunk)
{
    if (count - at < 8)
        return 0;
    size_t size = image_be32(bytes + at);
    *ret_chunk = (struct png_chunk){
        .type = bytes + at + 4,
        .data = bytes + at + 8,
        .size = size,
        .is_complete = count - at >= PNG_CHUNK_OVERHEAD && size <= count - at - PNG_CHUNK_OVERHEAD,
    };
    return 1;
}

/* Bit b is set when a colour type allows a depth of b bits; 0: no such colour type. */
static unsigned colour_type_depths(int colour_type)
{
    switch (colour_type) {
    case PNG_COLOUR_GREY:
        return 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8 | 1u << 16;
    case PNG_COLOUR_PALETTE:
        return 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8;
    case PNG_COLOUR_RGB:
    case PNG_COLOUR_GREY_ALPHA:
    case PNG_COLOUR_RGB_ALPHA:
        return 1u << 8 | 1u << 16;
    default:
        return 0;
    }
}

static enum pf_status read_ihdr(
    const struct png_chunk *chunk, struct image_header *header, struct pf_error *err)
{
    if (!chunk_is(chunk, "IHDR") || chunk->size != PNG_IHDR_SIZE || !chunk->is_complete)
        return pf_fail(err, PF_CORRUPT, "png: the file does not begin with a whole IHDR chunk");
    header->stored_width = image_be32(chunk->data);
    header->stored_height = image_be32(chunk->data + 4);
    int depth = chunk->data[8], colour_type = chunk->data[9];
    if (depth > 16 || !(colour_type_depths(colour_type) >> depth & 1))
        return pf_fail(
            err, PF_CORRUPT, "png: colour type %d with %d bits does not exist", colour_type, depth);
    if (chunk->data[10] != 0 || chunk->data[11] != 0 || chunk->data[12] > 1)
        return pf_fail(err, PF_CORRUPT, "png: unknown compression %d, filter %d or interlace %d",
            chunk->data[10], chunk->data[11], chunk->data[12]);
    header->has_alpha = colour_type == PNG_COLOUR_GREY_ALPHA || colour_type == PNG_COLOUR_RGB_ALPHA;
    return PF_OK;
}

static enum pf_status read_animation(const struct png_chunk *chunk, struct pf_error *err)
{
    if (chunk->size != 8)
        return pf_fail(err, PF_CORRUPT, "png: the acTL chunk has %zu bytes, not 8", chunk->size);
    uint32_t frames = image_be32(chunk->data);
    if (frames > 1)
        return pf_fail(
            err, PF_UNSUPPORTED, "an animation of %" PRIu32 " frames; one is taken", frames);
    return PF_OK;
}

enum pf_status image_header_read_png(
    const uint8_t *bytes, size_t count, struct image_header *header, struct pf_error *err)
{
    struct png_chunk chunk;
    if (!read_chunk(bytes, count, PNG_SIGNATURE_SIZE, &chunk))
        return pf_fail(err, PF_CORRUPT, "png: %zu bytes are too few for a header", count);
    PF_TRY(read_ihdr(&chunk, header, err));
    size_t at = PNG_SIGNATURE_SIZE + PNG_CHUNK_OVERHEAD + PNG_IHDR_SIZE;
    int seen_pixels = 0;
    while (read_chunk(bytes, count, at, &chunk)) {
        if (chunk_is(&chunk, "IDAT"))
            seen_pixels = 1;
        if (!chunk.is_complete || chunk_is(&chunk, "IEND"))
            break;
        if (chunk_is(&chunk, "eXIf"))
            header->orientation = image_exif_orientation(chunk.data, chunk.size);
        if (chunk_is(&chunk, "tRNS") && !seen_pixels)
            header->has_alpha = 1;
        if (chunk_is(&chunk, "acTL") && !seen_pixels)
            PF_TRY(read_animation(&chunk, err));
        at += PNG_CHUNK_OVERHEAD + chunk.size;
    }
    /* A file cut in the pixels still has its header; the decoder will say what is missing. */
    if (!seen_pixels)
        return pf_fail(err, PF_CORRUPT, "png: no pixels (IDAT) before byte %zu of %zu", at, count);
    return PF_OK;
}
