/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/vae/bands.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pipeline/weights/sizes.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"

enum { SIDE = 33, CENTRE = SIDE / 2, AREA = SIDE * SIDE };

static struct pf_error err;

/* A picture [1,3,SIDE,SIDE] of `level` with a dot of one more in the middle of its first channel.
 */
static tensor dotted(struct scope *s, float level)
{
    float pixels[3 * AREA];
    for (int i = 0; i < 3 * AREA; i++)
        pixels[i] = level;
    pixels[CENTRE * SIDE + CENTRE] += 1;
    return tensor_from_f32(s, pixels, DIMS(1, 3, SIDE, SIDE));
}

static tensor gains(struct scope *s, int64_t bands, double gain)
{
    const struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    return op_full(s, place, gain, DIMS(1, bands, SIDE, SIDE));
}

static double at(struct scope *s, tensor picture, int channel, int x, int y)
{
    tensor row = op_select(s, op_select(s, picture, 1, channel), 1, y);
    return tensor_scalar(s, op_sum_all(s, op_select(s, row, 1, x)));
}

/* The taps of σ = 1 that end at 2. */
static double tap(int offset)
{
    double sum = 1 + 2 * exp(-0.5) + 2 * exp(-2);
    return abs(offset) > 2 ? 0 : exp(-0.5 * offset * offset) / sum;
}

/* With -1 the finest band leaves the dot blurred, with 1 it is doubled; other channels and what is
 * plain stay as they are, up to the border. */
static void test_the_finest_band(void **state)
{
    (void)state;
    SCOPE(s, &err);
    tensor picture = dotted(&s, 0.5f);
    tensor smooth = op_add(&s, picture, bands_weighed(&s, picture, gains(&s, 1, -1)));
    tensor sharp = op_add(&s, picture, bands_weighed(&s, picture, gains(&s, 1, 1)));
    for (int y = -3; y <= 3; y++) {
        for (int x = -3; x <= 3; x++) {
            double blurred = tap(x) * tap(y), dot = x == 0 && y == 0;
            double soft = at(&s, smooth, 0, CENTRE + x, CENTRE + y);
            double hard = at(&s, sharp, 0, CENTRE + x, CENTRE + y);
            assert_true(fabs(soft - (0.5 + blurred)) < 1e-6);
            assert_true(fabs(hard - (0.5 + 2 * dot - blurred)) < 1e-6);
        }
    }
    assert_true(fabs(at(&s, smooth, 0, 0, 0) - 0.5) < 1e-6);
    assert_true(fabs(at(&s, sharp, 2, CENTRE, CENTRE) - 0.5) < 1e-6);
    assert_true(scope_ok(&s));
}

/* Every band taken out: a blur whose variance is the sum of the bands'; nothing is lost of the
 * whole. */
static void test_all_bands(void **state)
{
    (void)state;
    SCOPE(s, &err);
    tensor picture = dotted(&s, 0);
    tensor smooth = op_add(&s, picture, bands_weighed(&s, picture, gains(&s, 3, -1)));
    assert_true(fabs(tensor_scalar(&s, op_sum_all(&s, smooth)) - 1) < 1e-5);
    double variance = 0;
    for (int x = 0; x < SIDE; x++)
        for (int y = 0; y < SIDE; y++)
            variance += at(&s, smooth, 0, x, y) * (x - CENTRE) * (x - CENTRE);
    assert_true(variance > 0.7 * (1 + 4 + 16) && variance < 1 + 4 + 16); /* tails end at 2σ */
    tensor most = bands_weighed(&s, picture, gains(&s, SIZES_BANDS_MAX, 1));
    assert_true(tensor_dim(most, 1) == 3 && op_is_finite(&s, most));
    assert_true(scope_ok(&s));
}

/* Where the gain is 0 nothing changes. */
static void test_places(void **state)
{
    (void)state;
    SCOPE(s, &err);
    tensor picture = dotted(&s, 0);
    tensor left = gains(&s, 2, 0);
    (void)!op_copy_in(
        &s, op_narrow(&s, left, 3, 0, CENTRE), op_narrow(&s, gains(&s, 2, 1), 3, 0, CENTRE));
    tensor change = bands_weighed(&s, picture, left);
    assert_true(at(&s, change, 0, CENTRE, CENTRE) == 0);
    assert_true(at(&s, change, 0, CENTRE - 1, CENTRE) < -1e-2);
    assert_true(scope_ok(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_finest_band),
        cmocka_unit_test(test_all_bands),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
