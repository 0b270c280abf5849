/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TEXT_TEXT_SPLIT_H
#define PIPELINE_TEXT_TEXT_SPLIT_H

#include <stddef.h>

#define TEXT_SPLIT_START "<|startoftext|>"
#define TEXT_SPLIT_END   "<|endoftext|>"

/* A piece of the text it was split from. */
struct text_word {
    const char *bytes;
    size_t size;
};

/* Finds the next word at or behind *at and moves *at past it; 0 when there is none. `text` is valid
 * UTF-8, cleaned by text_clean(). A word is the first of these that matches, ignoring case; what
 * matches none of them (whitespace) is skipped:
 *
 *     <|startoftext|> | <|endoftext|> | 's | 't | 're | 've | 'm | 'll | 'd
 *     \p{L}+ | \p{N} | [^\s\p{L}\p{N}]+
 *
 * Source  OpenAI CLIP, simple_tokenizer.py: pat */
int text_split_next(const char *text, size_t count, size_t *at, struct text_word *ret_word);

#endif
