/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/ssim.h"

#include <math.h>

#include "base/cleanup.h"
#include "tools/eval/canvas.h"
#include "tools/eval/filter.h"

#define SIGMA 1.5
#define C1    (0.01 * 0.01)
#define C2    (0.03 * 0.03)

enum { MEAN_A, MEAN_B, SQUARE_A, SQUARE_B, PRODUCT, MOMENTS };

static void window_weights(float values[SSIM_RADIUS + 1])
{
    double sum = 0;
    for (int k = -SSIM_RADIUS; k <= SSIM_RADIUS; k++)
        sum += exp(-k * k / (2 * SIGMA * SIGMA));
    for (int k = 0; k <= SSIM_RADIUS; k++)
        values[k] = (float)(exp(-k * k / (2 * SIGMA * SIGMA)) / sum);
}

static double similarity(float *const moments[MOMENTS], size_t i)
{
    double a = (double)moments[MEAN_A][i], b = (double)moments[MEAN_B][i];
    double variance_a = (double)moments[SQUARE_A][i] - a * a;
    double variance_b = (double)moments[SQUARE_B][i] - b * b;
    double covariance = (double)moments[PRODUCT][i] - a * b;
    return (2 * a * b + C1) * (2 * covariance + C2) /
           ((a * a + b * b + C1) * (variance_a + variance_b + C2));
}

enum pf_status ssim_between(
    const struct image *a, const struct image *b, double *ret_ssim, struct pf_error *err)
{
    int width = a->width, height = a->height;
    if (width <= 2 * SSIM_RADIUS || height <= 2 * SSIM_RADIUS)
        return pf_fail(err, PF_INVALID, "SSIM needs 11 pixels a side, got %d×%d", width, height);
    size_t area = canvas_area(a);
    AUTO_FREE float *memory = NULL;
    PF_TRY(canvas_plane(&memory, MOMENTS * area, err));
    float *moments[MOMENTS], weights[SSIM_RADIUS + 1];
    for (size_t m = 0; m < MOMENTS; m++)
        moments[m] = memory + m * area;
    canvas_luma(a, moments[MEAN_A]);
    canvas_luma(b, moments[MEAN_B]);
    for (size_t i = 0; i < area; i++) {
        moments[SQUARE_A][i] = moments[MEAN_A][i] * moments[MEAN_A][i];
        moments[SQUARE_B][i] = moments[MEAN_B][i] * moments[MEAN_B][i];
        moments[PRODUCT][i] = moments[MEAN_A][i] * moments[MEAN_B][i];
    }
    window_weights(weights);
    for (size_t m = 0; m < MOMENTS; m++)
        PF_TRY(filter_symmetric(
            moments[m], (struct filter_size){width, height}, weights, SSIM_RADIUS, err));
    double sum = 0;
    for (int y = SSIM_RADIUS; y < height - SSIM_RADIUS; y++)
        for (int x = SSIM_RADIUS; x < width - SSIM_RADIUS; x++)
            sum += similarity(moments, (size_t)y * (size_t)width + (size_t)x);
    *ret_ssim = sum / (width - 2 * SSIM_RADIUS) / (height - 2 * SSIM_RADIUS);
    return PF_OK;
}
