/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "tests/test.h"
#include "tests/tools/eval/scene.h"
#include "tools/eval/baseline.h"
#include "tools/eval/canvas.h"
#include "tools/eval/psnr.h"
#include "tools/eval/sharpness.h"

enum { SIZE = 48 };

static void test_inpaint_of_a_flat_picture_is_exact(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct image clean = scene_flat(SIZE, SIZE, 0.2f, 0.5f, 0.7f), spoilt, fixed;
    float mask[SIZE * SIZE] = {0};
    assert_ok(canvas_copy(&spoilt, &clean, &err), &err);
    for (size_t y = 10; y < 40; y++)
        for (size_t x = 5; x < 30; x++) {
            mask[y * SIZE + x] = 1;
            spoilt.rgb[y * SIZE + x] = 1;
        }
    assert_ok(baseline_inpaint(&spoilt, mask, &fixed, &err), &err);
    assert_true(psnr_between(&fixed, &clean) == PSNR_MAX);
    image_finish(&clean);
    image_finish(&spoilt);
    image_finish(&fixed);
}

static void test_inpaint_without_anything_known(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct image input = scene_flat(SIZE, SIZE, 0.2f, 0.5f, 0.7f), fixed;
    float mask[SIZE * SIZE];
    for (size_t i = 0; i < SIZE * SIZE; i++)
        mask[i] = 1;
    assert_ok(baseline_inpaint(&input, mask, &fixed, &err), &err); /* ends, as it was */
    assert_true(psnr_between(&fixed, &input) == PSNR_MAX);
    image_finish(&fixed);
    assert_fails(baseline_inpaint(&input, NULL, &fixed, &err), PF_INVALID, "needs a mask", &err);
    image_finish(&input);
}

static void test_sharpen(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct image input = scene_create(SIZE), fixed, flat = scene_flat(SIZE, SIZE, 0.5f, 0.1f, 0.9f);
    double before, after;
    assert_ok(baseline_sharpen(&input, NULL, &fixed, &err), &err);
    assert_ok(sharpness(&input, &before, &err), &err);
    assert_ok(sharpness(&fixed, &after, &err), &err);
    assert_true(after > 1.5 * before);
    image_finish(&fixed);
    assert_ok(baseline_sharpen(&flat, NULL, &fixed, &err), &err);
    assert_true(psnr_between(&fixed, &flat) > 90);
    image_finish(&input);
    image_finish(&fixed);
    image_finish(&flat);
}

/* CLAHE lifts a picture that uses a tenth of the range, and keeps hues. */
static void test_light(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct image input = scene_create(SIZE), fixed;
    double before = 0, after = 0;
    for (size_t i = 0; i < 3 * SIZE * SIZE; i++)
        input.rgb[i] *= 0.1f;
    assert_ok(baseline_light(&input, NULL, &fixed, &err), &err);
    for (size_t i = 0; i < 3 * SIZE * SIZE; i++) {
        before += (double)input.rgb[i] / (3 * SIZE * SIZE);
        after += (double)fixed.rgb[i] / (3 * SIZE * SIZE);
    }
    assert_true(before < 0.06 && after > 0.3 && after < 0.65);
    image_finish(&fixed);
    struct image thin = scene_flat(7, 20, 0, 0, 0);
    assert_fails(baseline_light(&thin, NULL, &fixed, &err), PF_INVALID, "7×20", &err);
    image_finish(&thin);
    image_finish(&input);
}

/* Haze that thickens towards the top, where nothing but air is left, in front of a scene with dark
 * spots: the air's colour and the transmission are found. */
static void test_haze(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct image clean = scene_create(160), hazy, fixed;
    assert_ok(canvas_copy(&hazy, &clean, &err), &err);
    for (size_t i = 0; i < 3 * canvas_area(&hazy); i++) {
        float through = fminf(0.8f, (float)(i % canvas_area(&hazy) / 160) / 160.0f);
        hazy.rgb[i] = through * hazy.rgb[i] + (1 - through) * 0.9f;
    }
    assert_ok(baseline_haze(&hazy, NULL, &fixed, &err), &err);
    assert_true(psnr_between(&fixed, &clean) > psnr_between(&hazy, &clean) + 5);
    image_finish(&clean);
    image_finish(&hazy);
    image_finish(&fixed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inpaint_of_a_flat_picture_is_exact),
        cmocka_unit_test(test_inpaint_without_anything_known),
        cmocka_unit_test(test_sharpen),
        cmocka_unit_test(test_light),
        cmocka_unit_test(test_haze),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
