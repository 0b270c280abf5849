/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_PSNR_H
#define TOOLS_EVAL_PSNR_H

#include "pipeline/image/image.h"

/* What equal pictures have: means over pictures stay finite. No 8-bit pictures that differ reach
 * it below 10^5 pixels. */
#define PSNR_MAX 100.0

/* Peak signal to noise in dB over all pixels and channels, peak 1. Sizes are equal. */
double psnr_between(const struct image *a, const struct image *b);

/* The same with pixel i counted weights[i] times, weights [height,width]; PSNR_MAX when they add up
 * to nothing. */
double psnr_where(const struct image *a, const struct image *b, const float *weights);

#endif
