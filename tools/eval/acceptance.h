/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_ACCEPTANCE_H
#define TOOLS_EVAL_ACCEPTANCE_H

/* The acceptance test: clean photos, spoilt here, given to the model with the plain instruction and
 * with one held-out wording each, and held against the criteria. */

#include "tools/eval/engine.h"
#include "tools/eval/photo.h"
#include "tools/eval/report.h"

struct acceptance_options {
    const struct photos *photos; /* at least one */
    int size;                    /* pixels a side, at least 64 */
    uint64_t seed;               /* of the degradations */
    unsigned tasks;              /* bit i: enum task i */
    int64_t pictures;            /* photos whose pictures go into the report, for each task */
    struct lpips *lpips;         /* or NULL: no such columns */
};

/* How many pictures the model will be given. */
int64_t acceptance_planned(const struct acceptance_options *options);

PF_MUST_CHECK enum pf_status acceptance_run(const struct acceptance_options *options,
    struct engine *engine, struct report *report, struct pf_error *err);

#endif
