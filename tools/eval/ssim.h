/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_SSIM_H
#define TOOLS_EVAL_SSIM_H

#include "pipeline/image/image.h"

enum { SSIM_RADIUS = 5 }; /* an 11×11 window */

/* Mean structural similarity of the lumas in [0,1]: Gaussian window 11×11 of sigma 1.5, K1 0.01,
 * K2 0.03, over the windows that lie wholly inside. Equal sizes, at least 11 pixels a side
 * (PF_INVALID). Source  Wang, Bovik, Sheikh & Simoncelli, IEEE TIP 13(4), 2004 */
PF_MUST_CHECK enum pf_status ssim_between(
    const struct image *a, const struct image *b, double *ret_ssim, struct pf_error *err);

#endif
