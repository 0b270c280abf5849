/* SPDX-License-Identifier: Apache-2.0 */
/* What sizes alone decide, so that it can be said before a picture is decoded. */
#include <inttypes.h>

#include "pipeline/image/image.h"

int image_side_max(enum image_format format)
{
    switch (format) {
    case IMAGE_FORMAT_WEBP:
        return 16383;
    case IMAGE_FORMAT_JPEG:
        return 65500; /* libjpeg's */
    case IMAGE_FORMAT_PNG:
        break;
    }
    return INT32_MAX;
}

static int64_t round_up(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* value · numerator / denominator to the nearest integer, at least 1. */
static int64_t scale_side(int64_t value, int64_t numerator, int64_t denominator)
{
    int64_t scaled = (value * numerator + denominator / 2) / denominator;
    return scaled < 1 ? 1 : scaled;
}

enum pf_status image_fit_plan(int width, int height, int resolution, int multiple,
    int max_model_side, struct image_fit *ret_fit, struct pf_error *err)
{
    if (width < 1 || height < 1 || resolution < 1 || multiple < 1)
        return pf_fail(err, PF_INVALID, "can't fit %d×%d to resolution %d in multiples of %d",
            width, height, resolution, multiple);
    int64_t shorter = width < height ? width : height;
    int64_t target = resolution < multiple ? multiple : resolution;
    if (target > shorter)
        target = shorter;

    /* Both products stay below 2^62. */
    int64_t scaled_width = scale_side(width, target, shorter);
    int64_t scaled_height = scale_side(height, target, shorter);
    int64_t padded_width = round_up(scaled_width, multiple);
    int64_t padded_height = round_up(scaled_height, multiple);
    if (padded_width > max_model_side || padded_height > max_model_side)
        return pf_fail(err, PF_INVALID,
            "image: %d×%d at resolution %d is %" PRId64 "×%" PRId64
            " inside the model, at most %d a side are possible",
            width, height, resolution, padded_width, padded_height, max_model_side);
    *ret_fit = (struct image_fit){
        .width = width,
        .height = height,
        .scaled_width = (int)scaled_width,
        .scaled_height = (int)scaled_height,
        .padded_width = (int)padded_width,
        .padded_height = (int)padded_height,
    };
    return PF_OK;
}
