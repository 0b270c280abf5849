/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_LEARN_MERGES_H
#define TOOLS_TRAIN_LEARN_MERGES_H

/* Learns a byte-pair tokenizer's merges table from texts.
 * Source  Sennrich et al., "Neural machine translation of rare words with subword units" (ACL 2016)
 */

#include "base/buffer.h"
#include "base/error.h"

enum { LEARN_WORDS_MAX = 1 << 20, LEARN_WORD_BYTES_MAX = 64 };

struct learn_merges;

PF_MUST_CHECK enum pf_status learn_merges_create(
    struct learn_merges **ret_learn, struct pf_error *err);
void learn_merges_destroy(struct learn_merges *learn);

/* Counts a text's words, cleaned and split as the tokenizer does. Words longer than
 * LEARN_WORD_BYTES_MAX or beyond printable ASCII teach nothing (the tokenizer still takes them,
 * byte by byte). PF_INVALID: not UTF-8; more than LEARN_WORDS_MAX different words. */
PF_MUST_CHECK enum pf_status learn_merges_add(
    struct learn_merges *learn, const char *text, struct pf_error *err);

/* Appends the table, "left right" a line, exactly `count` merges, the most frequent pair first; of
 * equals the alphabetically first, so the same texts give the same table. PF_INVALID when the texts
 * give fewer. */
PF_MUST_CHECK enum pf_status learn_merges_finish(
    struct learn_merges *learn, int count, struct buffer *ret, struct pf_error *err);

#endif
