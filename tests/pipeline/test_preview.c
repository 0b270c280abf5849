/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/preview.h"

#include <math.h>
#include <string.h>

#include "tests/test.h"

enum { CHANNELS = 4, HEIGHT = 6, WIDTH = 9, FACTOR = 2, CELLS = HEIGHT * WIDTH };

static float latent[CHANNELS * CELLS];
static float rgb[3 * CELLS * FACTOR * FACTOR];

static void draw_latent(void)
{
    for (int i = 0; i < CHANNELS * CELLS; i++)
        latent[i] = (float)sin(i * (0.7 + 0.3 * (i / CELLS)));
}

/* A colour that is a linear function of the cell's latent. */
static double colour(int c, int cell)
{
    double value = 0.1 * (c + 1);
    for (int k = 0; k < CHANNELS; k++)
        value += 0.05 * (c + k - 2) * (double)latent[k * CELLS + cell];
    return value;
}

/* Every pixel of a cell has its colour, but for a checkerboard that the cell's mean doesn't see. */
static void draw_rgb(double (*of)(int c, int cell))
{
    int width = WIDTH * FACTOR, height = HEIGHT * FACTOR;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                double wave = (x + y) % 2 ? 0.05 : -0.05;
                rgb[(c * height + y) * width + x] =
                    (float)(of(c, y / FACTOR * WIDTH + x / FACTOR) + wave);
            }
}

static void assert_colours(const struct image *image, double (*of)(int c, int cell))
{
    assert_int_equal(image->width, WIDTH);
    assert_int_equal(image->height, HEIGHT);
    assert_null(image->alpha);
    for (int c = 0; c < 3; c++)
        for (int cell = 0; cell < CELLS; cell++) {
            double got = (double)image->rgb[c * CELLS + cell], want = of(c, cell);
            if (!(fabs(got - want) < 1e-3))
                fail_msg("channel %d of cell %d is %g, expected %g", c, cell, got, want);
        }
}

static void check_fit(double (*of)(int c, int cell))
{
    struct preview preview;
    struct image image = IMAGE_INIT;
    struct pf_error err = PF_ERROR_INIT;
    draw_rgb(of);
    preview_fit(&preview, latent, CHANNELS, HEIGHT, WIDTH, rgb, FACTOR);
    assert_ok(preview_render(&preview, latent, HEIGHT, WIDTH, &image, &err), &err);
    assert_colours(&image, of);
    image_finish(&image);
}

static void test_linear_colours_are_found(void **state)
{
    (void)state;
    draw_latent();
    check_fit(colour);
}

static double one_colour(int c, int cell)
{
    (void)cell;
    return 0.2 + 0.3 * c;
}

static void test_one_colour(void **state)
{
    (void)state;
    draw_latent();
    check_fit(one_colour);
}

/* What a picture of one colour encodes to: channels that are constant, thus collinear. */
static void test_constant_latent(void **state)
{
    (void)state;
    for (int i = 0; i < CHANNELS * CELLS; i++)
        latent[i] = (float)(i / CELLS) - 1.5F;
    check_fit(one_colour);
    memset(latent, 0, sizeof latent);
    check_fit(one_colour);
}

/* Another latent, as in mid-sampling, through the map of the input's. */
static void test_other_latent(void **state)
{
    (void)state;
    struct preview preview;
    struct image image = IMAGE_INIT;
    struct pf_error err = PF_ERROR_INIT;
    draw_latent();
    draw_rgb(colour);
    preview_fit(&preview, latent, CHANNELS, HEIGHT, WIDTH, rgb, FACTOR);
    for (int i = 0; i < CHANNELS * CELLS; i++)
        latent[i] = (float)cos(i * 0.3);
    assert_ok(preview_render(&preview, latent, HEIGHT, WIDTH, &image, &err), &err);
    assert_colours(&image, colour);
    image_finish(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_colours_are_found),
        cmocka_unit_test(test_one_colour),
        cmocka_unit_test(test_constant_latent),
        cmocka_unit_test(test_other_latent),
    };
    return cmocka_run_group_tests_name("preview", tests, NULL, NULL);
}
