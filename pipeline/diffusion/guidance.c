/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/diffusion/guidance.h"

void guidance_init(
    struct guidance *ret_guidance, double text_scale, double image_scale, int with_no_text)
{
    double no_text = 0.5 - text_scale, no_image = 0.5 - image_scale;
    struct guidance g = {
        .rows = {GUIDANCE_ROW_FULL}, .weights = {text_scale + image_scale}, .row_count = 1};
    if (no_text != 0 || with_no_text) {
        g.rows[g.row_count] = GUIDANCE_ROW_NO_TEXT;
        g.weights[g.row_count++] = no_text;
    }
    if (no_image != 0) {
        g.rows[g.row_count] = GUIDANCE_ROW_NO_IMAGE;
        g.weights[g.row_count++] = no_image;
    }
    *ret_guidance = g;
}

tensor guidance_select(
    const struct guidance *guidance, struct scope *out, tensor x0, enum guidance_row row)
{
    for (int i = 0; i < guidance->row_count; i++)
        if (guidance->rows[i] == row)
            return op_narrow(out, x0, 0, i, 1);
    return NULL;
}

tensor guidance_combine(const struct guidance *guidance, struct scope *out, tensor x0)
{
    SCOPE(s, out->err);
    tensor sum = NULL;
    for (int i = 0; i < guidance->row_count; i++) {
        tensor part = op_mul_scalar(&s, op_narrow(&s, x0, 0, i, 1), guidance->weights[i]);
        sum = i == 0 ? part : op_add(&s, sum, part);
    }
    return scope_move(&s, sum, out);
}
