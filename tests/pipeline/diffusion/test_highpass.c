/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/diffusion/highpass.h"
#include "pipeline/diffusion/noise.h"
#include "tests/golden_file.h"

enum { HEIGHT = 72, WIDTH = 88 };

/* Smooth shapes with some noise in every channel. */
static tensor make_picture(struct scope *s, uint32_t stream)
{
    enum { COUNT = 3 * HEIGHT * WIDTH };
    AUTO_FREE float *values = malloc(COUNT * sizeof *values);
    noise_fill(5, stream, values, COUNT);
    for (int i = 0; i < COUNT; i++) {
        int x = i % WIDTH, y = i / WIDTH % HEIGHT;
        values[i] = 0.15F * values[i] + 0.5F * sinf((float)x * 0.9F) * cosf((float)y * 0.7F);
    }
    return tensor_from_f32(s, values, DIMS(1, 3, HEIGHT, WIDTH));
}

static void test_golden_maps(void **state)
{
    (void)state;
    struct checkpoint *golden = golden_open_case("tiny");
    if (!golden)
        skip();
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor luma = highpass_luma(&s, golden_tensor(&s, golden, "image"));
    struct golden_error f = golden_compare(
        highpass_fourier(&s, luma, NULL), golden_tensor(&s, golden, "hf.highpass"), &err);
    struct golden_error g =
        golden_compare(highpass_sobel(&s, luma, NULL), golden_tensor(&s, golden, "hf.sobel"), &err);
    assert_ok(err.status, &err);
    if (!golden_agrees(f, 1e-4) || !golden_agrees(g, 1e-4))
        fail_msg("max error: highpass %g, sobel %g", f.max, g.max);

    struct highpass_target target;
    assert_ok(highpass_target_init(&target, golden_tensor(&s, golden, "image"), NULL, &err), &err);
    tensor pixels = golden_tensor(&s, golden, "hf.latent.pixels");
    double t = tensor_scalar(&s, golden_tensor(&s, golden, "hf.t"));
    double want = tensor_scalar(&s, golden_tensor(&s, golden, "hf.latent.loss"));
    double got = tensor_scalar(&s, highpass_loss(&target, &s, pixels, t));
    if (!(fabs(got - want) <= 1e-4 * want))
        fail_msg("loss %.9g, expected %.9g", got, want);
    highpass_target_finish(&target);
    checkpoint_close(golden);
}

/* A whole number of waves passes the filter beyond the radius and not within, rim included. */
static void test_radius(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    enum { SIZE = 128 };
    AUTO_FREE float *values = malloc(SIZE * SIZE * sizeof *values);
    static const struct {
        int fx, fy, passes;
    } waves[] = {{5, 0, 0}, {29, 0, 0}, {30, 0, 0}, {31, 0, 1}, {0, 30, 0}, {0, 31, 1}, {18, 24, 0},
        {22, 22, 1}, {64, 0, 1}};
    for (size_t w = 0; w < COUNT_OF(waves); w++) {
        SCOPE(s, &err);
        for (int i = 0; i < SIZE * SIZE; i++) {
            int x = i % SIZE, y = i / SIZE;
            int turn = (waves[w].fx * x + waves[w].fy * y) % SIZE;
            values[i] = (float)(0.5 + 0.25 * cos(2 * 3.14159265358979 * turn / SIZE));
        }
        tensor luma = tensor_from_f32(&s, values, DIMS(1, 1, SIZE, SIZE));
        double largest = tensor_scalar(&s,
            op_amax(&s, op_reshape(&s, highpass_fourier(&s, luma, NULL), DIMS(-1)), DIMS(0), 0));
        assert_ok(err.status, &err);
        if (waves[w].passes ? fabs(largest - 1) > 1e-6 : largest > 0.5)
            fail_msg("wave %d,%d: largest %g", waves[w].fx, waves[w].fy, largest);
    }
}

static void test_own_maximum_and_zero_loss(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor picture = make_picture(&s, 0), other = make_picture(&s, 1);
    struct highpass_target target;
    assert_ok(highpass_target_init(&target, picture, NULL, &err), &err);
    assert_true(tensor_scalar(&s, highpass_loss(&target, &s, picture, 500)) == 0);
    double early = tensor_scalar(&s, highpass_loss(&target, &s, other, 900));
    double late = tensor_scalar(&s, highpass_loss(&target, &s, other, 0));
    assert_true(late > 1e-4);
    assert_true(fabs(early / late - exp(-0.9)) < 1e-5);
    highpass_target_finish(&target);
}

/* The maximum takes contrast out of F (of S not quite: its zero padding sees the mean). */
static void test_contrast(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor picture = op_mul_scalar(&s, make_picture(&s, 0), 0.5); /* nothing to clamp */
    tensor softer = op_mul_scalar(&s, picture, 0.5);
    struct golden_error error =
        golden_compare(highpass_fourier(&s, highpass_luma(&s, softer), NULL),
            highpass_fourier(&s, highpass_luma(&s, picture), NULL), &err);
    assert_ok(err.status, &err);
    assert_true(golden_agrees(error, 1e-5));
}

/* In a batch every picture has its own maximum. */
static void test_batch(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor both[] = {make_picture(&s, 0), op_mul_scalar(&s, make_picture(&s, 1), 0.1)};
    tensor luma = highpass_luma(&s, op_cat(&s, both, 2, 0));
    tensor maps[] = {highpass_fourier(&s, luma, NULL), highpass_sobel(&s, luma, NULL)};
    tensor alone = highpass_luma(&s, both[1]);
    tensor wanted[] = {highpass_fourier(&s, alone, NULL), highpass_sobel(&s, alone, NULL)};
    for (int i = 0; i < 2; i++)
        assert_true(
            golden_agrees(golden_compare(op_narrow(&s, maps[i], 0, 1, 1), wanted[i], &err), 1e-5));
    assert_ok(err.status, &err);
}

static void test_flat_picture(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    tensor flat = op_full(&s, place, 0.3, DIMS(1, 3, HEIGHT, WIDTH));
    struct highpass_target target;
    assert_ok(highpass_target_init(&target, flat, NULL, &err), &err);
    int former = tensor_grad_enable(1);
    tensor leaf = op_set_requires_grad(&s, op_clone(&s, flat), 1);
    tensor loss = highpass_loss(&target, &s, leaf, 0), grad = NULL;
    op_backward(&s, loss, &leaf, 1, &grad);
    tensor_grad_enable(former);
    assert_true(op_is_finite(&s, grad));
    assert_ok(err.status, &err);
    highpass_target_finish(&target);
}

/* The gradient against central differences, in random directions. */
static void check_gradient(tensor weight)
{
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor picture = make_picture(&s, 0), other = make_picture(&s, 1);
    struct highpass_target target;
    assert_ok(highpass_target_init(&target, picture, weight, &err), &err);
    int former = tensor_grad_enable(1);
    tensor leaf = op_set_requires_grad(&s, op_clone(&s, other), 1);
    tensor loss = highpass_loss(&target, &s, leaf, 200), grad = NULL;
    op_backward(&s, loss, &leaf, 1, &grad);
    tensor_grad_enable(former);
    for (uint32_t i = 2; i < 6; i++) {
        tensor step = op_mul_scalar(&s, make_picture(&s, i), 2e-3);
        double slope = tensor_scalar(&s, op_sum_all(&s, op_mul(&s, grad, step)));
        double after = tensor_scalar(&s, highpass_loss(&target, &s, op_add(&s, other, step), 200));
        double before = tensor_scalar(&s, highpass_loss(&target, &s, op_sub(&s, other, step), 200));
        double measured = (after - before) / 2;
        assert_ok(err.status, &err);
        if (!(fabs(measured - slope) < 0.03 * fabs(slope) + 2e-8))
            fail_msg("slope %g, measured %g", slope, measured);
    }
    highpass_target_finish(&target);
}

static tensor left_half_weight(struct scope *s)
{
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    tensor halves[] = {op_full(s, place, 0, DIMS(1, 1, HEIGHT, WIDTH / 2)),
        op_full(s, place, 1, DIMS(1, 1, HEIGHT, WIDTH / 2))};
    return op_cat(s, halves, 2, 3);
}

static void test_gradient(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    check_gradient(NULL);
    check_gradient(left_half_weight(&s));
}

/* What the mask covers is out of Sobel's loss: neither its values nor its maximum count. */
static void test_weight_takes_pixels_out(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor weight = left_half_weight(&s), picture = make_picture(&s, 0);
    tensor left = op_mul_scalar(&s, make_picture(&s, 1), 1.8);
    tensor sides[] = {op_narrow(&s, left, 3, 0, WIDTH / 2 - 2),
        op_narrow(&s, picture, 3, WIDTH / 2 - 2, WIDTH / 2 + 2)};
    tensor changed = op_cat(&s, sides, 2, 3);
    tensor a = highpass_sobel(&s, highpass_luma(&s, picture), weight);
    tensor b = highpass_sobel(&s, highpass_luma(&s, changed), weight);
    assert_true(golden_agrees(golden_compare(b, a, &err), 1e-6));
    tensor plain = highpass_sobel(&s, highpass_luma(&s, changed), NULL);
    assert_false(golden_agrees(
        golden_compare(plain, highpass_sobel(&s, highpass_luma(&s, picture), NULL), &err), 0.1));
    assert_ok(err.status, &err);
}

static void test_target_weight(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    tensor picture = make_picture(&s, 0), other = make_picture(&s, 1);
    struct highpass_target target;
    assert_ok(highpass_target_init(&target, picture, left_half_weight(&s), &err), &err);
    double half = tensor_scalar(&s, highpass_loss(&target, &s, other, 0));
    assert_ok(highpass_target_set_weight(&target, NULL, &err), &err);
    double whole = tensor_scalar(&s, highpass_loss(&target, &s, other, 0));
    tensor none = op_zeros(&s, place, DIMS(1, 1, HEIGHT, WIDTH));
    assert_ok(highpass_target_set_weight(&target, none, &err), &err);
    assert_true(half > 0 && half < whole);
    assert_true(tensor_scalar(&s, highpass_loss(&target, &s, other, 0)) == 0);
    tensor wrong = op_zeros(&s, place, DIMS(1, 1, HEIGHT, WIDTH + 1));
    assert_fails(
        highpass_target_set_weight(&target, wrong, &err), PF_INVALID, "a mask of 89 x 72", &err);
    highpass_target_finish(&target);
    assert_fails(
        highpass_target_init(&target, picture, wrong, &err), PF_INVALID, "picture of 88", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_maps),
        cmocka_unit_test(test_radius),
        cmocka_unit_test(test_own_maximum_and_zero_loss),
        cmocka_unit_test(test_contrast),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_flat_picture),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_weight_takes_pixels_out),
        cmocka_unit_test(test_target_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
