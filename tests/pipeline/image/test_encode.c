/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/image/image.h"

/* Encoding, and the whole way of real photos: decode, fit, undo, encode. */

static const struct image_limits limits = IMAGE_LIMITS_DEFAULT;
static const enum image_format formats[] = {IMAGE_FORMAT_PNG, IMAGE_FORMAT_JPEG, IMAGE_FORMAT_WEBP};

static struct image make_image(int width, int height, int with_alpha)
{
    size_t area = (size_t)width * (size_t)height;
    struct image image = {
        width, height, malloc(3 * area * sizeof(float)), with_alpha ? malloc(area) : NULL};
    assert_true(image.rgb && (!with_alpha || image.alpha));
    for (size_t i = 0; i < 3 * area; i++) {
        size_t x = i % area % (size_t)width, y = i % area / (size_t)width;
        image.rgb[i] = (float)((x * 2 + y * 3 + i / area * 40) % 256) / 255.0f;
    }
    for (size_t i = 0; with_alpha && i < area; i++)
        image.alpha[i] = (uint8_t)(i % 256);
    return image;
}

static double mean_difference(const struct image *a, const struct image *b)
{
    assert_true(a->width == b->width && a->height == b->height);
    size_t count = (size_t)a->width * (size_t)a->height * 3;
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += fabs((double)a->rgb[i] - (double)b->rgb[i]);
    return sum / (double)count;
}

static struct image through(
    const struct image *image, enum image_format format, int quality, size_t *ret_size)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    struct image_info info;
    struct image back = IMAGE_INIT;
    assert_ok(image_encode(image, format, quality, &file, &err), &err);
    assert_ok(image_probe(file.data, file.size, &limits, &info, &err), &err);
    assert_int_equal(info.format, format);
    assert_ok(image_decode(file.data, file.size, &limits, &back, &err), &err);
    *ret_size = file.size;
    return back;
}

static void test_png_is_exact(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 300}, {300, 1}, {61, 47}};
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        for (int with_alpha = 0; with_alpha <= 1; with_alpha++) {
            size_t size, area = (size_t)(sizes[i][0] * sizes[i][1]);
            struct image image = make_image(sizes[i][0], sizes[i][1], with_alpha);
            struct image back = through(&image, IMAGE_FORMAT_PNG, 1, &size);
            assert_memory_equal(back.rgb, image.rgb, 3 * area * sizeof(float));
            assert_int_equal(back.alpha != NULL, with_alpha);
            if (with_alpha)
                assert_memory_equal(back.alpha, image.alpha, area);
            image_finish(&image);
            image_finish(&back);
        }
}

static void test_lossy_formats_follow_quality(void **state)
{
    (void)state;
    static const enum image_format lossy[] = {IMAGE_FORMAT_JPEG, IMAGE_FORMAT_WEBP};
    for (size_t f = 0; f < COUNT_OF(lossy); f++) {
        struct image image = make_image(100, 80, 0);
        size_t small, large;
        struct image low = through(&image, lossy[f], 10, &small);
        struct image high = through(&image, lossy[f], 95, &large);
        assert_true(small < large);
        assert_true(mean_difference(&image, &high) < 0.05);
        assert_true(mean_difference(&image, &high) < mean_difference(&image, &low));
        image_finish(&low);
        image_finish(&high);
        image_finish(&image);
    }
}

static void test_alpha_by_format(void **state)
{
    (void)state;
    size_t size;
    struct image image = make_image(64, 48, 1);
    struct image webp = through(&image, IMAGE_FORMAT_WEBP, 80, &size);
    assert_memory_equal(webp.alpha, image.alpha, 64 * 48);
    image_finish(&webp);
    memset(image.alpha, 0, 64 * 48);
    struct image jpeg = through(&image, IMAGE_FORMAT_JPEG, 90, &size);
    assert_null(jpeg.alpha);
    for (int i = 0; i < 3 * 64 * 48; i++)
        assert_true(jpeg.rgb[i] > 0.99f); /* all clear: white */
    image_finish(&jpeg);
    image_finish(&image);
}

static int holds(const struct buffer *file, const char *text)
{
    size_t count = strlen(text);
    for (size_t at = 0; at + count <= file->size; at++)
        if (memcmp(file->data + at, text, count) == 0)
            return 1;
    return 0;
}

static void test_no_metadata(void **state)
{
    (void)state;
    static const char *const names[] = {"Exif", "EXIF", "eXIf", "ICC_PROFILE", "iCCP", "ICCP",
        "xmp", "XMP", "tEXt", "zTXt", "iTXt", "tIME", "Photoshop"};
    for (size_t f = 0; f < COUNT_OF(formats); f++) {
        struct pf_error err = PF_ERROR_INIT;
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        struct image image = make_image(16, 16, 1);
        assert_ok(image_encode(&image, formats[f], 80, &file, &err), &err);
        for (size_t n = 0; n < COUNT_OF(names); n++)
            if (holds(&file, names[n]))
                fail_msg("format %d: there is %s in the file", (int)formats[f], names[n]);
        image_finish(&image);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    struct image image = make_image(16400, 1, 0);
    assert_fails(image_encode(&image, IMAGE_FORMAT_PNG, 0, &file, &err), PF_INVALID,
        "quality is 0, must be 1 to 100", &err);
    assert_fails(
        image_encode(&image, IMAGE_FORMAT_JPEG, 101, &file, &err), PF_INVALID, "101", &err);
    assert_fails(image_encode(&image, IMAGE_FORMAT_WEBP, 80, &file, &err), PF_INVALID,
        "webp holds at most 16383 pixels a side, the image has 16400×1", &err);
    assert_ok(image_encode(&image, IMAGE_FORMAT_JPEG, 80, &file, &err), &err);
    buffer_clear(&file);
    image.rgb[7] = NAN;
    assert_fails(image_encode(&image, IMAGE_FORMAT_PNG, 80, &file, &err), PF_INTERNAL, "nan", &err);
    assert_int_equal(file.size, 0);
    image_finish(&image);

    AUTO_BUFFER struct buffer full = BUFFER_INIT_MAX(20);
    struct image small = make_image(30, 30, 0);
    assert_fails(image_encode(&small, IMAGE_FORMAT_PNG, 80, &full, &err), PF_INVALID, "20", &err);
    image_finish(&small);
}

/* The photo's way through the service, without a model. Keeps the result when asked, to look at. */
static void take_photo_through(const char *path, int resolution, double max_difference)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT, out = BUFFER_INIT;
    assert_ok(file_read(path, 16 << 20, &file, &err), &err);
    struct image photo = IMAGE_INIT;
    assert_ok(image_decode(file.data, file.size, &limits, &photo, &err), &err);
    struct image_fit fit;
    AUTO_FREE float *model = NULL;
    assert_ok(image_fit_plan(photo.width, photo.height, resolution, 64, 4096, &fit, &err), &err);
    assert_ok(image_fit_apply(&fit, photo.rgb, 3, &model, &err), &err);
    struct image back = {photo.width, photo.height, NULL, NULL};
    assert_ok(image_fit_undo(&fit, model, 3, &back.rgb, &err), &err);
    double difference = mean_difference(&photo, &back);
    print_message("%s: %d×%d through %d×%d, mean difference %.4f\n", strrchr(path, '/') + 1,
        photo.width, photo.height, fit.padded_width, fit.padded_height, difference);
    assert_true(difference <= max_difference);

    const char *keep = getenv("PROMPTFIX_TEST_KEEP");
    struct image seen = {fit.padded_width, fit.padded_height, model, NULL};
    assert_ok(image_encode(&seen, IMAGE_FORMAT_PNG, 90, &out, &err), &err);
    char kept[4096];
    if (keep) {
        snprintf(kept, sizeof kept, "%s/%s-%d.png", keep, strrchr(path, '/') + 1, resolution);
        assert_ok(file_write(kept, out.data, out.size, 0600, 0, &err), &err);
    }
    image_finish(&photo);
    image_finish(&back);
}

static void test_photos(void **state)
{
    (void)state;
    static const char *const names[] = {
        "color3.png", "dehazy4.jpg", "desnow3.jpg", "dewatermark4.jpg", "lowlight3.jpg"};
    const char *dir = getenv("PROMPTFIX_TEST_PHOTOS");
    int found = 0;
    for (size_t i = 0; dir && i < COUNT_OF(names); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (access(path, R_OK) != 0)
            continue;
        found++;
        take_photo_through(path, 640, 0.01);
        take_photo_through(path, 256, 0.06);
    }
    if (!found) {
        print_message("no photos in PROMPTFIX_TEST_PHOTOS (%s)\n", dir ? dir : "unset");
        skip();
    }
}

int main(void)
{
    struct pf_error err = PF_ERROR_INIT;
    if (image_library_init("test_encode", 2, &err) != PF_OK) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_is_exact),
        cmocka_unit_test(test_lossy_formats_follow_quality),
        cmocka_unit_test(test_alpha_by_format),
        cmocka_unit_test(test_no_metadata),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_photos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
