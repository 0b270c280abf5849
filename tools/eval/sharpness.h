/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_SHARPNESS_H
#define TOOLS_EVAL_SHARPNESS_H

#include "pipeline/image/image.h"

/* Variance of the Laplacian (4-neighbour) of the luma on the scale of 8-bit values, over the pixels
 * with four neighbours; at least SHARPNESS_FLOOR, so that ratios have a logarithm.
 * PF_INVALID below 3 pixels a side. Source  Pech-Pacheco et al., ICPR 2000 */
#define SHARPNESS_FLOOR 1e-3

PF_MUST_CHECK enum pf_status sharpness(
    const struct image *image, double *ret_sharpness, struct pf_error *err);

#endif
