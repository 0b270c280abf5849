/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_MAKE_SET_H
#define TOOLS_EVAL_MAKE_SET_H

/* The pairs of the acceptance test as a folder (tools/eval/pairs.h): each photo under each task,
 * with the plain instruction, and each photo with three degradations at once, whose task is written
 * "lowlight+deblur+desnow" and whose instruction asks for all three. */

#include "tools/eval/acceptance.h"

PF_MUST_CHECK enum pf_status make_set(
    const struct acceptance_options *options, const char *folder, struct pf_error *err);

#endif
