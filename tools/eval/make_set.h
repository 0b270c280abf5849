/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_MAKE_SET_H
#define TOOLS_EVAL_MAKE_SET_H

/* The pairs of the acceptance test as a folder (tools/eval/pairs.h): each photo under each task,
 * with the plain instruction, and each photo with three degradations at once, whose task is written
 * "lowlight+deblur+desnow" and whose instruction asks for all three. */

#include "tools/data/shards_write.h"
#include "tools/eval/acceptance.h"

struct make_set_options {
    const struct acceptance_options *acceptance; /* photos, size, seed, tasks */
    const char *folder;
    enum picture_format format; /* PICTURE_PNG or PICTURE_PPM */
};

PF_MUST_CHECK enum pf_status make_set(const struct make_set_options *options, struct pf_error *err);

/* The photos' squares alone, as ppm: for the acceptance test in a build without libvips, with the
 * same figures. The folder is made. */
PF_MUST_CHECK enum pf_status make_squares(
    const struct acceptance_options *options, const char *folder, struct pf_error *err);

#endif
