/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/jdoc.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"

static void test_devices(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    int cuda = atc_cuda_device_count(), device = 99;
    assert_ok(pipeline_parse_device("cpu", &device, &err), &err);
    assert_int_equal(device, TORCH_DEVICE_CPU);
    assert_ok(pipeline_parse_device("auto", &device, &err), &err);
    assert_int_equal(device, cuda > 0 ? 0 : TORCH_DEVICE_CPU);
    static const char *const bad[] = {"", "cuda", "cuda:", "cuda:-1", "cuda:0x", "gpu", "CPU",
        "cpu ", "cuda:99999999999999999999", "cuda: 1", "cuda:+1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        device = 99;
        if (pipeline_parse_device(bad[i], &device, &err) != PF_INVALID)
            fail_msg("'%s' is a device", bad[i]);
        assert_int_equal(device, 99);
        err = (struct pf_error)PF_ERROR_INIT;
    }
    assert_fails(
        pipeline_parse_device("cuda:4000", &device, &err), PF_INVALID, "CUDA devices", &err);
}

static void test_precisions(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    enum precision precision = PRECISION_AUTO;
    assert_ok(pipeline_parse_precision("bfloat16", &precision, &err), &err);
    assert_int_equal(precision, PRECISION_BF16);
    assert_fails(pipeline_parse_precision("bf16", &precision, &err), PF_INVALID, "'bf16'", &err);
}

static enum pf_status create(const struct pipeline_options *options, struct pf_error *err)
{
    struct pipeline *pipeline = NULL;
    enum pf_status status = pipeline_create(&pipeline, options, err);
    if (status == PF_OK)
        pipeline_destroy(pipeline);
    else
        assert_null(pipeline);
    return status;
}

static void test_what_can_not_be_loaded(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct pipeline_options options = {.device = TORCH_DEVICE_CPU, .threads = 1};
    options.model = "/no/such/model.safetensors";
    assert_fails(create(&options, &err), PF_NOT_FOUND, "/no/such/model.safetensors", &err);
    options.model = fixture_model("tiny");
    options.precision = PRECISION_F16;
    assert_fails(create(&options, &err), PF_INVALID, "float16", &err);
    options.precision = PRECISION_F32;
    options.merges = "/no/such/merges.txt";
    assert_fails(create(&options, &err), PF_NOT_FOUND, "/no/such/merges.txt", &err);
}

/* Metadata first, then the files beside the checkpoint. */
static void test_where_merges_are_found(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_FREE char *model = fixture_edited_model("tiny", &(struct fixture_edit){.key = "merges"});
    struct pipeline_options options = {
        .model = model, .device = TORCH_DEVICE_CPU, .precision = PRECISION_F32, .threads = 1};
    assert_fails(create(&options, &err), PF_NOT_FOUND, "merges.txt", &err);
    options.merges = getenv("PROMPTFIX_TEST_MERGES");
    assert_non_null(options.merges);
    assert_ok(create(&options, &err), &err);
    char beside[4096], folder[4096];
    snprintf(folder, sizeof folder, "%s", model);
    *strrchr(folder, '/') = '\0';
    snprintf(beside, sizeof beside, "%.4000s/merges.txt", folder);
    assert_int_equal(symlink(options.merges, beside), 0);
    options.merges = NULL;
    assert_ok(create(&options, &err), &err);
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    options.model = strrchr(model, '/') + 1; /* no folder in the name */
    assert_ok(create(&options, &err), &err);
    assert_int_equal(chdir(here), 0);
    unlink(beside);
}

static void test_recommended_parameters(void **state)
{
    (void)state;
    AUTO_FREE char *model = fixture_edited_model("tiny",
        &(struct fixture_edit){.key = "defaults",
            .value = "{\"steps\":2,\"resolution\":64,\"guidance\":\"off\",\"sampler\":\"ddim\"}"});
    struct pipeline *pipeline = fixture_pipeline(model, PRECISION_F32);
    struct image input = fixture_image(64, 64, 1);
    struct run_request request = {.instruction = "", .image = &input};
    struct pf_error err = PF_ERROR_INIT;
    params_init(&request.params);
    assert_ok(params_set_text(&request.params, "sampler", "euler", &err), &err);
    struct run *run = fixture_begin(pipeline, &request);
    assert_int_equal(run_params(run)->steps, 2);
    assert_int_equal(run_params(run)->resolution, 64);
    assert_int_equal(run_params(run)->guidance, GUIDANCE_OFF);
    assert_int_equal(run_params(run)->sampler, SAMPLER_EULER); /* the caller's own */
    run_destroy(run);
    image_finish(&input);
    pipeline_destroy(pipeline);
}

static void test_bad_recommendations(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "[]", "{\"steps\":0}", "{\"magic\":1}", "{\"steps\":"};
    struct pf_error err = PF_ERROR_INIT;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_FREE char *model = fixture_edited_model(
            "tiny", &(struct fixture_edit){.key = "defaults", .value = bad[i]});
        struct pipeline_options options = {
            .model = model, .device = TORCH_DEVICE_CPU, .threads = 1};
        if (create(&options, &err) == PF_OK)
            fail_msg("defaults '%s' are taken", bad[i]);
        err = (struct pf_error)PF_ERROR_INIT;
    }
}

static struct jdoc *model_json(const char *model, enum precision precision)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct pf_error err = PF_ERROR_INIT;
    struct jdoc *doc = NULL;
    struct pipeline *pipeline = fixture_pipeline(model, precision);
    pipeline_put_model_json(pipeline, &text);
    pipeline_destroy(pipeline);
    assert_ok(buffer_status(&text, &err), &err);
    assert_ok(jdoc_parse(&doc, text.data, text.size, &err), &err);
    return doc;
}

static enum jdoc_type type_of(const struct jdoc_value *object, const char *key)
{
    const struct jdoc_value *value = jdoc_get(object, key);
    assert_non_null(value);
    return value->type;
}

static void test_model_json(void **state)
{
    (void)state;
    struct jdoc *doc = model_json(fixture_model("tiny"), PRECISION_F32);
    const struct jdoc_value *root = jdoc_root(doc);
    assert_string_equal(jdoc_get_string(root, "id", ""), "tiny");
    assert_string_equal(jdoc_get_string(root, "device", ""), "cpu");
    assert_string_equal(jdoc_get_string(root, "dtype", ""), "float32");
    assert_string_equal(jdoc_get_string(root, "prediction", ""), "epsilon");
    assert_int_equal(jdoc_get_integer(root, "latent_channels", 0), 4);
    assert_int_equal(jdoc_get_integer(root, "multiple", 0), 8);
    assert_true(jdoc_get_integer(root, "parameters", 0) > 1000 * 1000);
    assert_int_equal(type_of(root, "has_auxiliary"), JDOC_TRUE);
    assert_int_equal(type_of(root, "has_lora_skips"), JDOC_TRUE);
    assert_int_equal(jdoc_get_integer(jdoc_get(root, "defaults"), "steps", 0), 20);
    jdoc_destroy(doc);
    doc = model_json(fixture_model("plain"), PRECISION_BF16);
    root = jdoc_root(doc);
    assert_string_equal(jdoc_get_string(root, "dtype", ""), "bfloat16");
    assert_int_equal(type_of(root, "has_auxiliary"), JDOC_FALSE);
    assert_int_equal(type_of(root, "has_lora_skips"), JDOC_FALSE);
    jdoc_destroy(doc);
    doc = model_json(fixture_model("v"), PRECISION_F32);
    assert_string_equal(jdoc_get_string(jdoc_root(doc), "prediction", ""), "v");
    jdoc_destroy(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_precisions),
        cmocka_unit_test(test_what_can_not_be_loaded),
        cmocka_unit_test(test_where_merges_are_found),
        cmocka_unit_test(test_recommended_parameters),
        cmocka_unit_test(test_bad_recommendations),
        cmocka_unit_test(test_model_json),
    };
    return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
