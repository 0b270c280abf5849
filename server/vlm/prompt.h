/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_VLM_PROMPT_H
#define SERVER_VLM_PROMPT_H

/* From a model's answers to the auxiliary prompt: plain text, the defect sentence first, cut to
 * what the text encoder can take in.
 *
 * The encoder takes 75 tokens; English prose has about 1.3 tokens a word, so 320 bytes are about
 * what fits. The tokenizer cuts whatever is beyond, so a bound that is off costs no more than the
 * end of the second sentence; cut here, it ends with a whole one. */

#include <stddef.h>

#include "base/buffer.h"

enum {
    VLM_PROMPT_BYTES_MAX = 320,
    VLM_DEFECT_BYTES_MIN = 160, /* the defect sentence is not cut below it for the other's sake */
};

/* Appends an answer as one line of plain text: a leading <think> block, white space, control
 * characters, quotes around it and Markdown's marks are removed. */
void vlm_put_plain(struct buffer *out, const char *answer);

/* Appends the auxiliary prompt made of two plain texts ("" or NULL: not there), at most
 * VLM_PROMPT_BYTES_MAX bytes of valid UTF-8. */
void vlm_put_prompt(struct buffer *out, const char *defect, const char *semantic);

/* The length to cut a text of `size` bytes to, at most `max`: behind the last whole sentence, else
 * behind the last whole word, else behind the last whole character. */
size_t vlm_cut_size(const char *text, size_t size, size_t max);

#endif
