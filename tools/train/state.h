/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_STATE_H
#define TOOLS_TRAIN_STATE_H

/* A training on disk: a checkpoint of float32 weights that any program here loads, with the
 * optimizer's moments and the average beside them and the progress in its metadata. All randomness
 * of a step derives from (seed, step), so nothing else is needed to go on exactly. */

#include "tools/train/parameters.h"

#define STATE_PREFIX         "train."
#define STATE_PREFIX_M       "train.m."
#define STATE_PREFIX_V       "train.v."
#define STATE_PREFIX_AVERAGE "train.average."

enum { STATE_STAGE_SIZE = 16 };

struct state {
    char stage[STATE_STAGE_SIZE]; /* of stage_names[]; "" for an untrained checkpoint */
    int64_t step;                 /* taken so far */
    int64_t seed;
};

/* Reads the progress from a checkpoint's metadata; zeroes when it has none. PF_CORRUPT. */
PF_MUST_CHECK enum pf_status state_read(
    const struct checkpoint *checkpoint, struct state *ret_state, struct pf_error *err);

/* Writes the state, whole or not at all; what is not trained comes from parameters->checkpoint. */
PF_MUST_CHECK enum pf_status state_write(const struct parameters *parameters,
    const struct state *state, const char *path, struct pf_error *err);

#endif
