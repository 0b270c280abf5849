/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/image/header.h"
#include "tests/pipeline/image/files.h"

static const struct image_limits limits = IMAGE_LIMITS_DEFAULT;

static enum pf_status probe(
    const struct buffer *file, struct image_info *ret_info, struct pf_error *err)
{
    return image_probe(file->data, file->size, &limits, ret_info, err);
}

static void assert_info(
    const struct buffer *file, enum image_format format, int width, int height, int has_alpha)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image_info info;
    assert_ok(probe(file, &info, &err), &err);
    assert_int_equal(info.format, format);
    assert_int_equal(info.width, width);
    assert_int_equal(info.height, height);
    assert_int_equal(info.has_alpha, has_alpha);
}

static void assert_refused(const struct buffer *file, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image_info info = {.width = -7};
    assert_fails(probe(file, &info, &err), status, part, &err);
    assert_int_equal(info.width, -7);
}

static void put_png(
    struct buffer *file, uint32_t width, uint32_t height, int depth, int colour_type)
{
    files_put_png_signature(file);
    files_put_png_ihdr(file, width, height, depth, colour_type);
}

static void test_png_sizes_and_colour_types(void **state)
{
    (void)state;
    static const struct {
        int colour_type, depths, has_alpha; /* bits of depths: 1, 2, 4, 8, 16 */
    } cases[] = {
        {0, 0x10116, 0},
        {1, 0, 0},
        {2, 0x10100, 0},
        {3, 0x116, 0},
        {4, 0x10100, 1},
        {5, 0, 0},
        {6, 0x10100, 1},
        {7, 0, 0},
        {255, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int depth = 0; depth <= 32; depth++) {
            AUTO_BUFFER struct buffer file = BUFFER_INIT;
            put_png(&file, 300, 20, depth, cases[i].colour_type);
            files_put_png_chunk(&file, "IDAT", "x", 1);
            if (depth <= 16 && cases[i].depths >> depth & 1)
                assert_info(&file, IMAGE_FORMAT_PNG, 300, 20, cases[i].has_alpha);
            else
                assert_refused(&file, PF_CORRUPT, "colour type");
        }
}

static void test_png_chunks_around_pixels(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer exif = BUFFER_INIT, file = BUFFER_INIT;
    files_put_exif(&exif, 6, 1);
    put_png(&file, 30, 20, 8, 3);
    files_put_png_chunk(&file, "PLTE", "abc", 3);
    files_put_png_chunk(&file, "tRNS", "\x80", 1);
    files_put_png_chunk(&file, "acTL", "\0\0\0\1\0\0\0\0", 8);
    files_put_png_chunk(&file, "IDAT", "x", 1);
    assert_info(&file, IMAGE_FORMAT_PNG, 30, 20, 1);
    files_put_png_chunk(&file, "eXIf", exif.data, exif.size);
    assert_info(&file, IMAGE_FORMAT_PNG, 20, 30, 1);
    files_put_png_chunk(&file, "IEND", NULL, 0);
    files_put_png_chunk(&file, "acTL", "\0\0\0\5\0\0\0\0", 8);
    assert_info(&file, IMAGE_FORMAT_PNG, 20, 30, 1);
}

static void test_png_animation_is_refused(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    put_png(&file, 30, 20, 8, 2);
    files_put_png_chunk(&file, "acTL", "\0\0\0\3\0\0\0\0", 8);
    files_put_png_chunk(&file, "IDAT", "x", 1);
    assert_refused(&file, PF_UNSUPPORTED, "3 frames");
}

static void test_png_without_pixels(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    put_png(&file, 30, 20, 8, 2);
    assert_refused(&file, PF_CORRUPT, "no pixels");
    files_put_be32(&file, 0x7fffffff);
    buffer_put_text(&file, "zTXt and nothing behind");
    assert_refused(&file, PF_CORRUPT, "no pixels");

    AUTO_BUFFER struct buffer lying = BUFFER_INIT;
    files_put_png_signature(&lying);
    files_put_png_chunk(&lying, "IDAT", "x", 1);
    files_put_png_ihdr(&lying, 3, 3, 8, 2);
    assert_refused(&lying, PF_CORRUPT, "IHDR");
}

static void test_limits_are_sharp_and_name_the_numbers(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        const char *part; /* NULL: taken */
    } cases[] = {
        {32767, 1000, NULL},
        {10000, 5000, NULL},
        {10000, 5001, "10000×5001 = 50010000 pixels, at most 50000000"},
        {32768, 1, "32768×1 pixels, at most 32767"},
        {1, 32768, "32767"},
        {0x7fffffff, 0x7fffffff, "2147483647×2147483647"},
        {0xffffffff, 0xffffffff, "4294967295×4294967295"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        put_png(&file, cases[i].width, cases[i].height, 1, 0);
        files_put_png_chunk(&file, "IDAT", "x", 1);
        if (cases[i].part)
            assert_refused(&file, PF_INVALID, cases[i].part);
        else
            assert_info(&file, IMAGE_FORMAT_PNG, (int)cases[i].width, (int)cases[i].height, 0);
    }
    AUTO_BUFFER struct buffer flat = BUFFER_INIT;
    put_png(&flat, 0, 5, 8, 2);
    files_put_png_chunk(&flat, "IDAT", "x", 1);
    assert_refused(&flat, PF_CORRUPT, "0×5");
}

static void put_jpeg_exif(struct buffer *file, int orientation, int big_endian)
{
    AUTO_BUFFER struct buffer exif = BUFFER_INIT;
    buffer_put(&exif, "Exif\0\0", 6);
    files_put_exif(&exif, orientation, big_endian);
    files_put_jpeg_segment(file, 0xe1, exif.data, exif.size);
}

static void test_jpeg_orientations(void **state)
{
    (void)state;
    for (int orientation = 0; orientation <= 9; orientation++)
        for (int big_endian = 0; big_endian <= 1; big_endian++) {
            AUTO_BUFFER struct buffer file = BUFFER_INIT;
            buffer_put(&file, "\xff\xd8", 2);
            files_put_jpeg_segment(&file, 0xe1, "http://ns.adobe.com/xap/1.0/", 29);
            put_jpeg_exif(&file, orientation, big_endian);
            put_jpeg_exif(&file, 9 - orientation, big_endian); /* a second one does not count */
            buffer_put(&file, "\xff\xff\xff", 3);              /* fill bytes */
            files_put_jpeg_frame(&file, 0xc2, 40, 30, 3);
            files_put_jpeg_segment(&file, 0xda, "\0", 1);
            int swaps = orientation >= 5 && orientation <= 8;
            assert_info(&file, IMAGE_FORMAT_JPEG, swaps ? 30 : 40, swaps ? 40 : 30, 0);
        }
}

static void test_jpeg_broken_headers(void **state)
{
    (void)state;
    struct {
        int marker, width, height, components;
        enum pf_status status;
        const char *part;
    } cases[] = {
        {0xc3, 4, 4, 3, PF_UNSUPPORTED, "lossless"},
        {0xc5, 4, 4, 3, PF_UNSUPPORTED, "SOF5"},
        {0xc0, 0, 4, 3, PF_CORRUPT, "0×4"},
        {0xc0, 4, 0, 3, PF_CORRUPT, "4×0"},
        {0xc0, 4, 4, 2, PF_UNSUPPORTED, "2 components"},
        {0xc4, 4, 4, 3, PF_CORRUPT, "without a frame header"},
        {0xc0, 65535, 65535, 3, PF_INVALID, "65535×65535"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        buffer_put(&file, "\xff\xd8", 2);
        files_put_jpeg_frame(
            &file, cases[i].marker, cases[i].width, cases[i].height, cases[i].components);
        files_put_jpeg_segment(&file, 0xda, "\0", 1);
        assert_refused(&file, cases[i].status, cases[i].part);
    }
    AUTO_BUFFER struct buffer twice = BUFFER_INIT;
    buffer_put(&twice, "\xff\xd8", 2);
    files_put_jpeg_frame(&twice, 0xc0, 4, 4, 3);
    files_put_jpeg_frame(&twice, 0xc0, 9000, 9000, 3);
    files_put_jpeg_segment(&twice, 0xda, "\0", 1);
    assert_refused(&twice, PF_CORRUPT, "two frame headers");
}

/* A scan is twenty bytes to send and a pass over the picture to decode. */
static void test_jpeg_scans_are_counted(void **state)
{
    (void)state;
    for (int scans = 99; scans <= 103; scans++) {
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        buffer_put(&file, "\xff\xd8", 2);
        files_put_jpeg_segment(&file, 0xe1, "\xff\xda\xff\xda\xff\xda", 6);
        files_put_jpeg_frame(&file, 0xc2, 40, 30, 3);
        buffer_put(&file, "odd", 3); /* bytes between segments are skipped */
        for (int i = 0; i < scans; i++) {
            files_put_jpeg_segment(&file, 0xc4, "\xff\xda", 2);
            files_put_jpeg_segment(&file, 0xda, "\0", 1);
            /* entropy-coded: a stuffed FF, a restart, a reserved marker that has no length */
            buffer_put(&file, "ab\xff\0\xda\xff\xd0zz\xff\x05\xff", 12);
        }
        if (scans <= 100)
            assert_info(&file, IMAGE_FORMAT_JPEG, 40, 30, 0);
        else
            assert_refused(&file, PF_INVALID, "scans, at most 100");
        file.size = file.size * 9 / 10; /* cut short: fewer */
        assert_info(&file, IMAGE_FORMAT_JPEG, 40, 30, 0);
    }
    AUTO_BUFFER struct buffer mpo = BUFFER_INIT;
    buffer_put(&mpo, "\xff\xd8", 2);
    files_put_jpeg_frame(&mpo, 0xc0, 40, 30, 3);
    files_put_jpeg_segment(&mpo, 0xda, "\0", 1);
    buffer_put(&mpo, "ab\xff\xd9", 4);
    for (int i = 0; i < 200; i++)
        files_put_jpeg_segment(&mpo, 0xda, "\0", 1); /* behind the picture */
    assert_info(&mpo, IMAGE_FORMAT_JPEG, 40, 30, 0);
}

static void test_damaged_exif_counts_as_upright(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer exif = BUFFER_INIT;
    files_put_exif(&exif, 6, 0);
    const uint8_t *bytes = (const uint8_t *)exif.data;
    assert_int_equal(image_exif_orientation(bytes, exif.size), 6);
    /* The value is 10 bytes before the end: header 8, count 2, entries of 12. */
    for (size_t size = 0; size < exif.size; size++)
        assert_int_equal(image_exif_orientation(bytes, size), size < 34 ? 1 : 6);
    static const size_t damaged[] = {0, 2, 4, 22, 24, 26};
    for (size_t i = 0; i < COUNT_OF(damaged); i++) {
        exif.data[damaged[i]] ^= 0x40;
        assert_int_equal(image_exif_orientation(bytes, exif.size), 1);
        exif.data[damaged[i]] ^= 0x40;
    }
    memcpy(exif.data + 4, "\xff\xff\xff\xff", 4); /* directory far outside */
    assert_int_equal(image_exif_orientation(bytes, exif.size), 1);
}

static void put_lossless(struct buffer *file, uint32_t width, uint32_t height, uint32_t alpha)
{
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    buffer_put(&data, "\x2f", 1);
    files_put_le32(&data, (width - 1) | (height - 1) << 14 | alpha << 28);
    files_put_webp_chunk(file, "VP8L", data.data, data.size);
}

static void put_lossy(struct buffer *file, uint32_t width, uint32_t height)
{
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    buffer_put(&data, "\0\0\0\x9d\x01\x2a", 6);
    files_put_le16(&data, width);
    files_put_le16(&data, height);
    files_put_webp_chunk(file, "VP8 ", data.data, data.size);
}

static void test_webp_kinds(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer lossy = BUFFER_INIT, lossless = BUFFER_INIT, clear = BUFFER_INIT;
    files_begin_webp(&lossy);
    put_lossy(&lossy, 16383, 30);
    files_end_webp(&lossy);
    assert_info(&lossy, IMAGE_FORMAT_WEBP, 16383, 30, 0);
    files_begin_webp(&lossless);
    put_lossless(&lossless, 40, 300, 0);
    files_end_webp(&lossless);
    assert_info(&lossless, IMAGE_FORMAT_WEBP, 40, 300, 0);
    files_begin_webp(&clear);
    put_lossless(&clear, 40, 300, 1);
    files_end_webp(&clear);
    assert_info(&clear, IMAGE_FORMAT_WEBP, 40, 300, 1);
    buffer_put_text(&clear, "bytes behind the file don't matter");
    assert_info(&clear, IMAGE_FORMAT_WEBP, 40, 300, 1);
}

static void test_webp_extended(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer exif = BUFFER_INIT, file = BUFFER_INIT, liar = BUFFER_INIT;
    files_put_exif(&exif, 8, 0);
    files_begin_webp(&file);
    files_put_webp_canvas(&file, 0x18, 40, 30);
    files_put_webp_chunk(&file, "ALPH", "odd", 3);
    put_lossy(&file, 40, 30);
    files_put_webp_chunk(&file, "EXIF", exif.data, exif.size);
    files_end_webp(&file);
    assert_info(&file, IMAGE_FORMAT_WEBP, 30, 40, 1);

    files_begin_webp(&liar);
    files_put_webp_canvas(&liar, 0, 4, 3);
    put_lossy(&liar, 16000, 16000);
    files_end_webp(&liar);
    assert_refused(&liar, PF_CORRUPT, "16000×16000 on a canvas of 4×3");
}

static void test_webp_animation_and_damage(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer file = BUFFER_INIT, empty = BUFFER_INIT, cut = BUFFER_INIT;
    files_begin_webp(&file);
    files_put_webp_canvas(&file, 0x02, 40, 30);
    files_put_webp_chunk(&file, "ANIM", "\0\0\0\0\0\0", 6);
    files_put_webp_chunk(&file, "ANMF", "frame one", 9);
    files_end_webp(&file);
    assert_info(&file, IMAGE_FORMAT_WEBP, 40, 30, 0);
    files_put_webp_chunk(&file, "ANMF", "frame two", 9);
    files_end_webp(&file);
    assert_refused(&file, PF_UNSUPPORTED, "2 frames");

    files_begin_webp(&empty);
    files_put_webp_canvas(&empty, 0, 40, 30);
    files_end_webp(&empty);
    assert_refused(&empty, PF_CORRUPT, "no picture");

    files_begin_webp(&cut);
    put_lossy(&cut, 40, 30);
    files_end_webp(&cut);
    cut.size -= 2;
    assert_refused(&cut, PF_CORRUPT, "the file says 30 bytes, it has 28");
    cut.data[4] = (char)(cut.data[4] - 2);
    assert_refused(&cut, PF_CORRUPT, "ends behind the file");
}

static void test_other_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *part;
    } cases[] = {
        {"", 0, "empty"},
        {"GIF89a....", 10, "a gif file"},
        {"\0\0\0\x1c"
         "ftypheic",
            12, "a heic file"},
        {"\0\0\0\x1c"
         "ftypavif",
            12, "a avif file"},
        {"II*\0....", 8, "a tiff file"},
        {"%PDF-1.7", 8, "a pdf file"},
        {"<svg xmlns", 10, "a svg file"},
        {"hi", 2, "2 bytes that begin with 68 69 00 00"},
        {"\x89PNG\r\n\x1a", 7, "89 50 4e 47"},
        {"\xff\xd8", 2, "ff d8"},
        {"RIFF\x04\0\0\0WAVE", 12, "52 49 46 46"},
        {"xx\x89PNG\r\n\x1a\n", 10, "78 78 89 50"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        buffer_put(&file, cases[i].bytes, cases[i].count);
        assert_refused(&file, PF_UNSUPPORTED, cases[i].part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_sizes_and_colour_types),
        cmocka_unit_test(test_png_chunks_around_pixels),
        cmocka_unit_test(test_png_animation_is_refused),
        cmocka_unit_test(test_png_without_pixels),
        cmocka_unit_test(test_limits_are_sharp_and_name_the_numbers),
        cmocka_unit_test(test_jpeg_orientations),
        cmocka_unit_test(test_jpeg_broken_headers),
        cmocka_unit_test(test_jpeg_scans_are_counted),
        cmocka_unit_test(test_damaged_exif_counts_as_upright),
        cmocka_unit_test(test_webp_kinds),
        cmocka_unit_test(test_webp_extended),
        cmocka_unit_test(test_webp_animation_and_damage),
        cmocka_unit_test(test_other_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
