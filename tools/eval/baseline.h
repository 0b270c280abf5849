/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_BASELINE_H
#define TOOLS_EVAL_BASELINE_H

/* Classical remedies to measure a model against, of textbook strength with constants fixed
 * beforehand, not tuned on the test photos. `mask` [height,width] is where the picture was painted
 * over; those that want it are told what a model has to find out. */

#include "pipeline/image/image.h"

/* Gamma that brings the mean luma to 0.45, then CLAHE: histograms of 8×8 tiles, clipped, joined
 * bilinearly. Source  Zuiderveld, Graphics Gems IV, 1994 */
PF_MUST_CHECK enum pf_status baseline_light(
    const struct image *input, const float *mask, struct image *ret_image, struct pf_error *err);

/* Dark-channel prior, its transmission refined by a guided filter.
 * Source  He, Sun & Tang, CVPR 2009 and ECCV 2010 */
PF_MUST_CHECK enum pf_status baseline_haze(
    const struct image *input, const float *mask, struct image *ret_image, struct pf_error *err);

/* Fills the mask from its border inwards, each pixel by the median of its known neighbours. */
PF_MUST_CHECK enum pf_status baseline_inpaint(
    const struct image *input, const float *mask, struct image *ret_image, struct pf_error *err);

/* Unsharp mask of sigma 2, amount 1.5. */
PF_MUST_CHECK enum pf_status baseline_sharpen(
    const struct image *input, const float *mask, struct image *ret_image, struct pf_error *err);

#endif
