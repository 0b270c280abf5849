/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/image/image.h"
#include "pipeline/image/resample.h"

/* The model sees sizes of its own choosing; the user gets the size that was sent. Nothing is
 * cropped: what the multiple asks for beyond the picture is its own mirror image, which costs the
 * model's attention less than black bars, and is thrown away afterwards. Source: model.md §8. */

/* Index of a mirrored line of `count` samples, the border samples not repeated; periodic, so that a
 * padding wider than the picture goes back and forth. */
static int reflect(int index, int count)
{
    if (count == 1)
        return 0;
    index %= 2 * (count - 1);
    return index < count ? index : 2 * (count - 1) - index;
}

/* Fills a padded plane from its scaled picture. */
static void pad_plane(const struct image_fit *fit, const float *scaled, float *padded)
{
    size_t width = (size_t)fit->padded_width, inner = (size_t)fit->scaled_width;
    for (int y = 0; y < fit->scaled_height; y++) {
        float *row = padded + (size_t)y * width;
        memcpy(row, scaled + (size_t)y * inner, inner * sizeof *row);
        for (int x = fit->scaled_width; x < fit->padded_width; x++)
            row[x] = row[reflect(x, fit->scaled_width)];
    }
    for (int y = fit->scaled_height; y < fit->padded_height; y++)
        memcpy(padded + (size_t)y * width, padded + (size_t)reflect(y, fit->scaled_height) * width,
            width * sizeof *padded);
}

/* The padding cut off a padded plane. */
static void crop_plane(const struct image_fit *fit, const float *padded, float *scaled)
{
    size_t width = (size_t)fit->scaled_width;
    for (int y = 0; y < fit->scaled_height; y++)
        memcpy(scaled + (size_t)y * width, padded + (size_t)y * (size_t)fit->padded_width,
            width * sizeof *scaled);
}

enum pf_status image_fit_apply(const struct image_fit *fit, const float *planes, int channels,
    float **ret_planes, struct pf_error *err)
{
    size_t in_area = (size_t)fit->width * (size_t)fit->height;
    size_t scaled_area = (size_t)fit->scaled_width * (size_t)fit->scaled_height;
    size_t out_area = (size_t)fit->padded_width * (size_t)fit->padded_height;
    AUTO_FREE float *scaled = malloc(scaled_area * sizeof *scaled);
    AUTO_FREE float *out = malloc((size_t)channels * out_area * sizeof *out);
    if (!scaled || !out)
        return pf_fail(err, PF_NOMEM, "no memory for %d planes of %d×%d", channels,
            fit->padded_width, fit->padded_height);
    for (size_t c = 0; c < (size_t)channels; c++) {
        PF_TRY(image_resample(planes + c * in_area, fit->width, fit->height, scaled,
            fit->scaled_width, fit->scaled_height, err));
        pad_plane(fit, scaled, out + c * out_area);
    }
    *ret_planes = STEAL(out);
    return PF_OK;
}

enum pf_status image_fit_undo(const struct image_fit *fit, const float *planes, int channels,
    float **ret_planes, struct pf_error *err)
{
    size_t in_area = (size_t)fit->padded_width * (size_t)fit->padded_height;
    size_t scaled_area = (size_t)fit->scaled_width * (size_t)fit->scaled_height;
    size_t out_area = (size_t)fit->width * (size_t)fit->height;
    AUTO_FREE float *scaled = malloc(scaled_area * sizeof *scaled);
    AUTO_FREE float *out = malloc((size_t)channels * out_area * sizeof *out);
    if (!scaled || !out)
        return pf_fail(
            err, PF_NOMEM, "no memory for %d planes of %d×%d", channels, fit->width, fit->height);
    for (size_t c = 0; c < (size_t)channels; c++) {
        crop_plane(fit, planes + c * in_area, scaled);
        PF_TRY(image_resample(scaled, fit->scaled_width, fit->scaled_height, out + c * out_area,
            fit->width, fit->height, err));
    }
    *ret_planes = STEAL(out);
    return PF_OK;
}
