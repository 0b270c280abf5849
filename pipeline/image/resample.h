/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_IMAGE_RESAMPLE_H
#define PIPELINE_IMAGE_RESAMPLE_H

#include "base/error.h"

/* Scales one plane [in_height,in_width] to [out_height,out_width], each axis by itself: lanczos3
 * over the widened support where it shrinks (no aliasing), bicubic (a = -1/2) where it grows, a
 * plain copy where it stays, so that equal sizes give equal floats. `out` and `in` don't overlap.
 * PF_NOMEM. */
PF_MUST_CHECK enum pf_status image_resample(const float *in, int in_width, int in_height,
    float *out, int out_width, int out_height, struct pf_error *err);

#endif
