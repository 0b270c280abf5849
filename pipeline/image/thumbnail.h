/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_IMAGE_THUMBNAIL_H
#define PIPELINE_IMAGE_THUMBNAIL_H

/* A small picture of an image file, for a vision-language model to look at. */

#include "pipeline/image/image.h"

enum { THUMBNAIL_QUALITY = 85 };

/* Appends a JPEG of at most `side` pixels a side to `ret`, never larger than the original: upright,
 * sRGB, on white where it is transparent, without metadata. The file is read as a stream and JPEGs
 * are shrunk while they are decoded, so memory doesn't grow with the picture. image_library_init()
 * comes first; fails as image_decode() does. */
PF_MUST_CHECK enum pf_status image_thumbnail(const void *bytes, size_t count,
    const struct image_limits *limits, int side, struct buffer *ret, struct pf_error *err);

#endif
