/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/image/thumbnail.h"
#include "tests/pipeline/image/files.h"

/* Thumbnails are held against image_decode(), which has its own tests. CORPUS names a folder of
 * files of all kinds. */

static const struct image_limits limits = IMAGE_LIMITS_DEFAULT;

static void thumbnail(const struct buffer *file, int side, struct image *ret_image)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer jpeg = BUFFER_INIT;
    assert_ok(image_thumbnail(file->data, file->size, &limits, side, &jpeg, &err), &err);
    assert_memory_equal(jpeg.data, "\xff\xd8\xff", 3);
    assert_null(strstr(jpeg.data + 2, "Exif"));
    assert_ok(image_decode(jpeg.data, jpeg.size, &limits, ret_image, &err), &err);
    assert_null(ret_image->alpha);
}

static void assert_refused(const struct buffer *file, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer jpeg = BUFFER_INIT;
    assert_fails(
        image_thumbnail(file->data, file->size, &limits, 100, &jpeg, &err), status, part, &err);
    assert_int_equal(jpeg.size, 0);
}

/* A slope in red and green, grey noise in blue would not survive the JPEG: blue is constant. */
static void make_file(int width, int height, enum image_format format, struct buffer *file)
{
    struct pf_error err = PF_ERROR_INIT;
    size_t plane = (size_t)width * (size_t)height;
    struct image image = {.width = width, .height = height, .rgb = malloc(3 * plane * 4)};
    assert_non_null(image.rgb);
    for (size_t i = 0; i < plane; i++) {
        image.rgb[i] = (float)(i % (size_t)width) / (float)width;
        image.rgb[plane + i] = (float)(i / (size_t)width) / (float)height;
        image.rgb[2 * plane + i] = 0.5f;
    }
    assert_ok(image_encode(&image, format, 95, file, &err), &err);
    image_finish(&image);
}

static void test_sizes(void **state)
{
    (void)state;
    static const int rows[][5] = {/* width, height, side, and what comes out */
        {400, 200, 100, 100, 50}, {200, 400, 100, 50, 100}, {90, 60, 100, 90, 60},
        {100, 100, 100, 100, 100}, {3000, 10, 300, 300, 1}, {2000, 1500, 96, 96, 72}};
    static const enum image_format formats[] = {
        IMAGE_FORMAT_PNG, IMAGE_FORMAT_JPEG, IMAGE_FORMAT_WEBP};
    for (size_t r = 0; r < COUNT_OF(rows); r++)
        for (size_t f = 0; f < COUNT_OF(formats); f++) {
            AUTO_BUFFER struct buffer file = BUFFER_INIT;
            struct image image = IMAGE_INIT;
            make_file(rows[r][0], rows[r][1], formats[f], &file);
            thumbnail(&file, rows[r][2], &image);
            assert_int_equal(image.width, rows[r][3]);
            assert_int_equal(image.height, rows[r][4]);
            size_t plane = (size_t)image.width * (size_t)image.height;
            for (size_t i = 0; i < plane; i++) {
                double x = ((double)(i % (size_t)image.width) + 0.5) / image.width;
                if (fabs((double)image.rgb[i] - x) > 0.05)
                    fail_msg("size %zu, format %zu, pixel %zu: %g, due %g", r, f, i,
                        (double)image.rgb[i], x);
            }
            image_finish(&image);
        }
}

/* Mean distance to the decoded original, laid on white, in steps of 1/255. */
static double distance(const struct image *thumb, const struct image *original)
{
    size_t plane = (size_t)original->width * (size_t)original->height;
    double sum = 0;
    for (size_t i = 0; i < 3 * plane; i++) {
        double alpha = original->alpha ? original->alpha[i % plane] / 255.0 : 1.0;
        double due = (double)original->rgb[i] * alpha + 1.0 - alpha;
        sum += fabs((double)thumb->rgb[i] - due) * 255.0;
    }
    return sum / (double)(3 * plane);
}

/* Grey, 16 bits, palettes, alpha, profiles, orientations, interlaced, lossy and lossless. */
static void test_all_kinds(void **state)
{
    (void)state;
    const char *folder = getenv("CORPUS");
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    const struct dirent *entry;
    int count = 0;
    while ((entry = readdir(dir)) != NULL) {
        char path[1024];
        struct pf_error err = PF_ERROR_INIT;
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        struct image original = IMAGE_INIT, thumb = IMAGE_INIT;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || file_read(path, 1 << 24, &file, &err) != PF_OK ||
            image_decode(file.data, file.size, &limits, &original, &err) != PF_OK)
            continue;
        thumbnail(&file, 4096, &thumb);
        assert_int_equal(thumb.width, original.width);
        assert_int_equal(thumb.height, original.height);
        double mean = distance(&thumb, &original);
        if (mean > 6.0)
            fail_msg("%s: %g off on average", entry->d_name, mean);
        image_finish(&original);
        image_finish(&thumb);
        count++;
    }
    closedir(dir);
    assert_true(count >= 10);
}

static void test_refusals(void **state)
{
    (void)state;
    static const enum image_format formats[] = {
        IMAGE_FORMAT_PNG, IMAGE_FORMAT_JPEG, IMAGE_FORMAT_WEBP};
    for (size_t f = 0; f < COUNT_OF(formats); f++) {
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        make_file(300, 300, formats[f], &file);
        file.size = file.size * 3 / 4;
        assert_refused(&file, PF_CORRUPT, "");
    }
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    buffer_put_text(&text, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>");
    assert_refused(&text, PF_UNSUPPORTED, "");
    AUTO_BUFFER struct buffer bomb = BUFFER_INIT;
    files_put_png_signature(&bomb);
    files_put_png_ihdr(&bomb, 60000, 60000, 8, 2);
    files_put_png_chunk(&bomb, "IDAT", "", 0);
    assert_refused(&bomb, PF_INVALID, "60000");
}

/* The profile is no profile: as if it weren't there. */
static void test_useless_profile(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer file = BUFFER_INIT, segment = BUFFER_INIT;
    struct pf_error err = PF_ERROR_INIT;
    struct image original = IMAGE_INIT, thumb = IMAGE_INIT;
    make_file(64, 64, IMAGE_FORMAT_JPEG, &file);
    static const char junk[] = "ICC_PROFILE\0\1\1not a profile at all, just some bytes";
    files_put_jpeg_segment(&segment, 0xe2, junk, sizeof junk);
    files_insert(&file, 2, segment.data, segment.size);
    assert_ok(image_decode(file.data, file.size, &limits, &original, &err), &err);
    thumbnail(&file, 100, &thumb);
    assert_true(distance(&thumb, &original) < 3.0);
    image_finish(&original);
    image_finish(&thumb);
}

static int setup(void **state)
{
    (void)state;
    return image_library_init("test_thumbnail", 1, NULL) == PF_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_all_kinds),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_useless_profile),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
