/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_VAE_BANDS_H
#define PIPELINE_VAE_BANDS_H

/* A picture's detail by scale, for a decoder that says how strong it is to be: a difference-of-
 * Gaussians pyramid that keeps its size.
 * Source  Burt and Adelson, The Laplacian Pyramid as a Compact Image Code, 1983 */

#include "pipeline/tensor/ops.h"

/* Weighs a picture's bands: Σ over k of gains[:,k] · (picture_k - picture_k+1), where picture_0
 * is the picture and picture_k+1 is picture_k blurred by a Gaussian of σ = 2^k pixels that ends
 * at 2σ, with the border's values beyond the border. A gain of -1 in every band leaves the last
 * blur; a positive one sharpens.
 *   picture  [B,3,H,W], any float type
 *   gains    [B,K,H,W], K of 1 to SIZES_BANDS_MAX, of the same type and device
 * Returns    [B,3,H,W] to be added to the picture; NULL after an error (NOMEM) */
tensor bands_weighed(struct scope *out, tensor picture, tensor gains);

#endif
