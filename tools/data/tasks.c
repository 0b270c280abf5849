/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/data/tasks.h"

#include <string.h>

static const char *const names[TASK_COUNT] = {
    [TASK_COLORIZE] = "colorize",
    [TASK_LOWLIGHT] = "lowlight",
    [TASK_DEHAZE] = "dehaze",
    [TASK_DESNOW] = "desnow",
    [TASK_DEBLUR] = "deblur",
    [TASK_DEWATERMARK] = "dewatermark",
    [TASK_REMOVE] = "remove",
};

const char *task_name(enum task task)
{
    return names[task];
}

int task_find(const char *name)
{
    for (int i = 0; i < TASK_COUNT; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}
