/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/plane.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

float srgb_to_linear(float value)
{
    value = plane_clamp(value);
    return value <= 0.04045f ? value / 12.92f : powf((value + 0.055f) / 1.055f, 2.4f);
}

float linear_to_srgb(float value)
{
    value = plane_clamp(value);
    return value <= 0.0031308f ? value * 12.92f : 1.055f * powf(value, 1.0f / 2.4f) - 0.055f;
}

void planes_to_linear(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = srgb_to_linear(values[i]);
}

void planes_to_srgb(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = linear_to_srgb(values[i]);
}

enum pf_status plane_create(float **ret_plane, int width, int height, struct pf_error *err)
{
    float *plane = calloc((size_t)width * (size_t)height, sizeof *plane);
    if (!plane)
        return pf_fail(err, PF_NOMEM, "no memory for a plane of %d×%d", width, height);
    *ret_plane = plane;
    return PF_OK;
}

static int clamp_index(int i, int count)
{
    return i < 0 ? 0 : i >= count ? count - 1 : i;
}

/* One line with `step` between its values, padded by `radius` repeats of its ends. */
static void load_line(const float *from, int count, size_t step, int radius, float *line)
{
    for (int i = -radius; i < count + radius; i++)
        line[i + radius] = from[(size_t)clamp_index(i, count) * step];
}

static void blur_line(
    float *values, int count, size_t step, const float *weights, int radius, float *line)
{
    load_line(values, count, step, radius, line);
    for (int i = 0; i < count; i++) {
        float sum = weights[0] * line[i + radius];
        for (int k = 1; k <= radius; k++)
            sum += weights[k] * (line[i + radius - k] + line[i + radius + k]);
        values[(size_t)i * step] = sum;
    }
}

/* Three box blurs come close to a wide Gaussian, at a cost that doesn't grow with it. A box of
 * radius r has variance (r² + r)/3; the first `wider` ones have radius + 1, so that the sum fits.
 */
static void box_line(float *values, int count, size_t step, int least, int wider, float *line)
{
    for (int pass = 0; pass < 3; pass++) {
        int radius = least + (pass < wider);
        load_line(values, count, step, radius + 1, line);
        double sum = 0.0;
        for (int i = 1; i <= 2 * radius + 1; i++)
            sum += line[i];
        for (int i = 0; i < count; i++) {
            values[(size_t)i * step] = (float)(sum / (2 * radius + 1));
            sum += line[i + 2 * radius + 2] - line[i + 1];
        }
    }
}

struct kernel {
    int is_wide, radius, wider;
    float weights[20];
};

static void make_kernel(double sigma, struct kernel *kernel)
{
    kernel->is_wide = sigma > 6.0;
    if (kernel->is_wide) {
        kernel->radius = (int)((sqrt(4.0 * sigma * sigma + 1.0) - 1.0) / 2.0);
        double missing = sigma * sigma - kernel->radius * (kernel->radius + 1.0);
        kernel->wider = (int)lround(missing * 3.0 / (2.0 * kernel->radius + 2.0));
        return;
    }
    float sum = 0.0f;
    kernel->radius = (int)ceil(3.0 * sigma);
    for (int k = 0; k <= kernel->radius; k++) {
        kernel->weights[k] = expf(-0.5f * (float)(k * k) / (float)(sigma * sigma));
        sum += k ? 2.0f * kernel->weights[k] : kernel->weights[k];
    }
    for (int k = 0; k <= kernel->radius; k++)
        kernel->weights[k] /= sum;
}

enum pf_status plane_blur(float *plane, int width, int height, double sigma, struct pf_error *err)
{
    struct kernel kernel;
    if (sigma < 0.1)
        return PF_OK;
    make_kernel(sigma, &kernel);
    int longest = width > height ? width : height;
    AUTO_FREE float *line =
        malloc(((size_t)longest + 2 * (size_t)kernel.radius + 6) * sizeof *line);
    if (!line)
        return pf_fail(err, PF_NOMEM, "no memory to blur %d×%d", width, height);
    for (int pass = 0; pass < 2; pass++) {
        int lines = pass ? width : height, count = pass ? height : width;
        size_t step = pass ? (size_t)width : 1, stride = pass ? 1 : (size_t)width;
        for (int i = 0; i < lines; i++) {
            float *values = plane + (size_t)i * stride;
            if (kernel.is_wide)
                box_line(values, count, step, kernel.radius, kernel.wider, line);
            else
                blur_line(values, count, step, kernel.weights, kernel.radius, line);
        }
    }
    return PF_OK;
}

/* A number in [0,1) of a lattice point. */
static float lattice(uint64_t key, int x, int y)
{
    struct rng point;
    rng_init(&point, key, (uint64_t)(uint32_t)x, (uint64_t)(uint32_t)y);
    return (float)rng_unit(&point);
}

static float smooth(float t)
{
    return t * t * (3.0f - 2.0f * t);
}

static void add_octave(float *plane, int width, int height, double cell, float weight, uint64_t key)
{
    for (int y = 0; y < height; y++) {
        double v = y / cell;
        int row = (int)v;
        float fy = smooth((float)(v - row));
        float a = 0.0f, b = 0.0f;
        int loaded = -1;
        for (int x = 0; x < width; x++) {
            double u = x / cell;
            int column = (int)u;
            if (column != loaded) {
                float top = lattice(key, column, row), bottom = lattice(key, column, row + 1);
                a = top + (bottom - top) * fy;
                top = lattice(key, column + 1, row);
                bottom = lattice(key, column + 1, row + 1);
                b = top + (bottom - top) * fy;
                loaded = column;
            }
            plane[(size_t)y * (size_t)width + (size_t)x] +=
                weight * (a + (b - a) * smooth((float)(u - column)));
        }
    }
}

void plane_noise(float *ret_plane, int width, int height, double cell, int octaves, struct rng *rng)
{
    memset(ret_plane, 0, (size_t)width * (size_t)height * sizeof *ret_plane);
    float total = 2.0f - powf(0.5f, (float)(octaves - 1));
    float weight = 1.0f / total;
    for (int i = 0; i < octaves && cell >= 1.0; i++, cell /= 2.0, weight /= 2.0f)
        add_octave(ret_plane, width, height, cell, weight, rng_next(rng));
}

enum pf_status plane_convolve(
    float *plane, int width, int height, const float *kernel, int size, struct pf_error *err)
{
    int radius = size / 2;
    size_t padded = (size_t)width + 2 * (size_t)radius;
    AUTO_FREE float *copy = malloc(padded * ((size_t)height + 2 * (size_t)radius) * sizeof *copy);
    if (!copy)
        return pf_fail(err, PF_NOMEM, "no memory to convolve %d×%d", width, height);
    for (int y = -radius; y < height + radius; y++)
        load_line(plane + (size_t)clamp_index(y, height) * (size_t)width, width, 1, radius,
            copy + (size_t)(y + radius) * padded);
    memset(plane, 0, (size_t)width * (size_t)height * sizeof *plane);
    for (int ky = 0; ky < size; ky++)
        for (int kx = 0; kx < size; kx++) {
            float weight = kernel[ky * size + kx];
            if (weight == 0.0f)
                continue;
            for (int y = 0; y < height; y++) {
                const float *from = copy + (size_t)(y + ky) * padded + kx;
                float *to = plane + (size_t)y * (size_t)width;
                for (int x = 0; x < width; x++)
                    to[x] += weight * from[x];
            }
        }
    return PF_OK;
}

float plane_sample(const float *plane, int width, int height, float x, float y)
{
    float left = floorf(x), top = floorf(y), fx = x - left, fy = y - top;
    float sum = 0.0f;
    for (int dy = 0; dy < 2; dy++)
        for (int dx = 0; dx < 2; dx++) {
            int u = (int)left + dx, v = (int)top + dy;
            if (u >= 0 && v >= 0 && u < width && v < height)
                sum += (dx ? fx : 1.0f - fx) * (dy ? fy : 1.0f - fy) *
                       plane[(size_t)v * (size_t)width + (size_t)u];
        }
    return sum;
}

void planes_luma(const float *rgb, size_t area, float *ret_luma)
{
    for (size_t i = 0; i < area; i++)
        ret_luma[i] = 0.299f * rgb[i] + 0.587f * rgb[area + i] + 0.114f * rgb[2 * area + i];
}
