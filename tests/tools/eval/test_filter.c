/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "tests/test.h"
#include "tests/tools/eval/scene.h"
#include "tools/eval/brush.h"
#include "tools/eval/canvas.h"
#include "tools/eval/filter.h"
#include "tools/eval/lettering.h"

static const struct filter_size size = {9, 7};
enum { AREA = 63, MIDDLE = 3 * 9 + 4 };

static double sum_of(const float *plane, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)plane[i];
    return sum;
}

static void test_gaussian(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    float plane[AREA] = {0};
    plane[MIDDLE] = 1;
    assert_ok(filter_gaussian(plane, size, 0.8f, &err), &err);
    assert_true(fabs(sum_of(plane, AREA) - 1) < 1e-3);
    assert_true(plane[MIDDLE] > plane[MIDDLE + 1] && plane[MIDDLE + 1] > plane[MIDDLE + 2]);
    assert_true(fabsf(plane[MIDDLE + 1] - plane[MIDDLE - 9]) < 1e-6f); /* round */
    float ratio = plane[MIDDLE + 1] / plane[MIDDLE];
    assert_true(fabsf(ratio - expf(-1 / (2 * 0.64f))) < 1e-3f);
    for (size_t i = 0; i < AREA; i++)
        plane[i] = 0.3f;
    assert_ok(filter_gaussian(plane, size, 5, &err), &err); /* wider than the plane */
    for (size_t i = 0; i < AREA; i++)
        assert_true(fabsf(plane[i] - 0.3f) < 1e-5f);
}

static void test_windows(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    float ramp[AREA], box[AREA], least[AREA], most[AREA];
    for (int i = 0; i < AREA; i++)
        ramp[i] = box[i] = least[i] = most[i] = (float)(i % 9 + 10 * (i / 9));
    assert_ok(filter_box(box, size, 1, &err), &err);
    assert_ok(filter_least(least, size, 2, &err), &err);
    assert_ok(filter_most(most, size, 2, &err), &err);
    assert_true(fabsf(box[MIDDLE] - ramp[MIDDLE]) < 1e-4f);
    assert_true(fabsf(box[0] - 5.5f) < 1e-4f); /* of 0, 1, 10, 11 */
    assert_true(least[MIDDLE] == ramp[MIDDLE - 2 * 9 - 2]);
    assert_true(most[MIDDLE] == ramp[MIDDLE + 2 * 9 + 2]);
    assert_true(least[0] == 0 && most[AREA - 1] == ramp[AREA - 1]);
}

static void test_kernel(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    const float shift[9] = {[5] = 1}; /* takes the right neighbour */
    float plane[AREA] = {0};
    plane[MIDDLE] = 1;
    assert_ok(filter_kernel(plane, size, shift, 1, &err), &err);
    assert_true(plane[MIDDLE - 1] == 1 && plane[MIDDLE] == 0 && sum_of(plane, AREA) == 1);
}

/* A noisy step is smoothed on both sides and keeps its place. */
static void test_guided(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct filter_size wide = {40, 40};
    float guide[1600], plane[1600];
    for (int i = 0; i < 1600; i++) {
        guide[i] = i % 40 < 20 ? 0.2f : 0.8f;
        plane[i] = guide[i] + (i * 7919 % 13 < 6 ? 0.1f : -0.1f);
    }
    assert_ok(filter_guided(plane, guide, wide, 6, 1e-4f, &err), &err);
    for (int y = 10; y < 30; y++) {
        assert_true(fabsf(plane[40 * y + 18] - 0.2f) < 0.05f);
        assert_true(fabsf(plane[40 * y + 21] - 0.8f) < 0.05f);
    }
}

static void test_strokes(void **state)
{
    (void)state;
    float plane[AREA] = {0};
    struct brush_stroke dot = {4.5f, 3.5f, 4.5f, 3.5f, 1.5f, 1, 0.6f};
    brush_join(plane, size, &dot);
    brush_join(plane, size, &dot);
    assert_true(fabsf(plane[MIDDLE] - 0.6f) < 1e-6f && plane[0] == 0);
    brush_layer(plane, size, &dot);
    assert_true(fabsf(plane[MIDDLE] - 0.84f) < 1e-6f);
    struct brush_stroke outside = {-50, -50, -40, -40, 3, 1, 1};
    brush_join(plane, size, &outside);
    assert_true(plane[0] == 0);
}

static void test_lettering(void **state)
{
    (void)state;
    enum { SIDE = 64 };
    static float plane[SIDE * SIDE], other[SIDE * SIDE];
    struct lettering letter = {"H", 8, 56, 48, 0, 0.15f};
    lettering_draw(plane, (struct filter_size){SIDE, SIDE}, &letter);
    assert_true(plane[32 * SIDE + 8] > 0.9f);  /* left stem */
    assert_true(plane[32 * SIDE + 40] > 0.9f); /* right stem */
    assert_true(plane[32 * SIDE + 24] > 0.9f); /* bar */
    assert_true(plane[14 * SIDE + 24] == 0);   /* above it */
    letter.text = "O";
    lettering_draw(other, (struct filter_size){SIDE, SIDE}, &letter);
    assert_true(memcmp(plane, other, sizeof plane) != 0);
    assert_true(lettering_width("AB", 12) > lettering_width("A", 12));
    assert_true(lettering_width("", 12) == 0);
}

static void test_square(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct image wide = scene_flat(30, 10, 0, 0, 0), square;
    for (size_t i = 0; i < 300; i++)
        wide.rgb[i] = i % 30 >= 10 && i % 30 < 20 ? 1.0f : 0.0f; /* red in the middle */
    assert_ok(canvas_square(&square, &wide, 5, &err), &err);
    assert_int_equal(square.width, 5);
    assert_int_equal(square.height, 5);
    for (size_t i = 0; i < 25; i++)
        assert_true(square.rgb[i] > 0.99f && square.rgb[25 + i] < 0.01f);
    image_finish(&wide);
    image_finish(&square);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaussian),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_kernel),
        cmocka_unit_test(test_guided),
        cmocka_unit_test(test_strokes),
        cmocka_unit_test(test_lettering),
        cmocka_unit_test(test_square),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
