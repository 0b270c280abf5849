/* SPDX-License-Identifier: Apache-2.0 */
#include "config/sources.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/jdoc.h"
#include "config/value.h"

int option_is_in_file(const struct option_spec *option)
{
    return !(option->attributes & (OPTION_FLAG_ONLY | OPTION_NOT_IN_FILE));
}

int option_is_in_environment(const struct option_spec *option)
{
    return !(option->attributes & OPTION_FLAG_ONLY);
}

static void mark(
    const struct option_target *target, const struct option_spec *option, enum option_origin origin)
{
    if (target->origin)
        target->origin[option - target->options] = (unsigned char)origin;
}

static const struct option_spec *find(const struct option_target *target, const char *name)
{
    const struct option_spec *option = option_find(target->options, target->count, name);
    return option && option->programs & target->programs ? option : NULL;
}

static const char *const type_names[] = {
    [JDOC_NULL] = "null",
    [JDOC_FALSE] = "false",
    [JDOC_TRUE] = "true",
    [JDOC_NUMBER] = "a number",
    [JDOC_STRING] = "a string",
    [JDOC_ARRAY] = "an array",
    [JDOC_OBJECT] = "an object",
};

static int type_fits(const struct option_spec *option, const struct jdoc_value *value)
{
    switch (option->type) {
    case OPTION_SWITCH:
        return value->type == JDOC_TRUE || value->type == JDOC_FALSE;
    case OPTION_INTEGER:
    case OPTION_NUMBER:
        return value->type == JDOC_NUMBER;
    case OPTION_BYTES:
        return value->type == JDOC_STRING || (value->type == JDOC_NUMBER && value->is_integer);
    case OPTION_DURATION:
        return value->type == JDOC_STRING || (value->type == JDOC_NUMBER && value->number == 0);
    case OPTION_CHOICE:
    case OPTION_TEXT:
        return value->type == JDOC_STRING;
    case OPTION_LIST:
        return value->type == JDOC_ARRAY;
    }
    return 0;
}

static enum pf_status set_array(const struct option_spec *option, void *values,
    const struct jdoc_value *array, struct option_place place, struct pf_error *err)
{
    const char *items[OPTION_LIST_MAX];
    size_t count = 0;
    for (const struct jdoc_value *item = array->first; item; item = item->next) {
        if (item->type != JDOC_STRING)
            return option_fail(option, place, "an array", "an array of strings", err);
        if (strlen(item->string) != item->size)
            return option_fail(option, place, "a string with a NUL", "a text without", err);
        if (count == OPTION_LIST_MAX)
            return option_fail(option, place, "a longer array", NULL, err);
        items[count++] = item->string;
    }
    return option_set_items(option, values, items, count, place, err);
}

static enum pf_status set_json(const struct option_spec *option, void *values,
    const struct jdoc_value *value, struct option_place place, struct pf_error *err)
{
    if (!type_fits(option, value))
        return option_fail(option, place, type_names[value->type], NULL, err);
    if (value->type == JDOC_ARRAY)
        return set_array(option, values, value, place, err);
    if (value->type == JDOC_STRING) {
        if (strlen(value->string) != value->size)
            return option_fail(option, place, "a string with a NUL", "a text without", err);
        return option_set_text(option, values, value->string, place, err);
    }
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    if (option->type == OPTION_SWITCH)
        buffer_put_text(&text, value->type == JDOC_TRUE ? "true" : "false");
    else if (value->is_integer)
        buffer_put_format(&text, "%" PRId64, value->integer);
    else
        value_put_number(&text, value->number);
    PF_TRY(buffer_status(&text, err));
    return option_set_text(option, values, text.data, place, err);
}

static enum pf_status read_member(const struct option_target *target,
    const struct jdoc_value *value, const char *path, struct pf_error *err)
{
    struct option_place place = {OPTION_FROM_FILE, path};
    const struct option_spec *option = find(target, value->key);
    if (option && option_is_in_file(option)) {
        PF_TRY(set_json(option, target->values, value, place, err));
        mark(target, option, OPTION_FROM_FILE);
        return PF_OK;
    }
    if (option)
        return pf_fail(err, PF_INVALID, "'%s' in %s can't be set in a file", value->key, path);
    const struct option_spec *nearest =
        option_nearest(target->options, target->count, target->programs, value->key);
    if (nearest)
        return pf_fail(err, PF_INVALID, "unknown key '%.100s' in %s; did you mean '%s'?",
            value->key, path, nearest->name);
    return pf_fail(err, PF_INVALID, "unknown key '%.100s' in %s", value->key, path);
}

enum pf_status source_read_json(const struct option_target *target, const char *text, size_t count,
    const char *path, struct pf_error *err)
{
    struct jdoc *doc;
    struct pf_error parse_err = PF_ERROR_INIT;
    enum pf_status status = jdoc_parse(&doc, text, count, &parse_err);
    if (status == PF_NOMEM)
        return pf_fail(err, status, "%s", parse_err.message);
    if (status != PF_OK)
        return pf_fail(err, PF_INVALID, "%s: %s", path, parse_err.message);
    const struct jdoc_value *root = jdoc_root(doc);
    if (root->type != JDOC_OBJECT)
        status = pf_fail(
            err, PF_INVALID, "%s holds %s, expected an object", path, type_names[root->type]);
    const struct jdoc_value *value = status == PF_OK ? root->first : NULL;
    for (; value && status == PF_OK; value = value->next)
        if (strcmp(value->key, "$schema") != 0)
            status = read_member(target, value, path, err);
    jdoc_destroy(doc);
    return status;
}

enum pf_status source_read_file(
    const struct option_target *target, const char *path, size_t max_size, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return pf_fail(err, PF_NOT_FOUND, "configuration file %s does not exist", path);
    PF_TRY(file_read(path, max_size, &text, err));
    return source_read_json(target, text.data ? text.data : "", text.size, path, err);
}

/* "MAX_RUNS" → "max_runs"; 0 when it isn't the name of anything. */
static int variable_to_name(const char *variable, size_t size, char ret_name[OPTION_NAME_MAX + 1])
{
    if (size == 0 || size > OPTION_NAME_MAX)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (islower((unsigned char)variable[i]))
            return 0;
        ret_name[i] = (char)tolower((unsigned char)variable[i]);
    }
    ret_name[size] = '\0';
    return 1;
}

static enum pf_status read_variable(
    const struct option_target *target, const char *variable, struct pf_error *err)
{
    const size_t prefix = sizeof OPTION_ENVIRONMENT_PREFIX - 1;
    size_t size = strcspn(variable, "=");
    const char *value = variable[size] ? variable + size + 1 : "";
    char name[OPTION_NAME_MAX + 1] = "";
    int is_name = variable_to_name(variable + prefix, size - prefix, name);
    const struct option_spec *option = is_name ? find(target, name) : NULL;
    if (option && option_is_in_environment(option)) {
        struct option_place place = {OPTION_FROM_ENVIRONMENT, NULL};
        PF_TRY(option_set_text(option, target->values, value, place, err));
        mark(target, option, OPTION_FROM_ENVIRONMENT);
        return PF_OK;
    }
    if (option)
        return pf_fail(
            err, PF_INVALID, "environment variable %.*s: only a flag", (int)size, variable);
    const struct option_spec *nearest =
        option_nearest(target->options, target->count, target->programs, name);
    AUTO_BUFFER struct buffer hint = BUFFER_INIT;
    if (nearest) {
        buffer_put_text(&hint, "; did you mean ");
        option_put_environment(&hint, nearest);
        buffer_put_text(&hint, "?");
    }
    PF_TRY(buffer_status(&hint, err));
    return pf_fail(err, PF_INVALID, "unknown environment variable %.*s%s",
        (int)(size > 100 ? 100 : size), variable, nearest ? hint.data : "");
}

static int is_foreign(const struct option_target *target, const char *variable)
{
    size_t size = strcspn(variable, "=");
    for (const char *const *name = target->foreign; name && *name; name++)
        if (strlen(*name) == size && strncmp(*name, variable, size) == 0)
            return 1;
    return 0;
}

enum pf_status source_read_environment(
    const struct option_target *target, char *const *environment, struct pf_error *err)
{
    const size_t prefix = sizeof OPTION_ENVIRONMENT_PREFIX - 1;
    for (size_t i = 0; environment && environment[i]; i++)
        if (strncmp(environment[i], OPTION_ENVIRONMENT_PREFIX, prefix) == 0 &&
            !is_foreign(target, environment[i]))
            PF_TRY(read_variable(target, environment[i], err));
    return PF_OK;
}

const char *source_environment_get(char *const *environment, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; environment && environment[i]; i++)
        if (strncmp(environment[i], name, size) == 0 && environment[i][size] == '=')
            return environment[i] + size + 1;
    return NULL;
}
