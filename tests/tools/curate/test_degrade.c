/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"
#include "tests/tools/curate/scenery.h"
#include "tools/curate/degrade.h"
#include "tools/curate/plane.h"

enum { SIDE = 96, AREA = SIDE * SIDE, SEEDS = 24, OBJECT_SIDE = 40 };

static struct pf_error err;
static float clean[3 * AREA], rgb[3 * AREA], mask[AREA];
static float object_rgb[3 * OBJECT_SIDE * OBJECT_SIDE], object_alpha[OBJECT_SIDE * OBJECT_SIDE];
static struct object object = {"red ball", OBJECT_SIDE, OBJECT_SIDE, object_rgb, object_alpha};
static struct scene scene = {SIDE, SIDE, clean, rgb, mask, &object};

static int setup(void **state)
{
    (void)state;
    err = (struct pf_error)PF_ERROR_INIT;
    for (int i = 0; i < OBJECT_SIDE * OBJECT_SIDE; i++) {
        double dx = i % OBJECT_SIDE - 19.5, dy = i / OBJECT_SIDE - 19.5;
        object_alpha[i] = hypot(dx, dy) < 18.0 ? 1.0f : 0.0f;
        object_rgb[i] = 0.9f;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return 0;
}

static void spoil(enum task task, unsigned seed, struct buffer *note)
{
    struct rng rng;
    scenery_draw(clean, SIDE, SIDE, seed);
    memcpy(rgb, clean, sizeof rgb);
    memset(mask, 0, sizeof mask);
    rng_init(&rng, seed, 0, task);
    buffer_clear(note);
    assert_ok(degrade(task, &scene, &rng, note, &err), &err);
}

static double mean(const float *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i];
    return sum / (double)count;
}

static double deviation(const float *values, size_t count)
{
    double centre = mean(values, count), sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += ((double)values[i] - centre) * ((double)values[i] - centre);
    return sqrt(sum / (double)count);
}

/* All of them: in range, the same again, another seed another picture. */
static void test_sane_and_repeatable(void **state)
{
    (void)state;
    static float before[3 * AREA];
    AUTO_BUFFER struct buffer note = BUFFER_INIT;
    for (int task = 0; task < TASK_COUNT; task++) {
        spoil((enum task)task, 1, &note);
        assert_true(note.size > 0);
        memcpy(before, rgb, sizeof before);
        spoil((enum task)task, 1, &note);
        assert_memory_equal(before, rgb, sizeof before);
        for (unsigned seed = 0; seed < SEEDS; seed++) {
            spoil((enum task)task, seed, &note);
            for (int i = 0; i < 3 * AREA; i++)
                if (!(rgb[i] >= 0.0f && rgb[i] <= 1.0f))
                    fail_msg("%s, seed %u: %g", task_name((enum task)task), seed, (double)rgb[i]);
            assert_memory_not_equal(rgb, clean, sizeof rgb);
        }
    }
}

/* Outside the mask nothing changes by more than half a step of 8 bits; inside something does. */
static void test_masks_cover_changes(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer note = BUFFER_INIT;
    for (int task = 0; task < TASK_COUNT; task++) {
        for (unsigned seed = 0; degrade_is_regional((enum task)task) && seed < SEEDS; seed++) {
            double inside = 0.0;
            spoil((enum task)task, seed, &note);
            for (int i = 0; i < AREA; i++) {
                float most = 0.0f;
                for (int c = 0; c < 3; c++)
                    most = fmaxf(most, fabsf(rgb[c * AREA + i] - clean[c * AREA + i]));
                assert_true(mask[i] >= 0.0f && mask[i] <= 1.0f);
                if (mask[i] < 1e-6f && most > 0.5f / 255.0f)
                    fail_msg("%s, seed %u: pixel %d changes by %g outside the mask",
                        task_name((enum task)task), seed, i, (double)most);
                inside = fmax(inside, mask[i] > 0.2f ? (double)most : 0.0);
            }
            if (inside < 2.0 / 255.0)
                fail_msg("%s, seed %u: the mask holds no change: %s", task_name((enum task)task),
                    seed, note.data);
        }
    }
}

static void test_grey_has_no_hue(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer note = BUFFER_INIT;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        spoil(TASK_COLORIZE, seed, &note);
        int is_toned = strstr(note.data, "\"toned\":1") != NULL;
        for (int i = 0; i < AREA && !is_toned; i++)
            assert_true(rgb[i] == rgb[AREA + i] && rgb[i] == rgb[2 * AREA + i]);
    }
}

static void test_low_light_is_darker(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer note = BUFFER_INIT;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        spoil(TASK_LOWLIGHT, seed, &note);
        assert_true(mean(rgb, 3 * AREA) < 0.8 * mean(clean, 3 * AREA));
    }
}

/* Haze pulls every pixel towards the air's colour, and takes contrast away. */
static void test_haze_goes_to_air(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer note = BUFFER_INIT;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        double air[3];
        spoil(TASK_DEHAZE, seed, &note);
        const char *text = strstr(note.data, "\"air\":[");
        assert_non_null(text);
        assert_int_equal(sscanf(text, "\"air\":[%lf,%lf,%lf", &air[0], &air[1], &air[2]), 3);
        for (int c = 0; c < 3; c++)
            for (int i = 0; i < AREA; i++) {
                double before = clean[c * AREA + i], after = rgb[c * AREA + i];
                assert_true(fabs(after - air[c]) <= fabs(before - air[c]) + 0.002);
                assert_true((after - before) * (air[c] - before) >= -1e-5);
            }
        assert_true(deviation(rgb, 3 * AREA) < deviation(clean, 3 * AREA));
    }
}

/* The least of the channels' steps shrink, the mean stays (in sRGB it may move a little). */
static void test_blur_smooths(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer note = BUFFER_INIT;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        double before = 0.0, after = 0.0;
        spoil(TASK_DEBLUR, seed, &note);
        for (int i = 0; i + 1 < AREA; i++) {
            before += fabs((double)clean[i + 1] - (double)clean[i]);
            after += fabs((double)rgb[i + 1] - (double)rgb[i]);
        }
        assert_true(after < before);
        assert_true(fabs(mean(rgb, 3 * AREA) - mean(clean, 3 * AREA)) < 0.03);
    }
}

static void test_snow_is_white(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer note = BUFFER_INIT;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        spoil(TASK_DESNOW, seed, &note);
        for (int i = 0; i < 3 * AREA; i++)
            if (mask[i % AREA] > 0.05f && clean[i] < 0.8f)
                assert_true(rgb[i] > clean[i]);
    }
}

/* Noise has the variance asked for, correlated or not. */
static void test_noise_variance(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct rng rng;
        rng_init(&rng, 3, 0, 0);
        for (int i = 0; i < 3 * AREA; i++)
            rgb[i] = 0.25f;
        assert_ok(degrade_add_noise(rgb, SIDE, SIDE, 0.004, 0.02, k ? 0.7 : 0.0, &rng, &err), &err);
        double expected = sqrt(0.02 * 0.02 + 0.004 * 0.25);
        assert_true(fabs(deviation(rgb, 3 * AREA) / expected - 1.0) < 0.06);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sane_and_repeatable),
        cmocka_unit_test(test_masks_cover_changes),
        cmocka_unit_test(test_grey_has_no_hue),
        cmocka_unit_test(test_low_light_is_darker),
        cmocka_unit_test(test_haze_goes_to_air),
        cmocka_unit_test(test_blur_smooths),
        cmocka_unit_test(test_snow_is_white),
        cmocka_unit_test(test_noise_variance),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
