/* SPDX-License-Identifier: Apache-2.0 */
#include "config/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/value.h"

static int64_t *member_integer(const struct option_spec *option, void *target)
{
    return (int64_t *)((char *)target + option->offset);
}

static double *member_number(const struct option_spec *option, void *target)
{
    return (double *)((char *)target + option->offset);
}

static char **member_text(const struct option_spec *option, void *target)
{
    return (char **)((char *)target + option->offset);
}

static struct text_list *member_list(const struct option_spec *option, void *target)
{
    return (struct text_list *)((char *)target + option->offset);
}

static const void *member(const struct option_spec *option, const void *target)
{
    return (const char *)target + option->offset;
}

static void list_finish(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){NULL, 0};
}

/* The value quoted, as far as a message has room for it. */
static enum pf_status fail_value(const struct option_spec *option, struct option_place place,
    const char *text, const char *expected, struct pf_error *err)
{
    char got[128];
    int long_text = strlen(text) > 100;
    snprintf(got, sizeof got, "'%.100s%s'", text, long_text ? "…" : "");
    return option_fail(option, place, got, expected, err);
}

/* Number, switch and choice types as a double and an integer, in range. */
static int parse_scalar(
    const struct option_spec *option, const char *text, int64_t *ret_integer, double *ret_number)
{
    int parsed = 0;
    switch (option->type) {
    case OPTION_SWITCH:
        *ret_integer = strcmp(text, "true") == 0;
        return *ret_integer || strcmp(text, "false") == 0;
    case OPTION_CHOICE:
        for (*ret_integer = 0; option->choices[*ret_integer]; ++*ret_integer)
            if (strcmp(option->choices[*ret_integer], text) == 0)
                return 1;
        return 0;
    case OPTION_NUMBER:
        return value_parse_number(text, ret_number) && *ret_number >= option->min &&
               *ret_number <= option->max;
    case OPTION_INTEGER:
        parsed = value_parse_integer(text, ret_integer);
        break;
    case OPTION_BYTES:
        parsed = value_parse_bytes(text, ret_integer);
        break;
    case OPTION_DURATION:
        parsed = value_parse_duration(text, ret_integer);
        break;
    case OPTION_TEXT:
    case OPTION_LIST:
        break;
    }
    return parsed && (double)*ret_integer >= option->min && (double)*ret_integer <= option->max;
}

static enum pf_status set_text_member(const struct option_spec *option, void *target,
    const char *text, struct option_place place, struct pf_error *err)
{
    size_t size = strlen(text);
    size_t max = option->max > 0 ? (size_t)option->max : OPTION_TEXT_MAX;
    if (size > max || (double)size < option->min)
        return fail_value(option, place, text, NULL, err);
    const char *expected = option->check && size > 0 ? option->check(text) : NULL;
    if (expected)
        return fail_value(option, place, text, expected, err);
    char *copy = strdup(text);
    if (!copy)
        return pf_fail(err, PF_NOMEM, "no memory for the value of %s", option->name);
    char **slot = member_text(option, target);
    free(*slot);
    *slot = copy;
    return PF_OK;
}

/* "a,b" → its items; an empty text is an empty list. */
static enum pf_status set_list_member(const struct option_spec *option, void *target,
    const char *text, struct option_place place, struct pf_error *err)
{
    char *items[OPTION_LIST_MAX];
    size_t count = 0;
    AUTO_FREE char *copy = strdup(text);
    if (!copy)
        return pf_fail(err, PF_NOMEM, "no memory for the value of %s", option->name);
    for (char *item = copy; item && *text;) {
        char *comma = strchr(item, ',');
        if (comma)
            *comma++ = '\0';
        if (count == OPTION_LIST_MAX)
            return fail_value(option, place, text, NULL, err);
        items[count++] = item;
        item = comma;
    }
    return option_set_items(option, target, (const char *const *)items, count, place, err);
}

enum pf_status option_set_text(const struct option_spec *option, void *target, const char *text,
    struct option_place place, struct pf_error *err)
{
    if (option->type == OPTION_TEXT)
        return set_text_member(option, target, text, place, err);
    if (option->type == OPTION_LIST)
        return set_list_member(option, target, text, place, err);
    int64_t integer = 0;
    double number = 0;
    if (!parse_scalar(option, text, &integer, &number))
        return fail_value(option, place, text, NULL, err);
    if (option->type == OPTION_NUMBER)
        *member_number(option, target) = number;
    else
        *member_integer(option, target) = integer;
    return PF_OK;
}

enum pf_status option_set_items(const struct option_spec *option, void *target,
    const char *const *items, size_t count, struct option_place place, struct pf_error *err)
{
    size_t max = option->max > 0 ? (size_t)option->max : OPTION_LIST_MAX;
    char got[64];
    snprintf(got, sizeof got, "a list of %zu items", count);
    if (count > max || (double)count < option->min)
        return option_fail(option, place, got, NULL, err);
    for (size_t i = 0; i < count; i++) {
        const char *expected = !*items[i]      ? "items that are not empty"
                               : option->check ? option->check(items[i])
                                               : NULL;
        if (expected)
            return fail_value(option, place, items[i], expected, err);
    }
    struct text_list list = {count ? calloc(count, sizeof *list.items) : NULL, 0};
    if (count && !list.items)
        return pf_fail(err, PF_NOMEM, "no memory for the value of %s", option->name);
    for (; list.count < count; list.count++) {
        list.items[list.count] = strdup(items[list.count]);
        if (!list.items[list.count]) {
            list_finish(&list);
            return pf_fail(err, PF_NOMEM, "no memory for the value of %s", option->name);
        }
    }
    list_finish(member_list(option, target));
    *member_list(option, target) = list;
    return PF_OK;
}

static const char *default_text(const struct option_spec *option)
{
    if (option->default_text)
        return option->default_text;
    return option->type == OPTION_SWITCH ? "false" : "";
}

enum pf_status options_init(
    const struct option_spec *options, size_t count, void *target, struct pf_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (options[i].type == OPTION_TEXT)
            *member_text(&options[i], target) = NULL;
        else if (options[i].type == OPTION_LIST)
            *member_list(&options[i], target) = (struct text_list){NULL, 0};
    }
    for (size_t i = 0; i < count; i++) {
        struct option_place place = {OPTION_DEFAULT, NULL};
        enum pf_status status =
            option_set_text(&options[i], target, default_text(&options[i]), place, err);
        if (status != PF_OK) {
            options_finish(options, count, target);
            return status;
        }
    }
    return PF_OK;
}

void options_finish(const struct option_spec *options, size_t count, void *target)
{
    for (size_t i = 0; i < count; i++) {
        if (options[i].type == OPTION_TEXT) {
            free(*member_text(&options[i], target));
            *member_text(&options[i], target) = NULL;
        } else if (options[i].type == OPTION_LIST) {
            list_finish(member_list(&options[i], target));
        }
    }
}

enum pf_status option_copy(
    const struct option_spec *option, const void *from, void *to, struct pf_error *err)
{
    struct option_place place = {OPTION_DEFAULT, NULL};
    const void *source = member(option, from);
    switch (option->type) {
    case OPTION_TEXT: {
        char *copy = strdup(*(char *const *)source);
        if (!copy)
            return pf_fail(err, PF_NOMEM, "no memory for the value of %s", option->name);
        free(*member_text(option, to));
        *member_text(option, to) = copy;
        return PF_OK;
    }
    case OPTION_LIST: {
        const struct text_list *list = source;
        return option_set_items(
            option, to, (const char *const *)list->items, list->count, place, err);
    }
    case OPTION_NUMBER:
        *member_number(option, to) = *(const double *)source;
        return PF_OK;
    default:
        *member_integer(option, to) = *(const int64_t *)source;
        return PF_OK;
    }
}
