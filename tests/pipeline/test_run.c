/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/batcher.h"
#include "pipeline/preview.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"

/* Solves twice, the second time with one parameter changed. */
static double effect_of(const char *name, const char *value)
{
    int size = name && strcmp(name, "resolution") == 0 ? 80 : 40;
    struct image input = fixture_image(size, size - 4, 1);
    struct run_request request = fixture_request(&input);
    if (value && strcmp(value, "latent") == 0)
        fixture_set(&request, "guidance_rate", "1000"); /* a random model's gradients are small */
    struct image first = fixture_solve(fixture_tiny, &request);
    if (name)
        fixture_set(&request, name, value);
    struct image second = fixture_solve(fixture_tiny, &request);
    double difference = fixture_difference(&first, &second);
    image_finish(&input);
    image_finish(&first);
    image_finish(&second);
    return difference;
}

static void test_same_request_same_image(void **state)
{
    (void)state;
    assert_true(effect_of(NULL, NULL) == 0);
}

static void test_every_parameter_counts(void **state)
{
    (void)state;
    static const char *const changes[][2] = {{"seed", "2025"}, {"steps", "4"},
        {"text_scale", "0.5"}, {"image_scale", "0.5"}, {"sampler", "euler"}, {"sampler", "ddim"},
        {"sampler", "dpmpp_2m"}, {"guidance", "decoder"}, {"guidance", "latent"},
        {"resolution", "72"}};
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        double difference = effect_of(changes[i][0], changes[i][1]);
        if (!(difference > 1e-3) || isinf(difference))
            fail_msg("%s=%s changes the image by %g", changes[i][0], changes[i][1], difference);
    }
}

/* The first few numbers of the seed's noise reach the image: seeds beyond 32 bits are no exception.
 */
static void test_large_seeds_differ(void **state)
{
    (void)state;
    struct image input = fixture_image(32, 40, 1);
    struct run_request request = fixture_request(&input);
    fixture_set(&request, "seed", "4294967295");
    struct image first = fixture_solve(fixture_tiny, &request);
    fixture_set(&request, "seed", "9007199254740991");
    struct image second = fixture_solve(fixture_tiny, &request);
    assert_true(fixture_difference(&first, &second) > 1e-3);
    image_finish(&input);
    image_finish(&first);
    image_finish(&second);
}

static void test_both_texts_count(void **state)
{
    (void)state;
    struct image input = fixture_image(32, 40, 1);
    struct run_request request = fixture_request(&input);
    struct image plain = fixture_solve(fixture_tiny, &request);
    request.instruction = "remove the snow";
    struct image other = fixture_solve(fixture_tiny, &request);
    request.instruction = "remove the haze";
    request.auxiliary_prompt = "a blurred photo of snow";
    struct image auxiliary = fixture_solve(fixture_tiny, &request);
    request.instruction = "";
    struct image blind = fixture_solve(fixture_tiny, &request);
    assert_true(fixture_difference(&plain, &other) > 1e-3);
    assert_true(fixture_difference(&plain, &auxiliary) > 1e-3);
    assert_true(fixture_difference(&auxiliary, &blind) > 1e-3);
    struct image *images[] = {&input, &plain, &other, &auxiliary, &blind};
    for (size_t i = 0; i < COUNT_OF(images); i++)
        image_finish(images[i]);
}

static void test_sizes_are_kept(void **state)
{
    (void)state;
    static const int sizes[][2] = {
        {67, 45}, {45, 67}, {64, 64}, {150, 71}, {33, 20}, {1, 1}, {7, 90}};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct image input = fixture_image(sizes[i][0], sizes[i][1], 2);
        struct run_request request = fixture_request(&input);
        fixture_set(&request, "steps", "1");
        struct image output = fixture_solve(fixture_tiny, &request);
        assert_int_equal(output.width, sizes[i][0]);
        assert_int_equal(output.height, sizes[i][1]);
        assert_null(output.alpha);
        assert_true(fixture_difference(&output, &output) == 0);
        image_finish(&input);
        image_finish(&output);
    }
}

static void test_alpha_is_kept(void **state)
{
    (void)state;
    struct image input = fixture_image(67, 45, 2);
    size_t area = 67 * 45;
    input.alpha = malloc(area);
    assert_non_null(input.alpha);
    for (size_t i = 0; i < area; i++)
        input.alpha[i] = (uint8_t)(i * 7);
    struct run_request request = fixture_request(&input);
    struct image output = fixture_solve(fixture_tiny, &request);
    assert_non_null(output.alpha);
    assert_memory_equal(output.alpha, input.alpha, area);
    image_finish(&input);
    image_finish(&output);
}

/* --- high-frequency guidance ------------------------------------------------------------------ */

/* All of the decoder's LoRA weights, to free(). */
static float *copy_lora(const struct pipeline *pipeline, size_t *ret_size)
{
    struct pf_error err = PF_ERROR_INIT;
    const struct vae_lora *lora = vae_lora(pipeline->vae);
    int64_t total = 0, at = 0;
    for (int i = 0; i < lora->count; i++)
        total += tensor_count(lora->down[i]) + tensor_count(lora->up[i]);
    float *values = malloc((size_t)total * sizeof *values);
    assert_non_null(values);
    for (int i = 0; i < 2 * lora->count; i++) {
        tensor weight = i % 2 ? lora->up[i / 2] : lora->down[i / 2];
        assert_ok(tensor_to_f32(weight, values + at, tensor_count(weight), &err), &err);
        at += tensor_count(weight);
    }
    *ret_size = (size_t)total * sizeof *values;
    return values;
}

static void test_guidance_leaks_nothing(void **state)
{
    (void)state;
    static const char *const modes[] = {"decoder", "latent"};
    struct image input = fixture_image(64, 72, 3), other = fixture_image(72, 64, 4);
    size_t size = 0;
    AUTO_FREE float *lora = copy_lora(fixture_tiny, &size);
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct run_request request = fixture_request(&input);
        fixture_set(&request, "guidance", modes[i]);
        struct image before = fixture_solve(fixture_tiny, &request);
        struct run_request disturbing = fixture_request(&other);
        fixture_set(&disturbing, "guidance", modes[i]);
        fixture_set(&disturbing, "guidance_updates", "3");
        struct image between = fixture_solve(fixture_tiny, &disturbing);
        struct image after = fixture_solve(fixture_tiny, &request);
        size_t size_after = 0;
        AUTO_FREE float *lora_after = copy_lora(fixture_tiny, &size_after);
        assert_true(fixture_difference(&before, &after) == 0);
        assert_int_equal(size, size_after);
        assert_memory_equal(lora, lora_after, size);
        image_finish(&before);
        image_finish(&between);
        image_finish(&after);
    }
    image_finish(&input);
    image_finish(&other);
}

/* Guidance reports its loss at every step, and gradients are off again after it. */
static void test_guidance_reports_its_loss(void **state)
{
    (void)state;
    static const char *const modes[] = {"off", "decoder", "latent"};
    struct image input = fixture_image(64, 64, 3);
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct run_request request = fixture_request(&input);
        fixture_set(&request, "guidance", modes[i]);
        struct run *run = fixture_begin(fixture_tiny, &request);
        const struct run_progress *progress = run_progress(run);
        struct batcher batcher;
        struct pf_error err = PF_ERROR_INIT;
        batcher_init(&batcher, fixture_tiny, 1);
        assert_ok(batcher_add(&batcher, run, &err), &err);
        for (int step = 1; !run_done(run); step++) {
            struct batcher_step taken;
            batcher_step(&batcher, &taken);
            assert_int_equal(taken.errors[0].status, PF_OK);
            assert_int_equal(progress->step, step);
            assert_int_equal(progress->steps, 3);
            assert_int_equal(progress->has_guidance_loss, i > 0);
            assert_true(progress->sigma > 0);
            if (i > 0)
                assert_true(progress->guidance_loss > 0 && progress->guidance_loss < 1);
        }
        assert_int_equal(tensor_grad_enable(0), 0);
        run_destroy(run);
    }
    image_finish(&input);
}

/* The mask reaches guidance: all white leaves nothing to be guided by; a part differs from nothing.
 */
static void test_mask_takes_part(void **state)
{
    (void)state;
    static const char *const modes[] = {"decoder", "latent"};
    struct image input = fixture_image(80, 64, 3);
    float mask[40 * 32];
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct run_request request = fixture_request(&input);
        struct image off = fixture_solve(fixture_tiny, &request);
        fixture_set(&request, "guidance", modes[i]);
        if (i == 1)
            fixture_set(&request, "guidance_rate", "1000");
        struct image whole = fixture_solve(fixture_tiny, &request);
        request.mask = mask;
        request.mask_width = 40;
        request.mask_height = 32;
        for (size_t p = 0; p < COUNT_OF(mask); p++)
            mask[p] = 1;
        struct image none = fixture_solve(fixture_tiny, &request);
        for (size_t p = 0; p < COUNT_OF(mask); p++)
            mask[p] = p % 40 < 15 ? 1 : 0;
        struct image part = fixture_solve(fixture_tiny, &request);
        assert_true(fixture_difference(&off, &none) < 1e-5);
        assert_true(fixture_difference(&off, &part) > 1e-3);
        assert_true(fixture_difference(&whole, &part) > 1e-3);
        struct image *images[] = {&off, &whole, &none, &part};
        for (size_t k = 0; k < COUNT_OF(images); k++)
            image_finish(images[k]);
    }
    image_finish(&input);
}

static void test_automatic_region_runs(void **state)
{
    (void)state;
    static const char *const modes[] = {"decoder", "latent"};
    struct image input = fixture_image(64, 64, 3);
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct run_request request = fixture_request(&input);
        fixture_set(&request, "guidance", modes[i]);
        struct image everywhere = fixture_solve(fixture_tiny, &request);
        fixture_set(&request, "guidance_region", "auto");
        struct image automatic = fixture_solve(fixture_tiny, &request);
        assert_true(fixture_difference(&everywhere, &automatic) > 0);
        assert_true(fixture_difference(&everywhere, &automatic) <= 1);
        fixture_set(
            &request, "text_scale", "0.5"); /* where the row it compares with is not needed */
        struct image conditional = fixture_solve(fixture_tiny, &request);
        image_finish(&everywhere);
        image_finish(&automatic);
        image_finish(&conditional);
    }
    image_finish(&input);
}

/* Asking twice for a step's rows doesn't move the latent twice. */
static void test_wants_is_idempotent(void **state)
{
    (void)state;
    struct image input = fixture_image(64, 64, 3);
    struct run_request request = fixture_request(&input);
    fixture_set(&request, "guidance", "latent");
    struct run *run = fixture_begin(fixture_tiny, &request);
    struct pf_error err = PF_ERROR_INIT;
    struct run_rows rows;
    SCOPE(s, &err);
    float first[3 * 8 * 16 * 16], second[3 * 8 * 16 * 16];
    assert_ok(run_wants(run, &s, &rows, &err), &err);
    assert_int_equal(rows.count, 3);
    assert_ok(tensor_to_f32(rows.x, first, COUNT_OF(first), &err), &err);
    assert_ok(run_wants(run, &s, &rows, &err), &err);
    assert_ok(tensor_to_f32(rows.x, second, COUNT_OF(second), &err), &err);
    assert_memory_equal(first, second, sizeof first);
    run_destroy(run);
    image_finish(&input);
}

/* --- defaults and refusals ---------------------------------------------------------------------
 */

static void test_what_follows_from_the_request(void **state)
{
    (void)state;
    struct pipeline *plain = fixture_pipeline(fixture_model("plain"), PRECISION_F32);
    struct image input = fixture_image(32, 32, 3);
    float mask[4] = {0, 1, 0, 1};
    struct run_request request = fixture_request(&input);
    request.mask = mask;
    request.mask_width = request.mask_height = 2;
    struct run *run = fixture_begin(fixture_tiny, &request);
    assert_int_equal(run_params(run)->guidance_region, GUIDANCE_REGION_MASK);
    run_destroy(run);
    request.mask = NULL;
    params_init(&request.params);
    fixture_set(&request, "resolution", "64");
    run = fixture_begin(fixture_tiny, &request);
    assert_int_equal(run_params(run)->guidance, GUIDANCE_DECODER);
    run_destroy(run);
    run = fixture_begin(plain, &request);
    assert_int_equal(run_params(run)->guidance, GUIDANCE_OFF);
    run_destroy(run);
    image_finish(&input);
    pipeline_destroy(plain);
}

static void assert_refused(
    struct pipeline *pipeline, const struct run_request *request, const char *start)
{
    struct pf_error err = fixture_solve_error(pipeline, request);
    if (err.status != PF_INVALID || strncmp(err.message, start, strlen(start)) != 0)
        fail_msg(
            "%s \"%s\", expected invalid \"%s…\"", pf_status_name(err.status), err.message, start);
}

static void test_refusals_name_the_field(void **state)
{
    (void)state;
    struct pipeline *plain = fixture_pipeline(fixture_model("plain"), PRECISION_F32);
    struct image input = fixture_image(32, 32, 3), ribbon = fixture_image(9000, 2, 3);
    float mask[1] = {1};
    struct run_request request = fixture_request(&input);
    fixture_set(&request, "guidance_region", "mask");
    assert_refused(fixture_tiny, &request, "guidance_region: ");
    request = fixture_request(&input);
    fixture_set(&request, "guidance_region", "none");
    request.mask = mask;
    request.mask_width = request.mask_height = 1;
    assert_refused(fixture_tiny, &request, "mask: ");
    request = fixture_request(&input);
    fixture_set(&request, "guidance", "decoder");
    assert_refused(plain, &request, "guidance: ");
    request = fixture_request(&input);
    request.auxiliary_prompt = "a photo";
    assert_refused(plain, &request, "auxiliary_prompt: ");
    request = fixture_request(&ribbon);
    assert_refused(fixture_tiny, &request, "image: 9000×2");
    image_finish(&input);
    image_finish(&ribbon);
    pipeline_destroy(plain);
}

/* A text the tokenizer refuses fails the request, and nothing of it stays behind. */
static void test_overlong_text(void **state)
{
    (void)state;
    struct image input = fixture_image(32, 32, 3);
    struct run_request request = fixture_request(&input);
    size_t size = 70 * 1024;
    AUTO_FREE char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'a', size);
    text[size] = '\0';
    request.instruction = text;
    assert_refused(fixture_tiny, &request, "instruction: text of 71680 bytes");
    request.instruction = "";
    request.auxiliary_prompt = text;
    assert_refused(fixture_tiny, &request, "auxiliary_prompt: text of 71680 bytes");
    request.auxiliary_prompt = "\xff";
    assert_refused(fixture_tiny, &request, "auxiliary_prompt: text is not UTF-8");
    image_finish(&input);
}

/* --- other models ------------------------------------------------------------------------------
 */

static void assert_runs(const char *model, enum precision precision, const char *guidance)
{
    struct pipeline *pipeline = fixture_pipeline(model, precision);
    struct image input = fixture_image(40, 48, 5);
    struct run_request request = fixture_request(&input);
    fixture_set(&request, "guidance", guidance);
    struct image output = fixture_solve(pipeline, &request);
    assert_true(fixture_difference(&output, &output) == 0);
    assert_true(fixture_difference(&output, &input) > 1e-3);
    image_finish(&input);
    image_finish(&output);
    pipeline_destroy(pipeline);
}

static void test_other_models_run(void **state)
{
    (void)state;
    assert_runs(fixture_model("plain"), PRECISION_F32, "off");
    assert_runs(fixture_model("plain"), PRECISION_F32, "latent");
    assert_runs(fixture_model("v"), PRECISION_F32, "off");
    assert_runs(fixture_model("v"), PRECISION_F32, "latent");
    assert_runs(fixture_model("v"), PRECISION_F32, "decoder");
}

static void test_affine_decoders_run(void **state)
{
    (void)state;
    assert_runs(fixture_model("affine"), PRECISION_F32, "off");
    assert_runs(fixture_model("affine"), PRECISION_F32, "latent");
    assert_runs(fixture_model("affine"), PRECISION_F32, "decoder");
    assert_runs(fixture_model("affine_plain"), PRECISION_F32, "off");
    assert_runs(fixture_model("affine"), PRECISION_BF16, "off");
    assert_runs(fixture_model("bands"), PRECISION_F32, "decoder");
    assert_runs(fixture_model("bands"), PRECISION_BF16, "off");
}

static void test_bfloat16_runs(void **state)
{
    (void)state;
    assert_runs(fixture_model("tiny"), PRECISION_BF16, "off");
    assert_runs(fixture_model("tiny"), PRECISION_BF16, "decoder");
    assert_runs(fixture_model("tiny"), PRECISION_BF16, "latent");
}

static double mean_difference(const struct image *a, const struct image *b)
{
    double sum = 0;
    size_t count = 3 * (size_t)a->width * (size_t)a->height;
    for (size_t i = 0; i < count; i++)
        sum += fabs((double)a->rgb[i] - (double)b->rgb[i]);
    return sum / (double)count;
}

/* Rounding moves the picture, but much less than another seed does (random weights amplify it). */
static void test_bfloat16_is_near_float32(void **state)
{
    (void)state;
    struct pipeline *half = fixture_pipeline(fixture_model("tiny"), PRECISION_BF16);
    struct image input = fixture_image(40, 40, 5);
    struct run_request request = fixture_request(&input);
    fixture_set(&request, "steps", "1");
    fixture_set(&request, "text_scale", "0.5");
    fixture_set(&request, "image_scale", "0.5");
    struct image exact = fixture_solve(fixture_tiny, &request);
    struct image rough = fixture_solve(half, &request);
    fixture_set(&request, "seed", "1");
    struct image other = fixture_solve(fixture_tiny, &request);
    double rounding = mean_difference(&exact, &rough), change = mean_difference(&exact, &other);
    if (!(rounding > 0 && rounding < change / 3))
        fail_msg("bfloat16 moves the picture by %g, another seed by %g", rounding, change);
    struct image *images[] = {&input, &exact, &rough, &other};
    for (size_t i = 0; i < COUNT_OF(images); i++)
        image_finish(images[i]);
    pipeline_destroy(half);
}

static void test_broken_weights_are_told(void **state)
{
    (void)state;
    static const char *const names[] = {"model.diffusion_model.out.2.bias",
        "first_stage_model.decoder.conv_out.bias", "first_stage_model.quant_conv.bias"};
    struct image input = fixture_image(32, 32, 5);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *path =
            fixture_edited_model("tiny", &(struct fixture_edit){.poisoned = names[i]});
        struct pipeline *pipeline = fixture_pipeline(path, PRECISION_F32);
        struct run_request request = fixture_request(&input);
        struct pf_error err = fixture_solve_error(pipeline, &request);
        if (err.status != PF_INTERNAL || !strstr(err.message, "not finite"))
            fail_msg("%s: %s \"%s\"", names[i], pf_status_name(err.status), err.message);
        pipeline_destroy(pipeline);
    }
    image_finish(&input);
}

/* --- previews ----------------------------------------------------------------------------------
 */

static void test_previews_are_spread(void **state)
{
    (void)state;
    static const int cases[][2] = {{3, 0}, {3, 1}, {5, 2}, {4, 10}, {10, 10}};
    struct image input = fixture_image(38, 32, 5);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct run_request request = fixture_request(&input);
        request.params.steps = cases[i][0];
        request.params.previews = cases[i][1];
        struct run *run = fixture_begin(fixture_tiny, &request);
        struct batcher batcher;
        struct batcher_step step;
        struct pf_error err = PF_ERROR_INIT;
        batcher_init(&batcher, fixture_tiny, 1);
        assert_ok(batcher_add(&batcher, run, &err), &err);
        assert_false(run_preview_due(run));
        int due = 0, last = 0;
        while (!run_done(run)) {
            batcher_step(&batcher, &step);
            last = run_preview_due(run);
            due += last;
        }
        assert_int_equal(due, cases[i][1] < cases[i][0] ? cases[i][1] : cases[i][0]);
        if (due > 0) {
            struct image preview = IMAGE_INIT;
            assert_true(last);
            assert_ok(run_preview(run, &preview, &err), &err);
            assert_int_equal(preview.width, 10); /* 38 pixels are 9.5 cells of 4 */
            assert_int_equal(preview.height, 8);
            assert_true(fixture_difference(&preview, &preview) == 0);
            image_finish(&preview);
        }
        run_destroy(run);
    }
    image_finish(&input);
}

/* The last one decoded shows what the result will. */
static void test_last_previews_are_decoded(void **state)
{
    (void)state;
    static const int cases[][3] = {{5, 5, 2}, {5, 3, 1}, {2, 10, 1}, {3, 2, 2}, {4, 4, 0}};
    struct image input = fixture_image(38, 32, 5);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct run_request request = fixture_request(&input);
        request.params.steps = cases[i][0];
        request.params.previews = cases[i][1];
        request.params.previews_decoded = cases[i][2];
        struct run *run = fixture_begin(fixture_tiny, &request);
        struct batcher batcher;
        struct batcher_step step;
        struct pf_error err = PF_ERROR_INIT;
        struct image preview = IMAGE_INIT, result = IMAGE_INIT;
        int decoded = 0;
        batcher_init(&batcher, fixture_tiny, 1);
        assert_ok(batcher_add(&batcher, run, &err), &err);
        while (!run_done(run)) {
            batcher_step(&batcher, &step);
            if (!run_preview_due(run))
                continue;
            image_finish(&preview);
            preview = (struct image)IMAGE_INIT;
            assert_ok(run_preview(run, &preview, &err), &err);
            int is_decoded = preview.width == 38;
            assert_true(is_decoded || preview.width == 10);
            assert_int_equal(preview.height, is_decoded ? 32 : 8);
            assert_true(is_decoded >= (decoded > 0)); /* the last ones, in a row */
            decoded += is_decoded;
        }
        assert_int_equal(decoded, cases[i][2]);
        assert_ok(run_finish(run, &result, &err), &err);
        if (decoded > 0)
            assert_true(fixture_difference(&preview, &result) < 1e-5);
        image_finish(&preview);
        image_finish(&result);
        run_destroy(run);
    }
    image_finish(&input);
}

static void test_decoded_previews_are_bounded(void **state)
{
    (void)state;
    struct image input = fixture_image(40, 600, 5), preview = IMAGE_INIT;
    struct run_request request = fixture_request(&input);
    request.params.steps = request.params.previews = request.params.previews_decoded = 1;
    struct run *run = fixture_begin(fixture_tiny, &request);
    struct batcher batcher;
    struct batcher_step step;
    struct pf_error err = PF_ERROR_INIT;
    batcher_init(&batcher, fixture_tiny, 1);
    assert_ok(batcher_add(&batcher, run, &err), &err);
    batcher_step(&batcher, &step);
    assert_ok(run_preview(run, &preview, &err), &err);
    assert_int_equal(preview.height, PREVIEW_SIDE_MAX);
    assert_int_equal(preview.width, 40 * PREVIEW_SIDE_MAX / 600);
    image_finish(&preview);
    run_destroy(run);
    request.params.previews = 0;
    assert_int_equal(run_begin(&run, fixture_tiny, &request, &err), PF_INVALID);
    assert_non_null(strstr(err.message, "previews_decoded: 1 of 0"));
    image_finish(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_request_same_image),
        cmocka_unit_test(test_every_parameter_counts),
        cmocka_unit_test(test_large_seeds_differ),
        cmocka_unit_test(test_both_texts_count),
        cmocka_unit_test(test_sizes_are_kept),
        cmocka_unit_test(test_alpha_is_kept),
        cmocka_unit_test(test_guidance_leaks_nothing),
        cmocka_unit_test(test_guidance_reports_its_loss),
        cmocka_unit_test(test_mask_takes_part),
        cmocka_unit_test(test_automatic_region_runs),
        cmocka_unit_test(test_wants_is_idempotent),
        cmocka_unit_test(test_what_follows_from_the_request),
        cmocka_unit_test(test_refusals_name_the_field),
        cmocka_unit_test(test_overlong_text),
        cmocka_unit_test(test_other_models_run),
        cmocka_unit_test(test_affine_decoders_run),
        cmocka_unit_test(test_bfloat16_runs),
        cmocka_unit_test(test_bfloat16_is_near_float32),
        cmocka_unit_test(test_broken_weights_are_told),
        cmocka_unit_test(test_previews_are_spread),
        cmocka_unit_test(test_last_previews_are_decoded),
        cmocka_unit_test(test_decoded_previews_are_bounded),
    };
    return cmocka_run_group_tests_name("run", tests, fixture_open_tiny, fixture_close_tiny);
}
