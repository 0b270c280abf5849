/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/curate/degrade.h"
#include "tools/curate/plane.h"

/* Atmospheric scattering: I = J·t + A·(1-t) with t = exp(-beta·d). No photo here comes with its
 * depth, so d is made up of what usually goes with distance: higher in the picture, brighter and
 * paler (the dark channel, which also follows edges), and drifts of fog; or it is the same
 * everywhere. d has mean 1, so that beta alone says how much is left of the picture.
 * Source  Koschmieder; He, Sun, Tang: Single Image Haze Removal Using Dark Channel Prior */

struct haze {
    int in_linear;
    double ramp, drift, dark; /* weights of the three cues; all 0: the same depth everywhere */
    double horizon, tilt;
    double transmission; /* at depth 1 */
    float air[3];
};

/* Minimum of the channels, grown to an area by blurring: far things are pale. */
static enum pf_status add_dark(
    const struct scene *scene, double weight, float *depth, struct pf_error *err)
{
    size_t area = (size_t)scene->width * (size_t)scene->height;
    AUTO_FREE float *dark = NULL;
    PF_TRY(plane_create(&dark, scene->width, scene->height, err));
    for (size_t i = 0; i < area; i++)
        dark[i] = fminf(scene->clean[i], fminf(scene->clean[area + i], scene->clean[2 * area + i]));
    PF_TRY(plane_blur(dark, scene->width, scene->height, scene->width / 100.0, err));
    for (size_t i = 0; i < area; i++)
        depth[i] += (float)weight * 2.0f * dark[i];
    return PF_OK;
}

static enum pf_status make_depth(const struct scene *scene, const struct haze *haze,
    struct rng *rng, float *depth, struct pf_error *err)
{
    int width = scene->width, height = scene->height;
    size_t area = (size_t)width * (size_t)height;
    AUTO_FREE float *drift = NULL;
    PF_TRY(plane_create(&drift, width, height, err));
    plane_noise(drift, width, height, width * rng_range(rng, 0.25, 0.8), 3, rng);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            double up = 1.0 - (y + haze->tilt * (x - width / 2.0)) / height;
            double far = up > haze->horizon ? 1.0 : pow(fmax(up, 0.0) / haze->horizon, 1.5);
            size_t i = (size_t)y * (size_t)width + (size_t)x;
            depth[i] = 0.15f + (float)(haze->ramp * far + haze->drift * (double)drift[i]);
        }
    if (haze->dark > 0.0)
        PF_TRY(add_dark(scene, haze->dark, depth, err));
    double sum = 0.0;
    for (size_t i = 0; i < area; i++)
        sum += (double)depth[i];
    for (size_t i = 0; i < area; i++)
        depth[i] *= (float)((double)area / sum);
    return PF_OK;
}

static void draw(struct haze *haze, struct rng *rng)
{
    int is_even = rng_chance(rng, 0.25);
    haze->in_linear = rng_chance(rng, 0.3);
    haze->ramp = is_even ? 0.0 : rng_range(rng, 0.0, 1.2);
    haze->drift = is_even ? 0.0 : rng_range(rng, 0.0, 0.6);
    haze->dark = is_even || rng_chance(rng, 0.4) ? 0.0 : rng_range(rng, 0.2, 1.0);
    haze->horizon = rng_range(rng, 0.4, 1.1);
    haze->tilt = rng_range(rng, -0.25, 0.25);
    haze->transmission = rng_range(rng, 0.22, 0.8);
    double level = rng_range(rng, 0.7, 1.0), tint = rng_normal(rng) * 0.02;
    for (int c = 0; c < 3; c++)
        haze->air[c] = plane_clamp((float)(level + tint * (c - 1) + rng_normal(rng) * 0.008));
}

enum pf_status degrade_dehaze(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err)
{
    size_t area = (size_t)scene->width * (size_t)scene->height;
    struct haze haze;
    draw(&haze, rng);
    AUTO_FREE float *depth = NULL;
    PF_TRY(plane_create(&depth, scene->width, scene->height, err));
    PF_TRY(make_depth(scene, &haze, rng, depth, err));
    double beta = -log(haze.transmission);
    if (haze.in_linear)
        planes_to_linear(scene->rgb, 3 * area);
    for (size_t i = 0; i < area; i++) {
        float t = expf(-(float)beta * depth[i]);
        for (size_t c = 0; c < 3; c++) {
            float air = haze.in_linear ? srgb_to_linear(haze.air[c]) : haze.air[c];
            scene->rgb[c * area + i] = scene->rgb[c * area + i] * t + air * (1.0f - t);
        }
    }
    if (haze.in_linear)
        planes_to_srgb(scene->rgb, 3 * area);
    buffer_put_format(note,
        "\"linear\":%d,\"beta\":%.3f,\"air\":[%.3f,%.3f,%.3f],\"ramp\":%.2f,\"drift\":%.2f,"
        "\"dark\":%.2f",
        haze.in_linear, beta, (double)haze.air[0], (double)haze.air[1], (double)haze.air[2],
        haze.ramp, haze.drift, haze.dark);
    return PF_OK;
}
