/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/brush.h"

#include <math.h>
#include <stddef.h>

static float distance_to(const struct brush_stroke *stroke, float x, float y)
{
    float dx = stroke->x1 - stroke->x0, dy = stroke->y1 - stroke->y0;
    float length2 = dx * dx + dy * dy;
    float along = 0;
    if (length2 > 0)
        along = ((x - stroke->x0) * dx + (y - stroke->y0) * dy) / length2;
    along = fminf(fmaxf(along, 0.0f), 1.0f);
    return hypotf(x - stroke->x0 - along * dx, y - stroke->y0 - along * dy);
}

static int clip(float at, int count)
{
    if (at < 0)
        return 0;
    return at > (float)count ? count : (int)at;
}

static void draw(float *plane, struct filter_size size, const struct brush_stroke *stroke,
    float (*combine)(float, float))
{
    float reach = stroke->radius + stroke->softness;
    int left = clip(fminf(stroke->x0, stroke->x1) - reach, size.width);
    int right = clip(fmaxf(stroke->x0, stroke->x1) + reach + 1, size.width);
    int top = clip(fminf(stroke->y0, stroke->y1) - reach, size.height);
    int bottom = clip(fmaxf(stroke->y0, stroke->y1) + reach + 1, size.height);
    for (int y = top; y < bottom; y++) {
        float *row = plane + (ptrdiff_t)y * size.width;
        for (int x = left; x < right; x++) {
            float distance = distance_to(stroke, (float)x + 0.5f, (float)y + 0.5f);
            float cover = (stroke->radius - distance) / stroke->softness + 0.5f;
            cover = fminf(fmaxf(cover, 0.0f), 1.0f);
            row[x] = combine(row[x], stroke->opacity * cover * cover * (3 - 2 * cover));
        }
    }
}

static float stronger(float below, float above)
{
    return fmaxf(below, above);
}

static float layered(float below, float above)
{
    return 1 - (1 - below) * (1 - above);
}

void brush_join(float *plane, struct filter_size size, const struct brush_stroke *stroke)
{
    draw(plane, size, stroke, stronger);
}

void brush_layer(float *plane, struct filter_size size, const struct brush_stroke *stroke)
{
    draw(plane, size, stroke, layered);
}
