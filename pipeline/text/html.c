/* SPDX-License-Identifier: Apache-2.0 */
/* A reference is never shorter than what it stands for (the generator of the tables checks this),
 * so the text shrinks in place: `out` trails `in`. */
#include "pipeline/text/html.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/text/html_data.h"
#include "pipeline/text/unicode.h"

enum {
    REPLACEMENT = 0xFFFD,
    CODE_POINT_MAX = 0x10FFFF,
    NAME_MATCH_MAX =
        32, /* characters that one named reference takes from the text, ';' not counted */
};

/* What one reference became. */
struct expansion {
    size_t taken; /* code points read from the text, '&' included; 0: no reference here */
    size_t count; /* code points it stands for, 0 … 2 */
    uint32_t code_points[2];
};

static int digit_value(uint32_t c, unsigned base)
{
    int value = -1;
    if (c >= '0' && c <= '9')
        value = (int)(c - '0');
    else if (base == 16 && c >= 'a' && c <= 'f')
        value = (int)(c - 'a') + 10;
    else if (base == 16 && c >= 'A' && c <= 'F')
        value = (int)(c - 'A') + 10;
    return value;
}

static struct expansion expand_number(uint32_t number, size_t taken)
{
    struct expansion one = {.taken = taken, .count = 1, .code_points = {number}};
    if (number >= 0x80 && number < 0xA0)
        one.code_points[0] = html_c1_references[number - 0x80];
    else if (number == 0 || number > CODE_POINT_MAX || (number >= 0xD800 && number < 0xE000))
        one.code_points[0] = REPLACEMENT;
    else if (unicode_in(html_dropped, html_dropped_count, number))
        one.count = 0;
    return one;
}

/* `text` begins with "&#". */
static struct expansion match_number(const uint32_t *text, size_t count)
{
    size_t at = 2;
    unsigned base = 10;
    if (at < count && (text[at] == 'x' || text[at] == 'X')) {
        base = 16;
        at++;
    }
    size_t first_digit = at;
    uint32_t number = 0;
    for (int value; at < count && (value = digit_value(text[at], base)) >= 0; at++)
        if (number <= CODE_POINT_MAX) /* stays above the maximum once it is there */
            number = number * base + (uint32_t)value;
    if (at == first_digit)
        return (struct expansion){0};
    if (at < count && text[at] == ';')
        at++;
    return expand_number(number, at);
}

static int compare_name(const void *name, const void *entity)
{
    return strcmp(name, ((const struct html_entity *)entity)->name);
}

static int find_name(const char *name, const struct html_entity *entities, size_t count,
    size_t taken, struct expansion *ret)
{
    const struct html_entity *found =
        bsearch(name, entities, count, sizeof *entities, compare_name);
    if (!found)
        return 0;
    *ret = (struct expansion){.taken = taken,
        .count = found->second ? 2 : 1,
        .code_points = {found->first, found->second}};
    return 1;
}

static int is_name_character(uint32_t c)
{
    return c != '\t' && c != '\n' && c != '\f' && c != ' ' && c != '<' && c != '&' && c != '#' &&
           c != ';';
}

/* The whole name with its ';', else the longest old name it begins with. */
static struct expansion match_name(const uint32_t *text, size_t count)
{
    struct expansion found = {0};
    char name[NAME_MATCH_MAX + 1];
    size_t size = 0;
    while (size < NAME_MATCH_MAX && 1 + size < count && is_name_character(text[1 + size])) {
        if (text[1 + size] == 0 || text[1 + size] > 0x7E)
            break; /* no name goes on like this */
        name[size] = (char)text[1 + size];
        size++;
    }
    name[size] = 0;
    if (1 + size < count && text[1 + size] == ';' &&
        find_name(name, html_entities, html_entities_count, size + 2, &found))
        return found;
    for (; size >= 2; size--) {
        name[size] = 0;
        if (find_name(name, html_open_entities, html_open_entities_count, size + 1, &found))
            return found;
    }
    return found;
}

size_t html_unescape(uint32_t *text, size_t count)
{
    size_t out = 0;
    for (size_t in = 0; in < count;) {
        struct expansion found = {0};
        if (text[in] == '&' && in + 1 < count)
            found = text[in + 1] == '#' ? match_number(text + in, count - in)
                                        : match_name(text + in, count - in);
        if (found.taken == 0) {
            text[out++] = text[in++];
            continue;
        }
        for (size_t i = 0; i < found.count; i++)
            text[out++] = found.code_points[i];
        in += found.taken;
    }
    return out;
}
