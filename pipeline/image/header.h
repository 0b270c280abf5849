/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_IMAGE_HEADER_H
#define PIPELINE_IMAGE_HEADER_H

/* What the headers of png, jpeg and webp say, read without any library. Internal to pipeline/image.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/params.h"
#include "pipeline/image/image.h"

struct image_header {
    enum image_format format;
    int64_t stored_width, stored_height; /* as the pixels lie in the file */
    int orientation;                     /* 1 … 8, as EXIF numbers them */
    int has_alpha;
};

/* Reads and checks magic, sizes, limits and number of frames. Fails as image_probe() does. */
PF_MUST_CHECK enum pf_status image_header_read(const uint8_t *bytes, size_t count,
    const struct image_limits *limits, struct image_header *ret_header, struct pf_error *err);

/* Orientations 5 … 8 swap width and height. */
int image_orientation_swaps(int orientation);

/* One reader per format; the magic has been seen. They fill everything but `format`. */
PF_MUST_CHECK enum pf_status image_header_read_png(
    const uint8_t *bytes, size_t count, struct image_header *header, struct pf_error *err);
PF_MUST_CHECK enum pf_status image_header_read_jpeg(
    const uint8_t *bytes, size_t count, struct image_header *header, struct pf_error *err);
PF_MUST_CHECK enum pf_status image_header_read_webp(
    const uint8_t *bytes, size_t count, struct image_header *header, struct pf_error *err);

/* The orientation in an EXIF block, with or without the leading "Exif\0\0"; 1 when there is none or
 * the block is damaged: broken metadata does not make a picture unreadable. */
int image_exif_orientation(const uint8_t *bytes, size_t count);

/* Unaligned reads; the caller has checked the bounds. */
static inline uint32_t image_be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t image_be32(const uint8_t *p)
{
    return image_be16(p) << 16 | image_be16(p + 2);
}

static inline uint32_t image_le16(const uint8_t *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

static inline uint32_t image_le24(const uint8_t *p)
{
    return (uint32_t)p[2] << 16 | image_le16(p);
}

static inline uint32_t image_le32(const uint8_t *p)
{
    return image_le16(p + 2) << 16 | image_le16(p);
}

#endif
