/* SPDX-License-Identifier: Apache-2.0 */
/* The inferred mask, as in DiffEdit: the difference is cut at three times its mean, so that a few
 * extreme spots don't decide, divided by that, and thresholded at one half, here softly. A
 * difference that is the same everywhere (haze, low light) stays at one third, under the threshold:
 * a change of the whole picture keeps its guidance. Steps differ in size by orders of magnitude, so
 * every step's difference is divided by its mean before it is added. */
#include "pipeline/diffusion/region.h"

#define CUT_AT_MEANS   3.0
#define THRESHOLD      0.5
#define SOFTNESS       0.05 /* the threshold's sigmoid reaches from 1/10 to 9/10 over ±2.2 × this */
#define DIFFERENCE_MIN 1e-12 /* two equal estimates: no difference, not 0/0 */

enum { HALF_BORDER = REGION_BORDER / 2 };

/* Mean over a square of (2·radius+1)² pixels, of those inside the picture. */
static tensor box_blur(struct scope *s, tensor map, int radius)
{
    struct tensor_place place = {tensor_device(map), TENSOR_F32};
    tensor ones = op_full(s, place, 1, DIMS(1, 1, tensor_dim(map, 2), tensor_dim(map, 3)));
    int size = 2 * radius + 1;
    return op_div(s, op_avg_pool(s, map, size, 1, radius), op_avg_pool(s, ones, size, 1, radius));
}

tensor region_weight(struct scope *out, tensor mask)
{
    SCOPE(s, out->err);
    tensor single = op_to_type(&s, mask, TENSOR_F32);
    /* Grown by half the border, then blurred by as much: still 1 inside, a ramp outside. */
    tensor grown = op_max_pool(&s, single, 2 * HALF_BORDER + 1, 1, HALF_BORDER);
    tensor soft = op_clamp(&s, box_blur(&s, grown, HALF_BORDER), 0, 1);
    return scope_move(&s, op_add_scalar(&s, op_neg(&s, soft), 1), out);
}

void region_auto_finish(struct region_auto *region)
{
    tensor_free(region->difference);
    *region = (struct region_auto){0};
}

/* The map over its mean. */
static tensor over_mean(struct scope *s, tensor map)
{
    return op_div(s, map, op_add_scalar(s, op_mean_all(s, map), DIFFERENCE_MIN));
}

enum pf_status region_auto_add(
    struct region_auto *region, tensor x0_full, tensor x0_no_text, struct pf_error *err)
{
    SCOPE(s, err);
    tensor squares = op_square(&s, op_sub(&s, x0_full, x0_no_text));
    tensor distance = op_sqrt(&s, op_sum(&s, squares, DIMS(1), 1));
    tensor share = over_mean(&s, distance);
    tensor sum = region->difference ? op_add(&s, region->difference, share) : share;
    if (err->status != PF_OK)
        return err->status;
    tensor_free(region->difference);
    region->difference = scope_keep(&s, sum);
    region->steps++;
    return PF_OK;
}

tensor region_auto_weight(const struct region_auto *region, struct scope *out,
    struct tensor_place place, int64_t height, int64_t width)
{
    if (!region->difference)
        return op_full(
            out, (struct tensor_place){place.device, TENSOR_F32}, 1, DIMS(1, 1, height, width));
    SCOPE(s, out->err);
    tensor smooth = box_blur(&s, region->difference, 1);
    tensor cut = op_mul_scalar(&s, over_mean(&s, smooth), 1 / CUT_AT_MEANS);
    tensor distance = op_add_scalar(&s, op_clamp(&s, cut, 0, 1), -THRESHOLD);
    tensor mask = op_sigmoid(&s, op_mul_scalar(&s, distance, 1 / SOFTNESS));
    tensor large = op_upsample_nearest(&s, mask, height, width);
    return scope_move(&s, region_weight(&s, large), out);
}
