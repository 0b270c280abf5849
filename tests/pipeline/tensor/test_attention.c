/* SPDX-License-Identifier: Apache-2.0 */
/* op_attention() against softmax(q·kᵀ/√D)·v written out in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/tensor/ops.h"

/* Scores that the implementation holds at once, at most; the shapes below go beyond it. */
enum { ATTENTION_SCORES_MAX = 8 << 20 };

struct shape {
    int64_t batch, heads, rows, keys, depth;
};

static float *random_values(int64_t count, uint32_t seed)
{
    float *values = malloc((size_t)count * sizeof *values);
    uint64_t state = seed * UINT64_C(2654435761) + 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        values[i] = (float)((double)(state >> 40) / (1 << 24) * 4 - 2);
    }
    return values;
}

/* One output row. */
static void attend_row(struct shape n, const float *q, const float *k, const float *v, double *ret)
{
    AUTO_FREE double *scores = malloc((size_t)n.keys * sizeof *scores);
    double largest = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n.keys; j++) {
        scores[j] = 0;
        for (int64_t d = 0; d < n.depth; d++)
            scores[j] += (double)q[d] * (double)k[j * n.depth + d] / sqrt((double)n.depth);
        largest = fmax(largest, scores[j]);
    }
    for (int64_t j = 0; j < n.keys; j++)
        sum += scores[j] = exp(scores[j] - largest);
    for (int64_t d = 0; d < n.depth; d++) {
        ret[d] = 0;
        for (int64_t j = 0; j < n.keys; j++)
            ret[d] += scores[j] / sum * (double)v[j * n.depth + d];
    }
}

/* Largest difference, over every `stride`-th row. */
static double compare(struct shape n, const float *q, const float *k, const float *v,
    const float *got, int64_t stride)
{
    double worst = 0;
    AUTO_FREE double *want = malloc((size_t)n.depth * sizeof *want);
    for (int64_t group = 0; group < n.batch * n.heads; group++)
        for (int64_t row = 0; row < n.rows; row += stride) {
            int64_t at = (group * n.rows + row) * n.depth, keys = group * n.keys * n.depth;
            attend_row(n, q + at, k + keys, v + keys, want);
            for (int64_t d = 0; d < n.depth; d++) {
                double difference = fabs(want[d] - (double)got[at + d]);
                worst = isfinite(difference) ? fmax(worst, difference) : INFINITY;
            }
        }
    return worst;
}

static void check(struct shape n, enum tensor_type type, int64_t stride, double tolerance)
{
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    int64_t queries = n.batch * n.heads * n.rows * n.depth;
    int64_t keys = n.batch * n.heads * n.keys * n.depth;
    AUTO_FREE float *q = random_values(queries, 1);
    AUTO_FREE float *k = random_values(keys, 2);
    AUTO_FREE float *v = random_values(keys, 3);
    AUTO_FREE float *got = malloc((size_t)queries * sizeof *got);
    tensor tq = tensor_from_f32(&s, q, DIMS(n.batch, n.heads, n.rows, n.depth));
    tensor tk = tensor_from_f32(&s, k, DIMS(n.batch, n.heads, n.keys, n.depth));
    tensor tv = tensor_from_f32(&s, v, DIMS(n.batch, n.heads, n.keys, n.depth));
    tensor out = op_attention(
        &s, op_to_type(&s, tq, type), op_to_type(&s, tk, type), op_to_type(&s, tv, type));
    assert_int_equal(tensor_type(out), type);
    assert_int_equal(tensor_dim(out, 2), n.rows);
    assert_ok(tensor_to_f32(out, got, queries, &err), &err);
    double worst = compare(n, q, k, v, got, stride);
    if (!(worst < tolerance))
        fail_msg("[%lld,%lld,%lld,%lld] with %lld keys: max error %g", (long long)n.batch,
            (long long)n.heads, (long long)n.rows, (long long)n.depth, (long long)n.keys, worst);
}

static void test_small_shapes(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{1, 1, 1, 1, 1}, {1, 1, 5, 3, 4}, {2, 3, 7, 77, 8},
        {3, 8, 64, 64, 40}, {1, 2, 33, 1, 16}, {2, 1, 1, 9, 5}};
    for (size_t i = 0; i < COUNT_OF(shapes); i++)
        check(shapes[i], TENSOR_F32, 1, 1e-5);
}

/* More scores than fit in one piece; the last piece is shorter in all of them but the first. */
static void test_more_than_one_chunk(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{2, 8, 2048, 1024, 8}, {1, 8, 1500, 1100, 16},
        {3, 8, 1024, 1024, 5}, {1, 1, 5000, 2000, 4}};
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct shape n = shapes[i];
        assert_true(n.batch * n.heads * n.rows * n.keys > ATTENTION_SCORES_MAX);
        check(n, TENSOR_F32, 97, 1e-5);
        check(n, TENSOR_F32, n.rows - 1, 1e-5); /* first and last row */
    }
}

/* A single query's scores alone are more than the bound: one row at a time. */
static void test_one_row_chunks(void **state)
{
    (void)state;
    struct shape n = {1, 3, 3, ATTENTION_SCORES_MAX / 3 + 1, 1};
    check(n, TENSOR_F32, 1, 1e-4);
}

/* The formula, with everything kept by libtorch's own gradients. */
static tensor plain_attention(struct scope *s, tensor q, tensor k, tensor v)
{
    double scale = 1 / sqrt((double)tensor_dim(q, 3));
    tensor scores = op_matmul(s, op_mul_scalar(s, q, scale), op_transpose(s, k, 2, 3));
    return op_matmul(s, op_softmax(s, scores, -1), v);
}

static void take_gradients(struct scope *s, tensor out, tensor weight, tensor *inputs,
    tensor *ret_grads)
{
    op_backward(s, op_sum_all(s, op_mul(s, out, weight)), inputs, 3, ret_grads);
}

/* One chunk of the backward, and several. */
static void test_gradients(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{2, 3, 7, 5, 8}, {1, 2, 2600, 2100, 3}};
    int former = tensor_grad_enable(1);
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct pf_error err = PF_ERROR_INIT;
        SCOPE(s, &err);
        struct shape n = shapes[i];
        int64_t counts[] = {n.rows, n.keys, n.keys, n.rows};
        tensor x[4], got[3], want[3];
        for (uint32_t j = 0; j < 4; j++) {
            AUTO_FREE float *values =
                random_values(n.batch * n.heads * counts[j] * n.depth, j + 11);
            x[j] = tensor_from_f32(&s, values, DIMS(n.batch, n.heads, counts[j], n.depth));
            op_set_requires_grad(&s, x[j], j < 3);
        }
        take_gradients(&s, op_attention(&s, x[0], x[1], x[2]), x[3], x, got);
        take_gradients(&s, plain_attention(&s, x[0], x[1], x[2]), x[3], x, want);
        for (int j = 0; j < 3; j++) {
            tensor difference = op_abs(&s, op_sub(&s, got[j], want[j]));
            double worst = tensor_scalar(&s, op_amax(&s, difference, DIMS(0, 1, 2, 3), 0));
            double scale =
                tensor_scalar(&s, op_amax(&s, op_abs(&s, want[j]), DIMS(0, 1, 2, 3), 0));
            assert_int_equal(err.status, PF_OK);
            assert_true(scale > 0 && worst <= 1e-4 * scale);
        }
    }
    tensor_grad_enable(former);
}

static void test_half_precision(void **state)
{
    (void)state;
    check((struct shape){2, 3, 40, 77, 8}, TENSOR_BF16, 1, 0.03);
    check((struct shape){2, 8, 1100, 1024, 8}, TENSOR_BF16, 97, 0.03);
}

/* Large scores don't overflow, inputs may be views. */
static void test_large_scores_and_views(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    AUTO_FREE float *values = random_values(2 * 6 * 4 * 8, 5);
    tensor x = op_mul_scalar(&s, tensor_from_f32(&s, values, DIMS(2, 6, 4, 8)), 300);
    tensor q = op_transpose(&s, x, 1, 2);
    tensor from_view = op_attention(&s, q, q, q);
    tensor copy = op_contiguous(&s, q);
    tensor from_copy = op_attention(&s, copy, copy, copy);
    assert_true(op_is_finite(&s, from_view));
    tensor difference = op_sum_all(&s, op_abs(&s, op_sub(&s, from_view, from_copy)));
    assert_true(tensor_scalar(&s, difference) < 1e-2);
    assert_ok(err.status, &err);
}

/* The gradient, also where the value alone would be computed in chunks. */
static void test_gradient(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    enum { ROWS = 1030, KEYS = 1024, DEPTH = 4, HEADS = 8 };
    AUTO_FREE float *values = random_values(HEADS * ROWS * DEPTH, 6);
    AUTO_FREE float *keys = random_values(HEADS * KEYS * DEPTH, 7);
    AUTO_FREE float *shift = random_values(HEADS * KEYS * DEPTH, 8);
    tensor q = tensor_from_f32(&s, values, DIMS(1, HEADS, ROWS, DEPTH));
    tensor base = tensor_from_f32(&s, keys, DIMS(1, HEADS, KEYS, DEPTH));
    tensor step = op_mul_scalar(&s, tensor_from_f32(&s, shift, DIMS(1, HEADS, KEYS, DEPTH)), 1e-2);
    int former = tensor_grad_enable(1);
    tensor leaf = op_set_requires_grad(&s, op_clone(&s, base), 1), grad = NULL;
    tensor loss = op_sum_all(&s, op_square(&s, op_attention(&s, q, leaf, leaf)));
    op_backward(&s, loss, &leaf, 1, &grad);
    tensor_grad_enable(former);
    double slope = tensor_scalar(&s, op_sum_all(&s, op_mul(&s, grad, step)));
    double side[2];
    for (int i = 0; i < 2; i++) {
        tensor moved = i ? op_add(&s, base, step) : op_sub(&s, base, step);
        side[i] =
            tensor_scalar(&s, op_sum_all(&s, op_square(&s, op_attention(&s, q, moved, moved))));
    }
    assert_ok(err.status, &err);
    double measured = (side[1] - side[0]) / 2;
    if (!(fabs(measured - slope) < 0.01 * fabs(slope) + 1e-3))
        fail_msg("slope %g, measured %g", slope, measured);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_shapes),
        cmocka_unit_test(test_more_than_one_chunk),
        cmocka_unit_test(test_one_row_chunks),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_half_precision),
        cmocka_unit_test(test_large_scores_and_views),
        cmocka_unit_test(test_gradient),
    };
    tensor_grad_enable(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
