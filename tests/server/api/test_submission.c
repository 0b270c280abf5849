/* SPDX-License-Identifier: Apache-2.0 */
/* From a form to a job: what is taken, what is refused and how it is named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "server/api/submission.h"

static struct api_options options = {.max_pixels = 1000};
static struct api_model model;

/* The header of a png of 8x6 is all a probe looks at; chunks behind it follow. */
static const char png[] =
    "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x06\x08\0\0\0\0\xf8\x4b\xd7\x8e"
    "\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82";

static struct multipart *begin_form(struct buffer *body)
{
    struct multipart *form;
    struct pf_error err = PF_ERROR_INIT;
    struct multipart_limits limits = {8, 8192, 8192};
    assert_ok(multipart_create(&form, "multipart/form-data; boundary=B", &limits, &err), &err);
    *body = (struct buffer)BUFFER_INIT;
    return form;
}

static void put_field(struct buffer *body, const char *name, const char *value)
{
    buffer_put_format(
        body, "--B\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", name, value);
}

static void put_image(struct buffer *body, const char *name)
{
    buffer_put_format(
        body, "--B\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"x\"\r\n\r\n", name);
    buffer_put(body, png, sizeof png - 1);
    buffer_put_text(body, "\r\n");
}

static void end_form(struct multipart *form, struct buffer *body)
{
    struct pf_error err = PF_ERROR_INIT;
    buffer_put_text(body, "--B--\r\n");
    assert_ok(multipart_feed(form, body->data, body->size, &err), &err);
    assert_ok(multipart_end(form, &err), &err);
    buffer_finish(body);
}

static void test_taken(void **state)
{
    (void)state;
    struct buffer body;
    struct multipart *form = begin_form(&body);
    put_field(&body, "steps", "7");
    put_image(&body, "image");
    put_field(&body, "instruction", "remove the haze");
    put_field(&body, "metadata", "{ \"a\" :\n [1, \"x \\\" y\" ] }");
    put_image(&body, "mask");
    put_field(&body, "priority", "batch");
    end_form(form, &body);
    struct submission submission = SUBMISSION_INIT;
    struct submission_failure failure;
    assert_ok(submission_read(&submission, form, &options, &model, &failure), &failure.error);
    const struct jobs_spec *spec = &submission.spec;
    assert_string_equal(spec->instruction, "remove the haze");
    assert_string_equal(spec->metadata, "{\"a\":[1,\"x \\\" y\"]}");
    assert_string_equal(spec->model, "m");
    assert_int_equal(spec->priority, JOB_BATCH);
    assert_int_equal(spec->params.steps, 7);
    assert_int_equal(spec->params.resolution, 64); /* what the model is best at */
    assert_int_equal(spec->params.seed, 2024);     /* the table's default */
    assert_int_equal(spec->image.size, sizeof png - 1);
    assert_int_equal(spec->mask.size, sizeof png - 1);
    submission_finish(&submission);
    multipart_destroy(form);
}

static void check_refused(const char *name, const char *value, enum problem_kind kind,
    const char *param, const char *part)
{
    struct buffer body;
    struct multipart *form = begin_form(&body);
    put_image(&body, "image");
    put_field(&body, name, value);
    end_form(form, &body);
    struct submission submission = SUBMISSION_INIT;
    struct submission_failure failure;
    if (submission_read(&submission, form, &options, &model, &failure) == PF_OK)
        fail_msg("%s=%s was taken", name, value);
    assert_int_equal(failure.kind, kind);
    assert_string_equal(failure.param, param);
    if (!strstr(failure.error.message, part))
        fail_msg("\"%s\" doesn't say \"%s\"", failure.error.message, part);
    submission_finish(&submission);
    multipart_destroy(form);
}

static void test_refused(void **state)
{
    (void)state;
    check_refused("colour", "red", PROBLEM_INVALID, "colour", "no field 'colour'");
    check_refused("steps", "0", PROBLEM_INVALID, "steps", "steps");
    check_refused("image", "x", PROBLEM_INVALID, "image", "twice");
    check_refused("mask", "x", PROBLEM_INVALID, "mask", "expected a file");
    check_refused("auxiliary_prompt", "", PROBLEM_INVALID, "instruction", "missing");
    check_refused("metadata", "null", PROBLEM_INVALID, "metadata", "object");
    check_refused("priority", "", PROBLEM_INVALID, "priority", "priority");
    check_refused("Steps", "1", PROBLEM_INVALID, "Steps", "no field");
    check_refused("previews_decoded", "1", PROBLEM_INVALID, "instruction", "missing");
}

static void test_auxiliary_auto(void **state)
{
    (void)state;
    const struct api_options without = options;
    check_refused("auxiliary", "auto", PROBLEM_INVALID, "auxiliary", "vision-language model");
    options.takes_auto = 1;
    check_refused("auxiliary", "auto", PROBLEM_INVALID, "auxiliary", "'m' doesn't");
    model.has_auxiliary = 1;
    struct buffer body;
    struct multipart *form = begin_form(&body);
    put_image(&body, "image");
    put_field(&body, "auxiliary", "auto"); /* and no instruction: blind */
    end_form(form, &body);
    struct submission submission = SUBMISSION_INIT;
    struct submission_failure failure;
    assert_ok(submission_read(&submission, form, &options, &model, &failure), &failure.error);
    assert_int_equal(submission.spec.auxiliary, JOB_AUXILIARY_AUTO);
    submission_finish(&submission);
    multipart_destroy(form);
    options = without;
    model.has_auxiliary = 0;
}

/* What the model can't do. */
static void test_model(void **state)
{
    (void)state;
    check_refused(
        "auxiliary_prompt", "haze", PROBLEM_INVALID, "auxiliary_prompt", "'m' takes none");
    model.has_auxiliary = 1;
    struct buffer body;
    struct multipart *form = begin_form(&body);
    put_image(&body, "image");
    put_field(&body, "auxiliary_prompt", "haze");
    put_field(&body, "guidance", "decoder");
    end_form(form, &body);
    struct submission submission = SUBMISSION_INIT;
    struct submission_failure failure;
    assert_int_equal(submission_read(&submission, form, &options, &model, &failure), PF_INVALID);
    assert_string_equal(failure.param, "guidance");
    submission_finish(&submission);
    model.has_lora_skips = 1;
    assert_ok(submission_read(&submission, form, &options, &model, &failure), &failure.error);
    submission_finish(&submission);
    model.multiple = 10000; /* the picture, padded to it, is larger than any model's side */
    assert_int_equal(submission_read(&submission, form, &options, &model, &failure), PF_INVALID);
    assert_string_equal(failure.param, "image");
    assert_int_equal(failure.kind, PROBLEM_UNPROCESSABLE);
    submission_finish(&submission);
    multipart_destroy(form);
    model.has_auxiliary = model.has_lora_skips = model.multiple = 0;
}

/* Every prefix of a good image is refused, never as a fault of ours. */
static void test_cut_images(void **state)
{
    (void)state;
    for (size_t size = 0; size < 33; size++) {
        struct buffer body;
        struct multipart *form = begin_form(&body);
        buffer_put_text(
            &body, "--B\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x\"\r\n\r\n");
        buffer_put(&body, png, size);
        buffer_put_text(&body, "\r\n");
        put_field(&body, "instruction", "x");
        end_form(form, &body);
        struct submission submission = SUBMISSION_INIT;
        struct submission_failure failure;
        assert_int_not_equal(submission_read(&submission, form, &options, &model, &failure), PF_OK);
        assert_true(failure.kind == PROBLEM_UNSUPPORTED_MEDIA ||
                    failure.kind == PROBLEM_UNPROCESSABLE || (size == 0 && failure.kind == 0));
        assert_string_equal(failure.param, "image");
        submission_finish(&submission);
        multipart_destroy(form);
    }
}

static void test_compact(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"{}", "{}"},
        {" { \"a b\" : \" \\\\\" , \"c\":\t1 }\r\n", "{\"a b\":\" \\\\\",\"c\":1}"},
        {"{\"\\\"  \\\"\" : 1 }", "{\"\\\"  \\\"\":1}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = BUFFER_INIT;
        submission_put_compact_json(&out, cases[i].in, strlen(cases[i].in));
        assert_string_equal(out.data, cases[i].out);
        buffer_finish(&out);
    }
}

static int set_up(void **state)
{
    (void)state;
    static char id[] = "m";
    model.id = id;
    params_init(&model.defaults);
    return params_set_text(&model.defaults, "resolution", "64", NULL) == PF_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_auxiliary_auto),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_cut_images),
        cmocka_unit_test(test_compact),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
