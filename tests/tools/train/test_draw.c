/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/draw.h"

#include <math.h>
#include <string.h>

#include "tests/test.h"

static void test_same_place_same_numbers(void **state)
{
    (void)state;
    double a[4], b[4];
    draw_uniform(7, 123, 4, DRAW_TIME, a);
    draw_uniform(7, 123, 4, DRAW_TIME, b);
    assert_memory_equal(a, b, sizeof a);
    assert_true(draw_seed(7, 1, 2, DRAW_NOISE) == draw_seed(7, 1, 2, DRAW_NOISE));
}

static void test_every_coordinate_matters(void **state)
{
    (void)state;
    uint64_t base = draw_seed(7, 123, 4, DRAW_TIME);
    assert_true(base != draw_seed(8, 123, 4, DRAW_TIME));
    assert_true(base != draw_seed(7, 124, 4, DRAW_TIME));
    assert_true(base != draw_seed(7, 123 + (INT64_C(1) << 32), 4, DRAW_TIME));
    assert_true(base != draw_seed(7, 123, 5, DRAW_TIME));
    assert_true(base != draw_seed(7, 123, 4, DRAW_NOISE));
}

static void test_uniform(void **state)
{
    (void)state;
    enum { STEPS = 4000 };
    double sum = 0, squares = 0;
    for (int step = 0; step < STEPS; step++) {
        double draws[4];
        draw_uniform(1, step, 0, DRAW_SAMPLE, draws);
        for (int i = 0; i < 4; i++) {
            assert_true(draws[i] >= 0 && draws[i] < 1);
            sum += draws[i];
            squares += draws[i] * draws[i];
        }
    }
    assert_true(fabs(sum / (4 * STEPS) - 0.5) < 0.01);
    assert_true(fabs(squares / (4 * STEPS) - 1.0 / 3) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_place_same_numbers),
        cmocka_unit_test(test_every_coordinate_matters),
        cmocka_unit_test(test_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
