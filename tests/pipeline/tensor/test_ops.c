/* SPDX-License-Identifier: Apache-2.0 */
/* Operations whose arguments could be mixed up, and the layers made of them, on numbers small
 * enough to check by hand; then in bfloat16. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/tensor/nn.h"

enum { VALUES_MAX = 4096 };

static void assert_values(tensor t, const double *want, int64_t count, struct pf_error *err)
{
    float got[VALUES_MAX];
    assert_true(count <= VALUES_MAX);
    assert_int_equal(tensor_count(t), count);
    assert_ok(tensor_to_f32(t, got, count, err), err);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - want[i]) < 1e-5 * fmax(1, fabs(want[i]))))
            fail_msg("value %lld is %g, expected %g", (long long)i, (double)got[i], want[i]);
}

#define ASSERT_VALUES(t, err, ...)                                                                 \
    assert_values(t, (const double[]){__VA_ARGS__},                                                \
        (int64_t)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), err)

static const float six[] = {1, 2, 3, 4, 5, 6};

static void test_elements(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor a = tensor_from_f32(&s, six, DIMS(3)), b = tensor_from_f32(&s, six + 3, DIMS(3));
    ASSERT_VALUES(op_sub(&s, a, b), &err, -3, -3, -3);
    ASSERT_VALUES(op_div(&s, b, a), &err, 4, 2.5, 2);
    ASSERT_VALUES(op_add_scalar(&s, a, -1), &err, 0, 1, 2);
    ASSERT_VALUES(op_pow(&s, a, 3), &err, 1, 8, 27);
    ASSERT_VALUES(op_clamp(&s, a, 1.5, 2.5), &err, 1.5, 2, 2.5);
    ASSERT_VALUES(op_exp(&s, op_neg(&s, a)), &err, exp(-1), exp(-2), exp(-3));
    ASSERT_VALUES(op_silu(&s, a), &err, 1 / (1 + exp(-1)), 2 / (1 + exp(-2)), 3 / (1 + exp(-3)));
    ASSERT_VALUES(op_gelu(&s, a), &err, 0.841344746, 1.954499736, 2.995950306);
    tensor same = op_add_in(&s, a, b);
    assert_ptr_equal(same, a);
    ASSERT_VALUES(a, &err, 5, 7, 9);
    ASSERT_VALUES(op_mul_scalar_in(&s, a, 2), &err, 10, 14, 18);
}

static void test_shapes(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor a = tensor_from_f32(&s, six, DIMS(2, 3));
    ASSERT_VALUES(op_permute(&s, a, DIMS(1, 0)), &err, 1, 4, 2, 5, 3, 6);
    ASSERT_VALUES(op_narrow(&s, a, 1, 1, 2), &err, 2, 3, 5, 6);
    ASSERT_VALUES(op_select(&s, a, 0, 1), &err, 4, 5, 6);
    ASSERT_VALUES(op_flip(&s, a, DIMS(1)), &err, 3, 2, 1, 6, 5, 4);
    ASSERT_VALUES(op_triu(&s, a, 1), &err, 0, 2, 3, 0, 0, 6);
    tensor rows[] = {op_narrow(&s, a, 0, 1, 1), op_narrow(&s, a, 0, 0, 1)};
    ASSERT_VALUES(op_cat(&s, rows, 2, 0), &err, 4, 5, 6, 1, 2, 3);
    ASSERT_VALUES(op_cat(&s, rows, 2, 1), &err, 4, 5, 6, 1, 2, 3);
    ASSERT_VALUES(op_stack(&s, rows, 2, 2), &err, 4, 1, 5, 2, 6, 3);
    /* left, right, top, bottom */
    ASSERT_VALUES(op_pad(&s, a, DIMS(0, 1, 1, 0)), &err, 0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0);
    tensor picture = op_reshape(&s, a, DIMS(1, 1, 2, 3));
    ASSERT_VALUES(op_pad_edge(&s, picture, 0, 1), &err, 1, 2, 3, 3, 4, 5, 6, 6, 4, 5, 6, 6);
    ASSERT_VALUES(op_pad_edge(&s, picture, 2, 0), &err, 1, 1, 1, 2, 3, 1, 1, 1, 2, 3, 1, 1, 1, 2, 3,
        4, 4, 4, 5, 6);
    ASSERT_VALUES(op_pad_edge(&s, op_channels_last(&s, picture), 0, 1), &err, 1, 2, 3, 3, 4, 5, 6,
        6, 4, 5, 6, 6);
    tensor one = op_expand(&s, op_narrow(&s, a, 0, 0, 1), DIMS(2, -1));
    ASSERT_VALUES(one, &err, 1, 2, 3, 1, 2, 3);
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    ASSERT_VALUES(op_arange(&s, place, 3), &err, 0, 1, 2);
    ASSERT_VALUES(op_full(&s, place, 2.5, DIMS(1, 2)), &err, 2.5, 2.5);
}

/* In both memory formats. Each place's gradient is the sum of the weights of all places it was
 * repeated at. */
static void test_edge_padding_of_channels(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    int former = tensor_grad_enable(1);
    float weights[2 * 5 * 6];
    for (int i = 0; i < 60; i++)
        weights[i] = (float)(i + 1);
    for (int is_last = 0; is_last <= 1; is_last++) { /* [1,2,2,3] padded by 1 before and 2 after */
        tensor x =
            op_reshape(&s, op_arange(&s, (struct tensor_place){TORCH_DEVICE_CPU, TENSOR_F32}, 12),
                DIMS(1, 2, 2, 3));
        x = op_set_requires_grad(&s, is_last ? op_channels_last(&s, x) : op_clone(&s, x), 1);
        tensor w = tensor_from_f32(&s, weights, DIMS(1, 2, 5, 6)), grad = NULL;
        tensor padded = op_pad_edge(&s, x, 1, 2);
        op_backward(&s, op_sum_all(&s, op_mul(&s, padded, w)), &x, 1, &grad);
        float values[60], got[12], want[12] = {0};
        assert_ok(tensor_to_f32(padded, values, 60, &err), &err);
        assert_ok(tensor_to_f32(grad, got, 12, &err), &err);
        for (int i = 0; i < 60; i++) {
            int channel = i / 30, row = i / 6 % 5 - 1, column = i % 6 - 1;
            row = row < 0 ? 0 : row > 1 ? 1 : row;
            column = column < 0 ? 0 : column > 2 ? 2 : column;
            int from = channel * 6 + row * 3 + column;
            assert_true(values[i] == (float)from);
            want[from] += weights[i];
        }
        for (int i = 0; i < 12; i++)
            assert_true(got[i] == want[i]);
    }
    tensor_grad_enable(former);
}

static void test_reductions(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor a = tensor_from_f32(&s, six, DIMS(2, 3));
    ASSERT_VALUES(op_mean(&s, a, DIMS(0), 0), &err, 2.5, 3.5, 4.5);
    tensor kept = op_sum(&s, a, DIMS(1), 1);
    assert_int_equal(tensor_dim_count(kept), 2);
    ASSERT_VALUES(kept, &err, 6, 15);
    ASSERT_VALUES(op_amax(&s, a, DIMS(0, 1), 0), &err, 6);
    ASSERT_VALUES(op_mean_all(&s, a), &err, 3.5);
    double e1 = exp(-1), e2 = exp(-2), sum = 1 + e1 + e2;
    ASSERT_VALUES(op_softmax(&s, op_select(&s, a, 0, 0), 0), &err, e2 / sum, e1 / sum, 1 / sum);
    assert_int_equal(op_is_finite(&s, a), 1);
    assert_int_equal(op_is_finite(&s, op_log(&s, op_add_scalar(&s, a, -1))), 0);
}

static void test_products(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor a = tensor_from_f32(&s, six, DIMS(2, 3));
    ASSERT_VALUES(op_matmul(&s, a, op_transpose(&s, a, 0, 1)), &err, 14, 32, 32, 77);
    const float bias[] = {1, -1};
    struct nn_linear linear = {a, tensor_from_f32(&s, bias, DIMS(2))};
    tensor x = tensor_from_f32(&s, six, DIMS(1, 3));
    ASSERT_VALUES(nn_linear(&s, &linear, x), &err, 15, 31);
    linear.bias = NULL;
    ASSERT_VALUES(nn_linear(&s, &linear, x), &err, 14, 32);
    const int64_t ids[] = {1, 0, 1};
    ASSERT_VALUES(
        op_embedding(&s, a, tensor_from_i64(&s, ids, DIMS(3))), &err, 4, 5, 6, 1, 2, 3, 4, 5, 6);
    /* correlation, not convolution; stride and padding */
    tensor picture = tensor_from_f32(&s, six, DIMS(1, 1, 2, 3));
    const float kernel[] = {0, 0, 0, 0, 1, 10, 0, 0, 0};
    tensor weight = tensor_from_f32(&s, kernel, DIMS(1, 1, 3, 3));
    ASSERT_VALUES(op_conv2d(&s, picture, weight, NULL, 1, 1), &err, 21, 32, 3, 54, 65, 6);
    ASSERT_VALUES(op_conv2d(&s, picture, weight, NULL, 2, 1), &err, 21, 3);
    struct nn_conv2d conv = {weight, NULL, 1, 1, 0};
    ASSERT_VALUES(nn_conv2d(&s, &conv, picture), &err, 21, 32, 3, 54, 65, 6);
    ASSERT_VALUES(nn_pad_end(&s, &conv, picture), &err, 1, 2, 3, 0, 4, 5, 6, 0, 0, 0, 0, 0);
    conv.pads_edge = 1;
    ASSERT_VALUES(nn_conv2d(&s, &conv, picture), &err, 21, 32, 33, 54, 65, 66);
    ASSERT_VALUES(nn_pad_end(&s, &conv, picture), &err, 1, 2, 3, 3, 4, 5, 6, 6, 4, 5, 6, 6);
}

static void test_norms(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    const float weight[] = {1, 2, 3}, bias[] = {0, 0, 1};
    struct nn_layer_norm layer = {
        tensor_from_f32(&s, weight, DIMS(3)), tensor_from_f32(&s, bias, DIMS(3)), 0};
    double r = sqrt(1.5);
    tensor a = tensor_from_f32(&s, six, DIMS(2, 3));
    ASSERT_VALUES(nn_layer_norm(&s, &layer, a), &err, -r, 0, 3 * r + 1, -r, 0, 3 * r + 1);

    /* 64 channels of one pixel: groups of two, with values ±1 around their mean */
    float values[64], ones[64], zeros[64] = {0};
    double want[64], silu[64];
    for (int i = 0; i < 64; i++) {
        values[i] = (float)(10 * (i / 2) + (i % 2 ? 3 : 1));
        ones[i] = 1;
        want[i] = i % 2 ? 1 : -1;
        silu[i] = want[i] / (1 + exp(-want[i]));
    }
    struct nn_group_norm group = {
        tensor_from_f32(&s, ones, DIMS(64)), tensor_from_f32(&s, zeros, DIMS(64)), 0, 32};
    tensor x = tensor_from_f32(&s, values, DIMS(1, 64, 1, 1));
    assert_values(nn_group_norm(&s, &group, x), want, 64, &err);
    assert_values(nn_group_norm_silu(&s, &group, x), silu, 64, &err);
    assert_true(tensor_scalar(&s, op_narrow(&s, op_reshape(&s, x, DIMS(-1)), 0, 0, 1)) == 1);
}

static void test_resampling(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor a = tensor_from_f32(&s, six, DIMS(1, 1, 2, 3));
    ASSERT_VALUES(op_upsample_nearest(&s, a, 2, 6), &err, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6);
    tensor top = op_narrow(&s, a, 2, 0, 1);
    ASSERT_VALUES(op_max_pool(&s, a, 3, 1, 1), &err, 5, 6, 6, 5, 6, 6);
    ASSERT_VALUES(op_avg_pool(&s, op_cat(&s, (tensor[]){top, top}, 2, 2), 2, 1, 0), &err, 1.5, 2.5);
    tensor back = op_ifft2(&s, op_fft2(&s, a));
    ASSERT_VALUES(op_abs(&s, back), &err, 1, 2, 3, 4, 5, 6);
    ASSERT_VALUES(op_abs(&s, op_fft2(&s, op_narrow(&s, a, 2, 0, 1))), &err, 6, sqrt(3), sqrt(3));
}

static void test_tokens_and_heads(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    tensor x = op_reshape(&s, op_arange(&s, place, 24), DIMS(1, 4, 2, 3));
    tensor tokens = nn_to_tokens(&s, op_channels_last(&s, x));
    assert_int_equal(tensor_dim(tokens, 1), 6);
    ASSERT_VALUES(op_narrow(&s, tokens, 1, 1, 1), &err, 1, 7, 13, 19);
    tensor difference = op_sub(&s, nn_from_tokens(&s, tokens, 2, 3), x);
    assert_true(tensor_scalar(&s, op_sum_all(&s, op_abs(&s, difference))) == 0);
    tensor heads = nn_split_heads(&s, tokens, 2);
    assert_int_equal(tensor_dim(heads, 1), 2);
    ASSERT_VALUES(op_select(&s, op_select(&s, heads, 1, 1), 1, 0), &err, 12, 18);
    difference = op_sub(&s, nn_merge_heads(&s, heads), tokens);
    assert_true(tensor_scalar(&s, op_sum_all(&s, op_abs(&s, difference))) == 0);
}

/* Written over where allowed, a new tensor where a gradient is recorded. */
static void test_add_to(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor a = tensor_from_f32(&s, six, DIMS(3)), b = tensor_from_f32(&s, six, DIMS(3));
    assert_ptr_equal(nn_add_to(&s, a, b), a);
    ASSERT_VALUES(a, &err, 2, 4, 6);
    int former = tensor_grad_enable(1);
    tensor leaf = op_set_requires_grad(&s, op_clone(&s, b), 1);
    tensor sum = nn_add_to(&s, b, leaf);
    assert_ptr_not_equal(sum, b);
    assert_true(tensor_requires_grad(sum));
    tensor_grad_enable(former);
    ASSERT_VALUES(b, &err, 1, 2, 3);
}

/* The kernels that models run in bfloat16, against the same in float32. */
static void test_bfloat16(void **state)
{
    (void)state;
    enum { COUNT = 8 * 64 * 3 * 3 }; /* of the larger, the weights */
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    AUTO_FREE float *values = malloc(COUNT * sizeof *values);
    for (int i = 0; i < COUNT; i++)
        values[i] = sinf((float)(i * i % 1009));
    tensor x = op_channels_last(&s, tensor_from_f32(&s, values, DIMS(1, 64, 8, 8)));
    tensor w = op_mul_scalar(&s, tensor_from_f32(&s, values, DIMS(8, 64, 3, 3)), 0.05);
    tensor ones = op_full(&s, (struct tensor_place){TORCH_DEVICE_CPU, TENSOR_F32}, 1, DIMS(64));
    tensor half_x = op_to_type(&s, x, TENSOR_BF16), half_w = op_to_type(&s, w, TENSOR_BF16);
    tensor half_ones = op_to_type(&s, ones, TENSOR_BF16);
    /* norms over as many elements as a picture's: sums in bfloat16 would stop growing */
    tensor large = op_upsample_nearest(&s, op_narrow(&s, x, 1, 0, 4), 256, 256);
    large = op_channels_last(&s, op_add_scalar(&s, large, 1));
    tensor half_large = op_to_type(&s, large, TENSOR_BF16);
    tensor four = op_narrow(&s, ones, 0, 0, 4), half_four = op_narrow(&s, half_ones, 0, 0, 4);
    tensor pairs[][2] = {{op_group_norm(&s, large, 2, four, four, 1e-5),
                             op_group_norm(&s, half_large, 2, half_four, half_four, 1e-5)},
        {op_conv2d(&s, x, w, NULL, 1, 1), op_conv2d(&s, half_x, half_w, NULL, 1, 1)},
        {op_group_norm(&s, x, 32, ones, ones, 1e-5),
            op_group_norm(&s, half_x, 32, half_ones, half_ones, 1e-5)},
        {op_linear(&s, nn_to_tokens(&s, x), op_select(&s, op_select(&s, w, 3, 1), 2, 1), NULL),
            op_linear(&s, nn_to_tokens(&s, half_x),
                op_select(&s, op_select(&s, half_w, 3, 1), 2, 1), NULL)},
        {op_layer_norm(&s, nn_to_tokens(&s, x), ones, ones, 1e-5),
            op_layer_norm(&s, nn_to_tokens(&s, half_x), half_ones, half_ones, 1e-5)},
        {op_gelu(&s, x), op_gelu(&s, half_x)}, {op_silu(&s, x), op_silu(&s, half_x)},
        {op_upsample_nearest(&s, x, 16, 16), op_upsample_nearest(&s, half_x, 16, 16)},
        {op_softmax(&s, x, -1), op_softmax(&s, half_x, -1)}};
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_int_equal(tensor_type(pairs[i][1]), TENSOR_BF16);
        tensor single = op_to_type(&s, pairs[i][1], TENSOR_F32);
        tensor distance = op_amax(
            &s, op_reshape(&s, op_abs(&s, op_sub(&s, single, pairs[i][0])), DIMS(-1)), DIMS(0), 0);
        tensor scale = op_amax(&s, op_reshape(&s, op_abs(&s, pairs[i][0]), DIMS(-1)), DIMS(0), 0);
        double relative = tensor_scalar(&s, distance) / tensor_scalar(&s, scale);
        assert_ok(err.status, &err);
        if (!(relative < 0.02))
            fail_msg("kernel %zu: %g of its scale", i, relative);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_edge_padding_of_channels),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_resampling),
        cmocka_unit_test(test_tokens_and_heads),
        cmocka_unit_test(test_add_to),
        cmocka_unit_test(test_bfloat16),
    };
    tensor_grad_enable(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
