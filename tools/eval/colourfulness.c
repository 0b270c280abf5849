/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/colourfulness.h"

#include <math.h>

#include "tools/eval/canvas.h"

struct moments {
    double sum, squares;
};

static void add(struct moments *moments, double value)
{
    moments->sum += value;
    moments->squares += value * value;
}

double colourfulness(const struct image *image)
{
    size_t area = canvas_area(image);
    struct moments rg = {0}, yb = {0};
    for (size_t i = 0; i < area; i++) {
        double red = 255 * (double)image->rgb[i];
        double green = 255 * (double)image->rgb[area + i];
        double blue = 255 * (double)image->rgb[2 * area + i];
        add(&rg, red - green);
        add(&yb, (red + green) / 2 - blue);
    }
    double count = (double)area, mean_rg = rg.sum / count, mean_yb = yb.sum / count;
    double variance =
        rg.squares / count - mean_rg * mean_rg + yb.squares / count - mean_yb * mean_yb;
    return sqrt(fmax(variance, 0)) + 0.3 * hypot(mean_rg, mean_yb);
}
