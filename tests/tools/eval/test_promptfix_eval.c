/* SPDX-License-Identifier: Apache-2.0 */
/* The program, with a model of random weights that can't fix anything. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/jdoc.h"
#include "tests/test.h"
#include "tests/tools/eval/scene.h"
#include "tests/tools/process.h"
#include "tools/data/ppm.h"

enum { ARGUMENTS_MAX = 32, PATH_SIZE = 96, JSON_MAX = 1 << 20 };

/* A merges table of two merges, so a vocabulary of 512 + 2 + 2. */
#define VOCABULARY "516"
static const char merges[] = "#version: 0.2\nh a\nha z\n";

static char folder[32], photos[PATH_SIZE], model[PATH_SIZE], set[PATH_SIZE], json[PATH_SIZE];

static char *variable(const char *name)
{
    char *value = getenv(name);
    if (!value)
        skip();
    return value;
}

/* Runs promptfix-eval with these arguments; the exit code. */
static int run_eval(struct process *process, const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX] = {variable("PROMPTFIX_EVAL")};
    for (size_t i = 0; arguments[i]; i++)
        argv[i + 1] = (char *)(uintptr_t)arguments[i];
    process_start(process, argv);
    return process_wait(process);
}

#define RUN(process, ...) run_eval((process), (const char *const[]){__VA_ARGS__, NULL})

static int set_up(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct buffer bytes = BUFFER_INIT;
    struct image image = scene_create(64);
    char path[2 * PATH_SIZE], command[2 * PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", "/tmp/promptfix-eval-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(photos, sizeof photos, "%s/photos", folder);
    snprintf(model, sizeof model, "%s/model.safetensors", folder);
    snprintf(set, sizeof set, "%s/set", folder);
    snprintf(json, sizeof json, "%s/report.json", folder);
    snprintf(command, sizeof command, "mkdir '%s'", photos);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/scene.ppm", photos);
    assert_ok(ppm_encode(&image, NULL, &bytes, &err), &err);
    assert_ok(file_write(path, bytes.data, bytes.size, 0644, 0, &err), &err);
    snprintf(path, sizeof path, "%s/merges.txt", folder);
    assert_ok(file_write(path, merges, sizeof merges - 1, 0644, 0, &err), &err);
    struct process process;
    process_start(&process, (char *[]){variable("MKMODEL"), "--preset", "tiny", "--clip-vocabulary",
                                VOCABULARY, "--merges", path, model, NULL});
    assert_int_equal(process_wait(&process), 0);
    process_finish(&process);
    buffer_finish(&bytes);
    image_finish(&image);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[2 * PATH_SIZE];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : -1;
}

static struct jdoc *read_report(void)
{
    struct pf_error err = PF_ERROR_INIT;
    struct buffer bytes = BUFFER_INIT;
    struct jdoc *doc;
    assert_ok(file_read(json, JSON_MAX, &bytes, &err), &err);
    assert_ok(jdoc_parse(&doc, bytes.data, bytes.size, &err), &err);
    buffer_finish(&bytes);
    return doc;
}

static const struct jdoc_value *table_of(const struct jdoc *doc, const char *title)
{
    const struct jdoc_value *table = jdoc_get(jdoc_root(doc), "tables")->first;
    while (table && strcmp(jdoc_get_string(table, "title", ""), title) != 0)
        table = table->next;
    assert_non_null(table);
    return jdoc_get(table, "rows");
}

static void test_usage(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[8], *message;
    } wrong[] = {
        {{"--model", "x"}, "either --photos DIR or a SET"},
        {{"--photos", "a", "b", "--model", "x"}, "either --photos DIR or a SET"},
        {{"a", "--model", "x", "--write-set", "b"}, "take --photos"},
        {{"--photos", "a", "--model", "x", "--tasks", "fly"}, "colorize"},
        {{"a", "--model", "x", "--tables", "chairs"}, "ablation"},
        {{"--photos", "a", "--model", "x", "--steps", "0"}, "steps"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct process process;
        assert_int_equal(run_eval(&process, wrong[i].arguments), 2);
        assert_non_null(strstr(process.err.data, wrong[i].message));
        process_finish(&process);
    }
    struct process process;
    assert_int_equal(RUN(&process, "--help"), 0);
    assert_non_null(strstr(process.out.data, "--degrade-seed"));
    process_finish(&process);
    assert_int_equal(RUN(&process, "--model", model, "--photos", "/nowhere"), 3);
    process_finish(&process);
}

/* Every criterion of the chosen tasks is there, and missed: status 10. */
static void test_acceptance(void **state)
{
    (void)state;
    struct process process;
    assert_int_equal(RUN(&process, "--model", model, "--photos", photos, "--size", "64", "--steps",
                         "1", "--guidance", "off", "--tasks", "dehaze,remove", "--batch", "2",
                         "--json", json, "--threads", "1"),
        10);
    assert_non_null(strstr(process.out.data, "FAIL"));
    assert_non_null(strstr(process.err.data, "6/6 remove scene.ppm"));
    struct jdoc *doc = read_report();
    assert_int_equal(table_of(doc, "Acceptance")->size, 8);
    assert_int_equal(table_of(doc, "By photo")->size, 2);
    jdoc_destroy(doc);
    process_finish(&process);
}

static void test_tables(void **state)
{
    (void)state;
    struct process process;
    assert_int_equal(RUN(&process, "--photos", photos, "--write-set", set, "--ppm", "--size", "64",
                         "--tasks", "dehaze"),
        0);
    process_finish(&process);
    assert_int_equal(RUN(&process, "--model", model, set, "--steps", "1", "--guidance", "off",
                         "--tasks", "dehaze", "--json", json, "--threads", "1"),
        0);
    struct jdoc *doc = read_report();
    assert_int_equal(table_of(doc, "By task")->size, 1);
    assert_int_equal(table_of(doc, "Auxiliary prompt only")->size, 1);
    const struct jdoc_value *ablations = table_of(doc, "Ablations");
    assert_int_equal(ablations->size, 6);
    assert_true(jdoc_get_number(ablations->first, "sharper", -1) > 0);
    assert_true(jdoc_get_number(ablations->first, "LPIPS", -1) == -1);
    assert_int_equal(table_of(doc, "By length of the instruction")->size, 1);
    jdoc_destroy(doc);
    process_finish(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_acceptance),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
