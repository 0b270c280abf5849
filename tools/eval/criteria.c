/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/criteria.h"

#include <math.h>

#include "base/cleanup.h"

enum { ALONE = -1 };
#define DB "dB"

/* clang-format off */
const struct criterion criteria[] = {
    {TASK_COLORIZE,    "colourfulness over the original's",   FIGURE_COLOUR, FIGURE_TARGET_COLOUR, 0, 0, 1.0 / 3, ""},
    {TASK_COLORIZE,    "PSNR over the grey input",            FIGURE_GAIN, ALONE, 0, 0, 0, DB},
    {TASK_LOWLIGHT,    "PSNR over the input",                 FIGURE_GAIN, ALONE, 0, 0, 6, DB},
    {TASK_LOWLIGHT,    "SSIM over the input's",               FIGURE_SSIM_GAIN, ALONE, 0, 0, 0, ""},
    {TASK_DEHAZE,      "PSNR over the input",                 FIGURE_GAIN, ALONE, 0, 0, 3, DB},
    {TASK_DEHAZE,      "SSIM over the input's",               FIGURE_SSIM_GAIN, ALONE, 0, 0, 0, ""},
    {TASK_DEHAZE,      "PSNR of a clean photo, dehazed",      FIGURE_CLEAN, ALONE, 0, 0, 26, DB},
    {TASK_DEHAZE,      "gain under \"colorize\" over the right one", FIGURE_WRONG_GAIN, FIGURE_GAIN, 0, 1, 0.5, ""},
    {TASK_DESNOW,      "PSNR over the input, in the flakes",  FIGURE_GAIN, ALONE, 0, 0, 4, DB},
    {TASK_DESNOW,      "PSNR outside of the flakes",          FIGURE_OUTSIDE, ALONE, 0, 0, 28, DB},
    {TASK_DESNOW,      "SSIM over the input's",               FIGURE_SSIM_GAIN, ALONE, 0, 0, 0, ""},
    {TASK_DEBLUR,      "sharpness over the input's",          FIGURE_SHARPER, ALONE, 1, 0, 1.5, "times"},
    {TASK_DEBLUR,      "sharpness nearer to the original's",  FIGURE_CLOSER, ALONE, 0, 0, 0, "octaves"},
    {TASK_DEBLUR,      "PSNR over the input",                 FIGURE_GAIN, ALONE, 0, 0, -1, DB},
    {TASK_DEWATERMARK, "PSNR over the input, in the mark",    FIGURE_GAIN, ALONE, 0, 0, 4, DB},
    {TASK_DEWATERMARK, "PSNR outside of the mark",            FIGURE_OUTSIDE, ALONE, 0, 0, 28, DB},
    {TASK_REMOVE,      "PSNR over the input, object and shadow", FIGURE_GAIN, ALONE, 0, 0, 3, DB},
    {TASK_REMOVE,      "PSNR outside of object and shadow",   FIGURE_OUTSIDE, ALONE, 0, 0, 28, DB},
    {TASK_COLORIZE,    "PSNR lost by another wording",        FIGURE_PARAPHRASE_LOSS, ALONE, 0, 1, 0.5, DB},
    {TASK_LOWLIGHT,    "PSNR lost by another wording",        FIGURE_PARAPHRASE_LOSS, ALONE, 0, 1, 0.5, DB},
    {TASK_DEHAZE,      "PSNR lost by another wording",        FIGURE_PARAPHRASE_LOSS, ALONE, 0, 1, 0.5, DB},
    {TASK_DESNOW,      "PSNR lost by another wording",        FIGURE_PARAPHRASE_LOSS, ALONE, 0, 1, 0.5, DB},
    {TASK_DEBLUR,      "PSNR lost by another wording",        FIGURE_PARAPHRASE_LOSS, ALONE, 0, 1, 0.5, DB},
    {TASK_DEWATERMARK, "PSNR lost by another wording",        FIGURE_PARAPHRASE_LOSS, ALONE, 0, 1, 0.5, DB},
    {TASK_REMOVE,      "PSNR lost by another wording",        FIGURE_PARAPHRASE_LOSS, ALONE, 0, 1, 0.5, DB},
};
/* clang-format on */
const size_t criterion_count = COUNT_OF(criteria);

double criterion_value(const struct criterion *criterion, const struct score_means *means)
{
    double value = score_mean(means, criterion->figure);
    if (criterion->is_octave)
        return exp2(value);
    if (criterion->per < 0)
        return value;
    double whole = score_mean(means, (enum figure)criterion->per);
    return whole > 0 ? value / whole : (double)NAN;
}

int criterion_is_measured(const struct criterion *criterion, const struct score_means *means)
{
    return means->counts[criterion->figure] > 0;
}

/* A NaN meets nothing. "Sharper" and "nearer" mean more than equal, the others at least. */
int criterion_is_met(const struct criterion *criterion, const struct score_means *means)
{
    double value = criterion_value(criterion, means);
    if (criterion->is_most)
        return value <= criterion->bound;
    return criterion->figure == FIGURE_CLOSER ? value > criterion->bound
                                              : value >= criterion->bound;
}
