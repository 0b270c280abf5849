/* SPDX-License-Identifier: Apache-2.0 */
/* The half of option.h that writes: names, values, messages. */
#include "config/option.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "config/value.h"

static const void *member(const struct option_spec *option, const void *target)
{
    return (const char *)target + option->offset;
}

void option_put_flag(struct buffer *out, const struct option_spec *option)
{
    buffer_put_text(out, "--");
    for (const char *c = option->name; *c; c++)
        buffer_put(out, *c == '_' ? "-" : c, 1);
}

void option_put_environment(struct buffer *out, const struct option_spec *option)
{
    buffer_put_text(out, OPTION_ENVIRONMENT_PREFIX);
    for (const char *c = option->name; *c; c++) {
        char upper = (char)toupper((unsigned char)*c);
        buffer_put(out, &upper, 1);
    }
}

const struct option_spec *option_find(
    const struct option_spec *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

/* Levenshtein's distance, one row at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t b_size = strlen(b);
    size_t row[OPTION_NAME_MAX + 1];
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b_size; j++) {
            size_t best = diagonal + (a[i] != b[j]);
            if (row[j + 1] + 1 < best)
                best = row[j + 1] + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[b_size];
}

const struct option_spec *option_nearest(
    const struct option_spec *options, size_t count, unsigned programs, const char *name)
{
    const struct option_spec *nearest = NULL;
    size_t best = 3;
    for (size_t i = 0; i < count && strlen(name) <= OPTION_NAME_MAX; i++) {
        if (!(options[i].programs & programs))
            continue;
        size_t distance = edit_distance(name, options[i].name);
        if (distance < best) {
            best = distance;
            nearest = &options[i];
        }
    }
    return nearest;
}

static void put_place(
    struct buffer *out, const struct option_spec *option, struct option_place place)
{
    switch (place.origin) {
    case OPTION_DEFAULT:
        buffer_put_format(out, "the default of %s", option->name);
        break;
    case OPTION_FROM_FILE:
        buffer_put_format(out, "'%s' in %s", option->name, place.path);
        break;
    case OPTION_FROM_ENVIRONMENT:
        option_put_environment(out, option);
        break;
    case OPTION_FROM_FLAG:
        option_put_flag(out, option);
        break;
    }
}

enum pf_status option_fail(const struct option_spec *option, struct option_place place,
    const char *got, const char *expected, struct pf_error *err)
{
    AUTO_BUFFER struct buffer what = BUFFER_INIT;
    put_place(&what, option, place);
    buffer_put_format(&what, " is %s, expected ", got);
    if (expected)
        buffer_put_text(&what, expected);
    else
        option_put_expectation(&what, option);
    PF_TRY(buffer_status(&what, err));
    return pf_fail(err, PF_INVALID, "%s", what.data);
}

int option_is_equal(const struct option_spec *option, const void *a, const void *b)
{
    AUTO_BUFFER struct buffer text_a = BUFFER_INIT, text_b = BUFFER_INIT;
    option_put_text(&text_a, option, a);
    option_put_text(&text_b, option, b);
    return text_a.size == text_b.size &&
           (text_a.size == 0 || memcmp(text_a.data, text_b.data, text_a.size) == 0);
}

void option_put_text(struct buffer *out, const struct option_spec *option, const void *target)
{
    const void *value = member(option, target);
    switch (option->type) {
    case OPTION_SWITCH:
        buffer_put_text(out, *(const int64_t *)value ? "true" : "false");
        break;
    case OPTION_INTEGER:
        buffer_put_format(out, "%" PRId64, *(const int64_t *)value);
        break;
    case OPTION_NUMBER:
        value_put_number(out, *(const double *)value);
        break;
    case OPTION_BYTES:
        value_put_bytes(out, *(const int64_t *)value);
        break;
    case OPTION_DURATION:
        value_put_duration(out, *(const int64_t *)value);
        break;
    case OPTION_CHOICE:
        buffer_put_text(out, option->choices[*(const int64_t *)value]);
        break;
    case OPTION_TEXT:
        buffer_put_text(out, *(char *const *)value);
        break;
    case OPTION_LIST: {
        const struct text_list *list = value;
        for (size_t i = 0; i < list->count; i++)
            buffer_put_format(out, "%s%s", i ? "," : "", list->items[i]);
        break;
    }
    }
}

void option_put_json(struct buffer *out, const struct option_spec *option, const void *target)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    switch (option->type) {
    case OPTION_SWITCH:
    case OPTION_INTEGER:
    case OPTION_NUMBER:
        option_put_text(out, option, target);
        break;
    case OPTION_LIST: {
        const struct text_list *list = member(option, target);
        buffer_put_text(out, "[");
        for (size_t i = 0; i < list->count; i++) {
            buffer_put_text(out, i ? ", " : "");
            buffer_put_json_string(out, list->items[i], strlen(list->items[i]));
        }
        buffer_put_text(out, "]");
        break;
    }
    default:
        option_put_text(&text, option, target);
        buffer_put_json_string(out, text.data ? text.data : "", text.size);
        break;
    }
}

static void put_choices(struct buffer *out, const char *const *choices)
{
    for (size_t i = 0; choices[i]; i++) {
        const char *separator = i == 0 ? "" : choices[i + 1] ? ", " : " or ";
        buffer_put_format(out, "%s%s", separator, choices[i]);
    }
}

void option_put_expectation(struct buffer *out, const struct option_spec *option)
{
    switch (option->type) {
    case OPTION_SWITCH:
        buffer_put_text(out, "true or false");
        break;
    case OPTION_INTEGER:
        buffer_put_format(out, "an integer from %.0f to %.0f", option->min, option->max);
        break;
    case OPTION_NUMBER:
        buffer_put_format(out, "a number from %g to %g", option->min, option->max);
        break;
    case OPTION_BYTES:
        buffer_put_text(out, "bytes (as 4096, 16KiB or 10MB) from ");
        value_put_bytes(out, (int64_t)option->min);
        buffer_put_text(out, " to ");
        value_put_bytes(out, (int64_t)option->max);
        break;
    case OPTION_DURATION:
        buffer_put_text(out, "a duration (with ms, s, min, h or d) from ");
        value_put_duration(out, (int64_t)option->min);
        buffer_put_text(out, " to ");
        value_put_duration(out, (int64_t)option->max);
        break;
    case OPTION_CHOICE:
        put_choices(out, option->choices);
        break;
    case OPTION_TEXT:
        buffer_put_format(out, "a text of %.0f to %.0f bytes", option->min,
            option->max > 0 ? option->max : OPTION_TEXT_MAX);
        break;
    case OPTION_LIST:
        buffer_put_format(out, "a list of %.0f to %.0f items", option->min,
            option->max > 0 ? option->max : OPTION_LIST_MAX);
        break;
    }
}
