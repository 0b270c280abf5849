/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/image/pixels.h"

/* Stored as  1 2 3 / 4 5 6; what a viewer shows for each EXIF orientation, row by row. */
static const struct {
    int width, height;
    uint8_t shown[6];
} orientations[] = {
    {0, 0, {0}},
    {3, 2, {1, 2, 3, 4, 5, 6}},
    {3, 2, {3, 2, 1, 6, 5, 4}},
    {3, 2, {6, 5, 4, 3, 2, 1}},
    {3, 2, {4, 5, 6, 1, 2, 3}},
    {2, 3, {1, 4, 2, 5, 3, 6}},
    {2, 3, {4, 1, 5, 2, 6, 3}},
    {2, 3, {6, 3, 5, 2, 4, 1}},
    {2, 3, {3, 6, 2, 5, 1, 4}},
};

static void test_all_orientations(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    uint8_t data[6 * 4];
    for (int i = 0; i < 24; i++)
        data[i] = (uint8_t)(i / 4 + 1 + 10 * (i % 4));
    struct pixels pixels = {3, 2, 4, 8, data};
    for (int orientation = 1; orientation <= 8; orientation++) {
        struct image image = IMAGE_INIT;
        assert_ok(image_from_pixels(&pixels, orientation, &image, &err), &err);
        assert_int_equal(image.width, orientations[orientation].width);
        assert_int_equal(image.height, orientations[orientation].height);
        for (int i = 0; i < 6; i++) {
            int shown = orientations[orientation].shown[i];
            for (int c = 0; c < 3; c++)
                assert_true(image.rgb[c * 6 + i] == (float)(shown + 10 * c) / 255.0f);
            assert_int_equal(image.alpha[i], shown + 30);
        }
        image_finish(&image);
    }
}

static void test_channels_and_depths(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    uint16_t data[] = {0, 65535, 257, 32768, 65406, 129};
    struct image image = IMAGE_INIT;
    struct pixels grey = {6, 1, 1, 16, data};
    assert_ok(image_from_pixels(&grey, 1, &image, &err), &err);
    assert_null(image.alpha);
    for (int i = 0; i < 18; i++)
        assert_true(image.rgb[i] == (float)data[i % 6] / 65535.0f);
    image_finish(&image);
    struct pixels grey_alpha = {3, 1, 2, 16, data};
    assert_ok(image_from_pixels(&grey_alpha, 1, &image, &err), &err);
    assert_true(image.rgb[1] == 257.0f / 65535.0f && image.rgb[7] == image.rgb[1]);
    assert_int_equal(image.alpha[0], 255);
    assert_int_equal(image.alpha[1], 128); /* 32768 / 257 = 127.5…, nearest */
    assert_int_equal(image.alpha[2], 1);   /* 129 / 257 = 0.50… */
    image_finish(&image);
    assert_null(image.rgb);
    image_finish(NULL);
}

static void test_bytes_come_back_exactly(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    uint8_t data[256 * 4];
    for (int i = 0; i < 256; i++) {
        data[4 * i] = (uint8_t)i;
        data[4 * i + 1] = (uint8_t)(255 - i);
        data[4 * i + 2] = (uint8_t)(i * 7);
        data[4 * i + 3] = (uint8_t)(i * 13);
    }
    struct pixels pixels = {16, 16, 4, 8, data};
    struct image image = IMAGE_INIT;
    AUTO_FREE uint8_t *back = NULL;
    assert_ok(image_from_pixels(&pixels, 1, &image, &err), &err);
    assert_ok(image_to_pixels(&image, 1, &back, &err), &err);
    assert_memory_equal(back, data, sizeof data);
    image_finish(&image);
}

static void test_clamps_flattens_and_refuses_nan(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    float rgb[] = {-0.5f, 0.5f, 1.7f, 0.0f, 0.2f, 1.0f};
    uint8_t alpha[] = {255, 51};
    struct image image = {2, 1, rgb, alpha};
    AUTO_FREE uint8_t *flat = NULL, *kept = NULL;
    assert_ok(image_to_pixels(&image, 0, &flat, &err), &err);
    const uint8_t flat_due[] = {0, 255, 51, 230, 204, 255}; /* second: 0.2·v + 0.8 */
    assert_memory_equal(flat, flat_due, 6);
    assert_ok(image_to_pixels(&image, 1, &kept, &err), &err);
    const uint8_t kept_due[] = {0, 255, 51, 255, 128, 0, 255, 51};
    assert_memory_equal(kept, kept_due, 8);
    rgb[3] = NAN;
    uint8_t *untouched = NULL;
    assert_fails(
        image_to_pixels(&image, 0, &untouched, &err), PF_INTERNAL, "channel 1 at x 1, y 0", &err);
    rgb[3] = INFINITY;
    assert_fails(image_to_pixels(&image, 0, &untouched, &err), PF_INTERNAL, "inf", &err);
    assert_null(untouched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_orientations),
        cmocka_unit_test(test_channels_and_depths),
        cmocka_unit_test(test_bytes_come_back_exactly),
        cmocka_unit_test(test_clamps_flattens_and_refuses_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
