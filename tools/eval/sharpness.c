/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/sharpness.h"

#include <math.h>

#include "base/cleanup.h"
#include "tools/eval/canvas.h"

enum pf_status sharpness(const struct image *image, double *ret_sharpness, struct pf_error *err)
{
    if (image->width < 3 || image->height < 3)
        return pf_fail(err, PF_INVALID, "sharpness needs 3 pixels a side, got %d×%d", image->width,
            image->height);
    size_t width = (size_t)image->width, height = (size_t)image->height;
    AUTO_FREE float *luma = NULL;
    PF_TRY(canvas_plane(&luma, canvas_area(image), err));
    canvas_luma(image, luma);
    double sum = 0, squares = 0, count = (double)((width - 2) * (height - 2));
    for (size_t y = 1; y < height - 1; y++) {
        for (size_t x = 1; x < width - 1; x++) {
            const float *at = luma + y * width + x;
            float around = at[-1] + at[1] + *(at - width) + at[width];
            double laplacian = 255 * (double)(around - 4 * at[0]);
            sum += laplacian;
            squares += laplacian * laplacian;
        }
    }
    double mean = sum / count;
    *ret_sharpness = fmax(SHARPNESS_FLOOR, squares / count - mean * mean);
    return PF_OK;
}
