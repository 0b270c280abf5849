/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TEXT_UNICODE_H
#define PIPELINE_TEXT_UNICODE_H

/* The properties of code points that CLIP's tokenizer asks about. */

#include <stddef.h>
#include <stdint.h>

#include "pipeline/text/unicode_data.h"

/* Whether a sorted table holds the code point. */
int unicode_in(const struct unicode_range *ranges, size_t count, uint32_t code_point);

int unicode_is_letter(uint32_t code_point); /* \p{L} */
int unicode_is_number(uint32_t code_point); /* \p{N} */
int unicode_is_space(uint32_t code_point);  /* White_Space: \s */

/* Lower case of text[at] in its context, as Python's str.lower() has it: capital sigma at the end
 * of a word is final sigma, I with dot above becomes two code points. Returns how many it wrote: 1
 * or 2. */
size_t unicode_lower(const uint32_t *text, size_t count, size_t at, uint32_t ret_lower[2]);

#endif
