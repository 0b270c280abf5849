/* SPDX-License-Identifier: Apache-2.0 */
/* Separable filters run over rows, then over columns through a transposing walk: `stride` is the
 * step from one sample of a line to the next. */
#include "tools/eval/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/eval/canvas.h"

struct line {
    const float *in; /* `count` samples next to each other */
    int count;
    float *out; /* the same number, `stride` apart */
    int stride;
};

static int mirror(int at, int count)
{
    if (count == 1)
        return 0;
    int period = 2 * (count - 1);
    at = (at % period + period) % period;
    return at < count ? at : period - at;
}

/* Runs `filter` over every row, then over every column. */
static enum pf_status run_separable(float *plane, struct filter_size size,
    void (*filter)(const struct line *line, const void *context), const void *context,
    struct pf_error *err)
{
    int longest = size.width > size.height ? size.width : size.height;
    AUTO_FREE float *copy = NULL;
    PF_TRY(canvas_plane(&copy, (size_t)longest, err));
    for (int y = 0; y < size.height; y++) {
        float *row = plane + (size_t)y * (size_t)size.width;
        memcpy(copy, row, (size_t)size.width * sizeof *copy);
        filter(&(struct line){copy, size.width, row, 1}, context);
    }
    for (int x = 0; x < size.width; x++) {
        for (int y = 0; y < size.height; y++)
            copy[y] = plane[(size_t)y * (size_t)size.width + (size_t)x];
        filter(&(struct line){copy, size.height, plane + x, size.width}, context);
    }
    return PF_OK;
}

struct weights {
    const float *values; /* [radius+1], from the middle outwards; they add up to 1 both ways */
    int radius;
};

static void weigh_line(const struct line *line, const void *context)
{
    const struct weights *weights = context;
    for (int i = 0; i < line->count; i++) {
        float sum = weights->values[0] * line->in[i];
        for (int k = 1; k <= weights->radius; k++)
            sum += weights->values[k] *
                   (line->in[mirror(i - k, line->count)] + line->in[mirror(i + k, line->count)]);
        line->out[(ptrdiff_t)i * line->stride] = sum;
    }
}

enum pf_status filter_gaussian(
    float *plane, struct filter_size size, float sigma, struct pf_error *err)
{
    if (sigma <= 0)
        return PF_OK;
    int radius = (int)ceilf(3.5f * sigma);
    AUTO_FREE float *values = NULL;
    PF_TRY(canvas_plane(&values, (size_t)radius + 1, err));
    float sum = 0;
    for (int k = 0; k <= radius; k++) {
        values[k] = expf(-(float)(k * k) / (2 * sigma * sigma));
        sum += (k > 0 ? 2 : 1) * values[k];
    }
    for (int k = 0; k <= radius; k++)
        values[k] /= sum;
    return filter_symmetric(plane, size, values, radius, err);
}

enum pf_status filter_symmetric(
    float *plane, struct filter_size size, const float *values, int radius, struct pf_error *err)
{
    return run_separable(plane, size, weigh_line, &(struct weights){values, radius}, err);
}

/* A running sum in double: no drift over a line. */
static void average_line(const struct line *line, const void *context)
{
    int radius = *(const int *)context, last = line->count - 1;
    double sum = 0;
    for (int i = 0; i < radius && i < line->count; i++)
        sum += (double)line->in[i];
    for (int i = 0; i < line->count; i++) {
        if (i + radius <= last)
            sum += (double)line->in[i + radius];
        if (i - radius - 1 >= 0)
            sum -= (double)line->in[i - radius - 1];
        int begin = i - radius > 0 ? i - radius : 0;
        int end = i + radius < last ? i + radius : last;
        line->out[(ptrdiff_t)i * line->stride] = (float)(sum / (end - begin + 1));
    }
}

enum pf_status filter_box(float *plane, struct filter_size size, int radius, struct pf_error *err)
{
    return run_separable(plane, size, average_line, &radius, err);
}

struct extreme {
    int radius;
    float sign; /* 1: the largest, -1: the smallest */
};

static void extreme_line(const struct line *line, const void *context)
{
    const struct extreme *extreme = context;
    for (int i = 0; i < line->count; i++) {
        int end = i + extreme->radius < line->count - 1 ? i + extreme->radius : line->count - 1;
        float best = line->in[i] * extreme->sign;
        for (int k = i - extreme->radius > 0 ? i - extreme->radius : 0; k <= end; k++)
            best = fmaxf(best, line->in[k] * extreme->sign);
        line->out[(ptrdiff_t)i * line->stride] = best * extreme->sign;
    }
}

enum pf_status filter_least(float *plane, struct filter_size size, int radius, struct pf_error *err)
{
    return run_separable(plane, size, extreme_line, &(struct extreme){radius, -1}, err);
}

enum pf_status filter_most(float *plane, struct filter_size size, int radius, struct pf_error *err)
{
    return run_separable(plane, size, extreme_line, &(struct extreme){radius, 1}, err);
}

enum pf_status filter_kernel(
    float *plane, struct filter_size size, const float *kernel, int radius, struct pf_error *err)
{
    size_t area = (size_t)size.width * (size_t)size.height;
    AUTO_FREE float *sum = NULL;
    PF_TRY(canvas_plane(&sum, area, err));
    for (int ky = -radius; ky <= radius; ky++) {
        for (int kx = -radius; kx <= radius; kx++) {
            float weight = kernel[(ky + radius) * (2 * radius + 1) + kx + radius];
            if (weight == 0)
                continue;
            for (int y = 0; y < size.height; y++) {
                const float *row = plane + (ptrdiff_t)mirror(y + ky, size.height) * size.width;
                float *out = sum + (ptrdiff_t)y * size.width;
                for (int x = 0; x < size.width; x++)
                    out[x] += weight * row[mirror(x + kx, size.width)];
            }
        }
    }
    memcpy(plane, sum, area * sizeof *plane);
    return PF_OK;
}

enum pf_status filter_guided(float *plane, const float *guide, struct filter_size size, int radius,
    float eps, struct pf_error *err)
{
    size_t area = (size_t)size.width * (size_t)size.height;
    AUTO_FREE float *memory = NULL;
    PF_TRY(canvas_plane(&memory, 3 * area, err));
    float *mean = memory, *square = mean + area, *product = square + area;
    for (size_t i = 0; i < area; i++) {
        mean[i] = guide[i];
        square[i] = guide[i] * guide[i];
        product[i] = guide[i] * plane[i];
    }
    float *const planes[] = {mean, square, product, plane};
    for (size_t i = 0; i < COUNT_OF(planes); i++)
        PF_TRY(filter_box(planes[i], size, radius, err));
    float *slope = product, *offset = plane;
    for (size_t i = 0; i < area; i++) {
        float variance = square[i] - mean[i] * mean[i];
        float a = (product[i] - mean[i] * plane[i]) / (variance + eps);
        offset[i] = plane[i] - a * mean[i];
        slope[i] = a;
    }
    PF_TRY(filter_box(slope, size, radius, err));
    PF_TRY(filter_box(offset, size, radius, err));
    for (size_t i = 0; i < area; i++)
        plane[i] = slope[i] * guide[i] + offset[i];
    return PF_OK;
}
