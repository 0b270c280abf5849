/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/diffusion/noise.h"

/* Known answers of the generator's authors (Random123, kat_vectors, philox4x32 with 10 rounds). */
static void test_philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
            {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
            {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        uint32_t got[4];
        noise_philox(known[i].counter, known[i].key, got);
        assert_memory_equal(got, known[i].want, sizeof got);
    }
}

/* Computed from the first known answer by Box-Muller in another language (Python, math.*). */
static void test_first_numbers(void **state)
{
    (void)state;
    float got[4];
    noise_fill(0, 0, got, 4);
    const double want[] = {0.991137680, -0.924662588, -0.617608959, -0.482068587};
    for (int i = 0; i < 4; i++)
        assert_true(fabs((double)got[i] - want[i]) < 1e-6);
}

static void test_prefix_and_independence(void **state)
{
    (void)state;
    float all[64], part[64];
    noise_fill(2024, 3, all, 64);
    for (size_t count = 0; count <= 64; count++) {
        memset(part, 0, sizeof part);
        noise_fill(2024, 3, part, count);
        assert_memory_equal(part, all, count * sizeof *all);
        for (size_t i = count; i < 64; i++)
            assert_true(part[i] == 0);
    }
    noise_fill(2024, 4, part, 64);
    assert_memory_not_equal(part, all, sizeof all);
    noise_fill(2024 + (UINT64_C(1) << 32), 3, part, 64);
    assert_memory_not_equal(part, all, sizeof all);
}

static double correlation(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum / (double)count;
}

static void test_statistics(void **state)
{
    (void)state;
    enum { COUNT = 1 << 20 };
    AUTO_FREE float *values = malloc(COUNT * sizeof *values);
    AUTO_FREE float *other = malloc(COUNT * sizeof *other);
    noise_fill(7, 1, values, COUNT);
    noise_fill(7, 2, other, COUNT);
    double moment[5] = {0};
    size_t within_one = 0;
    for (size_t i = 0; i < COUNT; i++) {
        for (int m = 1; m <= 4; m++)
            moment[m] += pow((double)values[i], m) / COUNT;
        within_one += fabsf(values[i]) < 1;
    }
    double tolerance = 5 / sqrt((double)COUNT); /* five standard errors of a mean */
    assert_true(fabs(moment[1]) < tolerance);
    assert_true(fabs(moment[2] - 1) < tolerance * sqrt(2.0));
    assert_true(fabs(moment[3]) < tolerance * sqrt(15.0));
    assert_true(fabs(moment[4] - 3) < tolerance * sqrt(96.0));
    assert_true(fabs((double)within_one / COUNT - 0.682689492) < tolerance * 0.47);
    assert_true(fabs(correlation(values, other, COUNT)) < tolerance);
    for (size_t lag = 1; lag <= 4; lag++)
        assert_true(fabs(correlation(values, values + lag, COUNT - lag)) < tolerance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_first_numbers),
        cmocka_unit_test(test_prefix_and_independence),
        cmocka_unit_test(test_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
