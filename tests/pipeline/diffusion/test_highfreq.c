/* SPDX-License-Identifier: Apache-2.0 */
/* Against a small made-up decoder: nearest upsampling and two convolutions, with the weights under
 * guidance as the second's low-rank addition, as in the real one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/diffusion/highfreq.h"
#include "pipeline/diffusion/noise.h"
#include "tests/golden_file.h"

enum { H = 20, W = 24, FACTOR = 4, CHANNELS = 4, WIDTH_INNER = 8, RANK = 2, WEIGHTS = 2 };

struct fixture {
    struct pf_error err;
    struct scope scope;
    tensor image, x0, head, body;
    tensor weights[WEIGHTS]; /* the model's own */
    struct highpass_target target;
    int calls;
};

static tensor normal(
    struct scope *s, uint32_t stream, double scale, const int64_t *dims, int dim_count)
{
    size_t count = 1;
    for (int i = 0; i < dim_count; i++)
        count *= (size_t)dims[i];
    AUTO_FREE float *values = malloc(count * sizeof *values);
    noise_fill(11, stream, values, count);
    return op_mul_scalar(s, tensor_from_f32(s, values, dims, dim_count), scale);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    scope_init(&f->scope, &f->err);
    f->image = normal(&f->scope, 0, 0.3, DIMS(1, 3, FACTOR * H, FACTOR * W));
    f->x0 = normal(&f->scope, 1, 1, DIMS(1, CHANNELS, H, W));
    f->head = normal(&f->scope, 2, 0.2, DIMS(WIDTH_INNER, CHANNELS, 3, 3));
    f->body = normal(&f->scope, 3, 0.1, DIMS(3, WIDTH_INNER, 3, 3));
    f->weights[0] = normal(&f->scope, 4, 0.1, DIMS(RANK, WIDTH_INNER, 3, 3));
    f->weights[1] = normal(&f->scope, 5, 0.1, DIMS(3, RANK, 1, 1));
    *state = f;
    return highpass_target_init(&f->target, f->image, NULL, &f->err) != PF_OK;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    highpass_target_finish(&f->target);
    scope_finish(&f->scope);
    free(f);
    return 0;
}

static tensor decode(void *context, struct scope *out, tensor x0, const tensor *weights, int count)
{
    struct fixture *f = context;
    assert_int_equal(count, WEIGHTS);
    f->calls++;
    tensor large = op_upsample_nearest(out, x0, FACTOR * H, FACTOR * W);
    tensor h = op_silu(out, op_conv2d(out, large, f->head, NULL, 1, 1));
    tensor low = op_conv2d(out, op_conv2d(out, h, weights[0], NULL, 1, 1), weights[1], NULL, 1, 0);
    return op_add(out, op_conv2d(out, h, f->body, NULL, 1, 1), low);
}

static tensor estimate(void *context, struct scope *out, tensor z)
{
    struct fixture *f = context;
    return decode(f, out, op_mul_scalar(out, z, 0.9), f->weights, WEIGHTS);
}

static double loss_with(struct fixture *f, tensor x0, const tensor *weights)
{
    SCOPE(s, &f->err);
    tensor pixels = decode(f, &s, x0, weights, WEIGHTS);
    return tensor_scalar(&s, highpass_loss(&f->target, &s, pixels, 100));
}

static struct golden_error same(struct fixture *f, tensor a, tensor b)
{
    return golden_compare(a, b, &f->err);
}

/* Gradients of the weights and of the latent against central differences. */
static void test_gradients(void **state)
{
    struct fixture *f = *state;
    SCOPE(s, &f->err);
    int former = tensor_grad_enable(1);
    tensor leaves[] = {op_set_requires_grad(&s, op_clone(&s, f->weights[0]), 1),
        op_set_requires_grad(&s, op_clone(&s, f->weights[1]), 1),
        op_set_requires_grad(&s, op_clone(&s, f->x0), 1)};
    tensor grads[3];
    tensor pixels = decode(f, &s, leaves[2], leaves, WEIGHTS);
    double loss = highfreq_gradients(
        &s, &(struct highfreq_step){&f->target, 100, 1}, pixels, leaves, 3, grads);
    tensor_grad_enable(former);
    assert_true(fabs(loss - loss_with(f, f->x0, f->weights)) < 1e-7);
    for (int i = 0; i < 3; i++) {
        /* along the gradient itself: where the difference is best measured */
        double length = sqrt(tensor_scalar(&s, op_sum_all(&s, op_square(&s, grads[i]))));
        const double h = 0.003;
        tensor step = op_mul_scalar(&s, grads[i], h / length);
        tensor up[] = {f->weights[0], f->weights[1], f->x0}, down[] = {up[0], up[1], up[2]};
        up[i] = op_add(&s, up[i], step);
        down[i] = op_sub(&s, down[i], step);
        double measured = (loss_with(f, up[2], up) - loss_with(f, down[2], down)) / (2 * h);
        assert_ok(f->err.status, &f->err);
        if (!(fabs(measured - length) < 0.03 * length))
            fail_msg("input %d: slope %g, measured %g", i, length, measured);
    }
}

static void test_sgd_is_its_formula(void **state)
{
    struct fixture *f = *state;
    SCOPE(s, &f->err);
    struct highfreq_decoder decoder;
    struct highfreq_decode model = {f, decode};
    assert_ok(
        highfreq_decoder_init(&decoder, f->weights, WEIGHTS, HIGHFREQ_SGD, 3, &f->err), &f->err);
    int former = tensor_grad_enable(1);
    tensor grads[WEIGHTS];
    tensor pixels = decode(f, &s, f->x0, decoder.weights, WEIGHTS);
    double want = highfreq_gradients(
        &s, &(struct highfreq_step){&f->target, 100, 1}, pixels, decoder.weights, WEIGHTS, grads);
    tensor_grad_enable(former);
    double loss = 0;
    assert_ok(highfreq_decoder_update(&decoder, &model, &(struct highfreq_step){&f->target, 100, 1},
                  f->x0, &loss, &f->err),
        &f->err);
    assert_true(fabs(loss - want) < 1e-7);
    for (int i = 0; i < WEIGHTS; i++) {
        tensor expected = op_sub(&s, f->weights[i], op_mul_scalar(&s, grads[i], 3));
        assert_true(golden_agrees(same(f, decoder.weights[i], expected), 1e-5));
    }
    highfreq_decoder_finish(&decoder);
}

/* Adam's first step is the rate in the gradient's sign; its second follows the written-out formula.
 */
static void test_adam_is_its_formula(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 3 * RANK };
    const double rate = 0.01;
    struct highfreq_decoder decoder;
    struct highfreq_decode model = {f, decode};
    double w[COUNT], m[COUNT] = {0}, v[COUNT] = {0};
    float got[COUNT];
    assert_ok(highfreq_decoder_init(&decoder, f->weights, WEIGHTS, HIGHFREQ_ADAM, rate, &f->err),
        &f->err);
    assert_ok(tensor_to_f32(decoder.weights[1], got, COUNT, &f->err), &f->err);
    for (int i = 0; i < COUNT; i++)
        w[i] = (double)got[i];
    for (int step = 1; step <= 3; step++) {
        SCOPE(s, &f->err);
        int former = tensor_grad_enable(1);
        tensor grads[WEIGHTS];
        float g[COUNT];
        tensor pixels = decode(f, &s, f->x0, decoder.weights, WEIGHTS);
        highfreq_gradients(&s, &(struct highfreq_step){&f->target, 100, 1}, pixels, decoder.weights,
            WEIGHTS, grads);
        tensor_grad_enable(former);
        assert_ok(tensor_to_f32(grads[1], g, COUNT, &f->err), &f->err);
        assert_ok(highfreq_decoder_update(&decoder, &model,
                      &(struct highfreq_step){&f->target, 100, 1}, f->x0, NULL, &f->err),
            &f->err);
        assert_ok(tensor_to_f32(decoder.weights[1], got, COUNT, &f->err), &f->err);
        for (int i = 0; i < COUNT; i++) {
            double grad = (double)g[i];
            m[i] = 0.9 * m[i] + 0.1 * grad;
            v[i] = 0.999 * v[i] + 0.001 * grad * grad;
            double mh = m[i] / (1 - pow(0.9, step)), vh = v[i] / (1 - pow(0.999, step));
            w[i] -= rate * mh / (sqrt(vh) + 1e-8);
            assert_true(fabs(w[i] - (double)got[i]) < 1e-5);
        }
    }
    assert_int_equal(decoder.updates, 3);
    highfreq_decoder_finish(&decoder);
}

static void check_descends(struct fixture *f, enum highfreq_optimizer optimizer, double rate)
{
    struct highfreq_decoder decoder;
    struct highfreq_decode model = {f, decode};
    double first = 0, last = 0;
    SCOPE(s, &f->err);
    tensor kept = op_clone(&s, f->weights[0]);
    assert_ok(
        highfreq_decoder_init(&decoder, f->weights, WEIGHTS, optimizer, rate, &f->err), &f->err);
    f->calls = 0;
    assert_ok(highfreq_decoder_update(&decoder, &model, &(struct highfreq_step){&f->target, 0, 10},
                  f->x0, &first, &f->err),
        &f->err);
    assert_int_equal(f->calls, 10);
    assert_ok(highfreq_decoder_update(&decoder, &model, &(struct highfreq_step){&f->target, 0, 1},
                  f->x0, &last, &f->err),
        &f->err);
    assert_true(last < 0.98 * first);
    assert_true(same(f, f->weights[0], kept).max == 0); /* the model's own are untouched */
    assert_false(at_requires_grad(f->weights[0]));
    highfreq_decoder_finish(&decoder);
}

static void test_descends(void **state)
{
    check_descends(*state, HIGHFREQ_SGD, 3);
    check_descends(*state, HIGHFREQ_ADAM, 0.01);
}

/* Nothing of one request leaks into another. */
static void test_copies_are_separate(void **state)
{
    struct fixture *f = *state;
    struct highfreq_decoder a, b;
    struct highfreq_decode model = {f, decode};
    assert_ok(highfreq_decoder_init(&a, f->weights, WEIGHTS, HIGHFREQ_SGD, 3, &f->err), &f->err);
    assert_ok(highfreq_decoder_init(&b, f->weights, WEIGHTS, HIGHFREQ_SGD, 3, &f->err), &f->err);
    assert_ok(highfreq_decoder_update(
                  &a, &model, &(struct highfreq_step){&f->target, 0, 2}, f->x0, NULL, &f->err),
        &f->err);
    assert_true(same(f, b.weights[0], f->weights[0]).max == 0);
    assert_true(same(f, a.weights[0], f->weights[0]).max > 0);
    highfreq_decoder_finish(&a);
    highfreq_decoder_finish(&b);
}

static tensor decode_half(
    void *context, struct scope *out, tensor x0, const tensor *weights, int count)
{
    struct fixture half = *(struct fixture *)context;
    tensor cast[WEIGHTS];
    for (int i = 0; i < count; i++) {
        assert_int_equal(tensor_type(weights[i]), TENSOR_F32);
        cast[i] = op_to_type(out, weights[i], TENSOR_BF16);
    }
    half.head = op_to_type(out, half.head, TENSOR_BF16);
    half.body = op_to_type(out, half.body, TENSOR_BF16);
    return decode(&half, out, op_to_type(out, x0, TENSOR_BF16), cast, count);
}

/* A model in bfloat16: loss and updates stay float32, and go where float32's go. */
static void test_half_precision(void **state)
{
    struct fixture *f = *state;
    struct highfreq_decoder half, single;
    struct highfreq_decode half_model = {f, decode_half}, model = {f, decode};
    double half_loss = 0, loss = 0;
    assert_ok(highfreq_decoder_init(&half, f->weights, WEIGHTS, HIGHFREQ_SGD, 3, &f->err), &f->err);
    assert_ok(
        highfreq_decoder_init(&single, f->weights, WEIGHTS, HIGHFREQ_SGD, 3, &f->err), &f->err);
    assert_ok(highfreq_decoder_update(&half, &half_model, &(struct highfreq_step){&f->target, 0, 1},
                  f->x0, &half_loss, &f->err),
        &f->err);
    assert_ok(highfreq_decoder_update(&single, &model, &(struct highfreq_step){&f->target, 0, 1},
                  f->x0, &loss, &f->err),
        &f->err);
    assert_true(fabs(half_loss - loss) < 0.02 * loss);
    SCOPE(s, &f->err);
    tensor half_step = op_sub(&s, half.weights[1], f->weights[1]);
    tensor step = op_sub(&s, single.weights[1], f->weights[1]);
    assert_int_equal(tensor_type(half.weights[1]), TENSOR_F32);
    assert_true(golden_agrees(same(f, half_step, step), 0.2));
    highfreq_decoder_finish(&half);
    highfreq_decoder_finish(&single);
}

static void test_latent(void **state)
{
    struct fixture *f = *state;
    struct highfreq_estimate model = {f, estimate};
    SCOPE(s, &f->err);
    tensor before = op_clone(&s, f->x0);
    const double rate = 0.1;
    double loss = 0, after = 0;
    tensor one = highfreq_latent_update(
        &s, &model, &(struct highfreq_step){&f->target, 0, 1}, f->x0, rate, &loss);
    tensor z = highfreq_latent_update(
        &s, &model, &(struct highfreq_step){&f->target, 0, 5}, f->x0, rate, &loss);
    tensor last = highfreq_latent_update(
        &s, &model, &(struct highfreq_step){&f->target, 0, 1}, z, rate, &after);
    assert_ok(f->err.status, &f->err);
    assert_non_null(last);
    assert_true(after < loss);
    assert_false(at_requires_grad(z));
    assert_true(same(f, f->x0, before).max == 0); /* the given z is untouched */

    int former = tensor_grad_enable(1);
    tensor leaf = op_set_requires_grad(&s, op_clone(&s, f->x0), 1), grad = NULL;
    highfreq_gradients(
        &s, &(struct highfreq_step){&f->target, 0, 1}, estimate(f, &s, leaf), &leaf, 1, &grad);
    tensor_grad_enable(former);
    tensor want = op_sub(&s, f->x0, op_mul_scalar(&s, grad, rate * H * W));
    assert_true(golden_agrees(same(f, one, want), 1e-6));
}

static tensor decode_failing(
    void *context, struct scope *out, tensor x0, const tensor *weights, int count)
{
    struct fixture *f = context;
    return f->calls >= 2 ? op_reshape(out, x0, DIMS(7)) : decode(f, out, x0, weights, count);
}

static tensor decode_not_finite(
    void *context, struct scope *out, tensor x0, const tensor *weights, int count)
{
    return op_mul_scalar(out, decode(context, out, x0, weights, count), NAN);
}

static tensor estimate_not_finite(void *context, struct scope *out, tensor z)
{
    return op_mul_scalar(out, estimate(context, out, z), NAN);
}

/* After an error the grad mode is as it was, and the weights are as before the failed update. */
static void test_errors(void **state)
{
    struct fixture *f = *state;
    struct highfreq_decoder decoder;
    struct highfreq_decode failing = {f, decode_failing}, not_finite = {f, decode_not_finite};
    struct highfreq_estimate bad = {f, estimate_not_finite};
    int former = tensor_grad_enable(0);
    assert_fails(highfreq_decoder_init(&decoder, f->weights, 0, HIGHFREQ_SGD, 1, &f->err),
        PF_INVALID, "0 weights", &f->err);
    assert_ok(
        highfreq_decoder_init(&decoder, f->weights, WEIGHTS, HIGHFREQ_ADAM, 1, &f->err), &f->err);
    assert_fails(highfreq_decoder_update(&decoder, &not_finite,
                     &(struct highfreq_step){&f->target, 0, 1}, f->x0, NULL, &f->err),
        PF_INTERNAL, "loss is nan", &f->err);
    assert_int_equal(decoder.updates, 0);
    assert_true(same(f, decoder.weights[0], f->weights[0]).max == 0);
    f->calls = 0;
    assert_fails(highfreq_decoder_update(&decoder, &failing,
                     &(struct highfreq_step){&f->target, 0, 5}, f->x0, NULL, &f->err),
        PF_INTERNAL, "libtorch", &f->err);
    assert_int_equal(decoder.updates, 2);
    assert_int_equal(tensor_grad_enable(former), 0);
    highfreq_decoder_finish(&decoder);
    SCOPE(s, &f->err);
    assert_null(highfreq_latent_update(
        &s, &bad, &(struct highfreq_step){&f->target, 0, 1}, f->x0, 1, NULL));
    assert_fails(f->err.status, PF_INTERNAL, "loss is nan", &f->err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gradients, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sgd_is_its_formula, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adam_is_its_formula, setup, teardown),
        cmocka_unit_test_setup_teardown(test_descends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies_are_separate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_precision, setup, teardown),
        cmocka_unit_test_setup_teardown(test_latent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
    };
    tensor_grad_enable(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
