/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_TRIAL_H
#define TOOLS_EVAL_TRIAL_H

/* What each task is tried with: one row a task drives degradation, instructions, baseline, the
 * figures that are taken, and every table. */

#include "tools/data/tasks.h"
#include "tools/eval/degrade.h"

enum { TRIAL_PARAPHRASES = 6 };

struct trial {
    const char *title;       /* "Low light" */
    const char *instruction; /* the plain one, surely known */
    /* Held out: training must not use these sentences. */
    const char *paraphrases[TRIAL_PARAPHRASES];
    const char *defect; /* as an auxiliary prompt names it */
    enum pf_status (*degrade)(struct degrade *degrade, struct pf_error *err);
    /* NULL: there is none. */
    enum pf_status (*baseline)(const struct image *input, const float *mask,
        struct image *ret_image, struct pf_error *err);
    const char *baseline_name;
    int is_local; /* changes a region: PSNR counts inside of the mask, and must hold outside */
};

extern const struct trial trials[TASK_COUNT];

#endif
