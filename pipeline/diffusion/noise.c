/* SPDX-License-Identifier: Apache-2.0 */
/* A counter-based generator has no state: block b of a stream is the encryption of (b, stream)
 * under the seed. One block of four words gives two Box-Muller pairs. Words become numbers of (0,1)
 * at the middle of their interval, so the logarithm is finite and the largest number is 6.76. */
#include "pipeline/diffusion/noise.h"

#include <math.h>
#include <string.h>

enum { PHILOX_ROUNDS = 10, BLOCK = 4 };

#define PHILOX_MUL0    UINT32_C(0xD2511F53)
#define PHILOX_MUL1    UINT32_C(0xCD9E8D57)
#define PHILOX_WEYL0   UINT32_C(0x9E3779B9) /* golden ratio */
#define PHILOX_WEYL1   UINT32_C(0xBB67AE85) /* √3 - 1 */
#define TWO_PI         6.283185307179586476925286766559
#define INVERSE_2_TO32 (1.0 / 4294967296.0)

void noise_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t ret[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t product0 = (uint64_t)PHILOX_MUL0 * c[0];
        uint64_t product1 = (uint64_t)PHILOX_MUL1 * c[2];
        uint32_t next[4] = {(uint32_t)(product1 >> 32) ^ c[1] ^ k0, (uint32_t)product1,
            (uint32_t)(product0 >> 32) ^ c[3] ^ k1, (uint32_t)product0};
        memcpy(c, next, sizeof c);
        k0 += PHILOX_WEYL0;
        k1 += PHILOX_WEYL1;
    }
    memcpy(ret, c, sizeof c);
}

/* Two independent normal numbers from two words. */
static void box_muller(uint32_t a, uint32_t b, float ret[2])
{
    double radius = sqrt(-2 * log(((double)a + 0.5) * INVERSE_2_TO32));
    double angle = TWO_PI * ((double)b + 0.5) * INVERSE_2_TO32;
    ret[0] = (float)(radius * cos(angle));
    ret[1] = (float)(radius * sin(angle));
}

void noise_fill(uint64_t seed, uint32_t stream, float *ret, size_t count)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (size_t i = 0; i < count; i += BLOCK) {
        uint64_t block = i / BLOCK;
        const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), stream, 0};
        uint32_t words[4];
        float normal[BLOCK];
        noise_philox(counter, key, words);
        box_muller(words[0], words[1], normal);
        box_muller(words[2], words[3], normal + 2);
        size_t length = count - i < BLOCK ? count - i : BLOCK;
        memcpy(ret + i, normal, length * sizeof *ret);
    }
}
