/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TEXT_TOKENIZER_H
#define PIPELINE_TEXT_TOKENIZER_H

/* CLIP's byte-level byte-pair tokenizer. Knows nothing of libtorch.
 * Source  model.md §3; OpenAI CLIP, simple_tokenizer.py (the behaviour, not the code) */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { TOKENIZER_TEXT_MAX = 64 * 1024 }; /* bytes of one text */

struct tokenizer;

/* From the text of a merges table ("#version…" line optional, then "a b" a line); the vocabulary is
 * 256 bytes + 256 bytes with </w> + the merges + start + end. At most `vocabulary_size - 514` merges
 * are taken (the original file holds more than CLIP uses); too few are PF_INVALID with the numbers.
 * `vocabulary_size` comes from the checkpoint's token embedding. gzip is seen by its magic and
 * unpacked.
 * Errors  PF_INVALID; PF_CORRUPT: a line that is no pair of known parts (with its number), broken
 *         gzip; PF_UNSUPPORTED: gzip in a build without zlib; PF_NOMEM */
PF_MUST_CHECK enum pf_status tokenizer_create(struct tokenizer **ret_tokenizer, const void *merges,
    size_t count, size_t vocabulary_size, struct pf_error *err);

/* The same from a file; also PF_NOT_FOUND and PF_IO. */
PF_MUST_CHECK enum pf_status tokenizer_create_from_file(struct tokenizer **ret_tokenizer,
    const char *path, size_t vocabulary_size, struct pf_error *err);

void tokenizer_destroy(struct tokenizer *tokenizer);

size_t tokenizer_vocabulary_size(const struct tokenizer *tokenizer);

/* Writes exactly `context_length` ids: start, the text's (cut to context_length - 2), end, padded with
 * end. *ret_token_count (may be NULL) gets the text's own number of tokens before the cut, so a
 * caller can tell that a text was too long. Thread-safe.
 * Errors  PF_INVALID: not UTF-8, longer than TOKENIZER_TEXT_MAX */
PF_MUST_CHECK enum pf_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text,
    size_t count, size_t context_length, int64_t *ret_ids, size_t *ret_token_count,
    struct pf_error *err);

#endif
