/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/psnr.h"

#include <math.h>

#include "tools/eval/canvas.h"

double psnr_where(const struct image *a, const struct image *b, const float *weights)
{
    size_t area = canvas_area(a);
    double squares = 0, weight = 0;
    for (size_t i = 0; i < area; i++) {
        double share = weights ? (double)weights[i] : 1;
        weight += share;
        for (size_t c = 0; c < 3; c++) {
            double difference = (double)a->rgb[c * area + i] - (double)b->rgb[c * area + i];
            squares += share * difference * difference;
        }
    }
    if (squares <= 0)
        return PSNR_MAX;
    return fmin(PSNR_MAX, -10 * log10(squares / (3 * weight)));
}

double psnr_between(const struct image *a, const struct image *b)
{
    return psnr_where(a, b, NULL);
}
