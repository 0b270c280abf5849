/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_PREVIEW_H
#define PIPELINE_PREVIEW_H

/* A cheap picture of a latent: a linear map from latent channels to RGB, fitted for each run by
 * least squares between its own input and that input's encoding. It needs no table of a known model
 * and costs microseconds; details are one latent cell in size. */

#include "pipeline/image/image.h"

enum {
    PREVIEW_CHANNELS_MAX = 16,
    PREVIEW_SIDE_MAX = 512, /* pixels of a decoded preview's longer side */
};

struct preview {
    int channels;                            /* of the latent */
    double map[3][PREVIEW_CHANNELS_MAX + 1]; /* the last column is the offset */
};

/* Fits the map.
 *   latent  [channels,height,width] the encoder's mean, unscaled
 *   rgb     [3,factor·height,factor·width] in [0,1], the pixels it was made from
 * A degenerate picture (one colour) gives a flat map, never an error. */
void preview_fit(struct preview *ret_preview, const float *latent, int channels, int height,
    int width, const float *rgb, int factor);

/* Maps a latent (unscaled) to a picture of height × width pixels. PF_NOMEM. */
PF_MUST_CHECK enum pf_status preview_render(const struct preview *preview, const float *latent,
    int height, int width, struct image *ret_image, struct pf_error *err);

#endif
