/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"
#include "tools/data/ppm.h"

static const struct image_limits limits = {1000, 100};
static struct pf_error err;

static int setup(void **state)
{
    (void)state;
    err = (struct pf_error)PF_ERROR_INIT;
    return 0;
}

static void test_round_trip(void **state)
{
    (void)state;
    float rgb[] = {0.0f, 1.0f / 255, 2.0f, 0.5f, -1.0f, 1.0f}; /* 2×1: red, green, blue planes */
    struct image image = {2, 1, rgb, NULL}, back = IMAGE_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    assert_ok(ppm_encode(&image, "a comment", &file, &err), &err);
    assert_ok(ppm_decode(file.data, file.size, &limits, &back, &err), &err);
    assert_int_equal(back.width, 2);
    assert_int_equal(back.height, 1);
    const int expected[] = {0, 1, 255, 128, 0, 255};
    for (int i = 0; i < 6; i++)
        assert_int_equal((int)(back.rgb[i] * 255.0f + 0.5f), expected[i]);
    image_finish(&back);
}

static void test_grey(void **state)
{
    (void)state;
    static const char file[] = "P5 # grey\n# more\n1 2\n255\n\x33\xff";
    struct image image = IMAGE_INIT;
    assert_ok(picture_decode(file, sizeof file - 1, &limits, &image, &err), &err);
    for (int c = 0; c < 3; c++) {
        assert_int_equal((int)(image.rgb[2 * c] * 255.0f + 0.5f), 0x33);
        assert_int_equal((int)(image.rgb[2 * c + 1] * 255.0f + 0.5f), 0xff);
    }
    image_finish(&image);
}

static void fails(const char *file, size_t count, enum pf_status status, const char *part)
{
    struct image image = IMAGE_INIT;
    assert_fails(ppm_decode(file, count, &limits, &image, &err), status, part, &err);
    assert_null(image.rgb);
}

static void test_damaged(void **state)
{
    (void)state;
    fails("P6\n2 1\n255\nabcde", 16, PF_CORRUPT, "needs 6 bytes of pixels, the file has 5");
    fails("P6\n2\n", 5, PF_CORRUPT, "header");
    fails("P6\n0 1\n255\n", 11, PF_CORRUPT, "header");
    fails("P6\n2 1\n65535\n", 13, PF_CORRUPT, "header");
    fails("P6\n99999999999 1\n255\n", 21, PF_CORRUPT, "header");
    fails("P6\n101 1\n255\n", 13, PF_INVALID, "over the limit");
    fails("P3\n1 1\n255\n", 11, PF_UNSUPPORTED, "no binary ppm");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_round_trip, setup),
        cmocka_unit_test_setup(test_grey, setup),
        cmocka_unit_test_setup(test_damaged, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
