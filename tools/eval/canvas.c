/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/image/resample.h"

enum pf_status canvas_plane(float **ret_plane, size_t count, struct pf_error *err)
{
    float *plane = calloc(count, sizeof *plane);
    if (!plane)
        return pf_fail(err, PF_NOMEM, "no memory for %zu pixel values", count);
    *ret_plane = plane;
    return PF_OK;
}

enum pf_status canvas_create(struct image *ret_image, int width, int height, struct pf_error *err)
{
    if (width < 1 || height < 1 || width > CANVAS_SIDE_MAX || height > CANVAS_SIDE_MAX)
        return pf_fail(err, PF_INVALID, "a picture of %d×%d, at most %d a side are possible", width,
            height, CANVAS_SIDE_MAX);
    struct image image = {width, height, NULL, NULL};
    PF_TRY(canvas_plane(&image.rgb, 3 * canvas_area(&image), err));
    *ret_image = image;
    return PF_OK;
}

enum pf_status canvas_copy(struct image *ret_image, const struct image *from, struct pf_error *err)
{
    struct image image;
    PF_TRY(canvas_create(&image, from->width, from->height, err));
    memcpy(image.rgb, from->rgb, 3 * canvas_area(from) * sizeof *image.rgb);
    *ret_image = image;
    return PF_OK;
}

size_t canvas_area(const struct image *image)
{
    return (size_t)image->width * (size_t)image->height;
}

void canvas_luma(const struct image *image, float *ret_plane)
{
    size_t area = canvas_area(image);
    const float *red = image->rgb, *green = red + area, *blue = green + area;
    for (size_t i = 0; i < area; i++)
        ret_plane[i] = 0.299f * red[i] + 0.587f * green[i] + 0.114f * blue[i];
}

static float unit(float value)
{
    return fminf(fmaxf(value, 0.0f), 1.0f);
}

void canvas_scale_luma(struct image *image, const float *from, const float *to, float floor)
{
    size_t area = canvas_area(image);
    for (size_t i = 0; i < 3 * area; i++)
        image->rgb[i] = unit(image->rgb[i] * to[i % area] / fmaxf(from[i % area], floor));
}

void canvas_quantize(struct image *image)
{
    for (size_t i = 0; i < 3 * canvas_area(image); i++)
        image->rgb[i] = floorf(unit(image->rgb[i]) * 255.0f + 0.5f) / 255.0f;
}

enum pf_status canvas_square(
    struct image *ret_image, const struct image *from, int size, struct pf_error *err)
{
    int side = from->width < from->height ? from->width : from->height;
    size_t left = (size_t)(from->width - side) / 2, top = (size_t)(from->height - side) / 2;
    AUTO_FREE float *cut = NULL;
    PF_TRY(canvas_plane(&cut, (size_t)side * (size_t)side, err));
    struct image image;
    PF_TRY(canvas_create(&image, size, size, err));
    enum pf_status status = PF_OK;
    for (size_t c = 0; c < 3 && status == PF_OK; c++) {
        const float *plane = from->rgb + c * canvas_area(from);
        for (size_t y = 0; y < (size_t)side; y++)
            memcpy(cut + y * (size_t)side, plane + (top + y) * (size_t)from->width + left,
                (size_t)side * sizeof *cut);
        status =
            image_resample(cut, side, side, image.rgb + c * canvas_area(&image), size, size, err);
    }
    if (status != PF_OK) {
        image_finish(&image);
        return status;
    }
    canvas_quantize(&image);
    *ret_image = image;
    return PF_OK;
}
