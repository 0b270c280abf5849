/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/rng.h"

#include <math.h>

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void rng_init(struct rng *rng, uint64_t seed, uint64_t index, uint64_t stream)
{
    uint64_t key = mix(seed + 0x9e3779b97f4a7c15u);
    key = mix(key ^ (index + 0xd1b54a32d192ed03u));
    *rng = (struct rng){mix(key ^ (stream * 0x8cb92ba72f3d8dd7u + 1)), 0};
}

uint64_t rng_next(struct rng *rng)
{
    return mix(rng->key + 0x9e3779b97f4a7c15u * ++rng->counter);
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

double rng_range(struct rng *rng, double low, double high)
{
    return low + (high - low) * rng_unit(rng);
}

double rng_log_range(struct rng *rng, double low, double high)
{
    return exp(rng_range(rng, log(low), log(high)));
}

int rng_below(struct rng *rng, int count)
{
    return (int)(rng_unit(rng) * count);
}

int rng_chance(struct rng *rng, double probability)
{
    return rng_unit(rng) < probability;
}

double rng_normal(struct rng *rng)
{
    double radius = sqrt(-2.0 * log(1.0 - rng_unit(rng)));
    return radius * cos(6.283185307179586 * rng_unit(rng));
}

int rng_weighted(struct rng *rng, const double *weights, int count)
{
    double sum = 0.0;
    for (int i = 0; i < count; i++)
        sum += weights[i];
    double at = rng_unit(rng) * sum;
    for (int i = 0; i < count - 1; i++) {
        if (at < weights[i])
            return i;
        at -= weights[i];
    }
    return count - 1;
}
