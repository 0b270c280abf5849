/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jdoc.h"
#include "config/document.h"
#include "config/help.h"
#include "config/sources.h"

/* The table itself: names one can type, no two alike, docs that are sentences. */
static void test_table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option_spec *option = &config_options[i];
        size_t size = strlen(option->name);
        assert_true(size > 0 && size <= OPTION_NAME_MAX);
        assert_true(strspn(option->name, "abcdefghijklmnopqrstuvwxyz_0123456789") == size);
        assert_true(strncmp(option->name, "no_", 3) != 0);
        assert_ptr_equal(option_find(config_options, config_option_count, option->name), option);
        assert_non_null(option->group);
        assert_true(option->doc[strlen(option->doc) - 1] == '.');
        assert_null(strchr(option->doc, '|'));
        AUTO_BUFFER struct buffer doc = BUFFER_INIT;
        help_put_option_doc(&doc, option);
        assert_true(doc.size > 1 && doc.data[doc.size - 1] == '.');
        assert_true(doc.data[doc.size - 2] != '.'); /* a default may end in one itself */
        assert_true(option->programs != 0);
        for (size_t k = 0; k < i && option->short_name; k++)
            assert_true(config_options[k].short_name != option->short_name);
    }
}

static void assert_help_is_whole(enum config_program program)
{
    AUTO_BUFFER struct buffer help = BUFFER_INIT;
    document_put_help(&help, program);
    assert_int_equal(buffer_status(&help, NULL), PF_OK);
    for (size_t i = 0; i < config_option_count; i++) {
        AUTO_BUFFER struct buffer flag = BUFFER_INIT;
        option_put_flag(&flag, &config_options[i]);
        const char *value = help_value_name(&config_options[i]);
        buffer_put_format(&flag, "%s%s\n", *value ? " " : "", value);
        int is_there = strstr(help.data, flag.data) != NULL;
        assert_int_equal(is_there, (config_options[i].programs & program) != 0);
    }
    static const char *const sections[] = {
        "NAME\n", "\nSYNOPSIS\n", "\nDESCRIPTION\n", "\nOPTIONS\n", "\nEXIT STATUS\n"};
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        assert_non_null(strstr(help.data, sections[i]));
}

static void test_help_has_every_option(void **state)
{
    (void)state;
    assert_help_is_whole(CONFIG_PROGRAM_SERVER);
    assert_help_is_whole(CONFIG_PROGRAM_WORKER);
}

static void test_help_fits_80_columns(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer help = BUFFER_INIT;
    document_put_help(&help, CONFIG_PROGRAM_SERVER);
    for (char *line = strtok(help.data, "\n"); line; line = strtok(NULL, "\n")) {
        size_t width = 0;
        for (const char *c = line; *c; c++)
            width += ((unsigned char)*c & 0xC0) != 0x80;
        if (width > 80)
            fail_msg("%zu columns: %s", width, line);
    }
}

static struct config load_defaults(void)
{
    static char *argv[] = {"promptfixd", NULL};
    static char *environment[] = {"HOME=/h", NULL};
    struct pf_error err = PF_ERROR_INIT;
    struct config config;
    enum config_action action;
    assert_ok(
        config_load(&config, CONFIG_PROGRAM_SERVER, 1, argv, environment, &action, &err), &err);
    return config;
}

static void test_schema(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    document_put_schema(&text);
    struct jdoc *schema;
    assert_ok(jdoc_parse(&schema, text.data, text.size, &err), &err);
    const struct jdoc_value *properties = jdoc_get(jdoc_root(schema), "properties");
    size_t in_file = 0;
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option_spec *option = &config_options[i];
        int wanted = option->programs & CONFIG_PROGRAM_SERVER && option_is_in_file(option);
        const struct jdoc_value *property = jdoc_get(properties, option->name);
        assert_int_equal(property != NULL, wanted);
        in_file += (size_t)wanted;
        if (!wanted)
            continue;
        assert_string_equal(jdoc_get_string(property, "description", ""), option->doc);
        if (option->type == OPTION_INTEGER)
            assert_true(jdoc_get_number(property, "maximum", 0) <= option->max);
    }
    assert_int_equal(properties->size, in_file + 1); /* and "$schema" */
    jdoc_destroy(schema);
}

/* --print-config is a file that gives the same configuration. */
static void test_printed_config_reads_back(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct config config = load_defaults();
    free(config.model);
    config.model = strdup("/odd \"name\"\n\\ñ.ckpt");
    config.max_body_bytes = 100001;
    config.sse_ping_ms = 12345;
    config.log_level = CONFIG_LOG_DEBUG;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    document_put_config(&text, &config);
    struct config again = load_defaults();
    struct option_target target = {.options = config_options,
        .count = config_option_count,
        .programs = CONFIG_PROGRAM_SERVER,
        .values = &again};
    assert_ok(source_read_json(&target, text.data, text.size, "printed", &err), &err);
    for (size_t i = 0; i < config_option_count; i++)
        assert_true(option_is_equal(&config_options[i], &config, &again));
    config_finish(&config);
    config_finish(&again);
}

static void test_committed_file(const char *variable, const struct buffer *expected)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    const char *path = getenv(variable);
    assert_non_null(path);
    assert_ok(file_read(path, 1 << 20, &text, &err), &err);
    if (text.size != expected->size || memcmp(text.data, expected->data, text.size) != 0)
        fail_msg("%s is not what promptfixd prints: generate it again", path);
}

static void test_page_is_current(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer page = BUFFER_INIT;
    document_put_markdown(&page);
    test_committed_file("OPTIONS_PAGE", &page);
}

static void test_committed_schema_is_current(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer schema = BUFFER_INIT;
    document_put_schema(&schema);
    test_committed_file("CONFIG_SCHEMA", &schema);
}

/* The file packages install: no option differs from its default but where it lies and listens. */
static void test_default_file_loads(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct config config = load_defaults();
    struct option_target target = {.options = config_options,
        .count = config_option_count,
        .programs = CONFIG_PROGRAM_SERVER,
        .values = &config};
    const char *path = getenv("CONFIG_FILE");
    assert_non_null(path);
    assert_ok(source_read_file(&target, path, CONFIG_FILE_MAX, &err), &err);
    config_finish(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_help_has_every_option),
        cmocka_unit_test(test_help_fits_80_columns),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_printed_config_reads_back),
        cmocka_unit_test(test_page_is_current),
        cmocka_unit_test(test_committed_schema_is_current),
        cmocka_unit_test(test_default_file_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
