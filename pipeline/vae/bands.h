/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_VAE_BANDS_H
#define PIPELINE_VAE_BANDS_H

/* A picture's detail by scale, for a decoder that says how strong it is to be: a difference-of-
 * Gaussians pyramid that keeps its size.
 * Source  Burt and Adelson, The Laplacian Pyramid as a Compact Image Code, 1983 */

#include "pipeline/tensor/ops.h"

/* The bands of a picture weighed: Σ over k of gains[:,k] · (picture_k - picture_k+1), where
 * picture_0 is the picture and picture_k+1 is picture_k blurred by a Gaussian of σ = 2^k pixels
 * that ends at 2σ, with the border's values beyond the border. A gain of -1 in every band leaves
 * the last blur; a positive one sharpens. picture  [B,3,H,W] gains    [B,K,H,W], K ≤
 * SIZES_BANDS_MAX Returns    [B,3,H,W], to be added to the picture */
tensor bands_weighed(struct scope *out, tensor picture, tensor gains);

#endif
