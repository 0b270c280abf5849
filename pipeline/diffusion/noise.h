/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_DIFFUSION_NOISE_H
#define PIPELINE_DIFFUSION_NOISE_H

/* Reproducible standard-normal noise: the same for a seed on every device, in every batch, with
 * every version of libtorch. Number i of a stream is a pure function of (seed, stream, i), so
 * nothing is shared and nothing can be drawn in the wrong order. Source  Philox4x32-10: Salmon et
 * al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011); Box & Muller, 1958 */

#include <stddef.h>
#include <stdint.h>

/* Streams of one run: 0 is the initial latent, 1 + i the noise that sampling step i adds. */
enum { NOISE_STREAM_INITIAL = 0, NOISE_STREAM_STEPS = 1 };

/* Writes numbers 0 … count-1 of the stream. A shorter fill is a prefix of a longer one. */
void noise_fill(uint64_t seed, uint32_t stream, float *ret, size_t count);

/* The generator: ten rounds over a counter of four words with a key of two. */
void noise_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t ret[4]);

#endif
