/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/crop.h"

#include <math.h>

#include "base/cleanup.h"
#include "tools/curate/plane.h"

enum { BINS = 256, DARKEST_SHARE = 20 };

/* The value below which one pixel of DARKEST_SHARE lies. */
static double darkest(const float *rgb, size_t area)
{
    size_t bins[BINS] = {0}, below = 0;
    for (size_t i = 0; i < area; i++) {
        float least = fminf(rgb[i], fminf(rgb[area + i], rgb[2 * area + i]));
        bins[(int)(plane_clamp(least) * (BINS - 1))]++;
    }
    for (int bin = 0; bin < BINS; bin++) {
        below += bins[bin];
        if (below * DARKEST_SHARE >= area)
            return (double)bin / (BINS - 1);
    }
    return 1.0;
}

enum pf_status crop_measure(
    const float *rgb, int side, struct crop_traits *ret_traits, struct pf_error *err)
{
    size_t area = (size_t)side * (size_t)side, width = (size_t)side;
    AUTO_FREE float *luma = NULL;
    PF_TRY(plane_create(&luma, side, side, err));
    planes_luma(rgb, area, luma);
    double sum = 0.0, squares = 0.0, chroma = 0.0, steps = 0.0;
    for (size_t i = 0; i < area; i++) {
        double value = luma[i];
        float high = fmaxf(rgb[i], fmaxf(rgb[area + i], rgb[2 * area + i]));
        float low = fminf(rgb[i], fminf(rgb[area + i], rgb[2 * area + i]));
        sum += value;
        squares += value * value;
        chroma += (double)(high - low);
    }
    for (size_t i = 0; i + width < area; i++)
        if ((i + 1) % width)
            steps += (double)(fabsf(luma[i + 1] - luma[i]) + fabsf(luma[i + width] - luma[i]));
    double mean = sum / (double)area;
    *ret_traits = (struct crop_traits){
        .luma = mean,
        .dark = darkest(rgb, area),
        .chroma = chroma / (double)area,
        .detail = steps / (double)area,
        .spread = sqrt(fmax(squares / (double)area - mean * mean, 0.0)),
    };
    return PF_OK;
}

int crop_teaches(const struct crop_traits *traits, enum task task)
{
    switch (task) {
    case TASK_COLORIZE:
        return traits->chroma > 0.06;
    case TASK_LOWLIGHT:
        return traits->luma > 0.22;
    case TASK_DEHAZE:
        return traits->dark < 0.22 && traits->spread > 0.07;
    case TASK_DESNOW:
        return traits->luma < 0.8;
    case TASK_DEBLUR:
        return traits->detail > 0.03;
    default:
        return 1;
    }
}

int crop_is_empty(const struct crop_traits *traits)
{
    return traits->detail < 0.012 || traits->spread < 0.03;
}
