/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "tools/curate/degrade.h"
#include "tools/curate/plane.h"

/* Blur as lenses and hands make it: a disc for defocus, a Gaussian for the sum of many small
 * causes, a line for a straight pan, a smooth crooked path for a hand that shakes. Kernels are
 * drawn by scattering many points of the shape into the grid, which gives soft edges for free. */

enum { KERNEL_MAX = 31, KERNEL_POINTS = 4096 };

enum blur_kind { BLUR_GAUSSIAN, BLUR_DISC, BLUR_LINE, BLUR_PATH, BLUR_KINDS };

static const char *const kind_names[BLUR_KINDS] = {"gaussian", "disc", "line", "path"};

/* Adds a point at (x,y) from the centre, shared among its four neighbours. */
static void scatter(float *kernel, int size, double x, double y)
{
    double u = x + size / 2, v = y + size / 2;
    int left = (int)floor(u), top = (int)floor(v);
    for (int dy = 0; dy < 2; dy++)
        for (int dx = 0; dx < 2; dx++) {
            int cx = left + dx, cy = top + dy;
            if (cx < 0 || cy < 0 || cx >= size || cy >= size)
                continue;
            double wx = dx ? u - left : 1.0 - (u - left), wy = dy ? v - top : 1.0 - (v - top);
            kernel[cy * size + cx] += (float)(wx * wy / KERNEL_POINTS);
        }
}

static void draw_disc(float *kernel, int size, double radius)
{
    for (int i = 0; i < KERNEL_POINTS; i++) { /* sunflower: evenly filled */
        double r = radius * sqrt((i + 0.5) / KERNEL_POINTS), a = 2.39996323 * i;
        scatter(kernel, size, r * cos(a), r * sin(a));
    }
}

static void draw_line(float *kernel, int size, double length, double angle)
{
    for (int i = 0; i < KERNEL_POINTS; i++) {
        double t = length * ((i + 0.5) / KERNEL_POINTS - 0.5);
        scatter(kernel, size, t * cos(angle), t * sin(angle));
    }
}

/* A path that turns smoothly, as long as `length`, its middle in the centre. */
static void draw_path(float *kernel, int size, double length, struct rng *rng)
{
    double turn = rng_normal(rng) * 4.0 / KERNEL_POINTS, swing = rng_range(rng, 0.5, 2.0);
    double angle = rng_range(rng, 0.0, 6.283), phase = rng_range(rng, 0.0, 6.283);
    static const int rounds = 2; /* the first one finds the middle */
    double sum_x = 0.0, sum_y = 0.0;
    for (int round = 0; round < rounds; round++) {
        double x = 0.0, y = 0.0, heading = angle, step = length / KERNEL_POINTS;
        for (int i = 0; i < KERNEL_POINTS; i++) {
            heading +=
                turn + 2.0 / KERNEL_POINTS * sin(phase + swing * 6.283 * i / KERNEL_POINTS) * 3.0;
            x += step * cos(heading);
            y += step * sin(heading);
            if (round == 0)
                sum_x += x, sum_y += y;
            else
                scatter(kernel, size, x - sum_x / KERNEL_POINTS, y - sum_y / KERNEL_POINTS);
        }
    }
}

static double draw_kernel(enum blur_kind kind, float *kernel, struct rng *rng)
{
    double extent;
    switch (kind) {
    case BLUR_DISC:
        extent = rng_log_range(rng, 1.0, 5.0);
        draw_disc(kernel, KERNEL_MAX, extent);
        return extent;
    case BLUR_LINE:
        extent = rng_log_range(rng, 3.0, 18.0);
        draw_line(kernel, KERNEL_MAX, extent, rng_range(rng, 0.0, 3.1416));
        return extent;
    default:
        extent = rng_log_range(rng, 4.0, 24.0);
        draw_path(kernel, KERNEL_MAX, extent, rng);
        return extent;
    }
}

/* What fell outside the grid is missing from the sum. */
static void normalise(float *kernel, int count)
{
    float sum = 0.0f;
    for (int i = 0; i < count; i++)
        sum += kernel[i];
    for (int i = 0; i < count; i++)
        kernel[i] /= sum;
}

enum pf_status degrade_deblur(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err)
{
    static const double odds[BLUR_KINDS] = {0.35, 0.25, 0.22, 0.18};
    size_t area = (size_t)scene->width * (size_t)scene->height;
    int in_linear = rng_chance(rng, 0.5);
    enum blur_kind kind = (enum blur_kind)rng_weighted(rng, odds, BLUR_KINDS);
    float kernel[KERNEL_MAX * KERNEL_MAX] = {0};
    double extent =
        kind == BLUR_GAUSSIAN ? rng_log_range(rng, 0.8, 3.5) : draw_kernel(kind, kernel, rng);
    double noise = rng_chance(rng, 0.6) ? rng_log_range(rng, 0.002, 0.012) : 0.0;
    normalise(kernel, kind == BLUR_GAUSSIAN ? 0 : KERNEL_MAX * KERNEL_MAX);
    if (in_linear)
        planes_to_linear(scene->rgb, 3 * area);
    for (size_t c = 0; c < 3; c++) {
        float *plane = scene->rgb + c * area;
        if (kind == BLUR_GAUSSIAN)
            PF_TRY(plane_blur(plane, scene->width, scene->height, extent, err));
        else
            PF_TRY(plane_convolve(plane, scene->width, scene->height, kernel, KERNEL_MAX, err));
    }
    if (in_linear)
        planes_to_srgb(scene->rgb, 3 * area);
    for (size_t i = 0; noise > 0.0 && i < 3 * area; i++)
        scene->rgb[i] += (float)(noise * rng_normal(rng));
    for (size_t i = 0; i < 3 * area; i++)
        scene->rgb[i] = plane_clamp(scene->rgb[i]);
    buffer_put_format(note, "\"kind\":\"%s\",\"extent\":%.2f,\"linear\":%d,\"noise\":%.4f",
        kind_names[kind], extent, in_linear, noise);
    return PF_OK;
}
