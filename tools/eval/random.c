/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/random.h"

#include <math.h>

uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* FNV-1a over the name, mixed with the seed. */
struct random random_of(uint64_t seed, const char *name)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001B3);
    struct random random = {seed};
    random.state = random_next(&random) ^ hash;
    return random;
}

/* In (0,1): 24 bits, never either end. */
static float unit(struct random *random)
{
    return ((float)(random_next(random) >> 40) + 0.5f) / 16777216.0f;
}

int random_below(struct random *random, int count)
{
    return (int)(random_next(random) % (uint64_t)count);
}

float random_range(struct random *random, float least, float most)
{
    return least + (most - least) * unit(random);
}

float random_normal(struct random *random)
{
    float radius = sqrtf(-2.0f * logf(unit(random)));
    return radius * cosf(6.28318531f * unit(random));
}
