/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/image.h"

#include <stdlib.h>

void image_finish(struct image *image)
{
    if (!image)
        return;
    free(image->rgb);
    free(image->alpha);
    *image = (struct image)IMAGE_INIT;
}

static int is_opaque(const struct image *image)
{
    if (!image->alpha)
        return 1;
    size_t area = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < area; i++)
        if (image->alpha[i] != 255)
            return 0;
    return 1;
}

enum pf_status image_decode_mask(const void *bytes, size_t count, const struct image_limits *limits,
    int *ret_width, int *ret_height, float **ret_plane, struct pf_error *err)
{
    struct image image = IMAGE_INIT;
    PF_TRY(image_decode(bytes, count, limits, &image, err));
    size_t area = (size_t)image.width * (size_t)image.height;
    float *plane = malloc(area * sizeof *plane);
    if (!plane) {
        enum pf_status status =
            pf_fail(err, PF_NOMEM, "no memory for a mask of %d×%d", image.width, image.height);
        image_finish(&image);
        return status;
    }
    const float *red = image.rgb, *green = red + area, *blue = green + area;
    int by_alpha = !is_opaque(&image);
    for (size_t i = 0; i < area; i++)
        plane[i] = by_alpha ? 1.0f - (float)image.alpha[i] / 255.0f
                            : 0.299f * red[i] + 0.587f * green[i] + 0.114f * blue[i];
    *ret_width = image.width;
    *ret_height = image.height;
    *ret_plane = plane;
    image_finish(&image);
    return PF_OK;
}
