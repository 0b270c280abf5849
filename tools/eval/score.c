/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/score.h"

#include <math.h>

#include "base/cleanup.h"
#include "tools/eval/canvas.h"
#include "tools/eval/colourfulness.h"
#include "tools/eval/lpips.h"
#include "tools/eval/psnr.h"
#include "tools/eval/sharpness.h"
#include "tools/eval/ssim.h"

void score_init(struct score *score)
{
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        score->figures[i] = NAN;
}

int score_digits(enum figure figure)
{
    return figure >= FIGURE_INPUT_SSIM && figure <= FIGURE_OUTPUT_LPIPS ? 3 : 2;
}

/* PSNR over the pixels whose mask lies in [least, most]. NaN when there is none. */
static double region_psnr(
    const struct sample *sample, const struct image *image, float least, float most)
{
    size_t area = canvas_area(image), count = 0;
    AUTO_FREE float *weights = NULL;
    if (canvas_plane(&weights, area, NULL) != PF_OK)
        return NAN;
    for (size_t i = 0; i < area; i++) {
        weights[i] = sample->mask[i] >= least && sample->mask[i] <= most;
        count += weights[i] > 0;
    }
    return count == 0 ? (double)NAN : psnr_where(image, &sample->target, weights);
}

double score_main(const struct sample *sample, int is_local, const struct image *image)
{
    if (!is_local || !sample->mask)
        return psnr_between(image, &sample->target);
    return region_psnr(sample, image, SCORE_INSIDE, INFINITY);
}

double score_outside(const struct sample *sample, const struct image *image)
{
    return sample->mask ? region_psnr(sample, image, -INFINITY, SCORE_OUTSIDE) : (double)NAN;
}

static enum pf_status take_sharpness(struct score *score, const struct sample *sample,
    const struct image *output, struct pf_error *err)
{
    double input = 0, after = 0, target = 0;
    PF_TRY(sharpness(&sample->input, &input, err));
    PF_TRY(sharpness(output, &after, err));
    PF_TRY(sharpness(&sample->target, &target, err));
    score->figures[FIGURE_SHARPER] = log2(after / input);
    score->figures[FIGURE_CLOSER] = fabs(log2(input / target)) - fabs(log2(after / target));
    return PF_OK;
}

static enum pf_status take_baseline(struct score *score, const struct sample *sample, int is_local,
    const struct image *baseline, struct pf_error *err)
{
    double *figures = score->figures;
    figures[FIGURE_BASELINE_PSNR] = psnr_between(baseline, &sample->target);
    figures[FIGURE_BASELINE_MAIN] = score_main(sample, is_local, baseline);
    figures[FIGURE_BASELINE_GAIN] = figures[FIGURE_BASELINE_MAIN] - figures[FIGURE_INPUT_MAIN];
    return ssim_between(baseline, &sample->target, &figures[FIGURE_BASELINE_SSIM], err);
}

enum pf_status score_take(struct score *score, const struct sample *sample, int is_local,
    const struct image *output, const struct image *baseline, struct pf_error *err)
{
    double *figures = score->figures;
    figures[FIGURE_INPUT_PSNR] = psnr_between(&sample->input, &sample->target);
    figures[FIGURE_OUTPUT_PSNR] = psnr_between(output, &sample->target);
    figures[FIGURE_INPUT_MAIN] = score_main(sample, is_local, &sample->input);
    figures[FIGURE_OUTPUT_MAIN] = score_main(sample, is_local, output);
    figures[FIGURE_GAIN] = figures[FIGURE_OUTPUT_MAIN] - figures[FIGURE_INPUT_MAIN];
    figures[FIGURE_OUTSIDE] = score_outside(sample, output);
    PF_TRY(ssim_between(&sample->input, &sample->target, &figures[FIGURE_INPUT_SSIM], err));
    PF_TRY(ssim_between(output, &sample->target, &figures[FIGURE_OUTPUT_SSIM], err));
    figures[FIGURE_SSIM_GAIN] = figures[FIGURE_OUTPUT_SSIM] - figures[FIGURE_INPUT_SSIM];
    figures[FIGURE_COLOUR] = colourfulness(output);
    figures[FIGURE_TARGET_COLOUR] = colourfulness(&sample->target);
    PF_TRY(take_sharpness(score, sample, output, err));
    return baseline ? take_baseline(score, sample, is_local, baseline, err) : PF_OK;
}

enum pf_status score_take_lpips(struct score *score, struct lpips *lpips,
    const struct sample *sample, const struct image *output, const struct image *baseline,
    struct pf_error *err)
{
    double *figures = score->figures;
    const struct image *target = &sample->target;
    PF_TRY(lpips_between(lpips, &sample->input, target, &figures[FIGURE_INPUT_LPIPS], err));
    PF_TRY(lpips_between(lpips, output, target, &figures[FIGURE_OUTPUT_LPIPS], err));
    if (!baseline)
        return PF_OK;
    return lpips_between(lpips, baseline, target, &figures[FIGURE_BASELINE_LPIPS], err);
}

void score_add(struct score_means *means, const struct score *score)
{
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        double figure = score->figures[i];
        if (isnan(figure))
            continue;
        if (means->counts[i] == 0 || figure < means->least[i])
            means->least[i] = figure;
        means->sums[i] += figure;
        means->counts[i]++;
    }
}

double score_mean(const struct score_means *means, enum figure figure)
{
    if (means->counts[figure] == 0)
        return NAN;
    return means->sums[figure] / means->counts[figure];
}
