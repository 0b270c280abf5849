/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/cleanup.h"
#include "tools/eval/baseline.h"
#include "tools/eval/canvas.h"
#include "tools/eval/filter.h"

/* The paper's constants. */
enum { PATCH_RADIUS = 7, GUIDED_RADIUS = 40, BINS = 1024 };
#define KEPT_HAZE          0.95f
#define LEAST_TRANSMISSION 0.1f
#define BRIGHTEST_SHARE    0.001
#define GUIDED_EPS         1e-3f

static enum pf_status dark_channel(
    const struct image *input, const float air[3], float *dark, struct pf_error *err)
{
    size_t area = canvas_area(input);
    for (size_t i = 0; i < area; i++) {
        float least = input->rgb[i] / air[0];
        for (size_t c = 1; c < 3; c++)
            least = fminf(least, input->rgb[c * area + i] / air[c]);
        dark[i] = least;
    }
    return filter_least(dark, (struct filter_size){input->width, input->height}, PATCH_RADIUS, err);
}

/* The value that a thousandth of all pixels reach, by a histogram. */
static float brightest_level(const float *dark, size_t area)
{
    size_t histogram[BINS] = {0}, wanted = (size_t)(BRIGHTEST_SHARE * (double)area) + 1, seen = 0;
    for (size_t i = 0; i < area; i++)
        histogram[(size_t)(fminf(fmaxf(dark[i], 0.0f), 1.0f) * (BINS - 1))]++;
    for (int bin = BINS - 1; bin > 0; bin--) {
        seen += histogram[bin];
        if (seen >= wanted)
            return (float)bin / (BINS - 1);
    }
    return 0;
}

/* Mean colour of the haziest pixels. */
static void find_air(const struct image *input, const float *dark, float ret_air[3])
{
    size_t area = canvas_area(input), count = 0;
    float level = brightest_level(dark, area);
    double sums[3] = {0};
    for (size_t i = 0; i < area; i++) {
        if (dark[i] < level)
            continue;
        count++;
        for (size_t c = 0; c < 3; c++)
            sums[c] += (double)input->rgb[c * area + i];
    }
    for (size_t c = 0; c < 3; c++)
        ret_air[c] = fmaxf(0.05f, (float)(sums[c] / (double)count));
}

enum pf_status baseline_haze(
    const struct image *input, const float *mask, struct image *ret_image, struct pf_error *err)
{
    (void)mask;
    size_t area = canvas_area(input);
    AUTO_FREE float *memory = NULL;
    PF_TRY(canvas_plane(&memory, 2 * area, err));
    float *transmission = memory, *luma = memory + area, air[] = {1, 1, 1};
    PF_TRY(dark_channel(input, air, transmission, err));
    find_air(input, transmission, air);
    PF_TRY(dark_channel(input, air, transmission, err));
    for (size_t i = 0; i < area; i++)
        transmission[i] = 1 - KEPT_HAZE * transmission[i];
    canvas_luma(input, luma);
    PF_TRY(filter_guided(transmission, luma, (struct filter_size){input->width, input->height},
        GUIDED_RADIUS, GUIDED_EPS, err));
    PF_TRY(canvas_copy(ret_image, input, err));
    for (size_t i = 0; i < 3 * area; i++) {
        float through = fmaxf(transmission[i % area], LEAST_TRANSMISSION), light = air[i / area];
        float clear = (input->rgb[i] - light) / through + light;
        ret_image->rgb[i] = fminf(fmaxf(clear, 0.0f), 1.0f);
    }
    return PF_OK;
}
