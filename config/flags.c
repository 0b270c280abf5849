/* SPDX-License-Identifier: Apache-2.0 */
#include "config/flags.h"

#include <string.h>

struct parser {
    const struct option_spec *options;
    size_t count;
    unsigned programs;
    int argc;
    char *const *argv;
    int next; /* index of the argument to be read */
    const struct flags_sink *sink;
};

/* "max-runs" → "max_runs"; 0 when it can't be a name. */
static int flag_to_name(const char *flag, size_t size, char ret_name[OPTION_NAME_MAX + 1])
{
    if (size == 0 || size > OPTION_NAME_MAX)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (flag[i] == '_')
            return 0;
        ret_name[i] = flag[i] == '-' ? '_' : flag[i];
    }
    ret_name[size] = '\0';
    return 1;
}

static const struct option_spec *find(const struct parser *parser, const char *name)
{
    const struct option_spec *option = option_find(parser->options, parser->count, name);
    return option && option->programs & parser->programs ? option : NULL;
}

static enum pf_status fail_unknown(
    const struct parser *parser, const char *arg, const char *name, struct pf_error *err)
{
    const struct option_spec *nearest =
        option_nearest(parser->options, parser->count, parser->programs, name);
    if (!nearest)
        return pf_fail(
            err, PF_INVALID, "unknown option %.*s (see --help)", (int)strcspn(arg, "="), arg);
    AUTO_BUFFER struct buffer flag = BUFFER_INIT;
    option_put_flag(&flag, nearest);
    PF_TRY(buffer_status(&flag, err));
    return pf_fail(err, PF_INVALID, "unknown option %.*s; did you mean %s?", (int)strcspn(arg, "="),
        arg, flag.data);
}

/* The value of a flag: `attached` when it stood in the same argument, else the next argument. */
static enum pf_status set_value(struct parser *parser, const struct option_spec *option,
    const char *arg, const char *attached, struct pf_error *err)
{
    const char *value = attached;
    if (option->type == OPTION_SWITCH && !value)
        value = "true";
    if (!value) {
        if (parser->next == parser->argc || strncmp(parser->argv[parser->next], "--", 2) == 0)
            return pf_fail(err, PF_INVALID, "%s needs a value", arg);
        value = parser->argv[parser->next++];
    }
    return parser->sink->set(parser->sink->context, option, value, err);
}

static enum pf_status read_long(struct parser *parser, const char *arg, struct pf_error *err)
{
    const char *equals = strchr(arg, '=');
    const char *attached = equals ? equals + 1 : NULL;
    size_t size = equals ? (size_t)(equals - arg) - 2 : strlen(arg) - 2;
    char name[OPTION_NAME_MAX + 1] = "";
    if (!flag_to_name(arg + 2, size, name))
        return fail_unknown(parser, arg, "", err);
    const struct option_spec *option = find(parser, name);
    if (option)
        return set_value(parser, option, arg, attached, err);
    option = strncmp(name, "no_", 3) == 0 ? find(parser, name + 3) : NULL;
    if (!option || option->type != OPTION_SWITCH || option->attributes & OPTION_NOT_NEGATED)
        return fail_unknown(parser, arg, name, err);
    if (attached)
        return pf_fail(err, PF_INVALID, "--no-%s takes no value", arg + 5);
    return parser->sink->set(parser->sink->context, option, "false", err);
}

static enum pf_status read_short(struct parser *parser, const char *arg, struct pf_error *err)
{
    for (size_t i = 0; i < parser->count; i++) {
        const struct option_spec *option = &parser->options[i];
        if (option->short_name != arg[1] || !(option->programs & parser->programs))
            continue;
        if (option->type == OPTION_SWITCH && arg[2])
            return pf_fail(err, PF_INVALID, "-%c takes no value ('%s')", arg[1], arg);
        return set_value(parser, option, arg, arg[2] ? arg + 2 : NULL, err);
    }
    return fail_unknown(parser, arg, "", err);
}

enum pf_status flags_parse(const struct option_spec *options, size_t count, unsigned programs,
    int argc, char *const *argv, const struct flags_sink *sink, struct pf_error *err)
{
    struct parser parser = {options, count, programs, argc, argv, 1, sink};
    int only_positional = 0;
    while (parser.next < argc) {
        const char *arg = argv[parser.next++];
        if (only_positional || arg[0] != '-' || !arg[1]) {
            if (!sink->positional)
                return pf_fail(err, PF_INVALID, "unexpected argument '%s' (see --help)", arg);
            PF_TRY(sink->positional(sink->context, arg, err));
        } else if (strcmp(arg, "--") == 0) {
            only_positional = 1;
        } else if (arg[1] == '-') {
            PF_TRY(read_long(&parser, arg, err));
        } else {
            PF_TRY(read_short(&parser, arg, err));
        }
    }
    return PF_OK;
}
