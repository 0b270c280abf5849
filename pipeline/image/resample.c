/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Separable resampling. Each output sample is a weighted sum of `taps` neighbours along one axis;
 * the weights of a sample are normalised to one, so flat areas stay flat, at the borders too, where
 * the taps outside the picture are left out.
 *
 * The vertical pass runs along rows and vectorises, the horizontal one does not. So shrinking goes
 * down first, where the many rows are, and growing goes across first, where the rows are few. */

enum { RESAMPLE_COLUMNS = 256 }; /* of the vertical pass: a block of sums that stays in L1 */

struct filter {
    int out_count, taps;
    int *first;     /* [out_count] index of the first tap */
    float *weights; /* [out_count,taps]; behind a sample's last tap zero */
};

static double lanczos3(double x)
{
    if (x == 0.0)
        return 1.0;
    if (fabs(x) >= 3.0)
        return 0.0;
    double t = M_PI * x;
    return 3.0 * sin(t) * sin(t / 3.0) / (t * t);
}

static double bicubic(double x)
{
    x = fabs(x);
    if (x < 1.0)
        return (1.5 * x - 2.5) * x * x + 1.0;
    if (x < 2.0)
        return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
    return 0.0;
}

static void filter_finish(struct filter *filter)
{
    free(filter->first);
    free(filter->weights);
}

static void fill_weights(struct filter *filter, int out, int in_count, double scale)
{
    int shrinks = scale > 1.0;
    double width = shrinks ? scale : 1.0, support = (shrinks ? 3.0 : 2.0) * width;
    double centre = (out + 0.5) * scale - 0.5;
    int first = (int)fmax(ceil(centre - support), 0.0);
    int last = (int)fmin(floor(centre + support), in_count - 1.0);
    float *weights = filter->weights + (size_t)out * (size_t)filter->taps;
    double sum = 0.0;
    for (int i = first; i <= last; i++) {
        double x = (i - centre) / width;
        sum += shrinks ? lanczos3(x) : bicubic(x);
    }
    for (int i = first; i <= last; i++) {
        double x = (i - centre) / width;
        weights[i - first] = (float)((shrinks ? lanczos3(x) : bicubic(x)) / sum);
    }
    filter->first[out] = first;
}

static enum pf_status filter_init(
    struct filter *filter, int in_count, int out_count, struct pf_error *err)
{
    double scale = (double)in_count / out_count;
    double support = scale > 1.0 ? 3.0 * scale : 2.0;
    double span = fmin(2.0 * ceil(support) + 1.0, in_count);
    *filter = (struct filter){.out_count = out_count, .taps = (int)span};
    filter->first = malloc((size_t)out_count * sizeof *filter->first);
    filter->weights = calloc((size_t)out_count * (size_t)filter->taps, sizeof *filter->weights);
    if (!filter->first || !filter->weights) {
        filter_finish(filter);
        return pf_fail(
            err, PF_NOMEM, "no memory for a filter of %d×%d weights", out_count, filter->taps);
    }
    for (int out = 0; out < out_count; out++) {
        fill_weights(filter, out, in_count, scale);
        /* Near the far border the row of weights would reach behind the picture. */
        int excess = filter->first[out] + filter->taps - in_count;
        if (excess > 0) {
            float *weights = filter->weights + (size_t)out * (size_t)filter->taps;
            memmove(weights + excess, weights, (size_t)(filter->taps - excess) * sizeof *weights);
            memset(weights, 0, (size_t)excess * sizeof *weights);
            filter->first[out] -= excess;
        }
    }
    return PF_OK;
}

static void resample_rows(
    const struct filter *filter, const float *in, int in_width, int height, float *out)
{
    int taps = filter->taps;
    for (int y = 0; y < height; y++, in += in_width, out += filter->out_count) {
        const float *weights = filter->weights;
        for (int x = 0; x < filter->out_count; x++, weights += taps) {
            const float *from = in + filter->first[x];
            float sum[4] = {0};
            int i = 0;
            for (; i + 4 <= taps; i += 4)
                for (int k = 0; k < 4; k++)
                    sum[k] += weights[i + k] * from[i + k];
            for (; i < taps; i++)
                sum[0] += weights[i] * from[i];
            out[x] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        }
    }
}

/* One output row, columns [0,RESAMPLE_COLUMNS): the constant count is what lets it vectorise. */
static void sum_block(const float *restrict weights, int taps, const float *restrict in,
    size_t stride, float *restrict out)
{
    float sum[RESAMPLE_COLUMNS] = {0};
    for (int i = 0; i < taps; i++, in += stride)
        for (int x = 0; x < RESAMPLE_COLUMNS; x++)
            sum[x] += weights[i] * in[x];
    memcpy(out, sum, sizeof sum);
}

static void sum_rest(const float *restrict weights, int taps, const float *restrict in,
    size_t stride, float *restrict out, int count)
{
    memset(out, 0, (size_t)count * sizeof *out);
    for (int i = 0; i < taps; i++, in += stride)
        for (int x = 0; x < count; x++)
            out[x] += weights[i] * in[x];
}

static void resample_columns(const struct filter *filter, const float *in, int width, float *out)
{
    size_t stride = (size_t)width;
    for (int y = 0; y < filter->out_count; y++, out += stride) {
        const float *weights = filter->weights + (size_t)y * (size_t)filter->taps;
        const float *from = in + (size_t)filter->first[y] * stride;
        int x = 0;
        for (; x + RESAMPLE_COLUMNS <= width; x += RESAMPLE_COLUMNS)
            sum_block(weights, filter->taps, from + x, stride, out + x);
        sum_rest(weights, filter->taps, from + x, stride, out + x, width - x);
    }
}

static enum pf_status scale_width(
    const float *in, int in_width, int height, float *out, int out_width, struct pf_error *err)
{
    if (in_width == out_width) {
        memcpy(out, in, (size_t)in_width * (size_t)height * sizeof *out);
        return PF_OK;
    }
    struct filter filter;
    PF_TRY(filter_init(&filter, in_width, out_width, err));
    resample_rows(&filter, in, in_width, height, out);
    filter_finish(&filter);
    return PF_OK;
}

static enum pf_status scale_height(
    const float *in, int width, int in_height, float *out, int out_height, struct pf_error *err)
{
    if (in_height == out_height) {
        memcpy(out, in, (size_t)width * (size_t)in_height * sizeof *out);
        return PF_OK;
    }
    struct filter filter;
    PF_TRY(filter_init(&filter, in_height, out_height, err));
    resample_columns(&filter, in, width, out);
    filter_finish(&filter);
    return PF_OK;
}

enum pf_status image_resample(const float *in, int in_width, int in_height, float *out,
    int out_width, int out_height, struct pf_error *err)
{
    int down_first = out_height < in_height;
    if (in_width == out_width)
        return scale_height(in, in_width, in_height, out, out_height, err);
    if (in_height == out_height)
        return scale_width(in, in_width, in_height, out, out_width, err);

    size_t area =
        down_first ? (size_t)in_width * (size_t)out_height : (size_t)out_width * (size_t)in_height;
    AUTO_FREE float *middle = malloc(area * sizeof *middle);
    if (!middle)
        return pf_fail(err, PF_NOMEM, "no memory for %zu floats between two scaling passes", area);
    if (down_first) {
        PF_TRY(scale_height(in, in_width, in_height, middle, out_height, err));
        return scale_width(middle, in_width, out_height, out, out_width, err);
    }
    PF_TRY(scale_width(in, in_width, in_height, middle, out_width, err));
    return scale_height(middle, out_width, in_height, out, out_height, err);
}
