/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "tools/curate/degrade.h"
#include "tools/curate/plane.h"

/* Grey pictures come from many hands: broadcast luma, plain averages, one channel of a scan, film
 * with its own sensitivity. Now and then the print has faded, or was toned brown. */

static const float luma_weights[][3] = {
    {0.299f, 0.587f, 0.114f},
    {0.2126f, 0.7152f, 0.0722f},
    {0.3333f, 0.3333f, 0.3334f},
    {0.15f, 0.65f, 0.2f},
    {0.25f, 0.45f, 0.3f},
};
static const double weights_odds[] = {0.5, 0.25, 0.1, 0.08, 0.07};

struct film {
    const float *weights;
    int in_linear;
    float contrast, lift;
    float tone[3]; /* of a toned print; 1,1,1 for none */
};

static float develop(const struct film *film, float r, float g, float b)
{
    const float *w = film->weights;
    float grey = film->in_linear
                     ? linear_to_srgb(w[0] * srgb_to_linear(r) + w[1] * srgb_to_linear(g) +
                                      w[2] * srgb_to_linear(b))
                     : w[0] * r + w[1] * g + w[2] * b;
    return (grey - 0.5f) * film->contrast + 0.5f + film->lift * (1.0f - grey);
}

enum pf_status degrade_colorize(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err)
{
    size_t area = (size_t)scene->width * (size_t)scene->height;
    int kind = rng_weighted(rng, weights_odds, 5);
    struct film film = {luma_weights[kind], rng_chance(rng, 0.2), 1.0f, 0.0f, {1.0f, 1.0f, 1.0f}};
    int is_faded = rng_chance(rng, 0.15), is_toned = rng_chance(rng, 0.06);
    double contrast = rng_range(rng, 0.75, 1.1), lift = rng_range(rng, 0.0, 0.15);
    double strength = rng_range(rng, 0.3, 1.0);
    if (is_faded) {
        film.contrast = (float)contrast;
        film.lift = (float)lift;
    }
    if (is_toned) {
        film.tone[0] = 1.0f + 0.07f * (float)strength;
        film.tone[1] = 1.0f - 0.04f * (float)strength;
        film.tone[2] = 1.0f - 0.22f * (float)strength;
    }
    for (size_t i = 0; i < area; i++) {
        float grey = develop(&film, scene->rgb[i], scene->rgb[area + i], scene->rgb[2 * area + i]);
        for (size_t c = 0; c < 3; c++)
            scene->rgb[c * area + i] = plane_clamp(grey * film.tone[c]);
    }
    buffer_put_format(note,
        "\"weights\":%d,\"linear\":%d,\"contrast\":%.3f,\"lift\":%.3f,\"toned\":%d", kind,
        film.in_linear, (double)film.contrast, (double)film.lift, is_toned);
    (void)err;
    return PF_OK;
}
