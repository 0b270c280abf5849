/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_RNG_H
#define TOOLS_CURATE_RNG_H

/* Counter-based random numbers: the n-th number of (seed, index, stream) is a hash of the four, so
 * a sample depends on its seed and its index alone, and a degradation draws the same numbers
 * whether or not another one ran before it. Source  splitmix64 (Steele, Lea, Flood: Fast Splittable
 * Pseudorandom Number Generators) */

#include <stdint.h>

struct rng {
    uint64_t key, counter;
};

void rng_init(struct rng *rng, uint64_t seed, uint64_t index, uint64_t stream);

uint64_t rng_next(struct rng *rng);

/* [0,1) */
double rng_unit(struct rng *rng);

/* [low,high), and the same evenly in the logarithm. */
double rng_range(struct rng *rng, double low, double high);
double rng_log_range(struct rng *rng, double low, double high);

/* 0 … count-1; count is at least 1. */
int rng_below(struct rng *rng, int count);

int rng_chance(struct rng *rng, double probability);

/* Mean 0, deviation 1. */
double rng_normal(struct rng *rng);

/* An index of `weights`, as likely as its weight. The sum must be positive. */
int rng_weighted(struct rng *rng, const double *weights, int count);

#endif
