/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "config/flags.h"

/* A table of its own: flags know nothing of promptfixd. */
static const struct option_spec options[] = {
    {"output", 'o', OPTION_TEXT, .programs = 1, .doc = ""},
    {"max_runs", 0, OPTION_INTEGER, .programs = 1, .min = 1, .max = 9, .doc = ""},
    {"json", 'j', OPTION_SWITCH, .programs = 1, .doc = ""},
    {"help", 'h', OPTION_SWITCH, OPTION_NOT_NEGATED, .programs = 1, .doc = ""},
    {"secret_other", 0, OPTION_TEXT, .programs = 2, .doc = ""},
};

/* What the sink was told, one word after the other. */
struct record {
    struct buffer text;
};

static enum pf_status record_set(
    void *context, const struct option_spec *option, const char *value, struct pf_error *err)
{
    struct record *record = context;
    buffer_put_format(&record->text, "%s=%s;", option->name, value);
    return buffer_status(&record->text, err);
}

static enum pf_status record_positional(void *context, const char *text, struct pf_error *err)
{
    struct record *record = context;
    buffer_put_format(&record->text, "<%s>;", text);
    return buffer_status(&record->text, err);
}

enum { ARGS_MAX = 6 };

static enum pf_status parse(
    char *const *args, int positional, struct record *record, struct pf_error *err)
{
    char *argv[ARGS_MAX + 2] = {"program"};
    int argc = 1;
    for (; args[argc - 1]; argc++)
        argv[argc] = args[argc - 1];
    struct flags_sink sink = {record_set, positional ? record_positional : NULL, record};
    return flags_parse(options, COUNT_OF(options), 1, argc, argv, &sink, err);
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        char *args[ARGS_MAX];
        const char *expected;
    } cases[] = {
        {{NULL}, ""},
        {{"--output", "x"}, "output=x;"},
        {{"--output=x"}, "output=x;"},
        {{"--output="}, "output=;"},
        {{"--output=--json"}, "output=--json;"},
        {{"-o", "x"}, "output=x;"},
        {{"-ox"}, "output=x;"},
        {{"--output", "-"}, "output=-;"},
        {{"--max-runs", "-5"}, "max_runs=-5;"},
        {{"--json", "in"}, "json=true;<in>;"},
        {{"-j"}, "json=true;"},
        {{"--no-json"}, "json=false;"},
        {{"--json=false"}, "json=false;"},
        {{"a", "--json", "-", "b"}, "<a>;json=true;<->;<b>;"},
        {{"--", "--json", "-o"}, "<--json>;<-o>;"},
        {{"--output", "a", "--output", "b"}, "output=a;output=b;"},
        {{""}, "<>;"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pf_error err = PF_ERROR_INIT;
        struct record record = {BUFFER_INIT};
        assert_ok(parse(cases[i].args, 1, &record, &err), &err);
        assert_string_equal(record.text.data ? record.text.data : "", cases[i].expected);
        buffer_finish(&record.text);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        char *args[ARGS_MAX];
        const char *message;
    } cases[] = {
        {{"--outptu", "x"}, "unknown option --outptu; did you mean --output?"},
        {{"--max-run=3"}, "unknown option --max-run; did you mean --max-runs?"},
        {{"--max_runs", "3"}, "unknown option --max_runs"},
        {{"--nothing-like-it"}, "unknown option --nothing-like-it (see --help)"},
        {{"--secret-other", "x"}, "unknown option --secret-other (see --help)"},
        {{"--no-output"}, "unknown option --no-output"},
        {{"--no-help"}, "unknown option --no-help"},
        {{"--no-json=true"}, "--no-json=true takes no value"},
        {{"-x"}, "unknown option -x"},
        {{"-jx"}, "-j takes no value ('-jx')"},
        {{"--output"}, "--output needs a value"},
        {{"-o"}, "-o needs a value"},
        {{"--output", "--json"}, "--output needs a value"},
        {{"--=x"}, "unknown option --"},
        {{"--a-name-that-is-far-longer-than-any-option-may-ever-be"}, "unknown option --a-name"},
        {{"stray"}, "unexpected argument 'stray'"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pf_error err = PF_ERROR_INIT;
        struct record record = {BUFFER_INIT};
        assert_fails(parse(cases[i].args, 0, &record, &err), PF_INVALID, cases[i].message, &err);
        buffer_finish(&record.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
