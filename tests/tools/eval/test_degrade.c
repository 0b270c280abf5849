/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/test.h"
#include "tests/tools/eval/scene.h"
#include "tools/eval/baseline.h"
#include "tools/eval/canvas.h"
#include "tools/eval/degrade.h"
#include "tools/eval/psnr.h"
#include "tools/eval/sharpness.h"

enum { SIZE = 160, SEEDS = 6 };

struct spoilt {
    struct image clean, image;
    float mask[SIZE * SIZE];
};

static void spoil(struct spoilt *spoilt,
    enum pf_status (*function)(struct degrade *, struct pf_error *), uint64_t seed)
{
    struct pf_error err = PF_ERROR_INIT;
    struct random random = random_of(seed, "scene");
    spoilt->clean = scene_create(SIZE);
    memset(spoilt->mask, 0, sizeof spoilt->mask);
    assert_ok(canvas_copy(&spoilt->image, &spoilt->clean, &err), &err);
    struct degrade degrade = {&spoilt->image, spoilt->mask, &random, &spoilt->clean};
    assert_ok(function(&degrade, &err), &err);
    for (size_t i = 0; i < 3 * SIZE * SIZE; i++)
        assert_true(spoilt->image.rgb[i] >= 0 && spoilt->image.rgb[i] <= 1.0001f);
}

static void release(struct spoilt *spoilt)
{
    image_finish(&spoilt->clean);
    image_finish(&spoilt->image);
}

static double share_of_mask(const struct spoilt *spoilt)
{
    double count = 0;
    for (size_t i = 0; i < SIZE * SIZE; i++)
        count += spoilt->mask[i] >= 0.25f;
    return count / (SIZE * SIZE);
}

/* Whether only masked pixels changed, and masked ones did. */
static void check_region(const struct spoilt *spoilt)
{
    size_t changed = 0, inside = 0, area = SIZE * SIZE;
    for (size_t i = 0; i < area; i++) {
        float most = 0;
        for (size_t c = 0; c < 3; c++)
            most = fmaxf(
                most, fabsf(spoilt->image.rgb[c * area + i] - spoilt->clean.rgb[c * area + i]));
        if (spoilt->mask[i] <= 0)
            assert_true(most < 1e-6f);
        inside += spoilt->mask[i] > 0.5f;
        changed += spoilt->mask[i] > 0.5f && most > 0.02f;
    }
    assert_true(inside > 0 && (double)changed > 0.7 * (double)inside);
}

static void test_same_seed_same_picture(void **state)
{
    (void)state;
    static enum pf_status (*const functions[])(struct degrade *, struct pf_error *) = {degrade_grey,
        degrade_light, degrade_haze, degrade_snow, degrade_mark, degrade_object, degrade_blur};
    static struct spoilt a, b, c;
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        spoil(&a, functions[i], 1);
        spoil(&b, functions[i], 1);
        spoil(&c, functions[i], 2);
        size_t bytes = 3 * SIZE * SIZE * sizeof(float);
        assert_memory_equal(a.image.rgb, b.image.rgb, bytes);
        assert_memory_equal(a.mask, b.mask, sizeof a.mask);
        assert_true(memcmp(a.clean.rgb, a.image.rgb, bytes) != 0);
        if (functions[i] != degrade_grey)
            assert_true(memcmp(a.image.rgb, c.image.rgb, bytes) != 0);
        release(&a);
        release(&b);
        release(&c);
    }
}

static void test_grey(void **state)
{
    (void)state;
    static struct spoilt spoilt;
    spoil(&spoilt, degrade_grey, 1);
    for (size_t i = 0; i < SIZE * SIZE; i++) {
        assert_true(spoilt.image.rgb[i] == spoilt.image.rgb[SIZE * SIZE + i]);
        assert_true(spoilt.image.rgb[i] == spoilt.image.rgb[2 * SIZE * SIZE + i]);
    }
    release(&spoilt);
}

/* Gamma 2, gain 0.4 in the mean, and noise of about a hundredth. */
static void test_low_light(void **state)
{
    (void)state;
    static struct spoilt spoilt;
    double error = 0, squares = 0, count = 3 * SIZE * SIZE;
    spoil(&spoilt, degrade_light, 1);
    for (size_t i = 0; i < 3 * SIZE * SIZE; i++) {
        double clean = (double)spoilt.clean.rgb[i];
        double noise = (double)spoilt.image.rgb[i] - 0.4 * clean * clean;
        error += noise / count;
        squares += noise * noise / count;
    }
    assert_true(fabs(error) < 0.002);
    assert_true(sqrt(squares) > 0.004 && sqrt(squares) < 0.03);
    release(&spoilt);
}

static void test_haze(void **state)
{
    (void)state;
    static struct spoilt spoilt;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        float darkest = 1;
        spoil(&spoilt, degrade_haze, seed);
        for (size_t i = 0; i < 3 * SIZE * SIZE; i++)
            darkest = fminf(darkest, spoilt.image.rgb[i]);
        assert_true(darkest > 0.1f); /* nothing stays black behind haze */
        double psnr = psnr_between(&spoilt.clean, &spoilt.image);
        assert_true(psnr > 6 && psnr < 18);
        release(&spoilt);
    }
}

static void test_regions(void **state)
{
    (void)state;
    static const struct {
        enum pf_status (*function)(struct degrade *, struct pf_error *);
        double least, most; /* share of the picture */
    } local[] = {
        {degrade_snow, 0.01, 0.3}, {degrade_mark, 0.002, 0.3}, {degrade_object, 0.01, 0.3}};
    static struct spoilt spoilt;
    for (size_t i = 0; i < COUNT_OF(local); i++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            spoil(&spoilt, local[i].function, seed);
            check_region(&spoilt);
            double share = share_of_mask(&spoilt);
            assert_true(share > local[i].least && share < local[i].most);
            release(&spoilt);
        }
    }
}

/* At the size the strengths are meant for: kernels of a few pixels. */
static void test_blur(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct pf_error err = PF_ERROR_INIT;
        struct image clean = scene_create(384), image;
        struct random random = random_of(seed, "blur");
        double before, after, mean = 0;
        assert_ok(canvas_copy(&image, &clean, &err), &err);
        struct degrade degrade = {&image, NULL, &random, NULL};
        assert_ok(degrade_blur(&degrade, &err), &err);
        assert_ok(sharpness(&clean, &before, &err), &err);
        assert_ok(sharpness(&image, &after, &err), &err);
        assert_true(after < before / 4);
        for (size_t i = 0; i < 3 * canvas_area(&clean); i++)
            mean += (double)(image.rgb[i] - clean.rgb[i]) / (3.0 * 384 * 384);
        assert_true(fabs(mean) < 0.005);
        image_finish(&clean);
        image_finish(&image);
    }
}

/* What a classical remedy gains over the spoilt picture, in dB. */
static double gain_of(
    const struct spoilt *spoilt, enum pf_status (*baseline)(const struct image *, const float *,
                                     struct image *, struct pf_error *))
{
    struct pf_error err = PF_ERROR_INIT;
    struct image fixed = IMAGE_INIT;
    assert_ok(baseline(&spoilt->image, spoilt->mask, &fixed, &err), &err);
    double gain =
        psnr_between(&fixed, &spoilt->clean) - psnr_between(&spoilt->image, &spoilt->clean);
    image_finish(&fixed);
    return gain;
}

static void test_baselines_help(void **state)
{
    (void)state;
    static struct spoilt spoilt;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        spoil(&spoilt, degrade_haze, seed);
        assert_true(gain_of(&spoilt, baseline_haze) > 1);
        release(&spoilt);
        spoil(&spoilt, degrade_light, seed);
        assert_true(gain_of(&spoilt, baseline_light) > 1);
        release(&spoilt);
        spoil(&spoilt, degrade_snow, seed);
        assert_true(gain_of(&spoilt, baseline_inpaint) > 1);
        release(&spoilt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_picture),
        cmocka_unit_test(test_grey),
        cmocka_unit_test(test_low_light),
        cmocka_unit_test(test_haze),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_blur),
        cmocka_unit_test(test_baselines_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
