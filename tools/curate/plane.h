/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_PLANE_H
#define TOOLS_CURATE_PLANE_H

/* What degradations do to planes [height,width] of floats. */

#include <stddef.h>

#include "base/error.h"
#include "tools/curate/rng.h"

static inline float plane_clamp(float value)
{
    return value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
}

/* Between sRGB's curve and linear light; values outside [0,1] are clamped first. */
float srgb_to_linear(float value);
float linear_to_srgb(float value);
void planes_to_linear(float *values, size_t count);
void planes_to_srgb(float *values, size_t count);

/* A plane of zeros, malloc'd. NOMEM. */
PF_MUST_CHECK enum pf_status plane_create(
    float **ret_plane, int width, int height, struct pf_error *err);

/* Gaussian blur of that deviation in pixels, the border repeated. NOMEM. */
PF_MUST_CHECK enum pf_status plane_blur(
    float *plane, int width, int height, double sigma, struct pf_error *err);

/* Smooth noise about 0.5 in [0,1]: `octaves` of value noise, the first with cells of `cell` pixels,
 * each next with half the cell and half the strength. */
void plane_noise(
    float *ret_plane, int width, int height, double cell, int octaves, struct rng *rng);

/* Convolves with a kernel [size,size] (odd size), the border repeated. NOMEM. */
PF_MUST_CHECK enum pf_status plane_convolve(
    float *plane, int width, int height, const float *kernel, int size, struct pf_error *err);

/* Bilinear sample at a position in pixels; 0 outside. */
float plane_sample(const float *plane, int width, int height, float x, float y);

/* Rec. 601 luma of planar RGB, as the model's guidance uses it. */
void planes_luma(const float *rgb, size_t area, float *ret_luma);

#endif
