/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "tools/curate/degrade.h"
#include "tools/curate/plane.h"

/* Flakes in layers, far ones small and many, near ones few, large and out of focus. All fall along
 * one wind; a flake that moves while the shutter is open is a streak: all points within its radius
 * of a short line. Its opacity shrinks as the same white is spread over more pixels. */

enum { LAYERS_MAX = 4, FLAKES_MAX = 4000 };

struct layer {
    int count;
    double radius, soft, streak, opacity;
};

struct flake {
    double x, y, radius, soft, dx, dy, opacity, lobes, phase;
};

/* Coverage of a point by the flake, 0 … 1: falls off over `soft` pixels about the radius, which
 * large flakes' lobes make uneven. */
static double cover(const struct flake *flake, double px, double py)
{
    double length2 = flake->dx * flake->dx + flake->dy * flake->dy;
    double along =
        length2 > 0.0 ? ((px - flake->x) * flake->dx + (py - flake->y) * flake->dy) / length2 : 0.0;
    along = fmin(fmax(along, -0.5), 0.5);
    /* the shutter opens and closes while it falls: a long streak fades at its ends */
    double fade = length2 > 4.0 * flake->radius * flake->radius ? 1.0 - 2.4 * along * along : 1.0;
    double ox = px - flake->x - along * flake->dx, oy = py - flake->y - along * flake->dy;
    double radius = flake->radius;
    if (flake->lobes > 0.0)
        radius *= 1.0 + flake->lobes * sin(3.0 * atan2(oy, ox) + flake->phase);
    double t = (radius + flake->soft - hypot(ox, oy)) / (2.0 * flake->soft);
    t = fmin(fmax(t, 0.0), 1.0);
    return fade * t * t * (3.0 - 2.0 * t);
}

static void draw_flake(const struct flake *flake, float *alpha, int width, int height)
{
    double reach = flake->radius * (1.0 + flake->lobes) + flake->soft + 1.0;
    int left = (int)fmax(floor(flake->x - fabs(flake->dx) / 2 - reach), 0.0);
    int right = (int)fmin(ceil(flake->x + fabs(flake->dx) / 2 + reach), width - 1.0);
    int top = (int)fmax(floor(flake->y - fabs(flake->dy) / 2 - reach), 0.0);
    int bottom = (int)fmin(ceil(flake->y + fabs(flake->dy) / 2 + reach), height - 1.0);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            float a = (float)(flake->opacity * cover(flake, x, y));
            float *to = &alpha[(size_t)y * (size_t)width + (size_t)x];
            *to = 1.0f - (1.0f - *to) * (1.0f - a);
        }
}

static void draw_layer(const struct layer *layer, double angle, const struct scene *scene,
    struct rng *rng, float *alpha)
{
    for (int i = 0; i < layer->count; i++) {
        double radius = layer->radius * rng_log_range(rng, 0.6, 1.6);
        double streak = layer->streak * rng_range(rng, 0.5, 1.3);
        double lean = angle + 0.15 * rng_normal(rng);
        struct flake flake = {
            .x = rng_range(rng, -radius, scene->width + radius),
            .y = rng_range(rng, -radius, scene->height + radius),
            .radius = radius,
            .soft = fmax(layer->soft * radius, 0.5),
            .dx = streak * sin(lean),
            .dy = streak * cos(lean),
            .lobes = radius > 2.5 ? rng_range(rng, 0.0, 0.25) : 0.0,
            .phase = rng_range(rng, 0.0, 6.28),
            .opacity = fmin(layer->opacity * rng_range(rng, 0.6, 1.15), 1.0) /
                       (1.0 + 0.12 * streak / radius),
        };
        draw_flake(&flake, alpha, scene->width, scene->height);
    }
}

static struct layer draw_parameters(
    int depth, int layers, double density, double speed, double area, struct rng *rng)
{
    /* 0 the farthest … 1 the nearest */
    double near = layers > 1 ? (double)depth / (layers - 1) : rng_unit(rng);
    double radius = 0.7 * pow(6.0, near) * rng_log_range(rng, 0.75, 1.35);
    double wanted = density * area / (65536.0 * radius * radius) * rng_log_range(rng, 0.7, 1.4);
    struct layer layer = {
        .count = (int)fmin(wanted, FLAKES_MAX),
        .radius = radius,
        .soft = rng_range(rng, near > 0.6 ? 0.45 : 0.3, near > 0.6 ? 1.0 : 0.8),
        .streak = speed * radius,
        .opacity = rng_range(rng, 0.65, 1.0),
    };
    return layer;
}

enum pf_status degrade_desnow(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err)
{
    size_t area = (size_t)scene->width * (size_t)scene->height;
    AUTO_FREE float *alpha = NULL;
    PF_TRY(plane_create(&alpha, scene->width, scene->height, err));
    int layers = 1 + rng_below(rng, LAYERS_MAX);
    double density = rng_log_range(rng, 120.0, 1500.0), angle = rng_normal(rng) * 0.5;
    double speed = rng_chance(rng, 0.5) ? rng_range(rng, 0.0, 1.0) : rng_range(rng, 1.0, 6.0);
    double white = rng_range(rng, 0.85, 1.0), blue = rng_range(rng, 0.0, 0.03);
    for (int i = 0; i < layers; i++) {
        struct layer layer = draw_parameters(i, layers, density, speed, (double)area, rng);
        draw_layer(&layer, angle, scene, rng, alpha);
    }
    float colour[3] = {(float)(white - blue), (float)(white - blue / 2), (float)white};
    for (size_t i = 0; i < area; i++) {
        if (alpha[i] <= 0.0f)
            continue;
        for (size_t c = 0; c < 3; c++)
            scene->rgb[c * area + i] += alpha[i] * (colour[c] - scene->rgb[c * area + i]);
        scene->mask[i] = fmaxf(scene->mask[i], alpha[i]);
    }
    buffer_put_format(note, "\"layers\":%d,\"density\":%.0f,\"angle\":%.2f,\"speed\":%.2f", layers,
        density, angle, speed);
    return PF_OK;
}
