/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_FILTER_H
#define TOOLS_EVAL_FILTER_H

/* Filters on planes [height,width], in place. What lies beyond the border is its mirror image,
 * but for filter_box(), filter_least() and filter_most(), whose windows end at the border. */

#include "base/error.h"

struct filter_size {
    int width, height;
};

PF_MUST_CHECK enum pf_status filter_gaussian(
    float *plane, struct filter_size size, float sigma, struct pf_error *err);

/* Along both axes with weights [radius+1], from the middle outwards. */
PF_MUST_CHECK enum pf_status filter_symmetric(
    float *plane, struct filter_size size, const float *values, int radius, struct pf_error *err);

/* Mean, minimum, maximum over the (2·radius+1)² window. */
PF_MUST_CHECK enum pf_status filter_box(
    float *plane, struct filter_size size, int radius, struct pf_error *err);
PF_MUST_CHECK enum pf_status filter_least(
    float *plane, struct filter_size size, int radius, struct pf_error *err);
PF_MUST_CHECK enum pf_status filter_most(
    float *plane, struct filter_size size, int radius, struct pf_error *err);

/* Convolves with a kernel [2·radius+1]² of any shape. */
PF_MUST_CHECK enum pf_status filter_kernel(
    float *plane, struct filter_size size, const float *kernel, int radius, struct pf_error *err);

/* Smooths `plane` along the edges of `guide`: in each window the result is a linear function of the
 * guide. Source  He, Sun & Tang, "Guided image filtering", ECCV 2010, with a grey guide */
PF_MUST_CHECK enum pf_status filter_guided(float *plane, const float *guide,
    struct filter_size size, int radius, float eps, struct pf_error *err);

#endif
