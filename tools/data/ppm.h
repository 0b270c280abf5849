/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_DATA_PPM_H
#define TOOLS_DATA_PPM_H

/* Binary ppm (P6) and pgm (P5) of 8 bits: pictures that need no library, so that a build without
 * libvips trains and measures too. */

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "pipeline/image/image.h"

int ppm_is(const void *bytes, size_t count);

/* The sizes and where the pixels begin, without touching those. A pgm has one channel. CORRUPT
 * when the header is damaged or the pixels are cut short; INVALID over the limits. */
struct ppm_header {
    int width, height, channels;
    size_t offset;
};
PF_MUST_CHECK enum pf_status ppm_read_header(const void *bytes, size_t count,
    const struct image_limits *limits, struct ppm_header *ret_header, struct pf_error *err);

/* A whole picture, grey in all three planes for a pgm. Errors: as above, NOMEM. */
PF_MUST_CHECK enum pf_status ppm_decode(const void *bytes, size_t count,
    const struct image_limits *limits, struct image *ret_image, struct pf_error *err);

/* Appends a P6 file; values are clamped to [0,1] and rounded. `comment` (one line, without '#') or
 * NULL is written behind the magic. */
PF_MUST_CHECK enum pf_status ppm_encode(
    const struct image *image, const char *comment, struct buffer *ret, struct pf_error *err);

/* Decodes by magic: ppm and pgm here, anything else by image_decode(), one thread at a time. */
PF_MUST_CHECK enum pf_status picture_decode(const void *bytes, size_t count,
    const struct image_limits *limits, struct image *ret_image, struct pf_error *err);

#endif
