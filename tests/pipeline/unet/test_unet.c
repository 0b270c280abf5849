/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/unet/unet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"

enum { IN = 8, OUT = 4, HEIGHT = 6, WIDTH = 10, TEXTS = 3 };

/* Sums of the same numbers in another order. */
#define ROUNDING 1e-4

static struct pipeline *tiny, *plain;
static const struct unet_context *contexts[TEXTS];
static struct pf_error err;

static int load(void **state)
{
    static const char *const texts[TEXTS][2] = {
        {"remove the haze", "a street"}, {"remove the haze", ""}, {"blur", "a street"}};
    (void)state;
    tiny = fixture_pipeline(fixture_model("tiny"), PRECISION_F32);
    plain = fixture_pipeline(fixture_model("plain"), PRECISION_F32);
    for (int i = 0; i < TEXTS; i++)
        assert_ok(
            contexts_get(&tiny->contexts, texts[i][0], texts[i][1], &contexts[i], &err), &err);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    for (int i = 0; i < TEXTS; i++)
        contexts_put(&tiny->contexts, contexts[i]);
    pipeline_destroy(tiny);
    pipeline_destroy(plain);
    return 0;
}

static int reset(void **state)
{
    (void)state;
    err = (struct pf_error)PF_ERROR_INIT;
    return 0;
}

static tensor input(struct scope *s, int64_t rows)
{
    size_t count = (size_t)(rows * IN * HEIGHT * WIDTH);
    AUTO_FREE float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)sin((double)i * 0.37 + (double)(i / 101));
    return tensor_from_f32(s, values, DIMS(rows, IN, HEIGHT, WIDTH));
}

/* max|a-b| over max|b| */
static double distance(struct scope *s, tensor a, tensor b)
{
    assert_true(tensor_same_shape(a, b));
    tensor difference = op_amax(s, op_abs(s, op_sub(s, a, b)), DIMS(0, 1, 2, 3), 0);
    tensor scale = op_amax(s, op_abs(s, b), DIMS(0, 1, 2, 3), 0);
    double ratio = tensor_scalar(s, difference) / tensor_scalar(s, scale);
    assert_true(scope_ok(s));
    return ratio;
}

static tensor one(struct scope *s, tensor x, float t, const struct unet_context *context)
{
    return unet_forward(tiny->unet, s, x, &t, &context);
}

static void test_shape(void **state)
{
    (void)state;
    SCOPE(s, &err);
    tensor eps = one(&s, input(&s, 1), 500, contexts[0]);
    assert_int_equal(tensor_dim_count(eps), 4);
    assert_int_equal(tensor_dim(eps, 0), 1);
    assert_int_equal(tensor_dim(eps, 1), OUT);
    assert_int_equal(tensor_dim(eps, 2), HEIGHT);
    assert_int_equal(tensor_dim(eps, 3), WIDTH);
    assert_int_equal(tensor_type(eps), TENSOR_F32);
    assert_true(op_is_finite(&s, eps));
}

/* Rows with their own t and context, together and alone. */
static void test_rows_are_independent(void **state)
{
    (void)state;
    SCOPE(s, &err);
    enum { ROWS = 4 };
    const float t[ROWS] = {999, 0, 412.25F, 0};
    const struct unet_context *mixed[ROWS] = {contexts[0], contexts[1], contexts[2], contexts[0]};
    tensor x = input(&s, ROWS);
    tensor eps = unet_forward(tiny->unet, &s, x, t, mixed);
    for (int i = 0; i < ROWS; i++) {
        tensor alone = one(&s, op_narrow(&s, x, 0, i, 1), t[i], mixed[i]);
        assert_true(distance(&s, op_narrow(&s, eps, 0, i, 1), alone) < ROUNDING);
    }
}

/* One context for all rows is not copied for each, but counts as if. */
static void test_shared_context(void **state)
{
    (void)state;
    SCOPE(s, &err);
    const float t[] = {300, 300, 300};
    const struct unet_context *shared[] = {contexts[0], contexts[0], contexts[0]};
    const struct unet_context *mixed[] = {contexts[0], contexts[0], contexts[1]};
    tensor x = input(&s, 3);
    tensor a = unet_forward(tiny->unet, &s, x, t, shared);
    tensor b = unet_forward(tiny->unet, &s, x, t, mixed);
    assert_true(distance(&s, op_narrow(&s, a, 0, 0, 2), op_narrow(&s, b, 0, 0, 2)) < ROUNDING);
    assert_true(distance(&s, op_narrow(&s, a, 0, 2, 1), op_narrow(&s, b, 0, 2, 1)) > 1e-3);
}

/* The timestep is a float: a fraction counts, and a little of it counts a little. */
static void test_timestep_is_a_float(void **state)
{
    (void)state;
    SCOPE(s, &err);
    tensor x = input(&s, 1);
    tensor at = one(&s, x, 500, contexts[0]);
    double little = distance(&s, one(&s, x, 500.05F, contexts[0]), at);
    double half = distance(&s, one(&s, x, 500.5F, contexts[0]), at);
    double whole = distance(&s, one(&s, x, 501, contexts[0]), at);
    assert_true(little > 1e-5);
    assert_true(half > 2 * little);
    assert_true(whole > half);
}

static void test_everything_counts(void **state)
{
    (void)state;
    SCOPE(s, &err);
    tensor x = input(&s, 1), latent = op_narrow(&s, x, 1, 0, OUT);
    tensor image = op_narrow(&s, x, 1, OUT, OUT);
    tensor at = one(&s, x, 500, contexts[0]);
    assert_true(distance(&s, one(&s, x, 500, contexts[0]), at) == 0);
    assert_true(distance(&s, one(&s, x, 500, contexts[1]), at) > 1e-3); /* auxiliary text */
    assert_true(distance(&s, one(&s, x, 500, contexts[2]), at) > 1e-3); /* instruction */
    tensor grey[] = {latent, op_mul_scalar(&s, image, 0)};
    assert_true(distance(&s, one(&s, op_cat(&s, grey, 2, 1), 500, contexts[0]), at) > 1e-3);
}

static void assert_rejected(int64_t channels, int64_t height, int64_t width)
{
    SCOPE(s, &err);
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    assert_null(one(&s, op_zeros(&s, place, DIMS(1, channels, height, width)), 500, contexts[0]));
    assert_int_equal(err.status, PF_INVALID);
    assert_non_null(strstr(err.message, "8 channels and multiples of 2"));
    reset(NULL);
}

static void test_wrong_sizes(void **state)
{
    (void)state;
    assert_rejected(4, 8, 8);
    assert_rejected(8, 7, 8);
    assert_rejected(8, 8, 9);
}

static void test_context_wants_both_texts(void **state)
{
    (void)state;
    SCOPE(s, &err);
    struct unet_context *context = NULL;
    tensor text = contexts_encode(&tiny->contexts, &s, "haze");
    assert_fails(
        unet_context_create(&context, tiny->unet, text, NULL, &err), PF_INVALID, "auxiliary", &err);
    assert_null(context);
    unet_context_destroy(NULL);
}

/* A model without attn_extra takes no second text, and ignores one. */
static void test_without_extra(void **state)
{
    (void)state;
    SCOPE(s, &err);
    struct unet_context *bare = NULL, *both = NULL;
    float t = 500;
    tensor text = contexts_encode(&plain->contexts, &s, "haze");
    assert_ok(unet_context_create(&bare, plain->unet, text, NULL, &err), &err);
    assert_ok(unet_context_create(&both, plain->unet, text, text, &err), &err);
    tensor x = input(&s, 1);
    tensor a = unet_forward(plain->unet, &s, x, &t, (const struct unet_context *const[]){bare});
    tensor b = unet_forward(plain->unet, &s, x, &t, (const struct unet_context *const[]){both});
    assert_true(distance(&s, a, b) == 0);
    unet_context_destroy(bare);
    unet_context_destroy(both);
}

static void test_bfloat16(void **state)
{
    (void)state;
    SCOPE(s, &err);
    struct pipeline *half = fixture_pipeline(fixture_model("tiny"), PRECISION_BF16);
    float t = 500;
    tensor x = input(&s, 1);
    const struct unet_context *null_text = half->null_context;
    tensor rough = unet_forward(half->unet, &s, x, &t, &null_text);
    tensor exact = one(&s, x, t, tiny->null_context);
    assert_int_equal(tensor_type(rough), TENSOR_F32);
    double error = distance(&s, rough, exact);
    if (!(error > 0 && error < 0.05))
        fail_msg("bfloat16 is off by %g of the largest value", error);
    pipeline_destroy(half);
}

/* The gradient with respect to the input, along itself, against a finite difference. */
static double mean_square(tensor x)
{
    SCOPE(s, &err);
    return tensor_scalar(&s, op_mean_all(&s, op_square(&s, one(&s, x, 500, contexts[0]))));
}

static void test_gradient_reaches_the_input(void **state)
{
    (void)state;
    SCOPE(s, &err);
    tensor leaf = op_set_requires_grad(&s, input(&s, 1), 1), grad = NULL;
    tensor_grad_enable(1);
    tensor eps = one(&s, leaf, 500, contexts[0]);
    op_backward(&s, op_mean_all(&s, op_square(&s, eps)), &leaf, 1, &grad);
    tensor_grad_enable(0);
    double power = tensor_scalar(&s, op_sum_all(&s, op_square(&s, grad)));
    double h = 3e-2 / sqrt(power);
    tensor x = op_detach(&s, leaf);
    double above = mean_square(op_add(&s, x, op_mul_scalar(&s, grad, h)));
    double below = mean_square(op_add(&s, x, op_mul_scalar(&s, grad, -h)));
    assert_true(scope_ok(&s));
    double slope = (above - below) / (2 * h);
    if (!(fabs(slope - power) < 0.05 * power))
        fail_msg("slope %g, gradient %g", slope, power);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_shape),
        TEST(test_rows_are_independent),
        TEST(test_shared_context),
        TEST(test_timestep_is_a_float),
        TEST(test_everything_counts),
        TEST(test_wrong_sizes),
        TEST(test_context_wants_both_texts),
        TEST(test_without_extra),
        TEST(test_bfloat16),
        TEST(test_gradient_reaches_the_input),
    };
    return cmocka_run_group_tests_name("unet", tests, load, unload);
}
