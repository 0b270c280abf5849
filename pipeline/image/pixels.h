/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_IMAGE_PIXELS_H
#define PIPELINE_IMAGE_PIXELS_H

/* Between a codec's interleaved integers and the planes of struct image. Internal to
 * pipeline/image. */

#include <stdint.h>

#include "base/error.h"
#include "pipeline/image/image.h"

/* What a decoder gave: rows from the top, no gaps, channels interleaved. */
struct pixels {
    int width, height; /* as stored, before the orientation */
    int channels;      /* 1 grey, 2 grey and alpha, 3 rgb, 4 rgb and alpha */
    int depth;         /* bits a sample: 8 (uint8_t) or 16 (uint16_t) */
    const void *data;  /* borrowed */
};

/* Turns them upright and apart: grey fills all three planes, 8 bits become v/255 and 16 bits
 * v/65535 (alpha is rounded to 8). PF_NOMEM. */
PF_MUST_CHECK enum pf_status image_from_pixels(
    const struct pixels *pixels, int orientation, struct image *ret_image, struct pf_error *err);

/* 8-bit pixels of a picture, malloc'd: [height,width,4] when `with_alpha`, which needs
 * image->alpha, else [height,width,3] with any alpha flattened on white. Clamped and rounded to
 * nearest. PF_INTERNAL names the first value that is NaN or infinite; PF_NOMEM. */
PF_MUST_CHECK enum pf_status image_to_pixels(
    const struct image *image, int with_alpha, uint8_t **ret_data, struct pf_error *err);

#endif
