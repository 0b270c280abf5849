/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_DATA_TASKS_H
#define TOOLS_DATA_TASKS_H

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

#endif
