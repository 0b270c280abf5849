/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TEXT_TEXT_CLEAN_H
#define PIPELINE_TEXT_TEXT_CLEAN_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* Appends the text as CLIP's tokenizer sees it: HTML references unescaped twice (&amp;lt; is <),
 * whitespace runs made one space, trimmed, lower-cased. At most 3/2 of `count` bytes come out.
 *
 * CLIP also runs ftfy.fix_text() first, which repairs mis-decoded text ("cafÃ©"), straightens curly
 * quotes, drops control characters, opens ligatures and full-width forms, and composes to NFC. We
 * don't: instructions arrive as valid UTF-8, and the tokenizer that the published PromptFix code
 * loads leaves curly quotes alone too. Such characters pass through unchanged.
 *
 * Errors  PF_INVALID: not UTF-8, with the offset of the byte; PF_NOMEM
 * Source  OpenAI CLIP, simple_tokenizer.py: basic_clean(), whitespace_clean() */
PF_MUST_CHECK enum pf_status text_clean(
    const char *text, size_t count, struct buffer *ret, struct pf_error *err);

#endif
