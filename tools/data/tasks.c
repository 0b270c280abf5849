/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/data/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

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

/* One of the list, "NAME" or "NAME:NUMBER"; cuts it at the colon. */
static enum pf_status read_weight(
    const char *option, char *word, double most, double *weights, struct pf_error *err)
{
    char *colon = strchr(word, ':'), *end = NULL;
    double weight = 1.0;
    if (colon) {
        *colon = '\0';
        weight = strtod(colon + 1, &end);
        if (end == colon + 1 || *end || !(weight >= 0.0 && weight <= most))
            return pf_fail(err, PF_INVALID, "--%s: '%.80s' is not a number from 0 to %g", option,
                colon + 1, most);
    }
    int task = task_find(word);
    if (task < 0)
        return pf_fail(err, PF_INVALID, "--%s: no task '%.80s'", option, word);
    weights[task] = weight;
    return PF_OK;
}

enum pf_status tasks_read_weights(const char *option, const char *text, double most,
    double ret_weights[TASK_COUNT], struct pf_error *err)
{
    double weights[TASK_COUNT] = {0};
    AUTO_FREE char *copy = strdup(text);
    char *save = NULL;
    if (!copy)
        return pf_fail(err, PF_NOMEM, "--%s", option);
    for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save))
        PF_TRY(read_weight(option, word, most, weights, err));
    memcpy(ret_weights, weights, sizeof weights);
    return PF_OK;
}
