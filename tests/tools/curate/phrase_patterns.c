/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/curate/phrase_patterns.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/test.h"

#define MARKS "[^[:alnum:]]*"

static void put_plain(struct buffer *pattern, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (isalnum((unsigned char)text[i]))
            buffer_put(pattern, text + i, 1);
        else
            buffer_put_text(pattern, MARKS);
}

static void compile(regex_t *regex, const char *template, const char *object)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT, pattern = BUFFER_INIT;
    phrase_unfold(template, &text);
    buffer_put_text(&pattern, "^" MARKS);
    for (const char *c = text.data; *c; c++) {
        if (*c == '[')
            buffer_put_text(&pattern, "(");
        else if (*c == ']')
            buffer_put_text(&pattern, ")" MARKS);
        else if (*c == '|')
            buffer_put_text(&pattern, "|");
        else if (*c == '$' && c[1] == 'O') {
            put_plain(&pattern, object, strlen(object));
            c++;
        } else
            put_plain(&pattern, c, 1);
    }
    buffer_put_text(&pattern, MARKS "$");
    assert_int_equal(regcomp(regex, pattern.data, REG_EXTENDED | REG_ICASE | REG_NOSUB), 0);
}

void phrase_patterns_init(
    struct phrase_patterns *patterns, enum task task, enum phrase_set set, const char *object)
{
    patterns->count = 0;
    for (int kind = 0; kind < PHRASE_KINDS; kind++) {
        if (kind == PHRASE_NAMED && task != TASK_REMOVE)
            continue; /* the same as the whole ones */
        const char *const *templates = phrases_templates(task, set, (enum phrase_kind)kind);
        for (size_t i = 0; templates[i]; i++) {
            assert_true(patterns->count < COUNT_OF(patterns->items));
            compile(&patterns->items[patterns->count++], templates[i], object);
        }
    }
}

void phrase_patterns_finish(struct phrase_patterns *patterns)
{
    while (patterns->count)
        regfree(&patterns->items[--patterns->count]);
}

int phrase_patterns_match(const struct phrase_patterns *patterns, const char *text)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (regexec(&patterns->items[i], text, 0, NULL, 0) == 0)
            return 1;
    return 0;
}
