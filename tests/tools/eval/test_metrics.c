/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "tests/test.h"
#include "tests/tools/eval/scene.h"
#include "tools/eval/canvas.h"
#include "tools/eval/colourfulness.h"
#include "tools/eval/psnr.h"
#include "tools/eval/random.h"
#include "tools/eval/sharpness.h"
#include "tools/eval/ssim.h"

#define assert_near(value, expected, tolerance)                                                    \
    do {                                                                                           \
        if (!(fabs((double)(value) - (double)(expected)) <= (tolerance)))                          \
            fail_msg("%s is %.6f, expected %.6f", #value, (double)(value), (double)(expected));    \
    } while (0)

static void test_psnr(void **state)
{
    (void)state;
    struct image a = scene_flat(8, 6, 0.5f, 0.5f, 0.5f), b = scene_flat(8, 6, 0.6f, 0.6f, 0.6f);
    assert_near(psnr_between(&a, &b), 20, 1e-4);
    assert_near(psnr_between(&a, &a), PSNR_MAX, 0);
    struct image c = scene_flat(8, 6, 0.5f, 0.5f, 0.6f); /* one channel of three */
    assert_near(psnr_between(&a, &c), 20 + 10 * log10(3), 1e-4);
    image_finish(&a);
    image_finish(&b);
    image_finish(&c);
}

static void test_psnr_of_a_region(void **state)
{
    (void)state;
    struct image a = scene_flat(4, 1, 0, 0, 0), b = scene_flat(4, 1, 0, 0, 0);
    for (size_t c = 0; c < 3; c++)
        b.rgb[4 * c + 1] = 0.1f;
    assert_near(psnr_where(&a, &b, (const float[]){0, 1, 0, 0}), 20, 1e-4);
    assert_near(psnr_where(&a, &b, (const float[]){0, 1, 1, 0}), 20 + 10 * log10(2), 1e-4);
    assert_near(psnr_where(&a, &b, (const float[]){1, 0, 1, 1}), PSNR_MAX, 0);
    assert_near(psnr_where(&a, &b, (const float[]){0, 0, 0, 0}), PSNR_MAX, 0);
    image_finish(&a);
    image_finish(&b);
}

static void test_ssim_of_flat_pictures(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    double ssim;
    struct image a = scene_flat(16, 12, 0.5f, 0.5f, 0.5f);
    struct image b = scene_flat(16, 12, 0.25f, 0.25f, 0.25f);
    assert_ok(ssim_between(&a, &a, &ssim, &err), &err);
    assert_near(ssim, 1, 1e-6);
    assert_ok(ssim_between(&a, &b, &ssim, &err), &err);
    assert_near(ssim, (2 * 0.5 * 0.25 + 1e-4) / (0.25 + 0.0625 + 1e-4), 1e-4);
    struct image small = scene_flat(16, 10, 0, 0, 0);
    assert_fails(ssim_between(&small, &small, &ssim, &err), PF_INVALID, "16×10", &err);
    image_finish(&a);
    image_finish(&b);
    image_finish(&small);
}

/* The definition, window by window. */
static double slow_ssim(const struct image *a, const struct image *b)
{
    int width = a->width, height = a->height, windows = 0;
    double total = 0;
    float lumas[2][4096];
    canvas_luma(a, lumas[0]);
    canvas_luma(b, lumas[1]);
    for (int top = 0; top + 11 <= height; top++) {
        for (int left = 0; left + 11 <= width; left++, windows++) {
            double weights = 0, ma = 0, mb = 0, va = 0, vb = 0, cov = 0;
            for (int pass = 0; pass < 2; pass++)
                for (int y = 0; y < 11; y++)
                    for (int x = 0; x < 11; x++) {
                        double w = exp(-((x - 5) * (x - 5) + (y - 5) * (y - 5)) / 4.5);
                        double p = (double)lumas[0][(top + y) * width + left + x];
                        double q = (double)lumas[1][(top + y) * width + left + x];
                        if (pass == 0) {
                            weights += w;
                            ma += w * p;
                            mb += w * q;
                        } else {
                            va += w * (p - ma / weights) * (p - ma / weights);
                            vb += w * (q - mb / weights) * (q - mb / weights);
                            cov += w * (p - ma / weights) * (q - mb / weights);
                        }
                    }
            ma /= weights, mb /= weights, va /= weights, vb /= weights, cov /= weights;
            total += (2 * ma * mb + 1e-4) * (2 * cov + 9e-4) /
                     ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4));
        }
    }
    return total / windows;
}

static void test_ssim_by_its_definition(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct image a = scene_create(24), b = scene_create(24);
    struct random random = random_of(3, "noise");
    for (size_t i = 0; i < 3 * canvas_area(&b); i++)
        b.rgb[i] += 0.1f * random_normal(&random);
    double ssim;
    assert_ok(ssim_between(&a, &b, &ssim, &err), &err);
    assert_near(ssim, slow_ssim(&a, &b), 1e-4);
    assert_true(ssim < 0.95 && ssim > 0.2);
    image_finish(&a);
    image_finish(&b);
}

static void test_colourfulness(void **state)
{
    (void)state;
    struct image grey = scene_flat(6, 2, 0.3f, 0.3f, 0.3f);
    assert_near(colourfulness(&grey), 0, 1e-3);
    struct image halves = scene_flat(2, 1, 0, 0, 0);
    halves.rgb[0] = 1;         /* red */
    halves.rgb[2 * 2 + 1] = 1; /* blue */
    assert_near(colourfulness(&halves), hypot(127.5, 191.25) + 0.3 * hypot(127.5, 63.75), 1e-2);
    image_finish(&grey);
    image_finish(&halves);
}

static void test_sharpness(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    double value;
    struct image flat = scene_flat(8, 8, 0.4f, 0.4f, 0.4f), board = scene_flat(8, 8, 0, 0, 0);
    assert_ok(sharpness(&flat, &value, &err), &err);
    assert_near(value, SHARPNESS_FLOOR, 1e-6);
    for (size_t i = 0; i < 3 * 64; i++)
        board.rgb[i] = (i % 8 + i % 64 / 8) % 2 ? 1.0f : 0.0f;
    assert_ok(sharpness(&board, &value, &err), &err);
    assert_near(value, 16.0 * 255 * 255, 10);
    struct image thin = scene_flat(2, 8, 0, 0, 0);
    assert_fails(sharpness(&thin, &value, &err), PF_INVALID, "2×8", &err);
    image_finish(&flat);
    image_finish(&board);
    image_finish(&thin);
}

static void test_random(void **state)
{
    (void)state;
    struct random a = random_of(1, "x"), same = random_of(1, "x"), other = random_of(1, "y"),
                  seeded = random_of(2, "x");
    uint64_t first = random_next(&a);
    assert_true(first == random_next(&same));
    assert_true(first != random_next(&other) && first != random_next(&seeded));
    double sum = 0, squares = 0;
    for (int i = 0; i < 20000; i++) {
        double value = (double)random_normal(&a);
        sum += value;
        squares += value * value;
        float range = random_range(&a, -2, 3);
        assert_true(range >= -2 && range <= 3);
        int below = random_below(&a, 7);
        assert_in_range(below, 0, 6);
    }
    assert_near(sum / 20000, 0, 0.03);
    assert_near(squares / 20000, 1, 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_psnr),
        cmocka_unit_test(test_psnr_of_a_region),
        cmocka_unit_test(test_ssim_of_flat_pictures),
        cmocka_unit_test(test_ssim_by_its_definition),
        cmocka_unit_test(test_colourfulness),
        cmocka_unit_test(test_sharpness),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
