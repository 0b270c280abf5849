/* SPDX-License-Identifier: Apache-2.0 */
/* Falling snow: far flakes are small, sharp and many, near ones large, out of focus and few. All
 * fall in one wind, each a little its own way, and leave a streak as long as the exposure. */
#include <math.h>

#include "base/cleanup.h"
#include "tools/eval/brush.h"
#include "tools/eval/canvas.h"
#include "tools/eval/degrade.h"

struct layer {
    float count; /* flakes on 512×512 pixels */
    float least_radius, most_radius;
    float least_opacity, most_opacity;
    float softness; /* as a share of the radius, at least one pixel */
    float streak;   /* its longest length in radii */
};

static const struct layer layers[] = {
    {1100, 0.8f, 1.4f, 0.45f, 0.85f, 0.6f, 2.0f},
    {300, 1.6f, 3.0f, 0.55f, 0.95f, 0.6f, 1.6f},
    {26, 3.5f, 7.0f, 0.35f, 0.7f, 0.9f, 1.2f},
};

static void draw_flake(struct degrade *degrade, const struct layer *layer, float wind, float amount)
{
    struct random *random = degrade->random;
    float scale = degrade_scale(degrade);
    float radius = scale * random_range(random, layer->least_radius, layer->most_radius);
    float angle = wind + 0.12f * random_normal(random);
    float length = amount * layer->streak * radius * random_range(random, 0.2f, 1.0f);
    float x = random_range(random, 0, (float)degrade->image->width);
    float y = random_range(random, 0, (float)degrade->image->height);
    brush_layer(degrade->mask, degrade_size(degrade),
        &(struct brush_stroke){
            .x0 = x,
            .y0 = y,
            .x1 = x + length * sinf(angle),
            .y1 = y + length * cosf(angle),
            .radius = radius,
            .softness = fmaxf(1.0f, layer->softness * radius),
            .opacity = random_range(random, layer->least_opacity, layer->most_opacity),
        });
}

enum pf_status degrade_snow(struct degrade *degrade, struct pf_error *err)
{
    (void)err;
    static const float white[] = {0.95f, 0.96f, 0.98f};
    size_t area = canvas_area(degrade->image);
    float wind = random_range(degrade->random, -0.7f, 0.7f);
    float heaviness = random_range(degrade->random, 0.7f, 1.5f);
    float exposure = random_range(degrade->random, 0.3f, 1.5f);
    float scale = degrade_scale(degrade);
    float share = (float)area / (262144.0f * scale * scale);
    for (size_t i = 0; i < COUNT_OF(layers); i++)
        for (int flakes = (int)(layers[i].count * heaviness * share); flakes > 0; flakes--)
            draw_flake(degrade, &layers[i], wind, exposure);
    for (size_t i = 0; i < area; i++)
        degrade_cover(degrade, i, white, degrade->mask[i]);
    return PF_OK;
}
