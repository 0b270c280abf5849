/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_SCORE_H
#define TOOLS_EVAL_SCORE_H

/* The figures of one picture, and their means. */

#include "tools/data/shards.h"

/* "main" is what the criteria ask about: PSNR inside of the mask where there is one and the task is
 * local, else of the whole picture. A figure that wasn't taken is NaN. */
enum figure {
    FIGURE_INPUT_PSNR, /* dB against the target, whole picture */
    FIGURE_BASELINE_PSNR,
    FIGURE_OUTPUT_PSNR,
    FIGURE_INPUT_MAIN,
    FIGURE_BASELINE_MAIN,
    FIGURE_OUTPUT_MAIN,
    FIGURE_PARAPHRASE_MAIN,
    FIGURE_GAIN, /* dB, main: output over input */
    FIGURE_BASELINE_GAIN,
    FIGURE_PARAPHRASE_LOSS, /* dB, main: output over that of another wording */
    FIGURE_OUTSIDE,         /* PSNR outside of the mask */
    FIGURE_INPUT_SSIM,
    FIGURE_BASELINE_SSIM,
    FIGURE_OUTPUT_SSIM,
    FIGURE_SSIM_GAIN,
    FIGURE_INPUT_LPIPS, /* taken by score_take_lpips() alone */
    FIGURE_BASELINE_LPIPS,
    FIGURE_OUTPUT_LPIPS,
    FIGURE_SHARPER,       /* log2 of the sharpness of output over input */
    FIGURE_CLOSER,        /* how many octaves of sharpness nearer to the target's than the input */
    FIGURE_COLOUR,        /* colourfulness of the output */
    FIGURE_TARGET_COLOUR, /* and of the target */
    FIGURE_CLEAN,         /* PSNR of a clean picture that was "dehazed" */
    FIGURE_WRONG_GAIN,    /* dB: gain under another task's instruction */
    FIGURE_COUNT
};

/* Opacity from which on a pixel is inside of a region, and up to which it is outside; what lies
 * between (soft edges) counts as neither. */
#define SCORE_INSIDE  0.25f
#define SCORE_OUTSIDE (1.0f / 255)

struct score {
    double figures[FIGURE_COUNT];
};

void score_init(struct score *score);

/* Digits behind the point that a figure is worth: 3 for SSIM and LPIPS, 2 for dB. */
int score_digits(enum figure figure);

/* Main PSNR of `image` against the sample's target. */
double score_main(const struct sample *sample, int is_local, const struct image *image);

/* PSNR outside of the sample's mask; NaN without one. */
double score_outside(const struct sample *sample, const struct image *image);

/* Input, output and, unless NULL, baseline: everything but paraphrases, clean and wrong. */
PF_MUST_CHECK enum pf_status score_take(struct score *score, const struct sample *sample,
    int is_local, const struct image *output, const struct image *baseline, struct pf_error *err);

struct lpips;
PF_MUST_CHECK enum pf_status score_take_lpips(struct score *score, struct lpips *lpips,
    const struct sample *sample, const struct image *output, const struct image *baseline,
    struct pf_error *err);

/* Means over pictures, NaN left out. */
struct score_means {
    double sums[FIGURE_COUNT], least[FIGURE_COUNT];
    int counts[FIGURE_COUNT];
};

void score_add(struct score_means *means, const struct score *score);
double score_mean(const struct score_means *means, enum figure figure); /* NaN without any */

#endif
