/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/text/text_clean.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "pipeline/text/html.h"
#include "pipeline/text/unicode.h"

static enum pf_status decode(
    const char *text, size_t count, uint32_t *ret_text, size_t *ret_count, struct pf_error *err)
{
    size_t out = 0;
    for (size_t at = 0; at < count; out++) {
        size_t offset = at;
        at += utf8_decode(text + at, count - at, &ret_text[out]);
        if (ret_text[out] == UTF8_INVALID)
            return pf_fail(err, PF_INVALID, "text is not UTF-8: byte 0x%02x at offset %zu",
                (unsigned char)text[offset], offset);
    }
    *ret_count = out;
    return PF_OK;
}

/* Python's strip() also takes the four information separators, which \s does not. */
static int is_trimmed(uint32_t code_point)
{
    return unicode_is_space(code_point) || (code_point >= 0x1C && code_point <= 0x1F);
}

static size_t collapse_spaces(uint32_t *text, size_t count)
{
    size_t first = 0, out = 0;
    while (count > 0 && is_trimmed(text[count - 1]))
        count--;
    while (first < count && is_trimmed(text[first]))
        first++;
    for (size_t in = first; in < count; in++) {
        int is_space = unicode_is_space(text[in]);
        if (!is_space || text[out - 1] != ' ') /* the first is no space, so there is an out - 1 */
            text[out++] = is_space ? ' ' : text[in];
    }
    return out;
}

static void put_lower(struct buffer *ret, const uint32_t *text, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        uint32_t lower[2];
        size_t lower_count = unicode_lower(text, count, at, lower);
        for (size_t i = 0; i < lower_count; i++) {
            char bytes[4];
            buffer_put(ret, bytes, utf8_encode(lower[i], bytes));
        }
    }
}

enum pf_status text_clean(const char *text, size_t count, struct buffer *ret, struct pf_error *err)
{
    AUTO_FREE uint32_t *code_points = malloc((count + 1) * sizeof *code_points);
    if (!code_points)
        return pf_fail(err, PF_NOMEM, "no memory for a text of %zu bytes", count);
    size_t length = 0;
    PF_TRY(decode(text, count, code_points, &length, err));
    length = html_unescape(code_points, length);
    length = html_unescape(code_points, length);
    length = collapse_spaces(code_points, length);
    put_lower(ret, code_points, length);
    return buffer_status(ret, err);
}
