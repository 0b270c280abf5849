/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TEXT_BPE_H
#define PIPELINE_TEXT_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "pipeline/text/merges.h"

/* Scratch memory for splitting words of up to `capacity` bytes into symbols. */
struct bpe {
    size_t capacity;
    uint32_t *symbols;         /* [capacity] by position of the symbol's first byte */
    uint32_t *previous, *next; /* [capacity] positions of the neighbours; BPE_NONE at the ends */
    uint64_t *heap;            /* [2 capacity] rank << 32 | position, the least first */
    size_t heap_count;
    uint64_t *found; /* [2 capacity] pairs that came up in this pass */
    size_t found_count;
};

#define BPE_NONE UINT32_MAX

/* PF_NOMEM. bpe_finish() takes a failed or a zeroed one too. */
PF_MUST_CHECK enum pf_status bpe_init(struct bpe *bpe, size_t capacity, struct pf_error *err);
void bpe_finish(struct bpe *bpe);

/* Splits a word of 1 … capacity bytes; returns how many symbols lie in bpe->symbols then. Takes
 * O(n log n) for n bytes. */
size_t bpe_split(struct bpe *bpe, const struct merges *merges, const char *word, size_t size);

#endif
