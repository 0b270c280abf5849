/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "tools/curate/degrade.h"
#include "tools/curate/plane.h"

/* Too little light, in one of two ways: a display curve (gain·v^gamma on sRGB values, as such pairs
 * are commonly made) or an exposure cut by some stops in linear light. Then the sensor's noise,
 * which at short exposures is what is left of the picture. */

struct dimming {
    int in_linear;
    double gamma, gain, cast[3];
};

static void dim(const struct dimming *dimming, float *rgb, size_t area)
{
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < area; i++) {
            double value = rgb[c * area + i];
            if (dimming->in_linear)
                value = linear_to_srgb(
                    (float)(dimming->gain * dimming->cast[c] * srgb_to_linear((float)value)));
            else
                value = dimming->gain * dimming->cast[c] * pow(value, dimming->gamma);
            rgb[c * area + i] = plane_clamp((float)value);
        }
}

enum pf_status degrade_lowlight(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err)
{
    size_t area = (size_t)scene->width * (size_t)scene->height;
    struct dimming dimming = {.in_linear = rng_chance(rng, 0.25)};
    dimming.gamma = dimming.in_linear ? 1.0 : rng_range(rng, 1.3, 2.8);
    dimming.gain = dimming.in_linear ? rng_log_range(rng, 0.02, 0.25) : rng_range(rng, 0.2, 0.75);
    int has_cast = rng_chance(rng, 0.35);
    for (int c = 0; c < 3; c++)
        dimming.cast[c] = has_cast ? rng_range(rng, 0.9, 1.1) : 1.0;
    double shot = rng_log_range(rng, 5e-5, 1.5e-3), read = rng_log_range(rng, 2e-4, 2e-3);
    double correlation = rng_chance(rng, 0.3) ? rng_range(rng, 0.4, 0.8) : 0.0;
    double coded = rng_chance(rng, 0.4) ? rng_log_range(rng, 0.004, 0.03) : 0.0;
    dim(&dimming, scene->rgb, area);
    planes_to_linear(scene->rgb, 3 * area);
    PF_TRY(degrade_add_noise(
        scene->rgb, scene->width, scene->height, shot, read, correlation, rng, err));
    planes_to_srgb(scene->rgb, 3 * area);
    for (size_t i = 0; coded > 0.0 && i < 3 * area; i++)
        scene->rgb[i] = plane_clamp(scene->rgb[i] + (float)(coded * rng_normal(rng)));
    buffer_put_format(note,
        "\"linear\":%d,\"gamma\":%.3f,\"gain\":%.3f,\"shot\":%.5f,\"read\":%.5f,\"noise\":%.4f",
        dimming.in_linear, dimming.gamma, dimming.gain, shot, read, coded);
    return PF_OK;
}
