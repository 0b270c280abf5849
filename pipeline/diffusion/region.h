/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_DIFFUSION_REGION_H
#define PIPELINE_DIFFUSION_REGION_H

/* Region-aware guidance: the weight 1-M of every pixel in the high-frequency loss. M marks what the
 * instruction changes; there the input's detail is what must go.
 * Source  model.md §7; the inferred region follows DiffEdit (Couairon et al., 2022) */

#include "pipeline/tensor/ops.h"

/* Width in pixels of the soft border around a mask, outside of what is masked. */
enum { REGION_BORDER = 16 };

/* From a mask somebody drew.
 *   mask    [1,1,H,W] in [0,1], white (1) = to be changed
 * Returns   1-M, [1,1,H,W] float32: 0 wherever the mask is 1, rising to 1 over REGION_BORDER pixels
 */
tensor region_weight(struct scope *out, tensor mask);

/* The automatic region: where the estimates with and without text differ, averaged over the steps
 * so far. */
struct region_auto {
    tensor difference; /* [1,1,h,w] float32, owned; NULL at first */
    int steps;         /* that are in it */
};

void region_auto_finish(struct region_auto *region);

/* Adds a step's two estimates, [1,C,h,w] float32: x0[P,img] and x0[∅,img]. */
PF_MUST_CHECK enum pf_status region_auto_add(
    struct region_auto *region, tensor x0_full, tensor x0_no_text, struct pf_error *err);

/* The weight 1-M so far, [1,1,height,width] float32; all 1 before the first step. */
tensor region_auto_weight(const struct region_auto *region, struct scope *out,
    struct tensor_place place, int64_t height, int64_t width);

#endif
