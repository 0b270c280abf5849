/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-pair encoding of one word. The definition: as long as any neighbours are in the table, take
 * the pair of the lowest rank and merge all its occurrences from left to right (one pass).
 * Searching the whole word for each pass is quadratic, and a request may hold a word of 64 KiB; so
 * the candidates wait in a heap by (rank, position) and the symbols form a linked list. Entries go
 * stale when a neighbour was merged away; they are seen when taken out, as the pair there has
 * another rank by then. Pairs that come up in a pass join the heap only after it: where two merges
 * make the same string, such a pair may have a lower rank than the pass that made it. */
#include "pipeline/text/bpe.h"

#include <stdlib.h>
#include <string.h>

enum pf_status bpe_init(struct bpe *bpe, size_t capacity, struct pf_error *err)
{
    *bpe = (struct bpe){.capacity = capacity};
    size_t count = capacity ? capacity : 1;
    bpe->symbols = malloc(count * sizeof *bpe->symbols);
    bpe->previous = malloc(count * sizeof *bpe->previous);
    bpe->next = malloc(count * sizeof *bpe->next);
    bpe->heap = malloc(2 * count * sizeof *bpe->heap);
    bpe->found = malloc(2 * count * sizeof *bpe->found);
    if (!bpe->symbols || !bpe->previous || !bpe->next || !bpe->heap || !bpe->found) {
        bpe_finish(bpe);
        return pf_fail(err, PF_NOMEM, "no memory to split a word of %zu bytes", capacity);
    }
    return PF_OK;
}

void bpe_finish(struct bpe *bpe)
{
    free(bpe->symbols);
    free(bpe->previous);
    free(bpe->next);
    free(bpe->heap);
    free(bpe->found);
    *bpe = (struct bpe){0};
}

static void heap_push(struct bpe *bpe, uint64_t entry)
{
    size_t at = bpe->heap_count++;
    for (; at > 0 && bpe->heap[(at - 1) / 2] > entry; at = (at - 1) / 2)
        bpe->heap[at] = bpe->heap[(at - 1) / 2];
    bpe->heap[at] = entry;
}

static uint64_t heap_pop(struct bpe *bpe)
{
    uint64_t least = bpe->heap[0], moved = bpe->heap[--bpe->heap_count];
    size_t at = 0, count = bpe->heap_count;
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && bpe->heap[child + 1] < bpe->heap[child])
            child++;
        if (bpe->heap[child] >= moved)
            break;
        bpe->heap[at] = bpe->heap[child];
    }
    bpe->heap[at] = moved;
    return least;
}

/* The merge of the symbol at `position` with the next one. A symbol that was merged away has no
 * next. */
static int find_merge(
    const struct bpe *bpe, const struct merges *merges, uint32_t position, struct merge *ret_merge)
{
    uint32_t next = bpe->next[position];
    return next != BPE_NONE &&
           merges_find(merges, bpe->symbols[position], bpe->symbols[next], ret_merge);
}

static void note_pair(struct bpe *bpe, const struct merges *merges, uint32_t position)
{
    struct merge merge;
    if (find_merge(bpe, merges, position, &merge))
        bpe->found[bpe->found_count++] = (uint64_t)merge.rank << 32 | position;
}

static void push_found(struct bpe *bpe)
{
    for (size_t i = 0; i < bpe->found_count; i++)
        heap_push(bpe, bpe->found[i]);
    bpe->found_count = 0;
}

static void start(struct bpe *bpe, const struct merges *merges, const char *word, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bpe->symbols[i] = merges_byte_symbol(merges, (unsigned char)word[i], i + 1 == size);
        bpe->previous[i] = i > 0 ? (uint32_t)(i - 1) : BPE_NONE;
        bpe->next[i] = i + 1 < size ? (uint32_t)(i + 1) : BPE_NONE;
    }
    bpe->heap_count = 0;
    bpe->found_count = 0;
    for (size_t i = 0; i + 1 < size; i++)
        note_pair(bpe, merges, (uint32_t)i);
    push_found(bpe);
}

static void apply(struct bpe *bpe, const struct merges *merges, uint32_t position, uint32_t symbol)
{
    uint32_t gone = bpe->next[position], after = bpe->next[gone];
    bpe->symbols[position] = symbol;
    bpe->next[position] = after;
    bpe->next[gone] = BPE_NONE;
    if (after != BPE_NONE)
        bpe->previous[after] = position;
    note_pair(bpe, merges, position);
    if (bpe->previous[position] != BPE_NONE)
        note_pair(bpe, merges, bpe->previous[position]);
}

size_t bpe_split(struct bpe *bpe, const struct merges *merges, const char *word, size_t size)
{
    start(bpe, merges, word, size);
    while (bpe->heap_count > 0) {
        uint32_t rank = (uint32_t)(bpe->heap[0] >> 32);
        while (bpe->heap_count > 0 && bpe->heap[0] >> 32 == rank) {
            uint32_t position = (uint32_t)heap_pop(bpe);
            struct merge merge;
            if (find_merge(bpe, merges, position, &merge) && merge.rank == rank)
                apply(bpe, merges, position, merge.symbol);
        }
        push_found(bpe);
    }
    size_t count = 0;
    for (uint32_t at = 0; at != BPE_NONE; at = bpe->next[at])
        bpe->symbols[count++] = bpe->symbols[at];
    return count;
}
