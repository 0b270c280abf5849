/* SPDX-License-Identifier: Apache-2.0 */
/* Haze by the scattering model of Koschmieder. A single photo has no depth; a plausible one is
 * farther towards the top (the ground recedes, the sky is far), disturbed by slow clouds, and its
 * steps lie on the picture's edges: the guided filter moves them there. */
#include <math.h>

#include "base/cleanup.h"
#include "tools/eval/canvas.h"
#include "tools/eval/degrade.h"

enum { DEPTH_RADIUS = 24 };
#define DEPTH_EPS 0.004f

/* Depth in about [0,1]: a slanted ramp and a smoothed field of random numbers. */
static enum pf_status guess_depth(struct degrade *degrade, float *depth, struct pf_error *err)
{
    int width = degrade->image->width, height = degrade->image->height;
    float slant = random_range(degrade->random, -0.3f, 0.3f);
    float bend = random_range(degrade->random, 0.7f, 1.6f);
    /* White noise that is smoothed over more pixels gets flatter. */
    float clouds = degrade_scale(degrade) * random_range(degrade->random, 6.0f, 12.0f);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            float up = 1 - ((float)y + 0.5f) / (float)height;
            float aside = ((float)x + 0.5f) / (float)width - 0.5f;
            float ramp = fminf(fmaxf(up + slant * aside, 0.0f), 1.0f);
            depth[(ptrdiff_t)y * width + x] =
                powf(ramp, bend) + clouds * random_normal(degrade->random);
        }
    }
    return filter_gaussian(depth, degrade_size(degrade), 20 * degrade_scale(degrade), err);
}

enum pf_status degrade_haze(struct degrade *degrade, struct pf_error *err)
{
    size_t area = canvas_area(degrade->image);
    AUTO_FREE float *depth = NULL;
    AUTO_FREE float *luma = NULL;
    PF_TRY(canvas_plane(&depth, area, err));
    PF_TRY(canvas_plane(&luma, area, err));
    canvas_luma(degrade->image, luma);
    PF_TRY(guess_depth(degrade, depth, err));
    PF_TRY(filter_guided(depth, luma, degrade_size(degrade),
        (int)(DEPTH_RADIUS * degrade_scale(degrade)) + 1, DEPTH_EPS, err));

    float air = random_range(degrade->random, 0.78f, 0.95f);
    float tint = random_range(degrade->random, -0.03f, 0.03f);
    float colour[] = {air - tint, air, air + tint};
    float near = random_range(degrade->random, 0.3f, 0.5f);
    float density = random_range(degrade->random, 0.7f, 1.4f);
    for (size_t i = 0; i < area; i++) {
        float transmission = expf(-(near + density * fmaxf(depth[i], 0.0f)));
        degrade_cover(degrade, i, colour, 1 - transmission);
    }
    return PF_OK;
}
