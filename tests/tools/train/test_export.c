/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"
#include "tests/tools/train/pairs.h"
#include "tools/train/state.h"

/* Mean and deviation of the latents of a batch's targets, and the pictures they decode to. */
static void measure(const char *path, double *ret_mean, double *ret_deviation, float *pictures)
{
    struct pf_error err = PF_ERROR_INIT;
    struct trainee trainee;
    struct batch_tensors tensors;
    pairs_open_trainee(&trainee, path, STAGE_VAE, &err);
    struct batch *batch = pairs_batch(&trainee, 8, 64);
    {
        SCOPE(s, &err);
        batch_tensors_make(&s, &trainee, batch, &tensors);
        tensor latent = trainee_latent(&trainee, &s, tensors.target);
        *ret_mean = tensor_scalar(&s, op_mean_all(&s, latent));
        double squares = tensor_scalar(&s, op_mean_all(&s, op_square(&s, latent)));
        *ret_deviation = sqrt(squares - *ret_mean * *ret_mean);
        tensor decoded = vae_decode(trainee.vae, &s, latent, NULL, NULL);
        assert_ok(tensor_to_f32(decoded, pictures, 8 * 3 * 64 * 64, &err), &err);
    }
    batch_destroy(batch);
    trainee_close(&trainee);
}

static void test_normalized_latents(void **state)
{
    (void)state;
    enum { COUNT = 8 * 3 * 64 * 64 };
    struct pf_error err = PF_ERROR_INIT;
    struct shards *shards;
    AUTO_FREE float *before = malloc(COUNT * sizeof *before),
                    *after = malloc(COUNT * sizeof *after);
    double mean, deviation;
    const char *path = scratch_path("normalized.safetensors");
    assert_ok(shards_open(&shards, pairs_folder(8), &err), &err);
    struct normalize_options options = {shards, 64, 8, 64};
    assert_ok(normalize_latents(fixture_model("tiny"), "", &options, path, &err), &err);
    shards_close(shards);
    measure(fixture_model("tiny"), &mean, &deviation, before);
    assert_true(fabs(deviation - 1) > 0.2); /* or there was nothing to do */
    measure(path, &mean, &deviation, after);
    assert_true(fabs(mean) < 0.1 && fabs(deviation - 1) < 0.1);
    for (int i = 0; i < COUNT; i++)
        assert_true(fabs((double)before[i] - (double)after[i]) < 1e-3);
}

/* A state with averages that differ from the weights exports the averages, rounded to f16, and none
 * of the optimizer's arrays or keys; the model opens. */
static void test_exports_averages(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct trainee trainee;
    struct checkpoint *saved, *exported;
    const char *state_path = scratch_path("state.safetensors");
    const char *model_path = scratch_path("model.safetensors");
    pairs_open_trainee(&trainee, fixture_model("tiny"), STAGE_DIFFUSION, &err);
    struct parameter *item = &trainee.parameters.items[0];
    {
        SCOPE(s, &err);
        op_mul_scalar_in(&s, item->average, 0.5);
    }
    struct state progress = {"diffusion", 12, 3};
    assert_ok(state_write(&trainee.parameters, &progress, state_path, &err), &err);
    assert_ok(checkpoint_open(&saved, state_path, &err), &err);
    struct state read;
    assert_ok(state_read(saved, &read, &err), &err);
    assert_string_equal(read.stage, "diffusion");
    assert_int_equal(read.step, 12);
    assert_int_equal(read.seed, 3);
    struct rewrite_text texts[] = {{"defaults", "{\"steps\":4}"}};
    assert_ok(export_model(saved, DTYPE_F16, texts, 1, model_path, &err), &err);
    assert_ok(checkpoint_open(&exported, model_path, &err), &err);
    for (size_t i = 0; i < checkpoint_array_count(exported); i++) {
        const struct array *array = checkpoint_array_at(exported, i);
        assert_true(array->dtype == DTYPE_F16);
        assert_null(strstr(array->name, "train."));
    }
    assert_null(checkpoint_metadata(exported, "train.step"));
    assert_string_equal(checkpoint_metadata(exported, "defaults"), "{\"steps\":4}");
    const struct array *original = checkpoint_find(trainee.checkpoint, item->name);
    SCOPE(s, &err);
    struct weights view;
    weights_init(&view, exported, (struct tensor_place){TORCH_DEVICE_CPU, TENSOR_F32}, &s, "");
    tensor half = weights_tensor(&view, item->name);
    weights_init(
        &view, trainee.checkpoint, (struct tensor_place){TORCH_DEVICE_CPU, TENSOR_F32}, &s, "");
    tensor whole = weights_tensor(&view, original->name);
    tensor gap = op_sub(&s, op_mul_scalar(&s, whole, 0.5), half);
    assert_true(tensor_scalar(&s, op_mean_all(&s, op_abs(&s, gap))) < 1e-3);
    assert_true(tensor_scalar(&s, op_mean_all(&s, op_abs(&s, half))) > 1e-2);
    checkpoint_close(exported);
    checkpoint_close(saved);
    trainee_close(&trainee);
    pipeline_destroy(fixture_pipeline(model_path, PRECISION_F32));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalized_latents),
        cmocka_unit_test(test_exports_averages),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
