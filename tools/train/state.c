/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/train/rewrite.h"

enum { NUMBER_SIZE = 24, PARTS = 4 };

static enum pf_status read_number(
    const struct checkpoint *checkpoint, const char *key, int64_t *ret_value, struct pf_error *err)
{
    const char *text = checkpoint_metadata(checkpoint, key);
    if (!text)
        return *ret_value = 0, PF_OK;
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < 0)
        return pf_fail(err, PF_CORRUPT, "metadata '%s' is '%s', expected a number", key, text);
    *ret_value = value;
    return PF_OK;
}

enum pf_status state_read(
    const struct checkpoint *checkpoint, struct state *ret_state, struct pf_error *err)
{
    struct state state = {"", 0, 0};
    const char *stage = checkpoint_metadata(checkpoint, STATE_PREFIX "stage");
    if (stage && strlen(stage) >= sizeof state.stage)
        return pf_fail(err, PF_CORRUPT, "metadata 'train.stage' is '%s'", stage);
    snprintf(state.stage, sizeof state.stage, "%s", stage ? stage : "");
    PF_TRY(read_number(checkpoint, STATE_PREFIX "step", &state.step, err));
    PF_TRY(read_number(checkpoint, STATE_PREFIX "seed", &state.seed, err));
    *ret_state = state;
    return PF_OK;
}

/* Names of the optimizer's arrays: prefix + the parameter's. */
static char (*make_names(const struct parameters *parameters))[CHECKPOINT_NAME_MAX]
{
    static const char *const prefixes[PARTS] = {
        "", STATE_PREFIX_M, STATE_PREFIX_V, STATE_PREFIX_AVERAGE};
    char(*names)[CHECKPOINT_NAME_MAX] = calloc((size_t)parameters->count * PARTS, sizeof *names);
    for (int i = 0; names && i < parameters->count * PARTS; i++)
        snprintf(names[i], sizeof names[i], "%s%s", prefixes[i % PARTS],
            parameters->items[i / PARTS].name);
    return names;
}

static enum pf_status write_arrays(const struct parameters *parameters, const char *path,
    const struct rewrite_text *texts, size_t text_count, struct pf_error *err)
{
    size_t count = (size_t)parameters->count * PARTS;
    struct rewrite_array *arrays = calloc(count, sizeof *arrays);
    char(*names)[CHECKPOINT_NAME_MAX] = make_names(parameters);
    enum pf_status status = PF_OK;
    if (!arrays || !names)
        status = pf_fail(err, PF_NOMEM, "a table of %zu arrays", count);
    for (int i = 0; status == PF_OK && i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        const tensor values[PARTS] = {item->master, item->m, item->v, item->average};
        for (int part = 0; part < PARTS; part++)
            arrays[i * PARTS + part] =
                (struct rewrite_array){names[i * PARTS + part], values[part]};
    }
    struct rewrite rewrite = {.source = parameters->checkpoint,
        .arrays = arrays,
        .array_count = count,
        .texts = texts,
        .text_count = text_count,
        .dtype = DTYPE_F32,
        .left_out = STATE_PREFIX};
    if (status == PF_OK)
        status = rewrite_checkpoint(&rewrite, path, err);
    free(arrays);
    free(names);
    return status;
}

enum pf_status state_write(const struct parameters *parameters, const struct state *state,
    const char *path, struct pf_error *err)
{
    char step[NUMBER_SIZE], seed[NUMBER_SIZE];
    snprintf(step, sizeof step, "%" PRId64, state->step);
    snprintf(seed, sizeof seed, "%" PRId64, state->seed);
    struct rewrite_text texts[] = {{STATE_PREFIX "stage", state->stage},
        {STATE_PREFIX "step", step}, {STATE_PREFIX "seed", seed}};
    return write_arrays(parameters, path, texts, COUNT_OF(texts), err);
}
