/* SPDX-License-Identifier: Apache-2.0 */
/* Normal equations of a ridge regression: rows are latent cells, columns the channels and a
 * constant, targets the mean colour of the cell's pixels. */
#include "pipeline/preview.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = PREVIEW_CHANNELS_MAX + 1 };

#define RIDGE 1e-4 /* of the mean diagonal: keeps collinear channels from blowing up */

struct normal_equations {
    int columns;
    double matrix[COLUMNS_MAX][COLUMNS_MAX];
    double targets[3][COLUMNS_MAX];
};

static double cell_mean(const float *plane, int stride, int factor)
{
    double sum = 0;
    for (int y = 0; y < factor; y++)
        for (int x = 0; x < factor; x++)
            sum += (double)plane[(size_t)y * (size_t)stride + (size_t)x];
    return sum / (factor * factor);
}

static void add_cell(struct normal_equations *sums, const double *values, const double *colour)
{
    for (int i = 0; i < sums->columns; i++) {
        for (int j = 0; j < sums->columns; j++)
            sums->matrix[i][j] += values[i] * values[j];
        for (int c = 0; c < 3; c++)
            sums->targets[c][i] += values[i] * colour[c];
    }
}

/* Cholesky factorisation in place; the ridge makes the matrix positive definite. */
static void factorise(struct normal_equations *sums)
{
    for (int j = 0; j < sums->columns; j++) {
        for (int i = j; i < sums->columns; i++) {
            double sum = sums->matrix[i][j];
            for (int k = 0; k < j; k++)
                sum -= sums->matrix[i][k] * sums->matrix[j][k];
            sums->matrix[i][j] = i == j ? sqrt(fmax(sum, 1e-12)) : sum / sums->matrix[j][j];
        }
    }
}

static void solve(const struct normal_equations *sums, const double *target, double *ret)
{
    for (int i = 0; i < sums->columns; i++) {
        double sum = target[i];
        for (int k = 0; k < i; k++)
            sum -= sums->matrix[i][k] * ret[k];
        ret[i] = sum / sums->matrix[i][i];
    }
    for (int i = sums->columns; i-- > 0;) {
        for (int k = i + 1; k < sums->columns; k++)
            ret[i] -= sums->matrix[k][i] * ret[k];
        ret[i] /= sums->matrix[i][i];
    }
}

void preview_fit(struct preview *ret_preview, const float *latent, int channels, int height,
    int width, const float *rgb, int factor)
{
    struct normal_equations sums = {.columns = channels + 1};
    size_t cells = (size_t)height * (size_t)width;
    size_t plane = cells * (size_t)factor * (size_t)factor;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            double values[COLUMNS_MAX], colour[3];
            size_t cell = (size_t)y * (size_t)width + (size_t)x;
            size_t corner =
                ((size_t)y * (size_t)width * (size_t)factor + (size_t)x) * (size_t)factor;
            for (int c = 0; c < channels; c++)
                values[c] = (double)latent[(size_t)c * cells + cell];
            values[channels] = 1;
            for (int c = 0; c < 3; c++)
                colour[c] = cell_mean(rgb + (size_t)c * plane + corner, width * factor, factor);
            add_cell(&sums, values, colour);
        }
    }
    double trace = 0;
    for (int i = 0; i < channels; i++)
        trace += sums.matrix[i][i];
    for (int i = 0; i < channels; i++)
        sums.matrix[i][i] += RIDGE * trace / channels + 1e-9;
    factorise(&sums);
    ret_preview->channels = channels;
    for (int c = 0; c < 3; c++)
        solve(&sums, sums.targets[c], ret_preview->map[c]);
}

enum pf_status preview_render(const struct preview *preview, const float *latent, int height,
    int width, struct image *ret_image, struct pf_error *err)
{
    size_t cells = (size_t)height * (size_t)width;
    float *rgb = malloc(3 * cells * sizeof *rgb);
    if (!rgb)
        return pf_fail(err, PF_NOMEM, "a preview of %d×%d pixels", width, height);
    for (int c = 0; c < 3; c++) {
        const double *map = preview->map[c];
        for (size_t cell = 0; cell < cells; cell++) {
            double value = map[preview->channels];
            for (int k = 0; k < preview->channels; k++)
                value += map[k] * (double)latent[(size_t)k * cells + cell];
            rgb[(size_t)c * cells + cell] = (float)value;
        }
    }
    *ret_image = (struct image){width, height, rgb, NULL};
    return PF_OK;
}
