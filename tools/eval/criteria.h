/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_CRITERIA_H
#define TOOLS_EVAL_CRITERIA_H

/* What a model must reach to be called one that really fixes photos: one row a criterion, held
 * against the means over all photos of a task. */

#include "tools/data/tasks.h"
#include "tools/eval/score.h"

struct criterion {
    enum task task;
    const char *name;
    enum figure figure;
    int per;       /* the mean is divided by this figure's mean; -1: it isn't */
    int is_octave; /* the mean of logarithms to base 2: shown as the ratio it stands for */
    int is_most;   /* the bound is the most allowed, else the least */
    double bound;
    const char *unit;
};

extern const struct criterion criteria[];
extern const size_t criterion_count;

/* The value to hold against the bound; NaN when it wasn't measured, or when it is a share of
 * something that isn't positive. */
double criterion_value(const struct criterion *criterion, const struct score_means *means);
int criterion_is_measured(const struct criterion *criterion, const struct score_means *means);
int criterion_is_met(const struct criterion *criterion, const struct score_means *means);

#endif
