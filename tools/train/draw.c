/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/draw.h"

#include "pipeline/diffusion/noise.h"

#define TWO_TO_32 4294967296.0

static void words_of(
    uint64_t seed, int64_t step, int row, enum draw_purpose purpose, uint32_t ret[4])
{
    const uint32_t counter[4] = {(uint32_t)step, (uint32_t)((uint64_t)step >> 32), (uint32_t)row,
        0x74726169u + (uint32_t)purpose};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    noise_philox(counter, key, ret);
}

void draw_uniform(uint64_t seed, int64_t step, int row, enum draw_purpose purpose, double ret[4])
{
    uint32_t words[4];
    words_of(seed, step, row, purpose, words);
    for (int i = 0; i < 4; i++)
        ret[i] = words[i] / TWO_TO_32;
}

uint64_t draw_seed(uint64_t seed, int64_t step, int row, enum draw_purpose purpose)
{
    uint32_t words[4];
    words_of(seed, step, row, purpose, words);
    return (uint64_t)words[0] << 32 | words[1];
}
