/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/pixels.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pipeline/image/header.h"

/* All eight orientations are one formula: the stored pixel of the upright (x, y) is
 * origin + x·step_x + y·step_y, so turning costs nothing beyond the copy that is made anyway. */
struct walk {
    ptrdiff_t origin, step_x, step_y; /* in pixels of the stored picture */
};

static struct walk walk_for(int orientation, ptrdiff_t width, ptrdiff_t height)
{
    ptrdiff_t right = width - 1, bottom = (height - 1) * width;
    switch (orientation) {
    case 2: /* mirrored left to right */
        return (struct walk){right, -1, width};
    case 3: /* upside down */
        return (struct walk){bottom + right, -1, -width};
    case 4: /* mirrored top to bottom */
        return (struct walk){bottom, 1, -width};
    case 5: /* transposed */
        return (struct walk){0, width, 1};
    case 6: /* to be turned clockwise */
        return (struct walk){bottom, -width, 1};
    case 7: /* transposed along the other diagonal */
        return (struct walk){bottom + right, -width, -1};
    case 8: /* to be turned anticlockwise */
        return (struct walk){right, width, -1};
    default:
        return (struct walk){0, 1, width};
    }
}

static float sample_unit(const struct pixels *pixels, ptrdiff_t at)
{
    if (pixels->depth == 16)
        return (float)((const uint16_t *)pixels->data)[at] / 65535.0f;
    return (float)((const uint8_t *)pixels->data)[at] / 255.0f;
}

static uint8_t sample_byte(const struct pixels *pixels, ptrdiff_t at)
{
    if (pixels->depth == 16)
        return (uint8_t)((((const uint16_t *)pixels->data)[at] + 128u) / 257u);
    return ((const uint8_t *)pixels->data)[at];
}

static void fill_plane(float *plane, int width, int height, const struct pixels *pixels,
    const struct walk *walk, int channel)
{
    for (ptrdiff_t y = 0; y < height; y++) {
        ptrdiff_t row = walk->origin + y * walk->step_y;
        for (ptrdiff_t x = 0; x < width; x++)
            plane[y * width + x] =
                sample_unit(pixels, (row + x * walk->step_x) * pixels->channels + channel);
    }
}

static void fill_alpha(
    uint8_t *plane, int width, int height, const struct pixels *pixels, const struct walk *walk)
{
    int channel = pixels->channels - 1;
    for (ptrdiff_t y = 0; y < height; y++) {
        ptrdiff_t row = walk->origin + y * walk->step_y;
        for (ptrdiff_t x = 0; x < width; x++)
            plane[y * width + x] =
                sample_byte(pixels, (row + x * walk->step_x) * pixels->channels + channel);
    }
}

enum pf_status image_from_pixels(
    const struct pixels *pixels, int orientation, struct image *ret_image, struct pf_error *err)
{
    int swaps = image_orientation_swaps(orientation);
    int width = swaps ? pixels->height : pixels->width;
    int height = swaps ? pixels->width : pixels->height;
    size_t area = (size_t)width * (size_t)height;
    int has_alpha = pixels->channels == 2 || pixels->channels == 4;
    AUTO_FREE float *rgb = malloc(area * 3 * sizeof *rgb);
    AUTO_FREE uint8_t *alpha = has_alpha ? malloc(area) : NULL;
    if (!rgb || (has_alpha && !alpha))
        return pf_fail(err, PF_NOMEM, "no memory for an image of %d×%d", width, height);

    struct walk walk = walk_for(orientation, pixels->width, pixels->height);
    int colours = pixels->channels >= 3 ? 3 : 1;
    for (int channel = 0; channel < 3; channel++)
        fill_plane(
            rgb + (size_t)channel * area, width, height, pixels, &walk, colours == 3 ? channel : 0);
    if (has_alpha)
        fill_alpha(alpha, width, height, pixels, &walk);
    *ret_image = (struct image){width, height, STEAL(rgb), STEAL(alpha)};
    return PF_OK;
}

static uint8_t byte_from_unit(float value)
{
    if (value <= 0.0f)
        return 0;
    return value >= 1.0f ? 255 : (uint8_t)(value * 255.0f + 0.5f);
}

static enum pf_status check_finite(const struct image *image, struct pf_error *err)
{
    size_t width = (size_t)image->width, area = width * (size_t)image->height;
    for (size_t i = 0; i < 3 * area; i++)
        if (!isfinite(image->rgb[i]))
            return pf_fail(err, PF_INTERNAL, "channel %zu at x %zu, y %zu is %f", i / area,
                i % area % width, i % area / width, (double)image->rgb[i]);
    return PF_OK;
}

enum pf_status image_to_pixels(
    const struct image *image, int with_alpha, uint8_t **ret_data, struct pf_error *err)
{
    PF_TRY(check_finite(image, err));
    size_t area = (size_t)image->width * (size_t)image->height, channels = with_alpha ? 4 : 3;
    uint8_t *data = malloc(area * channels);
    if (!data)
        return pf_fail(err, PF_NOMEM, "no memory for %zu bytes of pixels", area * channels);
    for (size_t i = 0; i < area; i++) {
        uint8_t *pixel = data + i * channels;
        float opacity = image->alpha && !with_alpha ? (float)image->alpha[i] / 255.0f : 1.0f;
        for (size_t channel = 0; channel < 3; channel++) {
            float value = fminf(fmaxf(image->rgb[channel * area + i], 0.0f), 1.0f);
            pixel[channel] = byte_from_unit(opacity * value + (1.0f - opacity));
        }
        if (with_alpha)
            pixel[3] = image->alpha[i];
    }
    *ret_data = data;
    return PF_OK;
}
