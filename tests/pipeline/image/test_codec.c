/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/image/image.h"
#include "tests/pipeline/image/files.h"

/* What goes through libvips: colours, orientations, damage, encoding. Files are written by libvips
 * itself, in kinds this program never writes, and then changed by hand where it takes a liar. */

enum { W = 24, H = 16 };

static const struct image_limits limits = IMAGE_LIMITS_DEFAULT;

/* Colours that change over the picture, with every value of the alpha range. */
static uint8_t sample(int x, int y, int band)
{
    switch (band) {
    case 0:
        return (uint8_t)(30 + x * 8);
    case 1:
        return (uint8_t)(220 - y * 10);
    case 2:
        return (uint8_t)(60 + x * 3 + y * 5);
    default:
        return (uint8_t)((x + y * W) * 255 / (W * H - 1));
    }
}

static VipsImage *make_image(int bands)
{
    static uint8_t data[W * H * 4];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int band = 0; band < bands; band++)
                data[(y * W + x) * bands + band] = sample(x, y, bands == 2 && band == 1 ? 3 : band);
    VipsImage *raw = vips_image_new_from_memory_copy(
        data, (size_t)(W * H * bands), W, H, bands, VIPS_FORMAT_UCHAR);
    VipsImage *image = NULL;
    assert_int_equal(vips_copy(raw, &image, "interpretation",
                         bands <= 2 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, NULL),
        0);
    g_object_unref(raw);
    return image;
}

/* Takes the image; the bytes go into `file`. */
static void save(VipsImage *image, enum image_format format, struct buffer *file)
{
    void *bytes = NULL;
    size_t count = 0;
    int failed = format == IMAGE_FORMAT_PNG ? vips_pngsave_buffer(image, &bytes, &count, NULL)
                 : format == IMAGE_FORMAT_JPEG
                     ? vips_jpegsave_buffer(image, &bytes, &count, "Q", 95, "subsample_mode",
                           VIPS_FOREIGN_SUBSAMPLE_OFF, NULL)
                     : vips_webpsave_buffer(image, &bytes, &count, "lossless", TRUE, NULL);
    if (failed)
        fail_msg("libvips can't write the test's file: %s", vips_error_buffer());
    buffer_put(file, bytes, count);
    g_free(bytes);
    g_object_unref(image);
}

/* The next step of a chain of operations: takes `from`. */
static VipsImage *step(VipsImage *from, VipsImage *to, int failed)
{
    if (failed)
        fail_msg("libvips: %s", vips_error_buffer());
    g_object_unref(from);
    return to;
}

static void decode(const struct buffer *file, struct image *ret_image)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image_info info;
    assert_ok(image_decode(file->data, file->size, &limits, ret_image, &err), &err);
    /* Header and pixels agree. */
    assert_ok(image_probe(file->data, file->size, &limits, &info, &err), &err);
    assert_int_equal(info.width, ret_image->width);
    assert_int_equal(info.height, ret_image->height);
    assert_int_equal(info.has_alpha, ret_image->alpha != NULL);
}

static void assert_refused(const struct buffer *file, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image image = IMAGE_INIT;
    assert_fails(image_decode(file->data, file->size, &limits, &image, &err), status, part, &err);
    assert_null(image.rgb);
    assert_string_equal(vips_error_buffer(), "");
}

/* Every pixel is within `tolerance` (in steps of 1/255) of sample() in bands `first`… */
static void assert_rgb(const struct image *image, int is_grey, double tolerance)
{
    assert_int_equal(image->width, W);
    assert_int_equal(image->height, H);
    for (int band = 0; band < 3; band++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                double got = (double)image->rgb[(band * H + y) * W + x] * 255.0;
                double due = sample(x, y, is_grey ? 0 : band);
                if (image->alpha && image->alpha[y * W + x] == 0)
                    continue; /* webp keeps no colour where nothing is seen */
                if (fabs(got - due) > tolerance)
                    fail_msg("band %d at %d, %d: %g, due %g", band, x, y, got, due);
            }
}

static void assert_alpha(const struct image *image)
{
    assert_non_null(image->alpha);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            assert_int_equal(image->alpha[y * W + x], sample(x, y, 3));
}

static void test_channels_of_all_formats(void **state)
{
    (void)state;
    static const struct {
        enum image_format format;
        int bands;
    } cases[] = {
        {IMAGE_FORMAT_PNG, 1},
        {IMAGE_FORMAT_PNG, 2},
        {IMAGE_FORMAT_PNG, 3},
        {IMAGE_FORMAT_PNG, 4},
        {IMAGE_FORMAT_JPEG, 1},
        {IMAGE_FORMAT_JPEG, 3},
        {IMAGE_FORMAT_WEBP, 3},
        {IMAGE_FORMAT_WEBP, 4},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        struct image image = IMAGE_INIT;
        save(make_image(cases[i].bands), cases[i].format, &file);
        decode(&file, &image);
        assert_rgb(&image, cases[i].bands <= 2, cases[i].format == IMAGE_FORMAT_JPEG ? 4.0 : 1e-3);
        assert_int_equal(image.alpha != NULL, cases[i].bands % 2 == 0);
        if (image.alpha)
            assert_alpha(&image);
        image_finish(&image);
    }
}

static void test_sixteen_bits_keep_their_precision(void **state)
{
    (void)state;
    for (int bands = 1; bands <= 4; bands++) {
        uint16_t data[W * H * 4];
        for (int i = 0; i < W * H * bands; i++)
            data[i] = (uint16_t)(i * 40503);
        VipsImage *raw = vips_image_new_from_memory_copy(
            data, (size_t)(W * H * bands) * 2, W, H, bands, VIPS_FORMAT_USHORT);
        VipsImage *deep = NULL;
        int failed = vips_copy(raw, &deep, "interpretation",
            bands <= 2 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16, NULL);
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        save(step(raw, deep, failed), IMAGE_FORMAT_PNG, &file);
        struct image image = IMAGE_INIT;
        decode(&file, &image);
        for (int i = 0; i < W * H; i++) {
            assert_true(image.rgb[i] == (float)data[i * bands] / 65535.0f);
            if (image.alpha)
                assert_int_equal(image.alpha[i], (data[(i + 1) * bands - 1] + 128) / 257);
        }
        assert_int_equal(image.alpha != NULL, bands % 2 == 0);
        image_finish(&image);
    }
}

static void test_palette_and_one_bit(void **state)
{
    (void)state;
    static const int depths[] = {1, 2, 4};
    for (size_t i = 0; i < COUNT_OF(depths); i++) {
        uint8_t data[W * H];
        for (int k = 0; k < W * H; k++)
            data[k] = (uint8_t)(k * 37 % (1 << depths[i]) * 255 / ((1 << depths[i]) - 1));
        VipsImage *grey =
            vips_image_new_from_memory_copy(data, sizeof data, W, H, 1, VIPS_FORMAT_UCHAR);
        void *bytes = NULL;
        size_t count = 0;
        assert_int_equal(vips_pngsave_buffer(grey, &bytes, &count, "bitdepth", depths[i], NULL), 0);
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        buffer_put(&file, bytes, count);
        struct image image = IMAGE_INIT;
        decode(&file, &image);
        for (int k = 0; k < W * H; k++)
            assert_true(image.rgb[k] == (float)data[k] / 255.0f);
        image_finish(&image);
        g_free(bytes);
        g_object_unref(grey);
    }
    for (int bands = 3; bands <= 4; bands++) {
        VipsImage *colours = make_image(bands);
        void *bytes = NULL;
        size_t count = 0;
        assert_int_equal(
            vips_pngsave_buffer(colours, &bytes, &count, "palette", TRUE, "dither", 0.0, NULL), 0);
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        buffer_put(&file, bytes, count);
        assert_int_equal(file.data[25], 3); /* colour type in IHDR: palette */
        struct image image = IMAGE_INIT;
        decode(&file, &image);
        assert_rgb(&image, 0, bands == 3 ? 40.0 : 255.0);
        image_finish(&image);
        g_free(bytes);
        g_object_unref(colours);
    }
}

static void test_profiles(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        enum image_format format;
        int depth;
        double tolerance;
    } cases[] = {
        {"p3", IMAGE_FORMAT_PNG, 8, 3.0},
        {"p3", IMAGE_FORMAT_PNG, 16, 3.0},
        {"p3", IMAGE_FORMAT_JPEG, 8, 12.0},
        {"p3", IMAGE_FORMAT_WEBP, 8, 3.0},
        {"srgb", IMAGE_FORMAT_PNG, 8, 1.5},
        {"srgb", IMAGE_FORMAT_JPEG, 8, 5.0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        VipsImage *made = make_image(3), *there = NULL;
        int failed = vips_icc_transform(
            made, &there, cases[i].profile, "input_profile", "srgb", "depth", cases[i].depth, NULL);
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        save(step(made, there, failed), cases[i].format, &file);
        struct image image = IMAGE_INIT;
        decode(&file, &image);
        assert_rgb(&image, 0, cases[i].tolerance);
        image_finish(&image);
    }
}

/* Colours that ink can show survive the way to CMYK, into a jpeg with its profile, and back. */
static void test_cmyk_with_profile(void **state)
{
    (void)state;
    static const uint8_t colours[][3] = {{120, 130, 100}, {200, 60, 60}, {250, 250, 250}};
    for (size_t i = 0; i < COUNT_OF(colours); i++) {
        uint8_t data[3 * 64];
        for (int k = 0; k < 64; k++)
            memcpy(data + 3 * k, colours[i], 3);
        VipsImage *raw =
            vips_image_new_from_memory_copy(data, sizeof data, 8, 8, 3, VIPS_FORMAT_UCHAR);
        VipsImage *cmyk = NULL;
        int failed = vips_icc_transform(raw, &cmyk, "cmyk", "input_profile", "srgb", NULL);
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        save(step(raw, cmyk, failed), IMAGE_FORMAT_JPEG, &file);
        struct image image = IMAGE_INIT;
        decode(&file, &image);
        for (int c = 0; c < 3; c++)
            assert_true(fabsf(image.rgb[64 * c + 20] * 255.0f - colours[i][c]) < 20.0f);
        image_finish(&image);
    }
}

/* In p3, sRGB's numbers mean stronger colours: a profile that were ignored would show. */
static void test_profile_changes_colours(void **state)
{
    (void)state;
    uint8_t red[3] = {200, 60, 60};
    VipsImage *raw = vips_image_new_from_memory_copy(red, 3, 1, 1, 3, VIPS_FORMAT_UCHAR);
    VipsImage *there = NULL, *tagged = NULL;
    int failed = vips_icc_transform(raw, &there, "p3", "input_profile", "srgb", NULL);
    raw = step(raw, there, failed);
    /* Same numbers as before the transform, now said to be p3. */
    failed = vips_linear1(raw, &tagged, 0.0, 0.0, "uchar", TRUE, NULL);
    raw = step(raw, tagged, failed);
    double numbers[3] = {200, 60, 60}, ones[3] = {1, 1, 1};
    failed = vips_linear(raw, &there, ones, numbers, 3, "uchar", TRUE, NULL);
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    save(step(raw, there, failed), IMAGE_FORMAT_PNG, &file);
    struct image image = IMAGE_INIT;
    decode(&file, &image);
    assert_true(image.rgb[0] * 255.0f > 208.0f);
    assert_true(image.rgb[1] * 255.0f < 50.0f);
    image_finish(&image);
}

static void test_cmyk_without_profile(void **state)
{
    (void)state;
    static const uint8_t inks[4][4] = {
        {0, 0, 0, 0},
        {0, 0, 0, 255},
        {255, 0, 0, 0},
        {0, 255, 255, 0},
    };
    uint8_t data[4 * 64 * 4];
    for (int i = 0; i < 4 * 64; i++)
        memcpy(data + 4 * i, inks[i / 64], 4);
    VipsImage *raw =
        vips_image_new_from_memory_copy(data, sizeof data, 8, 32, 4, VIPS_FORMAT_UCHAR);
    VipsImage *cmyk = NULL;
    int failed = vips_copy(raw, &cmyk, "interpretation", VIPS_INTERPRETATION_CMYK, NULL);
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    save(step(raw, cmyk, failed), IMAGE_FORMAT_JPEG, &file);
    struct image image = IMAGE_INIT;
    decode(&file, &image);
    const float *r = image.rgb, *g = r + 256, *b = g + 256;
    assert_true(r[20] > 0.97f && g[20] > 0.97f && b[20] > 0.97f);                 /* paper */
    assert_true(r[84] < 0.2f && g[84] < 0.2f && b[84] < 0.2f);                    /* black */
    assert_true(r[148] < 0.3f && g[148] > 0.5f && b[148] > 0.8f);                 /* cyan */
    assert_true(r[212] > 0.8f && g[212] < 0.3f && b[212] < 0.3f && !image.alpha); /* red */
    image_finish(&image);
}

static void test_useless_profile_is_left_out(void **state)
{
    (void)state;
    for (int cmyk = 0; cmyk <= 1; cmyk++) {
        VipsImage *image = make_image(cmyk ? 4 : 3), *marked = NULL;
        int failed = vips_copy(image, &marked, "interpretation",
            cmyk ? VIPS_INTERPRETATION_CMYK : VIPS_INTERPRETATION_sRGB, NULL);
        image = step(image, marked, failed);
        static const char junk[] = "not a profile at all, just some bytes of no meaning whatsoever";
        vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, junk, sizeof junk);
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        save(image, IMAGE_FORMAT_JPEG, &file);
        struct image decoded = IMAGE_INIT;
        decode(&file, &decoded);
        if (!cmyk)
            assert_rgb(&decoded, 0, 5.0);
        image_finish(&decoded);
    }
}

/* Where a corner mark of the stored picture is shown, for each orientation. */
static void assert_turned(const struct image *upright, const struct image *turned, int orientation)
{
    int swaps = orientation >= 5;
    assert_int_equal(turned->width, swaps ? upright->height : upright->width);
    assert_int_equal(turned->height, swaps ? upright->width : upright->height);
    for (int y = 0; y < turned->height; y++)
        for (int x = 0; x < turned->width; x++) {
            int far_x = turned->width - 1 - x, far_y = turned->height - 1 - y;
            const int at[9][2] = {{0, 0}, {x, y}, {far_x, y}, {far_x, far_y}, {x, far_y}, {y, x},
                {y, far_x}, {far_y, far_x}, {far_y, x}};
            int sx = at[orientation][0], sy = at[orientation][1];
            assert_true(
                turned->rgb[y * turned->width + x] == upright->rgb[sy * upright->width + sx]);
        }
}

/* EXIF as each format keeps it: in an APP1 segment, an eXIf chunk, an EXIF chunk. */
static void put_orientation(struct buffer *file, enum image_format format, int orientation)
{
    AUTO_BUFFER struct buffer exif = BUFFER_INIT, part = BUFFER_INIT;
    if (format == IMAGE_FORMAT_JPEG)
        buffer_put(&exif, "Exif\0\0", 6);
    files_put_exif(&exif, orientation, orientation % 2);
    if (format == IMAGE_FORMAT_JPEG)
        files_put_jpeg_segment(&part, 0xe1, exif.data, exif.size);
    else if (format == IMAGE_FORMAT_PNG)
        files_put_png_chunk(&part, "eXIf", exif.data, exif.size);
    else
        files_put_webp_chunk(&part, "EXIF", exif.data, exif.size);
    size_t at = format == IMAGE_FORMAT_JPEG ? 2 : format == IMAGE_FORMAT_PNG ? 33 : file->size;
    files_insert(file, at, part.data, part.size);
    if (format == IMAGE_FORMAT_WEBP) {
        AUTO_BUFFER struct buffer canvas = BUFFER_INIT;
        files_put_webp_canvas(&canvas, 0x08, W, H);
        if (memcmp(file->data + 12, "VP8X", 4) != 0)
            files_insert(file, 12, canvas.data, canvas.size);
        else
            file->data[20] |= 0x08;
        files_end_webp(file);
    }
}

static void test_orientations_of_all_formats(void **state)
{
    (void)state;
    static const enum image_format formats[] = {
        IMAGE_FORMAT_PNG, IMAGE_FORMAT_JPEG, IMAGE_FORMAT_WEBP};
    for (size_t f = 0; f < COUNT_OF(formats); f++) {
        AUTO_BUFFER struct buffer plain = BUFFER_INIT;
        struct image upright = IMAGE_INIT;
        save(make_image(3), formats[f], &plain);
        decode(&plain, &upright);
        for (int orientation = 1; orientation <= 8; orientation++) {
            AUTO_BUFFER struct buffer file = BUFFER_INIT;
            struct image turned = IMAGE_INIT;
            buffer_put(&file, plain.data, plain.size);
            put_orientation(&file, formats[f], orientation);
            decode(&file, &turned);
            assert_turned(&upright, &turned, orientation);
            image_finish(&turned);
        }
        image_finish(&upright);
    }
}

/* Noise, so that the pixels fill most of the file. */
static void save_noise(enum image_format format, int side, struct buffer *file)
{
    VipsImage *noise = NULL, *bytes = NULL;
    int failed = vips_gaussnoise(&noise, side, side, "mean", 128.0, "sigma", 60.0, "seed", 5, NULL);
    if (failed || vips_cast_uchar(noise, &bytes, NULL) != 0)
        fail_msg("libvips: %s", vips_error_buffer());
    g_object_unref(noise);
    save(bytes, format, file);
}

static void test_truncated_files(void **state)
{
    (void)state;
    static const enum image_format formats[] = {
        IMAGE_FORMAT_PNG, IMAGE_FORMAT_JPEG, IMAGE_FORMAT_WEBP};
    for (size_t f = 0; f < COUNT_OF(formats); f++) {
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        struct image image = IMAGE_INIT;
        save_noise(formats[f], 64, &file);
        decode(&file, &image);
        image_finish(&image);
        size_t whole = file.size;
        for (int eighths = 1; eighths < 8; eighths++) {
            file.size = whole * (size_t)eighths / 8;
            assert_refused(&file, PF_CORRUPT, "");
        }
    }
}

static void test_damaged_pixels(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer png = BUFFER_INIT, webp = BUFFER_INIT;
    save_noise(IMAGE_FORMAT_PNG, 64, &png);
    png.data[png.size / 2] ^= 0x55; /* a CRC, or the Adler of zlib, no longer fits */
    assert_refused(&png, PF_CORRUPT, "png");
    save_noise(IMAGE_FORMAT_WEBP, 64, &webp);
    memset(webp.data + 30, 0xff, webp.size - 30);
    assert_refused(&webp, PF_CORRUPT, "webp");
}

/* The header decides how much is decoded: a bigger picture behind it is not let in. */
static void test_lying_headers(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer grown = BUFFER_INIT, shrunk = BUFFER_INIT, real = BUFFER_INIT;
    save_noise(IMAGE_FORMAT_PNG, 64, &real);
    files_put_png_signature(&grown);
    files_put_png_ihdr(&grown, 6000, 6000, 8, 0);
    buffer_put(&grown, real.data + 33, real.size - 33);
    assert_refused(&grown, PF_CORRUPT, "png");

    struct pf_error err = PF_ERROR_INIT;
    struct image image = IMAGE_INIT;
    files_put_png_signature(&shrunk);
    files_put_png_ihdr(&shrunk, 8, 8, 8, 0);
    buffer_put(&shrunk, real.data + 33, real.size - 33);
    enum pf_status status = image_decode(shrunk.data, shrunk.size, &limits, &image, &err);
    if (status == PF_OK)
        assert_true(image.width == 8 && image.height == 8);
    else
        assert_int_equal(status, PF_CORRUPT);
    image_finish(&image);

    AUTO_BUFFER struct buffer jpeg = BUFFER_INIT, bomb = BUFFER_INIT;
    save_noise(IMAGE_FORMAT_JPEG, 64, &jpeg);
    struct image_limits small = {64 * 64 - 1, 1000};
    err = (struct pf_error)PF_ERROR_INIT;
    assert_fails(image_decode(jpeg.data, jpeg.size, &small, &image, &err), PF_INVALID,
        "64×64 = 4096 pixels, at most 4095", &err);
    files_put_png_signature(&bomb);
    files_put_png_ihdr(&bomb, 30000, 30000, 8, 0);
    buffer_put(&bomb, real.data + 33, real.size - 33);
    assert_refused(&bomb, PF_INVALID, "900000000");
}

static void test_animations_are_refused(void **state)
{
    (void)state;
    VipsImage *made = make_image(3), *frames = NULL;
    int failed = vips_copy(made, &frames, NULL);
    made = step(made, frames, failed);
    void *bytes = NULL;
    size_t count = 0;
    assert_int_equal(vips_webpsave_buffer(made, &bytes, &count, "page_height", H / 2, NULL), 0);
    AUTO_BUFFER struct buffer webp = BUFFER_INIT, apng = BUFFER_INIT;
    buffer_put(&webp, bytes, count);
    g_free(bytes);
    g_object_unref(made);
    assert_refused(&webp, PF_UNSUPPORTED, "2 frames");

    AUTO_BUFFER struct buffer animation = BUFFER_INIT;
    files_put_png_chunk(&animation, "acTL", "\0\0\0\2\0\0\0\0", 8);
    save_noise(IMAGE_FORMAT_PNG, 16, &apng);
    files_insert(&apng, 33, animation.data, animation.size);
    assert_refused(&apng, PF_UNSUPPORTED, "2 frames");
}

static void test_other_loaders_are_blocked(void **state)
{
    (void)state;
    static const char *const operations[] = {"gifload", "svgload", "tiffload", "magickload",
        "ppmload", "pngload", "jpegload", "heifload_buffer", "tiffload_buffer", "gifload_buffer",
        "pdfload_buffer", "svgload_buffer", "magickload_buffer", "webpload_source"};
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        VipsOperation *operation = vips_operation_new(operations[i]);
        if (!operation)
            continue; /* this libvips has been built without it */
        assert_true(vips_operation_get_flags(operation) & VIPS_OPERATION_BLOCKED);
        g_object_unref(operation);
    }
    vips_error_clear();
    VipsImage *image = NULL;
    char gif[] = "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
    assert_int_not_equal(vips_gifload_buffer(gif, sizeof gif - 1, &image, NULL), 0);
    assert_non_null(strstr(vips_error_buffer(), "blocked"));
    vips_error_clear();
}

static void test_mask_by_alpha_or_luma(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    int width, height;
    for (int bands = 2; bands <= 4; bands++) {
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        AUTO_FREE float *plane = NULL;
        save(make_image(bands), IMAGE_FORMAT_PNG, &file);
        assert_ok(
            image_decode_mask(file.data, file.size, &limits, &width, &height, &plane, &err), &err);
        assert_true(width == W && height == H);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                double luma =
                    0.299 * sample(x, y, 0) + 0.587 * sample(x, y, 1) + 0.114 * sample(x, y, 2);
                double due = bands == 3 ? luma : 255 - sample(x, y, 3);
                assert_true(fabs(255.0 * (double)plane[y * W + x] - due) < 1e-3);
            }
    }
    /* Alpha that is opaque everywhere says nothing: luma. */
    float rgb[] = {1, 0, 0, 0, 1, 0, 0, 1, 0};
    uint8_t alpha[] = {255, 255, 255};
    struct image opaque = {3, 1, rgb, alpha};
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    AUTO_FREE float *plane = NULL;
    assert_ok(image_encode(&opaque, IMAGE_FORMAT_PNG, 90, &file, &err), &err);
    assert_ok(
        image_decode_mask(file.data, file.size, &limits, &width, &height, &plane, &err), &err);
    const float due[] = {0.299f, 0.701f, 0.0f};
    for (int i = 0; i < 3; i++)
        assert_true(fabsf(plane[i] - due[i]) < 1e-6f);
    file.size = 40;
    float *untouched = NULL;
    assert_fails(
        image_decode_mask(file.data, file.size, &limits, &width, &height, &untouched, &err),
        PF_CORRUPT, "png", &err);
    assert_null(untouched);
}

int main(void)
{
    struct pf_error err = PF_ERROR_INIT;
    if (image_library_init("test_codec", 2, &err) != PF_OK) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels_of_all_formats),
        cmocka_unit_test(test_sixteen_bits_keep_their_precision),
        cmocka_unit_test(test_palette_and_one_bit),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_profile_changes_colours),
        cmocka_unit_test(test_cmyk_with_profile),
        cmocka_unit_test(test_cmyk_without_profile),
        cmocka_unit_test(test_useless_profile_is_left_out),
        cmocka_unit_test(test_orientations_of_all_formats),
        cmocka_unit_test(test_truncated_files),
        cmocka_unit_test(test_damaged_pixels),
        cmocka_unit_test(test_lying_headers),
        cmocka_unit_test(test_animations_are_refused),
        cmocka_unit_test(test_other_loaders_are_blocked),
        cmocka_unit_test(test_mask_by_alpha_or_luma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
