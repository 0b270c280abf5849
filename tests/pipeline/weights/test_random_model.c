/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "pipeline/weights/random_model.h"
#include "tests/pipeline/weights/folder.h"
#include "tests/pipeline/weights/variant.h"

static struct checkpoint *make(const struct random_model *model)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *checkpoint = NULL;
    char path[FOLDER_PATH_MAX];
    folder_path("model", path);
    assert_ok(random_model_write(model, path, &err), &err);
    assert_ok(checkpoint_open(&checkpoint, path, &err), &err);
    folder_unlink("model");
    return checkpoint;
}

/* Decodes by the formats' definitions, unlike the encoder's bit tricks. */
static double element(const struct array *array, int64_t index)
{
    const unsigned char *at = array->data + (size_t)index * dtype_size(array->dtype);
    uint32_t bits = 0;
    float value;
    if (array->dtype == DTYPE_F16) {
        int half = at[0] | at[1] << 8, exponent = half >> 10 & 31;
        double fraction = half & 1023;
        double magnitude = exponent == 31  ? (double)INFINITY
                           : exponent == 0 ? ldexp(fraction, -24)
                                           : ldexp(1024 + fraction, exponent - 25);
        return half & 0x8000 ? -magnitude : magnitude;
    }
    if (array->dtype == DTYPE_BF16)
        bits = (uint32_t)(at[0] | at[1] << 8) << 16;
    else
        memcpy(&bits, at, 4);
    memcpy(&value, &bits, 4);
    return (double)value;
}

static void check_statistics(const struct array *array, double mean, double deviation)
{
    double sum = 0, squares = 0, max = 0;
    for (int64_t i = 0; i < array->element_count; i++) {
        double value = element(array, i);
        assert_true(isfinite(value));
        sum += value;
        squares += value * value;
        max = fmax(max, fabs(value));
    }
    double n = (double)array->element_count;
    double found_mean = sum / n, found_deviation = sqrt(squares / n - found_mean * found_mean);
    double tolerance = 5 * deviation / sqrt(n) + 1e-9;
    if (fabs(found_mean - mean) > tolerance || fabs(found_deviation - deviation) > tolerance)
        fail_msg("%s: mean %g, deviation %g, expected %g and %g", array->name, found_mean,
            found_deviation, mean, deviation);
    if (deviation > 0 && n > 10000)
        assert_true(max > 3 * deviation && max < 4.5 * deviation);
}

static const struct array *get(const struct checkpoint *checkpoint, const char *name)
{
    const struct array *array = checkpoint_find(checkpoint, name);
    if (!array)
        fail_msg("no %s", name);
    return array;
}

static void test_values(void **state)
{
    (void)state;
    const enum dtype dtypes[] = {DTYPE_F16, DTYPE_BF16, DTYPE_F32};
    struct checkpoint *checkpoints[3];
    for (int i = 0; i < 3; i++) {
        struct random_model model = {.sizes = variant_sizes(), .dtype = dtypes[i], .seed = 7};
        checkpoints[i] = make(&model);
        check_statistics(
            get(checkpoints[i], "model.diffusion_model.input_blocks.3.0.in_layers.2.weight"), 0,
            1 / sqrt(32 * 9));
        check_statistics(
            get(checkpoints[i], "model.diffusion_model.time_embed.2.weight"), 0, 1 / sqrt(128));
        check_statistics(get(checkpoints[i], "first_stage_model.encoder.norm_out.weight"), 1, 0);
        check_statistics(get(checkpoints[i], "first_stage_model.encoder.norm_out.bias"), 0, 0);
        check_statistics(get(checkpoints[i], "first_stage_model.encoder.conv_in.bias"), 0, 0);
    }
    /* the same values in every dtype, rounded */
    const char *name = "model.diffusion_model.time_embed.2.weight";
    for (int64_t i = 0; i < 128 * 128; i++) {
        double exact = element(get(checkpoints[2], name), i);
        double half = element(get(checkpoints[0], name), i);
        double brain = element(get(checkpoints[1], name), i);
        assert_true(fabs(half - exact) <= fabs(exact) * 0x1p-11 + 0x1p-25);
        assert_true(fabs(brain - exact) <= fabs(exact) * 0x1p-8);
    }
    for (int i = 0; i < 3; i++)
        checkpoint_close(checkpoints[i]);
}

static void test_seeds(void **state)
{
    (void)state;
    struct random_model model = {.sizes = variant_sizes(), .dtype = DTYPE_F16, .seed = 1};
    const char *name = "model.diffusion_model.time_embed.2.weight";
    struct checkpoint *a = make(&model), *b = make(&model);
    model.seed = 2;
    struct checkpoint *c = make(&model);
    size_t size = 2 * 128 * 128;
    assert_memory_equal(get(a, name)->data, get(b, name)->data, size);
    assert_memory_not_equal(get(a, name)->data, get(c, name)->data, size);
    checkpoint_close(a);
    checkpoint_close(b);
    checkpoint_close(c);
}

static void test_formats_and_metadata(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes read;
    struct random_model model = {
        .sizes = variant_sizes(), .dtype = DTYPE_BF16, .merges = "#version: 0.2\ni n\n"};
    model.sizes.prediction = PREDICTION_V;
    struct checkpoint *safetensors = make(&model);
    assert_ok(model_sizes_read(safetensors, &read, &err), &err);
    assert_int_equal(read.prediction, PREDICTION_V);
    assert_int_equal(read.clip.heads, model.sizes.clip.heads);
    assert_int_equal(read.unet.heads_known, 1);
    assert_string_equal(checkpoint_metadata(safetensors, "merges"), model.merges);
    model.format = CHECKPOINT_TORCH_ZIP;
    char path[FOLDER_PATH_MAX];
    folder_path("model", path);
    assert_fails(random_model_write(&model, path, &err), PF_UNSUPPORTED, "'merges'", &err);
    model.merges = NULL;
    struct checkpoint *zip = make(&model);
    assert_int_equal(checkpoint_array_count(zip), checkpoint_array_count(safetensors));
    for (size_t i = 0; i < checkpoint_array_count(zip); i++) {
        const struct array *left = checkpoint_array_at(zip, i);
        assert_memory_equal(
            left->data, get(safetensors, left->name)->data, (size_t)left->element_count * 2);
    }
    checkpoint_close(safetensors);
    checkpoint_close(zip);
}

static void test_presets(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes;
    assert_ok(random_model_preset("full", &sizes, &err), &err);
    assert_int_equal(sizes.unet.channels[3], 1280);
    assert_int_equal(sizes.unet.context_dim, 768);
    assert_int_equal(sizes.vae.factor, 8);
    assert_int_equal(sizes.model_factor, 64);
    assert_ok(random_model_preset("small", &sizes, &err), &err);
    assert_fails(random_model_preset("huge", &sizes, &err), PF_NOT_FOUND, "'huge'", &err);
}

static void test_impossible_sizes(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes = variant_sizes();
    sizes.unet.channels[0] = 40;
    assert_fails(random_model_complete(&sizes, &err), PF_INVALID, "40 channels in level 0", &err);
    sizes = variant_sizes();
    sizes.unet.heads = 5;
    assert_fails(random_model_complete(&sizes, &err), PF_INVALID, "5 heads", &err);
    sizes = variant_sizes();
    sizes.clip.heads = 5;
    assert_fails(random_model_complete(&sizes, &err), PF_INVALID, "5 heads", &err);
    sizes = variant_sizes();
    sizes.vae.level_count = 9;
    assert_fails(random_model_complete(&sizes, &err), PF_INVALID, "VAE's levels is 9", &err);
    sizes = variant_sizes();
    sizes.unet.res_blocks[1] = 0;
    assert_fails(random_model_complete(&sizes, &err), PF_INVALID, "residual blocks is 0", &err);
    struct random_model model = {.sizes = variant_sizes(), .dtype = DTYPE_I8};
    assert_fails(random_model_write(&model, "/nonexistent/x", &err), PF_UNSUPPORTED, "I8", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_formats_and_metadata),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_impossible_sizes),
    };
    return cmocka_run_group_tests(tests, folder_create, folder_remove);
}
