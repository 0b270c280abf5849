/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"
#include "tools/curate/plane.h"

enum { SIDE = 64, AREA = SIDE * SIDE };

static struct pf_error err;

static void test_rng_depends_on_all(void **state)
{
    (void)state;
    struct rng a, b;
    for (int changed = 0; changed < 4; changed++) {
        rng_init(&a, 1, 2, 3);
        rng_init(&b, changed == 1 ? 9 : 1, changed == 2 ? 9 : 2, changed == 3 ? 9 : 3);
        assert_int_equal(rng_next(&a) == rng_next(&b), changed == 0);
    }
}

static void test_rng_moments(void **state)
{
    (void)state;
    struct rng rng;
    double sum = 0.0, normal = 0.0, square = 0.0;
    int bins[5] = {0}, picks[3] = {0};
    static const double weights[] = {1.0, 0.0, 3.0};
    rng_init(&rng, 5, 0, 0);
    for (int i = 0; i < 40000; i++) {
        double value = rng_range(&rng, 2.0, 4.0), gauss = rng_normal(&rng);
        assert_true(value >= 2.0 && value < 4.0);
        sum += value;
        normal += gauss;
        square += gauss * gauss;
        bins[rng_below(&rng, 5)]++;
        picks[rng_weighted(&rng, weights, 3)]++;
    }
    assert_true(fabs(sum / 40000 - 3.0) < 0.02);
    assert_true(fabs(normal / 40000) < 0.02);
    assert_true(fabs(square / 40000 - 1.0) < 0.04);
    for (int i = 0; i < 5; i++)
        assert_true(abs(bins[i] - 8000) < 400);
    assert_int_equal(picks[1], 0);
    assert_true(abs(picks[0] - 10000) < 400);
}

static void test_srgb_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i <= 255; i++) {
        float value = (float)i / 255.0f;
        assert_true(fabsf(linear_to_srgb(srgb_to_linear(value)) - value) < 1e-5f);
    }
    assert_true(fabsf(srgb_to_linear(0.5f) - 0.21404f) < 1e-4f);
}

/* An impulse becomes a bell of that deviation, small and wide kernels alike. */
static void test_blur(void **state)
{
    (void)state;
    static const double sigmas[] = {0.7, 2.0, 5.0, 8.0};
    for (int k = 0; k < 4; k++) {
        float plane[AREA] = {0};
        double sum = 0.0, spread = 0.0;
        plane[SIDE / 2 * SIDE + SIDE / 2] = 1.0f;
        assert_ok(plane_blur(plane, SIDE, SIDE, sigmas[k], &err), &err);
        for (int i = 0; i < AREA; i++) {
            double dx = i % SIDE - SIDE / 2;
            sum += plane[i];
            spread += plane[i] * dx * dx;
        }
        assert_true(fabs(sum - 1.0) < 0.01);
        assert_true(fabs(sqrt(spread) / sigmas[k] - 1.0) < 0.06);
    }
}

static void test_blur_keeps_flat(void **state)
{
    (void)state;
    float plane[AREA];
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < AREA; i++)
            plane[i] = 0.3f;
        assert_ok(plane_blur(plane, SIDE, SIDE, k ? 9.0 : 2.0, &err), &err);
        for (int i = 0; i < AREA; i++)
            assert_true(fabsf(plane[i] - 0.3f) < 1e-5f);
    }
}

static void test_convolve_shifts(void **state)
{
    (void)state;
    float plane[AREA], before[AREA], kernel[9] = {0};
    kernel[3] = 1.0f; /* the left neighbour */
    for (int i = 0; i < AREA; i++)
        before[i] = plane[i] = (float)(i % 7);
    assert_ok(plane_convolve(plane, SIDE, SIDE, kernel, 3, &err), &err);
    for (int i = 0; i < AREA; i++)
        assert_true(plane[i] == before[i % SIDE ? i - 1 : i]);
}

static void test_noise_in_range(void **state)
{
    (void)state;
    struct rng rng;
    float plane[AREA];
    rng_init(&rng, 1, 1, 1);
    plane_noise(plane, SIDE, SIDE, 16.0, 3, &rng);
    float low = 1.0f, high = 0.0f, step = 0.0f;
    for (int i = 0; i < AREA; i++) {
        low = fminf(low, plane[i]);
        high = fmaxf(high, plane[i]);
        if (i % SIDE)
            step = fmaxf(step, fabsf(plane[i] - plane[i - 1]));
    }
    assert_true(low >= 0.0f && high <= 1.0f && high - low > 0.25f);
    assert_true(step < 0.25f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_depends_on_all),
        cmocka_unit_test(test_rng_moments),
        cmocka_unit_test(test_srgb_both_ways),
        cmocka_unit_test(test_blur),
        cmocka_unit_test(test_blur_keeps_flat),
        cmocka_unit_test(test_convolve_shifts),
        cmocka_unit_test(test_noise_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
