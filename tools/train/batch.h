/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_BATCH_H
#define TOOLS_TRAIN_BATCH_H

/* Pairs as tensors: each step's batch is chosen, decoded, cropped and tokenized ahead of its use on
 * a thread of its own.
 *
 * Shapes: B rows, S×S pixels, T tokens. */

#include "pipeline/tensor/tensor.h"
#include "pipeline/text/tokenizer.h"
#include "tools/data/shards.h"
#include "tools/data/tasks.h"

enum { BATCH_ROWS_MAX = 512 };

struct batch_options {
    const struct shards *shards;       /* borrowed */
    const struct tokenizer *tokenizer; /* borrowed */
    int64_t positions;                 /* T */
    int64_t rows, size;                /* B, S; S = 0: texts alone, no picture is read */
    uint64_t seed;
    double drop_instruction; /* share of rows whose instruction becomes "" */
    double drop_auxiliary;   /* the same for the auxiliary prompt */
    double drop_image;       /* share of rows without image condition */
    double swap;   /* share of rows that get the instruction of another pair: where that asks for
                      another task, there is nothing to do, and the target is the input */
    double shrink; /* share of rows that show the whole pair, box-filtered to S, not a crop of it */
    double overshoot[TASK_COUNT]; /* target + overshoot · (target - input) for pairs that ask for
                                     this task alone */
};

struct batch {
    int64_t rows, size, positions;
    float *input, *target;            /* [B,3,S,S] in [-1,1] */
    int64_t *instruction, *auxiliary; /* [B,T] token ids */
    float *has_image;                 /* [B]: 0 where the image condition is dropped */
    char (*tasks)[32];                /* [B] */
    char *is_empty;                   /* [B] 1 where the instruction was left out */
};

void batch_destroy(struct batch *batch);

/* Makes one batch now. */
PF_MUST_CHECK enum pf_status batch_make(const struct batch_options *options, int64_t step,
    struct batch **ret_batch, struct pf_error *err);

/* Makes the batches of steps first, first + 1, … in the background, a few ahead. */
struct batch_feed;
PF_MUST_CHECK enum pf_status batch_feed_create(struct batch_feed **ret_feed,
    const struct batch_options *options, int64_t first, struct pf_error *err);
void batch_feed_destroy(struct batch_feed *feed);

/* Waits for the next one; the caller destroys it. Fails as batch_make() did on the thread. */
PF_MUST_CHECK enum pf_status batch_feed_next(
    struct batch_feed *feed, struct batch **ret_batch, struct pf_error *err);

#endif
