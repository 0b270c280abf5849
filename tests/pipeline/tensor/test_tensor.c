/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: who owns what, and what happens after an error. Leaks and double frees are the leak and
 * address sanitizers' to see. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "pipeline/tensor/nn.h"

static const float four[] = {1, 2, 3, 4};

static tensor make(struct scope *s)
{
    return tensor_from_f32(s, four, DIMS(2, 2));
}

static void test_keep_and_finish(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    tensor kept = NULL;
    {
        SCOPE(s, &err);
        tensor a = make(&s);
        tensor b = op_add(&s, a, a);
        assert_int_equal(s.count, 2);
        kept = scope_keep(&s, b);
        assert_ptr_equal(kept, b);
        assert_int_equal(s.count, 1);
        assert_null(scope_keep(&s, b)); /* not its any more */
        assert_null(scope_keep(&s, NULL));
    }
    float values[4];
    assert_ok(tensor_to_f32(kept, values, 4, &err), &err);
    assert_true(values[3] == 8);
    tensor_free(kept);
    tensor_free(NULL);
}

static void test_move_and_drop(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(outer, &err);
    tensor moved = NULL;
    {
        SCOPE(inner, &err);
        tensor a = make(&inner), b = make(&inner);
        moved = scope_move(&inner, a, &outer);
        assert_ptr_equal(moved, a);
        scope_drop(&inner, b);
        assert_int_equal(inner.count, 0);
        scope_drop(&inner, NULL);
    }
    assert_int_equal(outer.count, 1);
    assert_true(tensor_scalar(&outer, op_sum_all(&outer, moved)) == 10);
}

static void test_alias_outlives_its_source(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor a = make(&s);
    tensor alias = tensor_alias(&s, a);
    op_mul_scalar_in(&s, a, 2);
    scope_drop(&s, a);
    assert_true(tensor_scalar(&s, op_sum_all(&s, alias)) == 20);
}

static void test_many_tensors(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor sum = make(&s);
    for (int i = 0; i < 1000; i++)
        sum = op_add_scalar(&s, sum, 1);
    assert_int_equal(s.count, 1001);
    assert_true(tensor_scalar(&s, op_sum_all(&s, sum)) == 4010);
}

static void test_first_error_wins(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor a = make(&s);
    assert_true(scope_ok(&s));
    assert_null(op_reshape(&s, a, DIMS(5)));
    assert_false(scope_ok(&s));
    assert_int_equal(err.status, PF_INTERNAL);
    assert_non_null(strstr(err.message, "invalid for input of size 4"));
    struct pf_error first = err;
    size_t count = s.count;
    assert_null(op_reshape(&s, a, DIMS(7)));
    assert_null(op_add(&s, NULL, a));
    assert_memory_equal(&err, &first, sizeof err);
    assert_int_equal(s.count, count);
    free(get_and_reset_last_err());
}

/* Everything is a no-op after an error, with any arguments: also the composed operations. */
static void test_no_ops_after_an_error(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_BF16};
    tensor none = op_reshape(&s, make(&s), DIMS(5)), list[] = {none, none}, grads[1] = {NULL};
    struct nn_linear linear = {none, none};
    struct nn_conv2d conv = {none, none, 1, 1, 1};
    struct nn_group_norm group = {none, none, 1e-5, 32};
    struct nn_layer_norm layer = {none, none, 1e-5};
    tensor results[] = {op_add(&s, none, none), op_mul_scalar(&s, none, 2),
        op_clamp(&s, none, 0, 1), op_gelu(&s, none), op_silu_in(&s, none),
        op_add_in(&s, none, none), op_copy_in(&s, none, none), op_mul_scalar_in(&s, none, 1),
        op_cat(&s, list, 2, 0), op_stack(&s, list, 2, 0), op_pad(&s, none, DIMS(1, 1)),
        op_channels_last(&s, none), op_to_place(&s, none, place), op_zeros(&s, place, DIMS(2)),
        op_full(&s, place, 1, DIMS(2)), op_arange(&s, place, 3), op_softmax(&s, none, 0),
        op_amax(&s, none, DIMS(0), 1), op_mean_all(&s, none), op_matmul(&s, none, none),
        op_conv2d(&s, none, none, NULL, 1, 1), op_group_norm(&s, none, 32, none, none, 1e-5),
        op_layer_norm(&s, none, none, none, 1e-5), op_upsample_nearest(&s, none, 2, 2),
        op_avg_pool(&s, none, 3, 1, 1), op_max_pool(&s, none, 3, 1, 1), op_fft2(&s, none),
        op_attention(&s, none, none, none), op_set_requires_grad(&s, none, 1),
        tensor_alias(&s, none), make(&s), nn_linear(&s, &linear, none), nn_conv2d(&s, &conv, none),
        nn_pad_end(&s, &conv, none), nn_group_norm(&s, &group, none),
        nn_group_norm_silu(&s, &group, none), nn_layer_norm(&s, &layer, none),
        nn_add_to(&s, none, none), nn_to_tokens(&s, none), nn_from_tokens(&s, none, 2, 2),
        nn_split_heads(&s, none, 2), nn_merge_heads(&s, none), scope_move(&s, none, &s)};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (results[i])
            fail_msg("result %zu is not NULL", i);
    op_backward(&s, none, list, 1, grads);
    assert_null(grads[0]);
    assert_true(tensor_scalar(&s, none) == 0);
    assert_int_equal(op_is_finite(&s, none), 0);
    float value = 5;
    assert_int_equal(tensor_to_f32(none, &value, 1, &err), PF_INTERNAL);
    assert_null(get_and_reset_last_err()); /* libtorch wasn't even asked */
}

static void test_null_has_no_sizes(void **state)
{
    (void)state;
    assert_int_equal(tensor_dim(NULL, 0), 0);
    assert_int_equal(tensor_dim_count(NULL), 0);
    assert_int_equal(tensor_count(NULL), 0);
    assert_int_equal(tensor_type(NULL), TENSOR_F32);
    assert_int_equal(tensor_device(NULL), TORCH_DEVICE_CPU);
    assert_int_equal(tensor_requires_grad(NULL), 0);
    assert_int_equal(tensor_same_shape(NULL, NULL), 0);
}

static void test_move_after_an_error_frees(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(outer, &err);
    SCOPE(inner, &err);
    tensor a = make(&inner);
    pf_fail(&err, PF_CANCELLED, "stopped");
    assert_null(scope_move(&inner, a, &outer));
    assert_int_equal(outer.count, 0);
    assert_null(scope_take(&outer, at_shallow_clone(a)));
}

static void test_out_of_memory_is_nomem(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    assert_null(op_zeros(&s, place, DIMS(INT64_C(1) << 50)));
    assert_int_equal(err.status, PF_NOMEM);
    err = (struct pf_error)PF_ERROR_INIT;
    assert_non_null(make(&s)); /* and the thread goes on */
}

static void test_questions(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    float values[24] = {0};
    tensor t = tensor_from_f32(&s, values, DIMS(2, 3, 4));
    assert_int_equal(tensor_dim(t, 0), 2);
    assert_int_equal(tensor_dim(t, -1), 4);
    assert_int_equal(tensor_dim(t, 3), 0);
    assert_int_equal(tensor_dim(t, -4), 0);
    assert_int_equal(tensor_count(t), 24);
    assert_true(tensor_same_shape(t, op_add(&s, t, t)));
    assert_false(tensor_same_shape(t, op_transpose(&s, t, 0, 1)));
    assert_int_equal(tensor_to_f32(t, values, 23, &err), PF_INTERNAL);
    err = (struct pf_error)PF_ERROR_INIT;
    const int64_t ids[] = {3, 1};
    tensor integers = tensor_from_i64(&s, ids, DIMS(2));
    assert_int_equal(tensor_type(integers), TENSOR_I64);
    assert_ok(tensor_to_f32(integers, values, 2, &err), &err);
    assert_true(values[0] == 3 && values[1] == 1);
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        enum tensor_type type;
        size_t size;
        const char *name;
    } types[] = {{TENSOR_U8, 1, "uint8"}, {TENSOR_BOOL, 1, "bool"}, {TENSOR_F16, 2, "float16"},
        {TENSOR_BF16, 2, "bfloat16"}, {TENSOR_F32, 4, "float32"}, {TENSOR_I64, 8, "int64"},
        {TENSOR_F64, 8, "float64"}};
    struct pf_error err = PF_ERROR_INIT;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        SCOPE(s, &err);
        assert_int_equal(tensor_type_size(types[i].type), types[i].size);
        assert_string_equal(tensor_type_name(types[i].type), types[i].name);
        tensor t = op_to_type(&s, op_add_scalar(&s, make(&s), -1), types[i].type);
        assert_int_equal(tensor_type(t), types[i].type);
        float back[4];
        assert_ok(tensor_to_f32(t, back, 4, &err), &err);
        assert_true(back[0] == 0 && back[1] == 1);
    }
}

static void test_grad_mode(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    int former = tensor_grad_enable(0);
    tensor leaf = op_set_requires_grad(&s, make(&s), 1);
    assert_true(tensor_requires_grad(leaf));
    assert_false(tensor_requires_grad(op_square(&s, leaf)));
    assert_int_equal(tensor_grad_enable(1), 0);
    tensor loss = op_sum_all(&s, op_square(&s, leaf)), grad = NULL;
    assert_true(tensor_requires_grad(loss));
    assert_false(tensor_requires_grad(op_detach(&s, loss)));
    op_backward(&s, loss, &leaf, 1, &grad);
    assert_int_equal(tensor_grad_enable(former), 1);
    float values[4];
    assert_ok(tensor_to_f32(grad, values, 4, &err), &err);
    for (int i = 0; i < 4; i++)
        assert_true(values[i] == 2 * four[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_and_finish),
        cmocka_unit_test(test_move_and_drop),
        cmocka_unit_test(test_alias_outlives_its_source),
        cmocka_unit_test(test_many_tensors),
        cmocka_unit_test(test_first_error_wins),
        cmocka_unit_test(test_no_ops_after_an_error),
        cmocka_unit_test(test_null_has_no_sizes),
        cmocka_unit_test(test_move_after_an_error_frees),
        cmocka_unit_test(test_out_of_memory_is_nomem),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_grad_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
