/* SPDX-License-Identifier: Apache-2.0 */
/* What the shim promises beyond tch's: every exception caught, outputs defined, the first error
 * kept, out-of-memory told apart. The leak sanitizer watches the rest. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "pipeline/torch/torch_api.h"
#include "tests/pipeline/torch/throws.h"

enum { FLOAT32 = 6, INT64 = 4 };

static tensor make(const float *values, int64_t rows, int64_t columns)
{
    int64_t dims[] = {rows, columns};
    tensor t = at_tensor_of_data((void *)(uintptr_t)values, dims, 2, sizeof *values, FLOAT32);
    assert_non_null(t);
    return t;
}

static void assert_no_error(void)
{
    char *message = get_and_reset_last_err();
    if (message)
        fail_msg("unexpected error: %s", message);
}

static void assert_error(const char *part, int oom)
{
    int got_oom = torch_last_err_is_oom();
    char *message = get_and_reset_last_err();
    if (!message || !strstr(message, part) || got_oom != oom)
        fail_msg("error \"%s\" (oom %d), expected \"%s\" (%d)", message ? message : "none", got_oom,
            part, oom);
    assert_null(strchr(message, '\n')); /* no C++ backtrace */
    free(message);
    assert_int_equal(torch_last_err_is_oom(), 0);
    assert_no_error();
}

static const float six[] = {1, 2, 3, 4, 5, 6};

static void test_values_in_and_out(void **state)
{
    (void)state;
    tensor a = make(six, 2, 3), b = NULL;
    float back[6];
    int64_t dims[2];
    atg_transpose(&b, a, 0, 1);
    assert_int_equal(at_dim(b), 2);
    at_shape(b, dims);
    assert_int_equal(dims[0], 3);
    at_stride(b, dims);
    assert_int_equal(dims[0], 1);
    assert_false(at_is_contiguous(b));
    at_copy_data(b, back, 6, sizeof *back);
    assert_no_error();
    static const float want[] = {1, 4, 2, 5, 3, 6};
    assert_memory_equal(back, want, sizeof want);
    assert_int_equal(at_scalar_type(a), FLOAT32);
    assert_int_equal(at_device(a), TORCH_DEVICE_CPU);
    at_free(b);
    at_free(a);
    at_free(NULL);
}

static void test_bad_shapes(void **state)
{
    (void)state;
    tensor a = make(six, 2, 3), b = make(six, 3, 2);
    tensor out = a;
    atg_matmul(&out, a, a);
    assert_null(out);
    assert_error("shapes cannot be multiplied", 0);
    atg_matmul(&out, a, b);
    assert_non_null(out);
    assert_no_error();
    at_free(out);
    int64_t seven[] = {7};
    out = a;
    atg_reshape(&out, a, seven, 1);
    assert_null(out);
    assert_error("invalid for input of size 6", 0);
    tensor list[] = {a, b};
    out = a;
    atg_cat(&out, list, 2, 0);
    assert_null(out);
    assert_error("Sizes of tensors must match", 0);
    at_free(a);
    at_free(b);
}

static void test_wrong_copies(void **state)
{
    (void)state;
    tensor a = make(six, 2, 3);
    float back[8];
    at_copy_data(a, back, 8, sizeof *back);
    assert_error("copying 8 elements of a tensor that has 6", 0);
    at_copy_data(a, back, 6, sizeof(double));
    assert_error("element size 8, tensor has 4", 0);
    int64_t dims[] = {6};
    assert_null(at_tensor_of_data((void *)(uintptr_t)six, dims, 1, 8, FLOAT32));
    assert_error("element size 8, type has 4", 0);
    at_free(a);
}

static void test_first_error_is_kept(void **state)
{
    (void)state;
    tensor a = make(six, 2, 3), out = NULL;
    int64_t seven[] = {7};
    atg_reshape(&out, a, seven, 1);
    atg_matmul(&out, a, a);
    throws_bad_alloc();
    assert_error("invalid for input of size 6", 0);
    at_free(a);
}

static void test_every_kind_of_exception(void **state)
{
    (void)state;
    throws_int();
    assert_error("no std::exception", 0);
    throws_standard("plain words");
    assert_error("plain words", 0);
    throws_torch("checked words");
    assert_error("checked words", 0);
    throws_torch("two lines\nof words");
    assert_error("two lines", 0);
    throws_bad_alloc();
    assert_error("bad_alloc", 1);
    throws_torch("CUDA out of memory. Tried to allocate 2.00 GiB");
    assert_error("CUDA out of memory", 1);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    int64_t huge[] = {INT64_C(1) << 50};
    tensor out = NULL;
    atg_empty(&out, huge, 1, FLOAT32, TORCH_DEVICE_CPU);
    assert_null(out);
    assert_error("", 1);
    int64_t overflow[] = {INT64_C(1) << 40, INT64_C(1) << 40};
    atg_empty(&out, overflow, 2, FLOAT32, TORCH_DEVICE_CPU);
    assert_null(out);
    free(get_and_reset_last_err());
}

static void test_backward(void **state)
{
    (void)state;
    int former = at_grad_set_enabled(1);
    tensor a = make(six, 2, 3), same = NULL, squares = NULL, sum = NULL, grad = NULL;
    atg_set_requires_grad(&same, a, 1);
    atg_square(&squares, a);
    atg_sum(&sum, squares, -1);
    assert_true(at_requires_grad(sum));
    at_run_backward(&sum, 1, &a, 1, &grad, 0, 0);
    assert_no_error();
    float values[6];
    at_copy_data(grad, values, 6, sizeof *values);
    for (int i = 0; i < 6; i++)
        assert_true(values[i] == 2 * six[i]);
    at_free(grad);
    grad = a;
    at_run_backward(&sum, 1, &a, 1, &grad, 0, 0); /* the graph is gone */
    assert_null(grad);
    assert_error("backward through the graph a second time", 0);
    assert_int_equal(at_grad_set_enabled(former), 1);
    at_free(sum);
    at_free(squares);
    at_free(same);
    at_free(a);
}

static void test_device_questions(void **state)
{
    (void)state;
    assert_true(strlen(torch_version()) >= 3);
    assert_true(at_get_num_threads() >= 1);
    assert_true(atc_cuda_device_count() >= 0);
    if (atc_cuda_device_count() > 0)
        return;
    assert_int_equal(atc_cuda_is_available(), 0);
    assert_int_equal(atc_cuda_capability(0), 0);
    tensor a = make(six, 2, 3), out = a;
    atg_to(&out, a, 0);
    assert_null(out);
    assert_int_equal(torch_last_err_is_oom(), 0);
    char *message = get_and_reset_last_err();
    assert_non_null(message);
    free(message);
    at_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_in_and_out),
        cmocka_unit_test(test_bad_shapes),
        cmocka_unit_test(test_wrong_copies),
        cmocka_unit_test(test_first_error_is_kept),
        cmocka_unit_test(test_every_kind_of_exception),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_backward),
        cmocka_unit_test(test_device_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
