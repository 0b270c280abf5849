/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of promptfix, one by one; test_promptfix.c runs the program. */
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "tools/cli/command.h"
#include "tools/cli/param_rows.h"
#include "tools/cli/picture.h"
#include "tools/cli/progress.h"

static void test_exit_codes(void **state)
{
    (void)state;
    static const struct {
        enum phase phase;
        enum pf_status status;
        int code;
    } cases[] = {
        {PHASE_RUN, PF_OK, 0},
        {PHASE_RUN, PF_IO, 1},
        {PHASE_OUTPUT, PF_IO, 1},
        {PHASE_USAGE, PF_INVALID, 2},
        {PHASE_INPUT, PF_INVALID, 3},
        {PHASE_INPUT, PF_UNSUPPORTED, 3},
        {PHASE_INPUT, PF_NOT_FOUND, 3},
        {PHASE_MODEL, PF_CORRUPT, 4},
        {PHASE_MODEL, PF_INVALID, 4},
        {PHASE_MODEL, PF_NOMEM, 5},
        {PHASE_RUN, PF_NOMEM, 5},
        {PHASE_INPUT, PF_CANCELLED, 130},
        {PHASE_MODEL, PF_CANCELLED, 130},
        {PHASE_INPUT, PF_INTERNAL, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(command_exit_code(cases[i].phase, cases[i].status), cases[i].code);
        char code[16];
        snprintf(code, sizeof code, "%5d  ", cases[i].code);
        assert_non_null(strstr(command_exit_text, code));
    }
}

static void test_bar(void **state)
{
    (void)state;
    static const struct {
        int step, steps;
        int64_t elapsed_ms;
        const char *expected;
    } cases[] = {
        {0, 20, 0, "[                              ]   0%  step 0/20"},
        {10, 20, 5000, "[###############               ]  50%  step 10/20  5 s left"},
        {1, 3, 60000, "[##########                    ]  33%  step 1/3  2 min 00 s left"},
        {1, 101, 60000, "[                              ]   0%  step 1/101  1 h 40 min left"},
        {20, 20, 9000, "[##############################] 100%  step 20/20"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUFFER struct buffer bar = BUFFER_INIT;
        progress_put_bar(&bar, cases[i].step, cases[i].steps, cases[i].elapsed_ms);
        assert_string_equal(bar.data, cases[i].expected);
    }
}

/* A command in this process, its standard error caught in `ret_said`. */
static int run_command(const struct command *command, char **argv, char *ret_said, size_t size)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    fflush(stderr);
    FILE *caught = tmpfile();
    int former = dup(STDERR_FILENO);
    assert_non_null(caught);
    dup2(fileno(caught), STDERR_FILENO);
    int code = command->run(argc, argv);
    fflush(stderr);
    dup2(former, STDERR_FILENO);
    close(former);
    rewind(caught);
    ret_said[fread(ret_said, 1, size - 1, caught)] = '\0';
    fclose(caught);
    return code;
}

static void test_usage_errors(void **state)
{
    (void)state;
    const struct {
        const struct command *command;
        char *args[8];
        const char *message;
    } cases[] = {
        {&command_fix, {"fix"}, "no picture given"},
        {&command_fix, {"fix", "p", "-o", "o.png", "-m", "m"}, "no instruction given"},
        {&command_fix, {"fix", "p", "-i", "x", "-m", "m"}, "no output given"},
        {&command_fix, {"fix", "p", "-i", "x", "-mm", "-o", "o.gif"}, "--output is 'o.gif'"},
        {&command_fix, {"fix", "p", "q"}, "unexpected argument 'q'"},
        {&command_fix, {"fix", "--steps", "0"}, "--steps is '0', expected an integer from 1"},
        {&command_fix, {"fix", "--sampler=plms"}, "dpmpp_2m"},
        {&command_fix, {"fix", "--previews=3"}, "unknown option --previews"},
        {&command_fix, {"fix", "-i"}, "-i needs a value"},
        {&command_inspect, {"inspect"}, "no checkpoint given"},
        {&command_inspect, {"inspect", "--jsn", "m"}, "did you mean --json?"},
        {&command_bench, {"bench", "p"}, "unexpected argument 'p'"},
        {&command_bench, {"bench", "--width=1"}, "--width is '1', expected"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char said[1024];
        int code = run_command(cases[i].command, (char **)cases[i].args, said, sizeof said);
        if (code != EXIT_CODE_USAGE || !strstr(said, cases[i].message) || !strstr(said, "--help"))
            fail_msg("case %zu: exit code %d: %s", i, code, said);
    }
}

/* The tests' folder has no model beside it. */
static void test_no_embedded_model(void **state)
{
    (void)state;
    char *args[] = {"bench", NULL}, said[1024];
    int code = run_command(&command_bench, args, said, sizeof said);
    assert_int_equal(code, EXIT_CODE_MODEL);
    assert_non_null(strstr(said, "promptfix-small.safetensors is neither beside this program"));
}

struct values {
    struct params params;
    char *text;
};

static void test_param_rows(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct option_spec rows[PARAM_ROWS_MAX + 1] = {
        {"text", 0, OPTION_TEXT, .programs = 1, .offset = offsetof(struct values, text)}};
    size_t count = 1;
    param_rows_append(
        rows, &count, offsetof(struct values, params), (const char *const[]){"previews", NULL});
    assert_int_equal(count, params_field_count); /* one of our own, one left out */
    assert_null(option_find(rows, count, "previews"));
    struct values values = {0};
    struct params expected;
    params_init(&values.params);
    params_init(&expected);
    assert_ok(options_init(rows, count, &values, &err), &err);
    assert_memory_equal(&values.params, &expected, sizeof expected); /* defaults agree, none set */
    const struct option_spec *steps = option_find(rows, count, "steps");
    const struct option_spec *sampler = option_find(rows, count, "sampler");
    assert_ok(param_rows_set(steps, &values, &values.params, "7", &err), &err);
    assert_ok(param_rows_set(sampler, &values, &values.params, "ddim", &err), &err);
    assert_ok(param_rows_set(rows, &values, &values.params, "x", &err), &err);
    assert_ok(params_set_text(&expected, "steps", "7", &err), &err);
    assert_ok(params_set_text(&expected, "sampler", "ddim", &err), &err);
    assert_memory_equal(&values.params, &expected, sizeof expected);
    assert_string_equal(values.text, "x");
    assert_fails(param_rows_set(steps, &values, &values.params, "0", &err), PF_INVALID,
        "--steps is '0', expected an integer from 1 to 1000", &err);
    assert_int_equal(values.params.steps, 7);
    options_finish(rows, count, &values);
}

static void test_formats_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int format; /* -1: none */
    } cases[] = {
        {"a.png", IMAGE_FORMAT_PNG},
        {"/x.y/A.JPG", IMAGE_FORMAT_JPEG},
        {"a.jpeg", IMAGE_FORMAT_JPEG},
        {"a.b.webp", IMAGE_FORMAT_WEBP},
        {"a.gif", -1},
        {"png", -1},
        {".png", -1},
        {"a.safetensors", -1},
        {"", -1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum image_format format;
        int got = picture_format_of(cases[i].path, &format) ? (int)format : -1;
        assert_int_equal(got, cases[i].format);
    }
    assert_true(picture_is_tensor("a.safetensors"));
    assert_false(picture_is_tensor("a.png"));
}

static void test_pictures_as_tensors(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char folder[] = "/tmp/test_cli_XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/p.safetensors", folder);
    float rgb[] = {0, 0.25f, 0.5f, 0.75f, 1, 0, 0.25f, 0.5f, 0.75f, 1, 0, 0.25f, 0.5f, 0.75f, 1, 0,
        0.25f, 0.5f};
    struct image image = {3, 2, rgb, NULL}, back = IMAGE_INIT;
    struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    assert_ok(picture_check_output(path, &err), &err);
    assert_ok(picture_write(path, &image, IMAGE_FORMAT_PNG, 90, &err), &err);
    assert_ok(picture_read(path, &limits, &back, &err), &err);
    assert_int_equal(back.width, 3);
    assert_int_equal(back.height, 2);
    assert_memory_equal(back.rgb, rgb, sizeof rgb);
    image_finish(&back);
    int width, height;
    float *plane;
    assert_fails(picture_read_mask(path, &limits, &width, &height, &plane, &err), PF_INVALID,
        "no tensor 'mask'", &err);
    limits.max_pixels = 5;
    assert_fails(picture_read(path, &limits, &back, &err), PF_INVALID, "3×2", &err);
    assert_fails(picture_check_output(folder, &err), PF_IO, "is a folder", &err);
    assert_fails(picture_check_output("/nowhere/x.png", &err), PF_IO, "/nowhere/", &err);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_usage_errors),
        cmocka_unit_test(test_no_embedded_model),
        cmocka_unit_test(test_bar),
        cmocka_unit_test(test_param_rows),
        cmocka_unit_test(test_formats_by_name),
        cmocka_unit_test(test_pictures_as_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
