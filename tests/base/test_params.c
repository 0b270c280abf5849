/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "tests/test.h"

#include "base/buffer.h"
#include "base/params.h"

static void test_table_is_sound(void **state)
{
    (void)state;
    struct params params;
    params_init(&params);
    size_t bytes = 0;
    for (size_t i = 0; i < params_field_count; i++) {
        const struct param_field *field = &params_fields[i];
        assert_ptr_equal(params_find(field->name), field);
        assert_true(field->default_value >= field->min && field->default_value <= field->max);
        assert_true(params_get(&params, field) == field->default_value);
        assert_int_equal(field->choices != NULL, field->type == PARAM_CHOICE);
        assert_true(strlen(field->doc) > 10 && field->doc[strlen(field->doc) - 1] == '.');
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(params_fields[j].offset, field->offset);
        bytes += 8;
    }
    /* Every member of the struct but `set` has its line. */
    assert_int_equal(bytes, offsetof(struct params, set));
    assert_null(params_find("step"));
    assert_null(params_find("text-scale"));
}

static void test_defaults(void **state)
{
    (void)state;
    struct params params;
    params_init(&params);
    assert_int_equal(params.steps, 20);
    assert_int_equal(params.seed, 2024);
    assert_true(params.text_scale == 6.5);
    assert_true(params.image_scale == 1.25);
    assert_int_equal(params.sampler, SAMPLER_EULER_ANCESTRAL);
    assert_int_equal(params.guidance, GUIDANCE_DECODER);
    assert_int_equal(params.guidance_region, GUIDANCE_REGION_NONE);
    assert_true(params.guidance_rate == 0);
    assert_int_equal(params.guidance_updates, 1);
    assert_int_equal(params.resolution, 640);
    assert_int_equal(params.output_format, IMAGE_FORMAT_PNG);
    assert_int_equal(params.output_quality, 90);
    assert_int_equal(params.previews, 0);
    assert_int_equal(params.set, 0);
}

static void test_choice_names_follow_the_enums(void **state)
{
    (void)state;
    static const struct {
        const char *field, *choice;
        int index;
    } cases[] = {
        {"sampler", "euler_ancestral", SAMPLER_EULER_ANCESTRAL},
        {"sampler", "euler", SAMPLER_EULER},
        {"sampler", "ddim", SAMPLER_DDIM},
        {"sampler", "dpmpp_2m", SAMPLER_DPMPP_2M},
        {"guidance", "off", GUIDANCE_OFF},
        {"guidance", "decoder", GUIDANCE_DECODER},
        {"guidance", "latent", GUIDANCE_LATENT},
        {"guidance_region", "none", GUIDANCE_REGION_NONE},
        {"guidance_region", "mask", GUIDANCE_REGION_MASK},
        {"guidance_region", "auto", GUIDANCE_REGION_AUTO},
        {"output_format", "png", IMAGE_FORMAT_PNG},
        {"output_format", "jpeg", IMAGE_FORMAT_JPEG},
        {"output_format", "webp", IMAGE_FORMAT_WEBP},
    };
    struct pf_error err = PF_ERROR_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct params params;
        params_init(&params);
        assert_ok(params_set_text(&params, cases[i].field, cases[i].choice, &err), &err);
        const struct param_field *field = params_find(cases[i].field);
        assert_int_equal((int)params_get(&params, field), cases[i].index);
        assert_string_equal(params_choice_name(&params, field), cases[i].choice);
        assert_int_equal(params.set, UINT64_C(1) << (field - params_fields));
    }
}

static void test_text_is_read(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct params params;
    params_init(&params);
    assert_ok(params_set_text(&params, "steps", "1000", &err), &err);
    assert_int_equal(params.steps, 1000);
    assert_ok(params_set_text(&params, "seed", "9007199254740991", &err), &err);
    assert_int_equal(params.seed, 9007199254740991);
    assert_ok(params_set_text(&params, "seed", "-0", &err), &err);
    assert_int_equal(params.seed, 0);
    static const char *const halves[] = {"0.5", ".5", "5e-1", "5E-1", "00.50", "0.05e+1"};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        assert_ok(params_set_text(&params, "text_scale", halves[i], &err), &err);
        assert_true(params.text_scale == 0.5);
    }
    assert_ok(params_set_text(&params, "text_scale", "-0", &err), &err);
    assert_false(signbit(params.text_scale));
    assert_ok(params_set_text(&params, "text_scale", "50", &err), &err);
    assert_int_equal(params.set, 7);
}

static void test_bad_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad_integers[] = {"", "0", "1001", "-1", "+5", " 5", "5 ", "5.0",
        "5e0", "0x5", "five", "5,", "99999999999999999999999", "-", "\xc3\xa4", "1\n"};
    static const char *const bad_numbers[] = {"", "50.0001", "-0.1", "+1", " 1", "1 ", "0x1p3",
        "inf", "nan", "1e", "1e+", "1e400", ".", "-", "1.2.3", "1,5", "--1", "e5"};
    struct pf_error err = PF_ERROR_INIT;
    struct params params, before;
    params_init(&params);
    before = params;
    for (size_t i = 0; i < sizeof bad_integers / sizeof *bad_integers; i++)
        assert_fails(params_set_text(&params, "steps", bad_integers[i], &err), PF_INVALID,
            "' is not an integer from 1 to 1000", &err);
    for (size_t i = 0; i < sizeof bad_numbers / sizeof *bad_numbers; i++)
        assert_fails(params_set_text(&params, "text_scale", bad_numbers[i], &err), PF_INVALID,
            "' is not a number from 0 to 50", &err);
    assert_memory_equal(&params, &before, sizeof params);
}

static void test_messages(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct params params;
    params_init(&params);
    assert_int_equal(params_set_text(&params, "steps", "0", &err), PF_INVALID);
    assert_string_equal(err.message, "steps: '0' is not an integer from 1 to 1000");
    err = (struct pf_error)PF_ERROR_INIT;
    assert_int_equal(params_set_text(&params, "sampler", "foo", &err), PF_INVALID);
    assert_string_equal(
        err.message, "sampler: 'foo' is not one of euler_ancestral, euler, ddim, dpmpp_2m");
    err = (struct pf_error)PF_ERROR_INIT;
    assert_fails(params_set_text(&params, "seed", "9007199254740992", &err), PF_INVALID,
        "seed: '9007199254740992' is not an integer from 0 to 9007199254740991", &err);
    assert_fails(params_set_text(&params, "sampler", "", &err), PF_INVALID, "sampler: ''", &err);
    assert_fails(params_set_text(&params, "stepz", "1", &err), PF_NOT_FOUND,
        "stepz: no such parameter", &err);
    char endless[2000];
    memset(endless, '7', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    assert_fails(params_set_text(&params, "steps", endless, &err), PF_INVALID,
        "7' is not an integer from 1 to 1000", &err);
    assert_int_equal(params.set, 0);
}

static void test_numbers_are_checked(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct params params;
    params_init(&params);
    assert_ok(params_set_number(&params, "steps", 50, &err), &err);
    assert_int_equal(params.steps, 50);
    assert_ok(params_set_number(&params, "image_scale", 1.75, &err), &err);
    assert_true(params.image_scale == 1.75);
    assert_ok(params_set_number(&params, "sampler", SAMPLER_DPMPP_2M, &err), &err);
    assert_int_equal(params.sampler, SAMPLER_DPMPP_2M);
    assert_fails(params_set_number(&params, "steps", 2.5, &err), PF_INVALID,
        "steps: '2.5' is not an integer", &err);
    assert_fails(params_set_number(&params, "steps", NAN, &err), PF_INVALID, "nan", &err);
    assert_fails(params_set_number(&params, "text_scale", NAN, &err), PF_INVALID, "nan", &err);
    assert_fails(
        params_set_number(&params, "text_scale", INFINITY, &err), PF_INVALID, "'inf'", &err);
    assert_fails(params_set_number(&params, "seed", 1e300, &err), PF_INVALID, "'1e+300'", &err);
    assert_fails(params_set_number(&params, "sampler", 4, &err), PF_INVALID,
        "sampler: '4' is not one of", &err);
    assert_fails(params_set_number(&params, "sampler", -1, &err), PF_INVALID, "'-1'", &err);
    assert_fails(params_set_number(&params, "sampler", 0.5, &err), PF_INVALID, "'0.5'", &err);
    assert_fails(params_set_number(&params, "nope", 1, &err), PF_NOT_FOUND, "nope", &err);
    assert_int_equal(params.steps, 50);
}

static void test_model_defaults_go_under_the_callers_values(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct params params, model;
    params_init(&params);
    params_init(&model);
    assert_ok(params_set_text(&params, "steps", "5", &err), &err);
    assert_ok(params_set_text(&model, "steps", "50", &err), &err);
    assert_ok(params_set_text(&model, "text_scale", "7.5", &err), &err);
    assert_ok(params_set_text(&model, "guidance", "latent", &err), &err);
    uint64_t set = params.set;
    params_apply_defaults(&params, &model);
    assert_int_equal(params.steps, 5);
    assert_true(params.text_scale == 7.5);
    assert_int_equal(params.guidance, GUIDANCE_LATENT);
    assert_int_equal(params.resolution, 640);
    assert_int_equal(params.set, set);
}

static void test_json_reads_back(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct params params, back;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    params_init(&params);
    params_put_json(&text, &params);
    assert_string_equal(text.data,
        "{\"steps\":20,\"seed\":2024,\"text_scale\":6.5,\"image_scale\":1.25,"
        "\"sampler\":\"euler_ancestral\",\"guidance\":\"decoder\",\"guidance_region\":\"none\","
        "\"guidance_rate\":0,\"guidance_updates\":1,\"resolution\":640,\"output_format\":\"png\","
        "\"output_quality\":90,\"previews\":0,\"previews_decoded\":0}");
    params.seed = 9007199254740991;
    params.text_scale = 0.1 + 0.2;
    params.guidance_rate = 1e-7;
    params.sampler = SAMPLER_DDIM;
    buffer_clear(&text);
    params_put_json(&text, &params);
    params_init(&back);
    assert_ok(params_set_json(&back, text.data, text.size, &err), &err);
    assert_int_equal(back.set, (UINT64_C(1) << params_field_count) - 1);
    back.set = 0;
    assert_memory_equal(&back, &params, sizeof params);
}

static void check_json(const char *text, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct params params, before;
    params_init(&params);
    before = params;
    assert_fails(params_set_json(&params, text, strlen(text), &err), status, part, &err);
    assert_memory_equal(&params, &before, sizeof params);
}

static void test_bad_json_changes_nothing(void **state)
{
    (void)state;
    check_json("{\"steps\":5,\"stepz\":5}", PF_INVALID, "stepz: no such parameter");
    check_json("{\"steps\":5,\"seed\":1.5}", PF_INVALID, "seed: '1.5' is not an integer");
    check_json("{\"steps\":\"5\"}", PF_INVALID, "steps: \"5\" is not an integer from 1 to 1000");
    check_json("{\"steps\":null}", PF_INVALID, "steps: null is not an integer");
    check_json("{\"text_scale\":true}", PF_INVALID, "text_scale: true is not a number");
    check_json("{\"text_scale\":[1]}", PF_INVALID, "text_scale: an array is not a number");
    check_json("{\"sampler\":1}", PF_INVALID, "sampler: '1' is not one of");
    check_json("{\"sampler\":{}}", PF_INVALID, "sampler: an object is not one of");
    check_json("{\"sampler\":\"ddim\\u0000x\"}", PF_INVALID, "sampler: ");
    check_json("{\"steps\\u0000x\":5}", PF_INVALID, "no such parameter");
    check_json("[5]", PF_INVALID, "not a JSON object");
    check_json("{\"steps\":5", PF_CORRUPT, "byte 10");
    check_json("", PF_CORRUPT, "byte 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_choice_names_follow_the_enums),
        cmocka_unit_test(test_text_is_read),
        cmocka_unit_test(test_bad_text_is_refused),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_numbers_are_checked),
        cmocka_unit_test(test_model_defaults_go_under_the_callers_values),
        cmocka_unit_test(test_json_reads_back),
        cmocka_unit_test(test_bad_json_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
