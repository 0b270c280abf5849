/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/eval/canvas.h"
#include "tools/eval/filter.h"

enum { WINDOW = 3, WINDOW_PIXELS = (2 * WINDOW + 1) * (2 * WINDOW + 1) };
#define PAINTED        0.02f
#define SHARPEN_SIGMA  2.0f
#define SHARPEN_AMOUNT 1.5f

enum { UNKNOWN, KNOWN, FOUND /* in this pass */ };

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Sets one pixel to the median of the known ones in its window; 0 when there are none. */
static int fill_pixel(struct image *image, const unsigned char *state, int x, int y)
{
    float values[3][WINDOW_PIXELS];
    size_t count = 0, area = canvas_area(image);
    for (int ny = y - WINDOW; ny <= y + WINDOW; ny++) {
        for (int nx = x - WINDOW; nx <= x + WINDOW; nx++) {
            if (nx < 0 || ny < 0 || nx >= image->width || ny >= image->height)
                continue;
            size_t at = (size_t)ny * (size_t)image->width + (size_t)nx;
            if (state[at] != KNOWN)
                continue;
            for (size_t c = 0; c < 3; c++)
                values[c][count] = image->rgb[c * area + at];
            count++;
        }
    }
    if (count == 0)
        return 0;
    size_t pixel = (size_t)y * (size_t)image->width + (size_t)x;
    for (size_t c = 0; c < 3; c++) {
        qsort(values[c], count, sizeof values[c][0], compare_floats);
        image->rgb[c * area + pixel] = values[c][count / 2];
    }
    return 1;
}

/* One layer of the mask, from its border inwards. Returns how many pixels it was. */
static size_t fill_layer(struct image *image, unsigned char *state)
{
    size_t filled = 0;
    for (int y = 0; y < image->height; y++) {
        for (int x = 0; x < image->width; x++) {
            size_t at = (size_t)y * (size_t)image->width + (size_t)x;
            if (state[at] == UNKNOWN && fill_pixel(image, state, x, y)) {
                state[at] = FOUND;
                filled++;
            }
        }
    }
    for (size_t i = 0; i < canvas_area(image); i++)
        if (state[i] == FOUND)
            state[i] = KNOWN;
    return filled;
}

enum pf_status baseline_inpaint(
    const struct image *input, const float *mask, struct image *ret_image, struct pf_error *err)
{
    size_t area = canvas_area(input);
    if (!mask)
        return pf_fail(err, PF_INVALID, "median inpainting needs a mask");
    AUTO_FREE unsigned char *state = malloc(area);
    if (!state)
        return pf_fail(err, PF_NOMEM, "no memory for a mask of %zu pixels", area);
    for (size_t i = 0; i < area; i++)
        state[i] = mask[i] > PAINTED ? UNKNOWN : KNOWN;
    PF_TRY(canvas_copy(ret_image, input, err));
    while (fill_layer(ret_image, state) > 0)
        continue;
    return PF_OK;
}

enum pf_status baseline_sharpen(
    const struct image *input, const float *mask, struct image *ret_image, struct pf_error *err)
{
    (void)mask;
    size_t area = canvas_area(input);
    AUTO_FREE float *smooth = NULL;
    PF_TRY(canvas_plane(&smooth, 3 * area, err));
    memcpy(smooth, input->rgb, 3 * area * sizeof *smooth);
    for (size_t c = 0; c < 3; c++)
        PF_TRY(filter_gaussian(smooth + c * area, (struct filter_size){input->width, input->height},
            SHARPEN_SIGMA, err));
    PF_TRY(canvas_copy(ret_image, input, err));
    for (size_t i = 0; i < 3 * area; i++) {
        float sharp = input->rgb[i] + SHARPEN_AMOUNT * (input->rgb[i] - smooth[i]);
        ret_image->rgb[i] = fminf(fmaxf(sharp, 0.0f), 1.0f);
    }
    return PF_OK;
}
