/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/image/resample.h"

/* A smooth picture of the unit square, sampled at pixel centres. */
static double scene(double u, double v)
{
    return 0.5 + 0.2 * sin(5.0 * u + 1.0) + 0.2 * cos(4.0 * v) + 0.05 * sin(6.0 * u * v);
}

static float *render(int width, int height)
{
    float *plane = malloc((size_t)width * (size_t)height * sizeof *plane);
    assert_non_null(plane);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            plane[(size_t)y * (size_t)width + (size_t)x] =
                (float)scene((x + 0.5) / width, (y + 0.5) / height);
    return plane;
}

static float *resample(const float *in, int in_width, int in_height, int width, int height)
{
    struct pf_error err = PF_ERROR_INIT;
    float *out = malloc((size_t)width * (size_t)height * sizeof *out);
    assert_non_null(out);
    assert_ok(image_resample(in, in_width, in_height, out, width, height, &err), &err);
    return out;
}

static double max_difference(const float *a, const float *b, int width, int height, int margin)
{
    double max = 0.0;
    for (int y = margin; y < height - margin; y++)
        for (int x = margin; x < width - margin; x++)
            max = fmax(max, fabs((double)a[y * width + x] - (double)b[y * width + x]));
    return max;
}

/* Scaling a smooth scene gives the scene at the other size: no shift, no blur, no gain. */
static void test_smooth_scene_up_and_down(void **state)
{
    (void)state;
    static const int sizes[][4] = {
        {200, 150, 640, 480},
        {640, 480, 200, 150},
        {641, 479, 640, 479},
        {640, 480, 641, 482},
        {900, 700, 37, 29},
        {300, 200, 300, 411},
        {300, 200, 123, 200},
        {120, 300, 240, 150},
    };
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        const int *s = sizes[i];
        AUTO_FREE float *in = render(s[0], s[1]);
        AUTO_FREE float *out = resample(in, s[0], s[1], s[2], s[3]);
        AUTO_FREE float *due = render(s[2], s[3]);
        /* A shift by half a pixel of the small picture would show as 0.02 or more. */
        double inside = max_difference(out, due, s[2], s[3], s[2] < 100 ? 3 : 12);
        double all = max_difference(out, due, s[2], s[3], 0);
        if (inside > (s[2] < 100 ? 1.5e-3 : 2e-4) || all > 0.03)
            fail_msg(
                "%d×%d to %d×%d: off by %g inside, %g in all", s[0], s[1], s[2], s[3], inside, all);
    }
}

static void test_flat_stays_flat(void **state)
{
    (void)state;
    static const int sizes[][4] = {
        {64, 48, 640, 480},
        {640, 480, 7, 5},
        {1, 1, 300, 200},
        {1, 500, 64, 3},
        {333, 2, 1, 77},
    };
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        const int *s = sizes[i];
        size_t area = (size_t)s[0] * (size_t)s[1];
        AUTO_FREE float *in = malloc(area * sizeof *in);
        assert_non_null(in);
        for (size_t k = 0; k < area; k++)
            in[k] = 0.7f;
        AUTO_FREE float *out = resample(in, s[0], s[1], s[2], s[3]);
        for (int k = 0; k < s[2] * s[3]; k++)
            if (fabsf(out[k] - 0.7f) > 2e-6f)
                fail_msg("%d×%d to %d×%d: %.9g at %d", s[0], s[1], s[2], s[3], (double)out[k], k);
    }
}

/* Ringing stays beside the edge: the flat areas of a step are flat again some taps away. */
static void test_step_rings_only_beside_the_edge(void **state)
{
    (void)state;
    float in[400];
    for (int x = 0; x < 400; x++)
        in[x] = x < 200 ? 0.2f : 0.8f;
    AUTO_FREE float *down = resample(in, 400, 1, 100, 1);
    AUTO_FREE float *up = resample(in, 400, 1, 1600, 1);
    for (int x = 0; x < 100; x++) {
        float due = x < 50 ? 0.2f : 0.8f;
        int distance = x < 50 ? 49 - x : x - 50;
        assert_true(fabsf(down[x] - due) < (distance < 3 ? 0.12f : 1e-6f));
    }
    for (int x = 0; x < 1600; x++) {
        float due = x < 800 ? 0.2f : 0.8f;
        int distance = x < 800 ? 799 - x : x - 800;
        if (distance > 8)
            assert_true(fabsf(up[x] - due) < 1e-6f);
        assert_true(up[x] > 0.1f && up[x] < 0.9f);
    }
}

/* A pattern finer than the small picture can show must vanish, not turn into another pattern. */
static void test_shrinking_does_not_alias(void **state)
{
    (void)state;
    enum { IN = 512, OUT = 100 };
    AUTO_FREE float *in = malloc(IN * IN * sizeof *in);
    assert_non_null(in);
    for (int y = 0; y < IN; y++)
        for (int x = 0; x < IN; x++)
            in[y * IN + x] = (float)((x + y) & 1);
    AUTO_FREE float *out = resample(in, IN, IN, OUT, OUT);
    for (int y = 3; y < OUT - 3; y++)
        for (int x = 3; x < OUT - 3; x++)
            assert_true(fabsf(out[y * OUT + x] - 0.5f) < 0.01f);
}

static void test_equal_sizes_are_copied(void **state)
{
    (void)state;
    AUTO_FREE float *in = render(301, 77);
    in[5] = -0.0f;
    in[6] = 1e-40f;
    AUTO_FREE float *out = resample(in, 301, 77, 301, 77);
    assert_memory_equal(out, in, 301 * 77 * sizeof *in);
}

/* Both passes and both orders agree with the other axis: transposing commutes with scaling. */
static void test_axes_are_alike(void **state)
{
    (void)state;
    enum { W = 310, H = 270 };
    static const int sizes[][2] = {{97, 83}, {640, 600}, {100, 500}, {500, 100}};
    AUTO_FREE float *in = malloc(W * H * sizeof *in), *turned = malloc(W * H * sizeof *turned);
    assert_true(in && turned);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            turned[x * H + y] = in[y * W + x] = (float)((x * 7919 + y * 104729) % 256) / 255.0f;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        int w = sizes[i][0], h = sizes[i][1];
        AUTO_FREE float *out = resample(in, W, H, w, h);
        AUTO_FREE float *other = resample(turned, H, W, h, w);
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                assert_true(fabsf(out[y * w + x] - other[x * h + y]) < 1e-5f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smooth_scene_up_and_down),
        cmocka_unit_test(test_flat_stays_flat),
        cmocka_unit_test(test_step_rings_only_beside_the_edge),
        cmocka_unit_test(test_shrinking_does_not_alias),
        cmocka_unit_test(test_equal_sizes_are_copied),
        cmocka_unit_test(test_axes_are_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
