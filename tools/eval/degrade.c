/* SPDX-License-Identifier: Apache-2.0 */
/* The degradations of a few lines; those with an idea of their own have a file each. */
#include "tools/eval/degrade.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/eval/brush.h"
#include "tools/eval/canvas.h"

/* Low light as the acceptance criteria state it, plus a sensor: shot noise grows with the square
 * root of the light, read noise is always there. */
#define LIGHT_GAMMA      2.0f
#define LIGHT_GAIN       0.4f
#define LIGHT_SHOT_NOISE 0.02f /* standard deviation at value 1 */
#define LIGHT_READ_NOISE 0.005f

enum { BLUR_RADIUS_MAX = 64 };

float degrade_scale(const struct degrade *degrade)
{
    int width = degrade->image->width, height = degrade->image->height;
    return (float)(width < height ? width : height) / 512.0f;
}

struct filter_size degrade_size(const struct degrade *degrade)
{
    return (struct filter_size){degrade->image->width, degrade->image->height};
}

void degrade_cover(struct degrade *degrade, size_t pixel, const float *colour, float opacity)
{
    size_t area = canvas_area(degrade->image);
    for (size_t c = 0; c < 3; c++) {
        float *value = degrade->image->rgb + c * area + pixel;
        *value += opacity * (colour[c] - *value);
    }
}

enum pf_status degrade_grey(struct degrade *degrade, struct pf_error *err)
{
    size_t area = canvas_area(degrade->image);
    float *rgb = degrade->image->rgb;
    AUTO_FREE float *luma = NULL;
    PF_TRY(canvas_plane(&luma, area, err));
    canvas_luma(degrade->image, luma);
    for (size_t c = 0; c < 3; c++)
        memcpy(rgb + c * area, luma, area * sizeof *luma);
    return PF_OK;
}

enum pf_status degrade_light(struct degrade *degrade, struct pf_error *err)
{
    (void)err;
    for (size_t i = 0; i < 3 * canvas_area(degrade->image); i++) {
        float *value = degrade->image->rgb + i;
        float light = LIGHT_GAIN * powf(*value, LIGHT_GAMMA);
        float deviation = hypotf(LIGHT_SHOT_NOISE * sqrtf(light), LIGHT_READ_NOISE);
        light += deviation * random_normal(degrade->random);
        *value = fminf(fmaxf(light, 0.0f), 1.0f);
    }
    return PF_OK;
}

/* A disc, or a line through the middle: both as how much of each cell lies within `thickness`. */
static void blur_kernel(float *kernel, int radius, float dx, float dy, float thickness)
{
    float sum = 0;
    int side = 2 * radius + 1;
    memset(kernel, 0, sizeof *kernel * (size_t)(side * side));
    brush_join(kernel, (struct filter_size){side, side},
        &(struct brush_stroke){
            .x0 = (float)radius + 0.5f - dx,
            .y0 = (float)radius + 0.5f - dy,
            .x1 = (float)radius + 0.5f + dx,
            .y1 = (float)radius + 0.5f + dy,
            .radius = thickness,
            .softness = 1,
            .opacity = 1,
        });
    for (int i = 0; i < side * side; i++)
        sum += kernel[i];
    for (int i = 0; i < side * side; i++)
        kernel[i] /= sum;
}

enum pf_status degrade_blur(struct degrade *degrade, struct pf_error *err)
{
    float scale = degrade_scale(degrade), dx = 0, dy = 0, thickness = 0.6f;
    if (random_below(degrade->random, 2) == 0) {
        thickness = scale * random_range(degrade->random, 2.5f, 4.5f);
    } else {
        float angle = random_range(degrade->random, 0, 3.14159265f);
        float half = scale * random_range(degrade->random, 4.5f, 9.0f);
        dx = half * cosf(angle);
        dy = half * sinf(angle);
    }
    float reach = ceilf(hypotf(dx, dy) + thickness + 1);
    int radius = reach < BLUR_RADIUS_MAX ? (int)reach : BLUR_RADIUS_MAX;
    AUTO_FREE float *kernel = NULL;
    PF_TRY(canvas_plane(&kernel, (size_t)((2 * radius + 1) * (2 * radius + 1)), err));
    blur_kernel(kernel, radius, dx, dy, thickness);
    for (size_t c = 0; c < 3; c++)
        PF_TRY(filter_kernel(degrade->image->rgb + c * canvas_area(degrade->image),
            degrade_size(degrade), kernel, radius, err));
    return PF_OK;
}
