/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_CANVAS_H
#define TOOLS_EVAL_CANVAS_H

/* Pictures (struct image, planar sRGB in [0,1]) and single planes in memory. */

#include "pipeline/image/image.h"

enum { CANVAS_SIDE_MAX = 16384 };

/* Zeroed pixels, no alpha. PF_NOMEM. */
PF_MUST_CHECK enum pf_status canvas_create(
    struct image *ret_image, int width, int height, struct pf_error *err);
/* Without alpha. */
PF_MUST_CHECK enum pf_status canvas_copy(
    struct image *ret_image, const struct image *from, struct pf_error *err);

/* `count` zeroed floats, malloc'd. PF_NOMEM. */
PF_MUST_CHECK enum pf_status canvas_plane(float **ret_plane, size_t count, struct pf_error *err);

size_t canvas_area(const struct image *image);

/* Luma of BT.601 (0.299, 0.587, 0.114) into plane [height,width]. */
void canvas_luma(const struct image *image, float *ret_plane);

/* Multiplies each pixel's three channels by to/from, so that a luma `from` becomes `to`; below
 * `floor` the gain is that of the floor. Clamped to [0,1]. */
void canvas_scale_luma(struct image *image, const float *from, const float *to, float floor);

/* Clamps and rounds to 8 bits, as a file would. */
void canvas_quantize(struct image *image);

/* The largest square in the middle, scaled to `size` pixels (lanczos3 down, bicubic up), clamped
 * and rounded to 8 bits. */
PF_MUST_CHECK enum pf_status canvas_square(
    struct image *ret_image, const struct image *from, int size, struct pf_error *err);

#endif
