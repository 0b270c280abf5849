/* SPDX-License-Identifier: Apache-2.0 */
/* AdamW on a real model's parameters, beside the formula written out in double. */
#include "tools/train/adamw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"
#include "tests/test.h"
#include "tests/tools/train/pairs.h"

static float first_of(tensor t)
{
    struct pf_error err = PF_ERROR_INIT;
    float *values = malloc((size_t)tensor_count(t) * sizeof *values);
    assert_non_null(values);
    assert_ok(tensor_to_f32(t, values, tensor_count(t), &err), &err);
    float value = values[0];
    free(values);
    return value;
}

static void set_gradient(const struct parameter *item, double value)
{
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    tensor ones = op_add_scalar(&s, op_mul_scalar(&s, item->master, 0), value);
    op_copy_in(&s, item->gradient, op_detach(&s, ones));
    assert_true(scope_ok(&s));
}

static void test_formula(void **state)
{
    (void)state;
    static const double gradients[] = {0.5, -2, 0.25};
    struct pf_error err = PF_ERROR_INIT;
    struct trainee trainee;
    pairs_open_trainee(&trainee, fixture_model("tiny"), STAGE_DIFFUSION, &err);
    struct parameter *matrix = NULL;
    for (int i = 0; i < trainee.parameters.count && !matrix; i++)
        if (trainee.parameters.items[i].decays)
            matrix = &trainee.parameters.items[i];
    assert_non_null(matrix);
    double w = (double)first_of(matrix->master), average = w, m = 0, v = 0;
    struct adamw adamw = {.rate = 0.01,
        .beta1 = 0.9,
        .beta2 = 0.99,
        .epsilon = 1e-8,
        .weight_decay = 0.1,
        .gradient_scale = 0.5,
        .average_decay = 0.8};
    for (int step = 1; step <= 3; step++) {
        double g = gradients[step - 1] * 0.5;
        set_gradient(matrix, gradients[step - 1]);
        assert_ok(adamw_step(&trainee.parameters, &adamw, step, &err), &err);
        m = 0.9 * m + 0.1 * g;
        v = 0.99 * v + 0.01 * g * g;
        w -= 0.01 * 0.1 * w;
        w -= 0.01 * (m / (1 - pow(0.9, step))) / (sqrt(v / (1 - pow(0.99, step))) + 1e-8);
        average = 0.8 * average + 0.2 * w;
        assert_true(fabs(w - (double)first_of(matrix->master)) < 1e-6);
        assert_true(fabs(average - (double)first_of(matrix->average)) < 1e-6);
        assert_true(first_of(matrix->gradient) == 0.0f);
    }
    trainee_close(&trainee);
}

static void test_swap_and_back(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct trainee trainee;
    pairs_open_trainee(&trainee, fixture_model("tiny"), STAGE_DIFFUSION, &err);
    struct parameter *item = &trainee.parameters.items[0];
    SCOPE(s, &err);
    float before = first_of(item->master);
    op_mul_scalar_in(&s, item->average, 3);
    float average = first_of(item->average);
    assert_ok(parameters_swap_average(&trainee.parameters, &err), &err);
    assert_true(first_of(item->leaf) == average);
    assert_ok(parameters_swap_average(&trainee.parameters, &err), &err);
    assert_true(first_of(item->leaf) == before && first_of(item->average) == average);
    trainee_close(&trainee);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_swap_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
