/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/image/image.h"

static void test_plans(void **state)
{
    (void)state;
    static const struct {
        int width, height, resolution, multiple;
        struct image_fit due;
    } cases[] = {
        {640, 640, 640, 64, {640, 640, 640, 640, 640, 640}},
        {550, 413, 640, 64, {550, 413, 550, 413, 576, 448}},
        {413, 550, 640, 64, {413, 550, 413, 550, 448, 576}},
        {1000, 662, 512, 64, {1000, 662, 773, 512, 832, 512}},
        {512, 512, 512, 64, {512, 512, 512, 512, 512, 512}},
        {880, 668, 500, 64, {880, 668, 659, 500, 704, 512}},
        {100, 200, 100, 8, {100, 200, 100, 200, 104, 200}},
        {1, 1, 640, 64, {1, 1, 1, 1, 64, 64}},
        {1, 6, 640, 64, {1, 6, 1, 6, 64, 64}},
        {100, 90, 32, 64, {100, 90, 71, 64, 128, 64}}, /* not below one multiple */
        {50, 40, 32, 64, {50, 40, 50, 40, 64, 64}},    /* which it is already */
        {20, 10, 32, 64, {20, 10, 20, 10, 64, 64}},    /* never enlarged */
        {1, 4000, 1, 64, {1, 4000, 1, 4000, 64, 4032}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pf_error err = PF_ERROR_INIT;
        struct image_fit fit;
        assert_ok(image_fit_plan(cases[i].width, cases[i].height, cases[i].resolution,
                      cases[i].multiple, 4096, &fit, &err),
            &err);
        if (memcmp(&fit, &cases[i].due, sizeof fit) != 0)
            fail_msg("case %zu: %d×%d scaled to %d×%d, padded to %d×%d", i, fit.width, fit.height,
                fit.scaled_width, fit.scaled_height, fit.padded_width, fit.padded_height);
    }
}

static void test_plan_refuses(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct image_fit fit = {.width = -7};
    assert_fails(image_fit_plan(30000, 1000, 640, 64, 4096, &fit, &err), PF_INVALID,
        "30000×1000 at resolution 640 is 19200×640 inside the model, at most 4096", &err);
    assert_fails(image_fit_plan(1, INT32_MAX, INT32_MAX, 64, 4096, &fit, &err), PF_INVALID,
        "inside the model", &err);
    /* The padding counts: 4040 pixels would do, 4096 do not. */
    assert_fails(
        image_fit_plan(4040, 640, 640, 64, 4050, &fit, &err), PF_INVALID, "4096×640", &err);
    assert_ok(image_fit_plan(4040, 640, 640, 64, 4096, &fit, &err), &err);
    fit.width = -7;
    assert_fails(image_fit_plan(0, 5, 640, 64, 4096, &fit, &err), PF_INVALID, "0×5", &err);
    assert_fails(image_fit_plan(5, 5, 0, 64, 4096, &fit, &err), PF_INVALID, "resolution 0", &err);
    assert_fails(image_fit_plan(5, 5, 64, 0, 4096, &fit, &err), PF_INVALID, "multiples of 0", &err);
    assert_int_equal(fit.width, -7);
}

static float *render(int width, int height, int channels)
{
    float *planes = malloc((size_t)width * (size_t)height * (size_t)channels * sizeof *planes);
    assert_non_null(planes);
    float *at = planes;
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                *at++ = 0.5f + 0.4f * sinf(2.0f * (float)x / (float)width + (float)c) *
                                   cosf(3.0f * (float)y / (float)height);
    return planes;
}

/* Many shapes: the sizes are exact, the way back lands on the picture that was sent. */
static void test_there_and_back(void **state)
{
    (void)state;
    static const int sides[] = {1, 2, 3, 17, 63, 64, 65, 100, 129, 333, 640};
    for (size_t i = 0; i < COUNT_OF(sides); i++)
        for (size_t j = 0; j < COUNT_OF(sides); j++) {
            struct pf_error err = PF_ERROR_INIT;
            struct image_fit fit;
            int w = sides[i], h = sides[j];
            assert_ok(image_fit_plan(w, h, 64, 64, 1 << 16, &fit, &err), &err);
            assert_true(fit.padded_width % 64 == 0 && fit.padded_height % 64 == 0);
            assert_true(fit.padded_width - fit.scaled_width < 64);
            assert_true(fit.padded_height - fit.scaled_height < 64);
            if ((int64_t)fit.padded_width * fit.padded_height > 1 << 20)
                continue;
            AUTO_FREE float *in = render(w, h, 2), *model = NULL, *back = NULL;
            assert_ok(image_fit_apply(&fit, in, 2, &model, &err), &err);
            assert_ok(image_fit_undo(&fit, model, 2, &back, &err), &err);
            /* Between two or three samples there is no smooth scene to keep. */
            double bound = (w < h ? w : h) < 4 ? 0.12 : 0.01;
            for (int k = 0; k < 2 * w * h; k++)
                if (fabs((double)in[k] - (double)back[k]) > bound)
                    fail_msg("%d×%d: %g came back as %g", w, h, (double)in[k], (double)back[k]);
        }
}

static void test_unscaled_is_bit_exact(void **state)
{
    (void)state;
    static const int sizes[][2] = {{64, 64}, {64, 100}, {333, 64}, {64, 64 * 3 + 1}};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct pf_error err = PF_ERROR_INIT;
        struct image_fit fit;
        int w = sizes[i][0], h = sizes[i][1];
        assert_ok(image_fit_plan(w, h, 64, 64, 4096, &fit, &err), &err);
        AUTO_FREE float *in = render(w, h, 3), *model = NULL, *back = NULL;
        assert_ok(image_fit_apply(&fit, in, 3, &model, &err), &err);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < h; y++)
                assert_memory_equal(model + (c * fit.padded_height + y) * fit.padded_width,
                    in + (c * h + y) * w, (size_t)w * sizeof *in);
        assert_ok(image_fit_undo(&fit, model, 3, &back, &err), &err);
        assert_memory_equal(back, in, (size_t)(3 * w * h) * sizeof *in);
    }
}

static void test_padding_reflects(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    const float in[] = {1, 2, 3, 4, 5, 6};
    AUTO_FREE float *once = NULL, *often = NULL, *line = NULL;
    struct image_fit small = {3, 2, 3, 2, 4, 3};
    assert_ok(image_fit_apply(&small, in, 1, &once, &err), &err);
    const float once_due[] = {1, 2, 3, 2, 4, 5, 6, 5, 1, 2, 3, 2};
    assert_memory_equal(once, once_due, sizeof once_due);

    /* Wider than the picture: back and forth, the border samples once each. */
    struct image_fit wide = {3, 2, 3, 2, 10, 5};
    assert_ok(image_fit_apply(&wide, in, 1, &often, &err), &err);
    const float row_due[] = {1, 2, 3, 2, 1, 2, 3, 2, 1, 2};
    for (int y = 0; y < 5; y++)
        for (int x = 0; x < 10; x++)
            assert_true(often[y * 10 + x] == row_due[x] + (y % 2 ? 3.0f : 0.0f));

    struct image_fit column = {1, 3, 1, 3, 4, 8};
    assert_ok(image_fit_apply(&column, in, 1, &line, &err), &err);
    const float column_due[] = {1, 2, 3, 2, 1, 2, 3, 2};
    for (int i = 0; i < 32; i++)
        assert_true(line[i] == column_due[i / 4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_plan_refuses),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_unscaled_is_bit_exact),
        cmocka_unit_test(test_padding_reflects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
