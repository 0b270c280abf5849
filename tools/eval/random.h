/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_RANDOM_H
#define TOOLS_EVAL_RANDOM_H

/* Reproducible choices: splitmix64 (Steele, Lea & Flood, 2014), seeded by a number and a name, so
 * that a picture's degradation depends on its own name alone, not on how many come before it. */

#include <stdint.h>

struct random {
    uint64_t state;
};

struct random random_of(uint64_t seed, const char *name);

uint64_t random_next(struct random *random);
int random_below(struct random *random, int count);                 /* 0 … count-1 */
float random_range(struct random *random, float least, float most); /* uniform */
float random_normal(struct random *random);                         /* mean 0, variance 1 */

#endif
