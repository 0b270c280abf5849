/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/vae/vae.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"

/* The model's: three levels of 32 channels, one residual block each, 4 latent channels. */
enum { FEATURES = 6, FACTOR = 4, HEIGHT = 24, WIDTH = 40 };

static struct pipeline *tiny, *plain;
static struct pf_error err;

static int load(void **state)
{
    (void)state;
    tiny = fixture_pipeline(fixture_model("tiny"), PRECISION_F32);
    plain = fixture_pipeline(fixture_model("plain"), PRECISION_F32);
    return 0;
}

static int unload(void **state)
{
    (void)state;
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

static tensor wave(struct scope *s, int64_t rows, int64_t channels, int64_t height, int64_t width)
{
    size_t count = (size_t)(rows * channels * height * width);
    AUTO_FREE float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)sin((double)i * 0.37 + (double)(i / 101));
    return tensor_from_f32(s, values, DIMS(rows, channels, height, width));
}

static void assert_dims(tensor t, const int64_t dims[4])
{
    assert_int_equal(tensor_dim_count(t), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(tensor_dim(t, i), dims[i]);
}

/* The largest difference between two places of a picture, over its largest value. */
static double unevenness(struct scope *s, tensor a)
{
    tensor first = op_narrow(s, op_narrow(s, a, 2, 0, 1), 3, 0, 1);
    tensor scale = op_amax(s, op_abs(s, a), DIMS(0, 1, 2, 3), 0);
    tensor most = op_amax(s, op_abs(s, op_sub(s, a, first)), DIMS(0, 1, 2, 3), 0);
    double ratio = tensor_scalar(s, most) / tensor_scalar(s, scale);
    assert_true(scope_ok(s));
    return ratio;
}

/* A plain picture has a plain latent and is decoded to a plain picture, borders included, if what
 * the convolutions see beyond them is the picture's own. The model's norms are of several channels:
 * over one alone a plain picture has no spread but rounding, which they would blow up. */
static void test_edge_padding_sees_no_border(void **state)
{
    (void)state;
    struct pipeline *edge = fixture_pipeline(fixture_model("v_change"), PRECISION_F32);
    SCOPE(s, &err);
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    tensor plain_picture = op_full(&s, place, 0.3, DIMS(1, 3, HEIGHT, WIDTH));
    struct vae_skips skips;
    tensor moments = vae_encode(edge->vae, &s, plain_picture, &skips);
    assert_true(unevenness(&s, moments) < 1e-4);
    tensor decoded = vae_decode(edge->vae, &s, op_narrow(&s, moments, 1, 0, 4), &skips, NULL);
    assert_true(unevenness(&s, decoded) < 1e-4);
    assert_true(unevenness(&s, vae_encode(tiny->vae, &s, plain_picture, NULL)) > 1e-2);
    pipeline_destroy(edge);
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

static void test_shapes(void **state)
{
    (void)state;
    SCOPE(s, &err);
    struct vae_skips skips;
    tensor moments = vae_encode(tiny->vae, &s, wave(&s, 2, 3, HEIGHT, WIDTH), &skips);
    assert_dims(moments, (int64_t[]){2, 8, HEIGHT / FACTOR, WIDTH / FACTOR});
    assert_int_equal(skips.count, FEATURES);
    static const int halvings[FEATURES] = {0, 0, 1, 1, 2, 2};
    for (int i = 0; i < FEATURES; i++)
        assert_dims(
            skips.features[i], (int64_t[]){2, 32, HEIGHT >> halvings[i], WIDTH >> halvings[i]});
    tensor mode = vae_mode(&s, moments);
    assert_dims(mode, (int64_t[]){2, 4, HEIGHT / FACTOR, WIDTH / FACTOR});
    assert_int_equal(tensor_type(mode), TENSOR_F32);
    tensor pixels = vae_decode(tiny->vae, &s, mode, &skips, NULL);
    assert_dims(pixels, (int64_t[]){2, 3, HEIGHT, WIDTH});
    assert_true(scope_ok(&s) && op_is_finite(&s, pixels));
}

/* The mode is the first half of the moments. */
static void test_mode(void **state)
{
    (void)state;
    SCOPE(s, &err);
    tensor moments = vae_encode(tiny->vae, &s, wave(&s, 1, 3, HEIGHT, WIDTH), NULL);
    tensor half = op_narrow(&s, moments, 1, 0, 4);
    assert_true(distance(&s, vae_mode(&s, moments), half) == 0);
}

/* A decoder that changes the picture: with mid-grey (0) and white (1) for the picture beside the
 * same features, offset and 1 + gain show, and so what any other picture must become. Without one
 * it fails. */
static void check_affine(const char *name, int has_bands)
{
    struct pipeline *affine = fixture_pipeline(fixture_model(name), PRECISION_F32);
    struct pf_error missing = PF_ERROR_INIT;
    SCOPE(s, &err);
    struct vae_skips skips;
    tensor pixels = wave(&s, 2, 3, HEIGHT, WIDTH);
    tensor mode = vae_mode(&s, vae_encode(affine->vae, &s, pixels, &skips));
    tensor got = vae_decode(affine->vae, &s, mode, &skips, NULL);
    assert_dims(got, (int64_t[]){2, 3, HEIGHT, WIDTH});
    skips.picture = op_mul_scalar(&s, pixels, 0);
    tensor offset = vae_decode(affine->vae, &s, mode, &skips, NULL);
    skips.picture = op_add_scalar(&s, skips.picture, 1);
    tensor gain = op_sub(&s, vae_decode(affine->vae, &s, mode, &skips, NULL), offset);
    tensor expected = op_add(&s, op_mul(&s, pixels, gain), offset);
    if (has_bands) /* of which a plain picture has nothing */
        assert_true(distance(&s, got, expected) > 1e-4);
    else
        assert_true(distance(&s, got, expected) < 1e-5);
    assert_true(distance(&s, gain, skips.picture) > 1e-3);
    assert_true(distance(&s, offset, op_mul_scalar(&s, offset, 0)) > 1e-3);
    SCOPE(failing, &missing);
    (void)!vae_decode(affine->vae, &failing, mode, NULL, NULL);
    assert_int_equal(missing.status, PF_INVALID);
    assert_non_null(strstr(missing.message, "needs the picture"));
    pipeline_destroy(affine);
}

static void test_the_picture_is_changed(void **state)
{
    (void)state;
    check_affine("affine", 0);
    check_affine("affine_plain", 0);
    check_affine("bands", 1);
}

static void test_skips_count(void **state)
{
    (void)state;
    SCOPE(s, &err);
    struct vae_skips skips, other;
    tensor mode = vae_mode(&s, vae_encode(tiny->vae, &s, wave(&s, 1, 3, HEIGHT, WIDTH), &skips));
    tensor dark = op_mul_scalar(&s, wave(&s, 1, 3, HEIGHT, WIDTH), 0.1);
    (void)!vae_encode(tiny->vae, &s, dark, &other);
    tensor with = vae_decode(tiny->vae, &s, mode, &skips, NULL);
    tensor without = vae_decode(tiny->vae, &s, mode, NULL, NULL);
    tensor with_other = vae_decode(tiny->vae, &s, mode, &other, NULL);
    assert_true(distance(&s, with, without) > 1e-2);
    assert_true(distance(&s, with, with_other) > 1e-2);
    assert_true(distance(&s, vae_decode(tiny->vae, &s, mode, &skips, NULL), with) == 0);
}

/* Zero up-convolutions take the term out, whatever the skips. */
static void test_given_lora_is_used(void **state)
{
    (void)state;
    SCOPE(s, &err);
    struct vae_skips skips;
    struct vae_lora copy;
    tensor mode = vae_mode(&s, vae_encode(tiny->vae, &s, wave(&s, 1, 3, HEIGHT, WIDTH), &skips));
    tensor own = vae_decode(tiny->vae, &s, mode, &skips, NULL);
    vae_lora_copy(tiny->vae, &s, &copy);
    assert_int_equal(copy.count, FEATURES);
    assert_true(distance(&s, vae_decode(tiny->vae, &s, mode, &skips, &copy), own) == 0);
    for (int i = 0; i < copy.count; i++)
        op_mul_scalar_in(&s, copy.up[i], 0);
    tensor without = vae_decode(tiny->vae, &s, mode, NULL, NULL);
    assert_true(distance(&s, vae_decode(tiny->vae, &s, mode, &skips, &copy), without) < 1e-5);
    assert_true(distance(&s, vae_decode(tiny->vae, &s, mode, &skips, NULL), own) == 0); /* a copy */
}

static void test_rows_are_independent(void **state)
{
    (void)state;
    SCOPE(s, &err);
    struct vae_skips skips, skips1;
    tensor pixels = wave(&s, 2, 3, HEIGHT, WIDTH), second = op_narrow(&s, pixels, 0, 1, 1);
    tensor modes = vae_mode(&s, vae_encode(tiny->vae, &s, pixels, &skips));
    tensor mode = vae_mode(&s, vae_encode(tiny->vae, &s, second, &skips1));
    assert_true(distance(&s, op_narrow(&s, modes, 0, 1, 1), mode) < 1e-4);
    tensor decoded = vae_decode(tiny->vae, &s, modes, &skips, NULL);
    tensor decoded1 = vae_decode(tiny->vae, &s, mode, &skips1, NULL);
    assert_true(distance(&s, op_narrow(&s, decoded, 0, 1, 1), decoded1) < 1e-4);
}

static void test_skips_that_do_not_fit(void **state)
{
    (void)state;
    SCOPE(s, &err);
    struct vae_skips skips;
    tensor mode = vae_mode(&s, vae_encode(tiny->vae, &s, wave(&s, 1, 3, HEIGHT, WIDTH), &skips));
    skips.count--;
    assert_null(vae_decode(tiny->vae, &s, mode, &skips, NULL));
    assert_int_equal(err.status, PF_INVALID);
    assert_non_null(strstr(err.message, "5 skip features"));
    assert_null(vae_decode(tiny->vae, &s, mode, NULL, NULL)); /* nothing works after an error */
}

static void test_without_lora(void **state)
{
    (void)state;
    SCOPE(s, &err);
    struct vae_skips skips;
    assert_int_equal(vae_lora(plain->vae)->count, 0);
    tensor mode = vae_mode(&s, vae_encode(plain->vae, &s, wave(&s, 1, 3, HEIGHT, WIDTH), &skips));
    tensor with = vae_decode(plain->vae, &s, mode, &skips, NULL);
    assert_true(distance(&s, vae_decode(plain->vae, &s, mode, NULL, NULL), with) == 0);
}

static void test_lora_names(void **state)
{
    (void)state;
    static const char *const names[FEATURES] = {"decoder.up.2.block.0", "decoder.up.2.block.1",
        "decoder.up.1.block.0", "decoder.up.1.block.1", "decoder.up.0.block.0",
        "decoder.up.0.block.1"};
    char name[VAE_LORA_NAME_MAX];
    for (int i = 0; i < FEATURES; i++) {
        vae_lora_name(tiny->vae, i, name);
        assert_string_equal(name, names[i]);
    }
}

/* The gradient of a decode with respect to one LoRA weight, against a finite difference. */
static double decoded_sum(const struct vae_skips *skips, tensor mode, const struct vae_lora *lora)
{
    SCOPE(s, &err);
    tensor pixels = vae_decode(tiny->vae, &s, mode, skips, lora);
    return tensor_scalar(&s, op_mean_all(&s, op_square(&s, pixels)));
}

static void test_gradient_reaches_the_lora(void **state)
{
    (void)state;
    SCOPE(s, &err);
    struct vae_skips skips;
    struct vae_lora copy;
    tensor mode = vae_mode(&s, vae_encode(tiny->vae, &s, wave(&s, 1, 3, HEIGHT, WIDTH), &skips));
    vae_lora_copy(tiny->vae, &s, &copy);
    for (int i = 0; i < FEATURES; i += FEATURES - 1) {
        tensor leaf = op_set_requires_grad(&s, copy.up[i], 1), grad = NULL;
        tensor_grad_enable(1);
        tensor pixels = vae_decode(tiny->vae, &s, mode, &skips, &copy);
        op_backward(&s, op_mean_all(&s, op_square(&s, pixels)), &leaf, 1, &grad);
        tensor_grad_enable(0);
        /* along the gradient: d/dh L(w + h·g) = |g|² */
        double power = tensor_scalar(&s, op_sum_all(&s, op_square(&s, grad)));
        double h = 1e-2 / sqrt(power);
        op_add_in(&s, copy.up[i], op_mul_scalar(&s, grad, h));
        double above = decoded_sum(&skips, mode, &copy);
        op_add_in(&s, copy.up[i], op_mul_scalar(&s, grad, -2 * h));
        double below = decoded_sum(&skips, mode, &copy);
        op_add_in(&s, copy.up[i], op_mul_scalar(&s, grad, h));
        copy.up[i] = op_detach(&s, copy.up[i]);
        assert_true(scope_ok(&s));
        double slope = (above - below) / (2 * h);
        if (!(fabs(slope - power) < 0.05 * power))
            fail_msg("LoRA %d: slope %g, gradient %g", i, slope, power);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_shapes),
        TEST(test_edge_padding_sees_no_border),
        TEST(test_mode),
        TEST(test_the_picture_is_changed),
        TEST(test_skips_count),
        TEST(test_given_lora_is_used),
        TEST(test_rows_are_independent),
        TEST(test_skips_that_do_not_fit),
        TEST(test_without_lora),
        TEST(test_lora_names),
        TEST(test_gradient_reaches_the_lora),
    };
    return cmocka_run_group_tests_name("vae", tests, load, unload);
}
