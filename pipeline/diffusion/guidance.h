/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_DIFFUSION_GUIDANCE_H
#define PIPELINE_DIFFUSION_GUIDANCE_H

/* Classifier-free guidance with two scales, of the text and of the image: which conditions the
 * model is to evaluate, and their estimates joined.
 *
 *     x0 = ½(x0[∅,img] + x0[P,0]) + s_T(x0[P,img] - x0[∅,img]) + s_I(x0[P,img] - x0[P,0])
 *
 * Sorted by condition, the weights are s_T + s_I, ½ - s_T and ½ - s_I; they add up to 1. A
 * condition whose weight is 0 needs no evaluation: s_T = ½ saves (∅,img), s_I = ½ saves (P,0), both
 * leave the plain conditional estimate. No other value saves anything. Source  model.md §6 */

#include "pipeline/tensor/ops.h"

enum guidance_row {
    GUIDANCE_ROW_FULL,    /* (P, c_img) */
    GUIDANCE_ROW_NO_TEXT, /* (∅, c_img): the encoding of "" for both contexts */
    GUIDANCE_ROW_NO_IMAGE /* (P, 0): zeros for the image latent */
};

enum { GUIDANCE_ROWS_MAX = 3 };

struct guidance {
    enum guidance_row rows[GUIDANCE_ROWS_MAX]; /* in the enum's order; [0] is always FULL */
    double weights[GUIDANCE_ROWS_MAX];
    int row_count;
};

/*   with_no_text  keep (∅,img) even when its weight is 0 (the automatic region compares with it) */
void guidance_init(
    struct guidance *ret_guidance, double text_scale, double image_scale, int with_no_text);

/* The estimate of one row out of those of a run; NULL (and no error) when the row isn't evaluated.
 *   x0  [row_count,C,h,w]
 * Returns   a view [1,C,h,w] */
tensor guidance_select(
    const struct guidance *guidance, struct scope *out, tensor x0, enum guidance_row row);

/* Joins the estimates of a run.
 *   x0  [row_count,C,h,w] float32, rows in the order of guidance->rows
 * Returns   [1,C,h,w] float32 */
tensor guidance_combine(const struct guidance *guidance, struct scope *out, tensor x0);

#endif
