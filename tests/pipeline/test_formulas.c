/* SPDX-License-Identifier: Apache-2.0 */
/* A run against model.md §6 written straight down, one condition a UNet call: what the state
 * machine, the batcher and the fit around them come to. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/diffusion/noise.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"

enum { SIDE = 40, CELLS = SIDE / 4, CHANNELS = 4, STEPS = 4 };

static struct pf_error err;

/* What the formulas work on. */
struct formula {
    struct pipeline *pipeline;
    const struct run_request *request;
    const struct unet_context *prompt, *nothing;
    tensor c_img;
    enum prediction_type prediction;
};

static tensor noise(struct scope *s, int64_t seed, uint32_t stream)
{
    float values[CHANNELS * CELLS * CELLS];
    noise_fill((uint64_t)seed, stream, values, COUNT_OF(values));
    return tensor_from_f32(s, values, DIMS(1, CHANNELS, CELLS, CELLS));
}

/* x0 of one condition */
static tensor denoise(const struct formula *f, struct scope *s, tensor z, double sigma,
    const struct unet_context *context, double image_share)
{
    double variance = sigma * sigma + 1;
    float t = (float)schedule_t_of_sigma(&f->pipeline->schedule, sigma);
    tensor parts[] = {
        op_mul_scalar(s, z, 1 / sqrt(variance)), op_mul_scalar(s, f->c_img, image_share)};
    tensor output = unet_forward(f->pipeline->unet, s, op_cat(s, parts, 2, 1), &t, &context);
    if (f->prediction == PREDICTION_EPSILON)
        return op_sub(s, z, op_mul_scalar(s, output, sigma));
    tensor x0 = op_sub(
        s, op_mul_scalar(s, z, 1 / variance), op_mul_scalar(s, output, sigma / sqrt(variance)));
    if (f->prediction == PREDICTION_V_CHANGE)
        x0 = op_add(s, x0, op_mul_scalar(s, parts[1], 0.18215 * sigma * sigma / variance));
    return x0;
}

static tensor guided(const struct formula *f, struct scope *s, tensor z, double sigma)
{
    double text = f->request->params.text_scale, image = f->request->params.image_scale;
    tensor full = denoise(f, s, z, sigma, f->prompt, 1);
    tensor no_text = denoise(f, s, z, sigma, f->nothing, 1);
    tensor no_image = denoise(f, s, z, sigma, f->prompt, 0);
    tensor x0 = op_mul_scalar(s, op_add(s, no_text, no_image), 0.5);
    x0 = op_add(s, x0, op_mul_scalar(s, op_sub(s, full, no_text), text));
    return op_add(s, x0, op_mul_scalar(s, op_sub(s, full, no_image), image));
}

static tensor sample(const struct formula *f, struct scope *s)
{
    double sigmas[STEPS + 1];
    int64_t seed = f->request->params.seed;
    assert_ok(schedule_sigmas(&f->pipeline->schedule, STEPS, sigmas, &err), &err);
    tensor z = op_mul_scalar(s, noise(s, seed, 0), sigmas[0]);
    for (int i = 0; i < STEPS; i++) {
        double now = sigmas[i], next = sigmas[i + 1];
        double up = fmin(next, sqrt(next * next * (now * now - next * next) / (now * now)));
        double down = sqrt(next * next - up * up);
        tensor x0 = guided(f, s, z, now);
        tensor slope = op_mul_scalar(s, op_sub(s, z, x0), 1 / now);
        z = op_add(s, z, op_mul_scalar(s, slope, down - now));
        if (next > 0)
            z = op_add(s, z, op_mul_scalar(s, noise(s, seed, (uint32_t)i + 1), up));
    }
    return z;
}

static void check(const char *model, int has_lora)
{
    struct pipeline *pipeline = fixture_pipeline(fixture_model(model), PRECISION_F32);
    struct image input = fixture_image(SIDE, SIDE, 1);
    struct run_request request = fixture_request(&input);
    struct formula f = {
        pipeline, &request, NULL, pipeline->null_context, NULL, pipeline->sizes.prediction};
    request.params.steps = STEPS;
    request.auxiliary_prompt = has_lora ? "a hazy street" : "";
    struct image got = fixture_solve(pipeline, &request);
    assert_ok(contexts_get(&pipeline->contexts, request.instruction, request.auxiliary_prompt,
                  &f.prompt, &err),
        &err);
    SCOPE(s, &err);
    struct vae_skips skips;
    tensor rgb = tensor_from_f32(&s, input.rgb, DIMS(1, 3, SIDE, SIDE));
    tensor pixels = op_add_scalar(&s, op_mul_scalar(&s, rgb, 2), -1);
    f.c_img = vae_mode(&s, vae_encode(pipeline->vae, &s, pixels, &skips));
    tensor decoded = vae_decode(pipeline->vae, &s, sample(&f, &s), has_lora ? &skips : NULL, NULL);
    tensor unit = op_clamp(&s, op_add_scalar(&s, op_mul_scalar(&s, decoded, 0.5), 0.5), 0, 1);
    struct image want = {SIDE, SIDE, malloc(sizeof(float) * 3 * SIDE * SIDE), NULL};
    assert_non_null(want.rgb);
    assert_ok(tensor_to_f32(unit, want.rgb, 3 * SIDE * SIDE, &err), &err);
    double difference = fixture_difference(&got, &want);
    print_message("%s: %g\n", model, difference);
    assert_true(difference < FIXTURE_ROUNDING);
    contexts_put(&pipeline->contexts, f.prompt);
    image_finish(&want);
    image_finish(&got);
    image_finish(&input);
    pipeline_destroy(pipeline);
}

static void test_run_is_the_formulas(void **state)
{
    (void)state;
    check("tiny", 1);
    check("plain", 0);
    check("v", 1);
    check("v_change", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_run_is_the_formulas)};
    return cmocka_run_group_tests_name("formulas", tests, NULL, NULL);
}
