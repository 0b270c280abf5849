/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_DRAW_H
#define TOOLS_TRAIN_DRAW_H

/* Random numbers of a training: each is a pure function of (seed, step, row, purpose), so a resumed
 * run draws what the uninterrupted one would have. Philox, as the pipeline's noise. */

#include <stdint.h>

enum draw_purpose {
    DRAW_SAMPLE, /* which pair, its crop, its dropouts */
    DRAW_TIME,   /* of the noise schedule */
    DRAW_NOISE,  /* seed of a row's noise */
};

/* Four numbers, uniform in [0,1). */
void draw_uniform(uint64_t seed, int64_t step, int row, enum draw_purpose purpose, double ret[4]);

/* A seed for noise_fill(). */
uint64_t draw_seed(uint64_t seed, int64_t step, int row, enum draw_purpose purpose);

#endif
