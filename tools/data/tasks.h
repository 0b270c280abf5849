/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_DATA_TASKS_H
#define TOOLS_DATA_TASKS_H

#include "base/error.h"

/* The seven tasks PromptFix is trained for (model.md §1), by the names that samples carry. */

enum task {
    TASK_COLORIZE,
    TASK_LOWLIGHT,
    TASK_DEHAZE,
    TASK_DESNOW,
    TASK_DEBLUR,
    TASK_DEWATERMARK,
    TASK_REMOVE,
    TASK_COUNT
};

/* "colorize", "lowlight", "dehaze", "desnow", "deblur", "dewatermark", "remove". */
const char *task_name(enum task task);

/* The task of that name; -1 when there is none. */
int task_find(const char *name);

/* "colorize:29.3,dehaze": a number from 0 to `most` for each task named, 1 without one, 0 for the
 * others. INVALID names `option` and what is wrong. */
PF_MUST_CHECK enum pf_status tasks_read_weights(const char *option, const char *text, double most,
    double ret_weights[TASK_COUNT], struct pf_error *err);

#endif
