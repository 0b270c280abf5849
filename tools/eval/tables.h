/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_TABLES_H
#define TOOLS_EVAL_TABLES_H

/* The paper's tables on a set of pairs: PSNR, SSIM and LPIPS of each task beside the degraded input
 * and a classical baseline, several degradations at once, the auxiliary prompt alone, length of the
 * instruction, and the ablations of guidance, auxiliary prompt and region. */

#include "tools/eval/engine.h"
#include "tools/eval/pairs.h"
#include "tools/eval/report.h"

/* Which tables; those that need no runs of their own come with TABLES_TASKS. */
enum { TABLES_TASKS = 1, TABLES_BLIND = 2, TABLES_ABLATION = 4, TABLES_ALL = 7 };

struct lpips;

struct tables_options {
    const struct pairs *pairs;
    unsigned tables;  /* of TABLES_* */
    unsigned tasks;   /* bit i: enum task i; pairs of no or several tasks count when all are set */
    int64_t limit;    /* pairs of each task, 0: all */
    int64_t pictures; /* pairs whose pictures go into the report, for each task */
    struct lpips *lpips; /* or NULL: no such columns */
};

/* How long an instruction is, by its words: 0: under 10, 1: 10 to 20, 2: over 20. */
int tables_length_class(const char *instruction);

PF_MUST_CHECK enum pf_status tables_run(const struct tables_options *options, struct engine *engine,
    struct report *report, struct pf_error *err);

#endif
