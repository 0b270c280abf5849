/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_CROP_H
#define TOOLS_CURATE_CROP_H

#include "base/error.h"
#include "tools/data/tasks.h"

/* Measured on a crop [3,side,side]: what it can teach. */
struct crop_traits {
    double luma;   /* mean */
    double dark;   /* the dark channel's darkest twentieth: high when haze or white lies over all */
    double chroma; /* mean of max-min over the channels */
    double detail; /* mean step to the right and lower neighbour's luma */
    double spread; /* deviation of the luma */
};

PF_MUST_CHECK enum pf_status crop_measure(
    const float *rgb, int side, struct crop_traits *ret_traits, struct pf_error *err);

/* Whether the crop is a target worth learning for the task: a grey one says nothing of colours, a
 * dark or a hazy one is not what brightening or clearing should lead to, a smooth one can't be
 * sharpened. */
int crop_teaches(const struct crop_traits *traits, enum task task);

/* Plain sky, a wall: good for little. */
int crop_is_empty(const struct crop_traits *traits);

#endif
