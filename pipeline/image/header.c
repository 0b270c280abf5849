/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/header.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"

/* A picture from outside is looked at before any decoder gets it. The readers beside this file walk
 * the container only, so a probe costs the same for a pixel and for a bomb, and the decision which
 * decoder runs, and on how many pixels, is ours and not the file's. Decoding compares the decoder's
 * size with this one, so a file can't show two faces. */

/* Formats people do send; naming them makes the refusal readable. */
struct other_format {
    const char *name;
    size_t offset;
    const char *magic;
};

static const struct other_format other_formats[] = {
    {"gif", 0, "GIF8"},
    {"bmp", 0, "BM"},
    {"tiff", 0, "II*"},
    {"tiff", 0, "MM"},
    {"heic", 4, "ftyphei"},
    {"heic", 4, "ftypmif1"},
    {"avif", 4, "ftypavif"},
    {"pdf", 0, "%PDF"},
    {"svg", 0, "<svg"},
    {"jpeg xl", 0, "\xff\x0a"},
    {"jpeg xl", 4, "JXL "},
};

static int has_magic(
    const uint8_t *bytes, size_t count, size_t offset, const char *magic, size_t magic_size)
{
    return count >= offset + magic_size && memcmp(bytes + offset, magic, magic_size) == 0;
}

static enum pf_status fail_magic(const uint8_t *bytes, size_t count, struct pf_error *err)
{
    if (count == 0)
        return pf_fail(err, PF_UNSUPPORTED, "the file is empty; png, jpeg and webp are taken");
    for (size_t i = 0; i < COUNT_OF(other_formats); i++) {
        const struct other_format *other = &other_formats[i];
        if (has_magic(bytes, count, other->offset, other->magic, strlen(other->magic)))
            return pf_fail(
                err, PF_UNSUPPORTED, "a %s file; png, jpeg and webp are taken", other->name);
    }
    uint8_t first[4] = {0};
    memcpy(first, bytes, count < 4 ? count : 4);
    return pf_fail(err, PF_UNSUPPORTED,
        "not a png, jpeg or webp file: %zu bytes that begin with %02x %02x %02x %02x", count,
        first[0], first[1], first[2], first[3]);
}

static enum pf_status check_limits(
    const struct image_header *header, const struct image_limits *limits, struct pf_error *err)
{
    int64_t width = header->stored_width, height = header->stored_height;
    if (width < 1 || height < 1)
        return pf_fail(err, PF_CORRUPT, "the image's size is %" PRId64 "×%" PRId64, width, height);
    if (width > limits->max_side || height > limits->max_side)
        return pf_fail(err, PF_INVALID,
            "the image has %" PRId64 "×%" PRId64 " pixels, at most %d a side are taken", width,
            height, limits->max_side);
    /* Both sides fit in an int here, so the product fits in 64 bits. */
    if (width * height > limits->max_pixels)
        return pf_fail(err, PF_INVALID,
            "the image has %" PRId64 "×%" PRId64 " = %" PRId64 " pixels, at most %" PRId64
            " are taken",
            width, height, width * height, limits->max_pixels);
    return PF_OK;
}

int image_orientation_swaps(int orientation)
{
    return orientation >= 5;
}

enum pf_status image_header_read(const uint8_t *bytes, size_t count,
    const struct image_limits *limits, struct image_header *ret_header, struct pf_error *err)
{
    struct image_header header = {.orientation = 1};
    if (has_magic(bytes, count, 0, "\x89PNG\r\n\x1a\n", 8)) {
        header.format = IMAGE_FORMAT_PNG;
        PF_TRY(image_header_read_png(bytes, count, &header, err));
    } else if (has_magic(bytes, count, 0, "\xff\xd8\xff", 3)) {
        header.format = IMAGE_FORMAT_JPEG;
        PF_TRY(image_header_read_jpeg(bytes, count, &header, err));
    } else if (has_magic(bytes, count, 0, "RIFF", 4) && has_magic(bytes, count, 8, "WEBP", 4)) {
        header.format = IMAGE_FORMAT_WEBP;
        PF_TRY(image_header_read_webp(bytes, count, &header, err));
    } else {
        return fail_magic(bytes, count, err);
    }
    PF_TRY(check_limits(&header, limits, err));
    *ret_header = header;
    return PF_OK;
}

enum pf_status image_probe(const void *bytes, size_t count, const struct image_limits *limits,
    struct image_info *ret_info, struct pf_error *err)
{
    struct image_header header;
    PF_TRY(image_header_read(bytes, count, limits, &header, err));
    int swaps = image_orientation_swaps(header.orientation);
    *ret_info = (struct image_info){
        .format = header.format,
        .width = (int)(swaps ? header.stored_height : header.stored_width),
        .height = (int)(swaps ? header.stored_width : header.stored_height),
        .has_alpha = header.has_alpha,
    };
    return PF_OK;
}
