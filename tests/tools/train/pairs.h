/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOOLS_TRAIN_PAIRS_H
#define TESTS_TOOLS_TRAIN_PAIRS_H

/* Made-up training pairs and models in training, in a folder of their own that goes with the
 * process. Whatever fails here ends the test. */

#include "tests/tools/scratch.h"
#include "tools/train/trainee.h"

enum { PAIRS_SIZE = 64 }; /* pixels a side */

/* Folder of one shard with `count` pairs: colourful pictures, dark as input. Of more than 8 every
 * other one says "c d" for dehaze, all others "a b N" for lowlight. Static. */
const char *pairs_folder(int count);

/* The same with JSON of the caller's, one for each pair. */
const char *pairs_folder_of(const char *name, const char *const *jsons, int count);

/* Opens fixture model `name` at a stage, in float32 on the CPU. */
void pairs_open_trainee(
    struct trainee *ret_trainee, const char *path, enum stage stage, struct pf_error *err);

/* A batch of `rows` pairs of size × size. */
struct batch *pairs_batch(const struct trainee *trainee, int rows, int size);

#endif
