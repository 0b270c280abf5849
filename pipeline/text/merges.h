/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TEXT_MERGES_H
#define PIPELINE_TEXT_MERGES_H

/* The merges table of a byte-level byte-pair encoding, immutable once made.
 *
 * A symbol is an index into the vocabulary: 256 bytes, the same 256 as the last of a word (suffix
 * </w>), one for each merge. Where several merges make the same string they share the first one's
 * symbol, and its id is the last one's, as a Python dict built from the vocabulary has it. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    MERGES_BYTE_SYMBOLS = 512,
    MERGES_COUNT_MAX = 1 << 20,
    MERGES_SIZE_MAX =
        16 << 20, /* bytes of a table, unpacked; CLIP's original file has 3.2 million */
};

struct merges;

/* What a pair of symbols becomes. */
struct merge {
    uint32_t rank; /* lower merges first */
    uint32_t symbol;
};

/* Reads the first `merge_count` merges of a table: an optional line "#version…", then "left right"
 * a line, both in the printable alphabet that stands for the 256 bytes, each a byte or an earlier
 * merge. Errors  PF_INVALID: fewer lines, with both numbers; PF_CORRUPT: a line that is no such
 * pair; PF_NOMEM */
PF_MUST_CHECK enum pf_status merges_create(struct merges **ret_merges, const char *text,
    size_t count, size_t merge_count, struct pf_error *err);
void merges_destroy(struct merges *merges);

uint32_t merges_byte_symbol(const struct merges *merges, unsigned char byte, int is_last);

/* 1 and *ret_merge when this pair is in the table. */
int merges_find(
    const struct merges *merges, uint32_t left, uint32_t right, struct merge *ret_merge);

/* The token id of a symbol. */
uint32_t merges_id(const struct merges *merges, uint32_t symbol);

/* Whether these bytes begin as gzip does, and their content (appended to `ret`). Two builds: with
 * zlib, and without it, where the answer is PF_UNSUPPORTED.
 * Errors  PF_CORRUPT: not gzip inside, cut short, or more than `max_size` bytes unpacked; PF_NOMEM
 */
int merges_is_gzip(const void *bytes, size_t count);
PF_MUST_CHECK enum pf_status merges_gunzip(
    const void *bytes, size_t count, size_t max_size, struct buffer *ret, struct pf_error *err);

#endif
