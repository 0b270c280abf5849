/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/eval/baseline.h"
#include "tools/eval/canvas.h"

enum { TILES = 8, BINS = 256 };
#define TARGET_MEAN 0.45
#define CLIP        2.0f /* times the mean height of a histogram */
#define LEAST_LUMA  (1.0f / 255)

struct clahe {
    float maps[TILES][TILES][BINS]; /* luma bin to new luma, a tile */
};

static int bin_of(float luma)
{
    return (int)(fminf(fmaxf(luma, 0.0f), 1.0f) * (BINS - 1) + 0.5f);
}

static void correct_gamma(float *luma, size_t area)
{
    double sum = 0;
    for (size_t i = 0; i < area; i++)
        sum += (double)luma[i];
    double mean = fmin(fmax(sum / (double)area, 1e-3), 0.999);
    float gamma = (float)fmin(1, log(TARGET_MEAN) / log(mean));
    for (size_t i = 0; i < area; i++)
        luma[i] = powf(luma[i], gamma);
}

/* The clipped histogram's cumulative sum; what was cut off is spread over all bins. */
static void equalize_tile(const float *luma, int width, const int box[4], float map[BINS])
{
    float histogram[BINS] = {0}, excess = 0, sum = 0;
    int left = box[0], top = box[1], right = box[2], bottom = box[3];
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++)
            histogram[bin_of(luma[(ptrdiff_t)y * width + x])]++;
    float count = (float)((right - left) * (bottom - top)), limit = CLIP * count / BINS;
    for (int i = 0; i < BINS; i++) {
        excess += fmaxf(0.0f, histogram[i] - limit);
        histogram[i] = fminf(histogram[i], limit);
    }
    for (int i = 0; i < BINS; i++) {
        sum += histogram[i] + excess / BINS;
        map[i] = sum / count;
    }
}

/* The four tiles around a pixel, by the distance of their middles. */
static float look_up(const struct clahe *clahe, float across, float down, float luma)
{
    float x = fminf(fmaxf(across * TILES - 0.5f, 0.0f), TILES - 1);
    float y = fminf(fmaxf(down * TILES - 0.5f, 0.0f), TILES - 1);
    int left = (int)x, top = (int)y, bin = bin_of(luma);
    int right = left < TILES - 1 ? left + 1 : left, bottom = top < TILES - 1 ? top + 1 : top;
    float to_right = x - (float)left, to_bottom = y - (float)top;
    float above =
        clahe->maps[top][left][bin] * (1 - to_right) + clahe->maps[top][right][bin] * to_right;
    float below = clahe->maps[bottom][left][bin] * (1 - to_right) +
                  clahe->maps[bottom][right][bin] * to_right;
    return above * (1 - to_bottom) + below * to_bottom;
}

static enum pf_status equalize(float *luma, int width, int height, struct pf_error *err)
{
    AUTO_FREE struct clahe *clahe = malloc(sizeof *clahe);
    if (!clahe)
        return pf_fail(err, PF_NOMEM, "no memory for CLAHE's tiles");
    for (int row = 0; row < TILES; row++)
        for (int column = 0; column < TILES; column++)
            equalize_tile(luma, width,
                (const int[]){column * width / TILES, row * height / TILES,
                    (column + 1) * width / TILES, (row + 1) * height / TILES},
                clahe->maps[row][column]);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            float *at = luma + (ptrdiff_t)y * width + x;
            *at = look_up(
                clahe, ((float)x + 0.5f) / (float)width, ((float)y + 0.5f) / (float)height, *at);
        }
    return PF_OK;
}

enum pf_status baseline_light(
    const struct image *input, const float *mask, struct image *ret_image, struct pf_error *err)
{
    (void)mask;
    size_t area = canvas_area(input);
    if (input->width < TILES || input->height < TILES)
        return pf_fail(err, PF_INVALID, "CLAHE needs %d pixels a side, got %d×%d", TILES,
            input->width, input->height);
    AUTO_FREE float *memory = NULL;
    PF_TRY(canvas_plane(&memory, 2 * area, err));
    float *before = memory, *after = memory + area;
    canvas_luma(input, before);
    memcpy(after, before, area * sizeof *after);
    correct_gamma(after, area);
    PF_TRY(equalize(after, input->width, input->height, err));
    PF_TRY(canvas_copy(ret_image, input, err));
    canvas_scale_luma(ret_image, before, after, LEAST_LUMA);
    return PF_OK;
}
