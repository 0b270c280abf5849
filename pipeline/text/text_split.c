/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/text/text_split.h"

#include <stdint.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "pipeline/text/unicode.h"

enum character { SPACE, LETTER, NUMBER, OTHER };

enum { LONG_S = 0x17F }; /* the one lower-case letter that equals an ASCII one, s, ignoring case */

static enum character classify(uint32_t code_point)
{
    if (unicode_is_letter(code_point))
        return LETTER;
    if (unicode_is_number(code_point))
        return NUMBER;
    return unicode_is_space(code_point) ? SPACE : OTHER;
}

/* Bytes of `text` that equal `literal` ignoring case; 0 when they don't. The text is lower-cased.
 */
static size_t match_literal(const char *text, size_t count, const char *literal)
{
    size_t at = 0;
    for (; *literal; literal++) {
        uint32_t code_point;
        if (at == count)
            return 0;
        at += utf8_decode(text + at, count - at, &code_point);
        if (code_point != (unsigned char)*literal && !(code_point == LONG_S && *literal == 's'))
            return 0;
    }
    return at;
}

static size_t match_literals(const char *text, size_t count)
{
    static const char *const literals[] = {
        TEXT_SPLIT_START, TEXT_SPLIT_END, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    if (text[0] != '<' && text[0] != '\'')
        return 0;
    for (size_t i = 0; i < COUNT_OF(literals); i++) {
        size_t size = match_literal(text, count, literals[i]);
        if (size > 0)
            return size;
    }
    return 0;
}

/* The run of characters of the first one's class; numbers stand alone. */
static size_t match_run(const char *text, size_t count, enum character wanted)
{
    size_t at = 0;
    while (at < count) {
        uint32_t code_point;
        size_t size = utf8_decode(text + at, count - at, &code_point);
        if (classify(code_point) != wanted)
            break;
        at += size;
        if (wanted == NUMBER)
            break;
    }
    return at;
}

int text_split_next(const char *text, size_t count, size_t *at, struct text_word *ret_word)
{
    while (*at < count) {
        const char *here = text + *at;
        size_t left = count - *at;
        uint32_t code_point;
        size_t step = utf8_decode(here, left, &code_point);
        enum character kind = classify(code_point);
        if (kind == SPACE) {
            *at += step;
            continue;
        }
        size_t size = match_literals(here, left);
        if (size == 0)
            size = match_run(here, left, kind);
        *ret_word = (struct text_word){here, size};
        *at += size;
        return 1;
    }
    return 0;
}
