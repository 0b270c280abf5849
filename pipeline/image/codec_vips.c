/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

#include "base/cleanup.h"
#include "pipeline/image/header.h"
#include "pipeline/image/pixels.h"
#include "pipeline/image/webp_strip.h"

/* libvips decodes, converts colours and encodes; everything else about a picture is done elsewhere.
 *
 * It knows some forty formats, many through libraries that were not written for foreign bytes. Here
 * all loaders and savers are blocked but three each, and the one for the magic that header.c saw is
 * called by name, so no file chooses its own decoder. Reading is sequential: rows go through once,
 * into memory as 8 or 16-bit integers, and are turned upright on the way to planes (pixels.c).
 *
 * Locking: libvips' error text is one for the process. It is cleared before each operation and
 * taken after a failure, so the functions here are for one thread at a time; libvips' own threads
 * are its affair. */

enum {
    CODEC_TEXT_MAX = 300, /* of libvips' error text, in our message */
};

static const char *const allowed_operations[] = {
    "VipsForeignLoadPngBuffer",
    "VipsForeignLoadJpegBuffer",
    "VipsForeignLoadWebpBuffer",
    "VipsForeignSavePngBuffer",
    "VipsForeignSaveJpegBuffer",
    "VipsForeignSaveWebpBuffer",
};

static const char *const format_names[] = {
    [IMAGE_FORMAT_PNG] = "png",
    [IMAGE_FORMAT_JPEG] = "jpeg",
    [IMAGE_FORMAT_WEBP] = "webp",
};

static void unref_image(VipsImage **image)
{
    if (*image)
        g_object_unref(*image);
}

static void free_glib(void *pointer_to_pointer)
{
    g_free(*(void **)pointer_to_pointer);
}

#define AUTO_VIPS __attribute__((cleanup(unref_image)))
#define AUTO_GLIB __attribute__((cleanup(free_glib)))

/* libvips' error text as one line, and cleared. */
static void take_text(char ret_text[CODEC_TEXT_MAX])
{
    char *text = vips_error_buffer_copy();
    snprintf(ret_text, CODEC_TEXT_MAX, "%s", text && *text ? text : "no reason given");
    g_free(text);
    for (size_t end = strlen(ret_text); end > 0 && isspace((unsigned char)ret_text[end - 1]); end--)
        ret_text[end - 1] = '\0';
    for (char *c = ret_text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
}

static enum pf_status fail_vips(
    struct pf_error *err, enum pf_status status, const char *what, enum image_format format)
{
    char text[CODEC_TEXT_MAX];
    take_text(text);
    if (strstr(text, "out of memory"))
        status = PF_NOMEM;
    return pf_fail(err, status, "%s %s: %s", what, format_names[format], text);
}

/* Libraries do not print: what matters comes back as an error. */
static void drop_log(const char *domain, GLogLevelFlags level, const char *message, void *data)
{
    (void)domain, (void)level, (void)message, (void)data;
}

enum pf_status image_library_init(const char *program_name, int threads, struct pf_error *err)
{
    static int is_started;
    if (!is_started) {
        g_log_set_handler(
            "VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO, drop_log, NULL);
        if (VIPS_INIT(program_name) != 0) {
            char text[CODEC_TEXT_MAX];
            take_text(text);
            return pf_fail(
                err, PF_INTERNAL, "libvips %s does not start: %s", vips_version_string(), text);
        }
        vips_cache_set_max(0);
        vips_cache_set_max_mem(0);
        vips_cache_set_max_files(0);
        vips_block_untrusted_set(TRUE);
        vips_operation_block_set("VipsForeignLoad", TRUE);
        vips_operation_block_set("VipsForeignSave", TRUE);
        for (size_t i = 0; i < COUNT_OF(allowed_operations); i++)
            vips_operation_block_set(allowed_operations[i], FALSE);
        is_started = 1;
    }
    vips_concurrency_set(threads);
    return PF_OK;
}

static int load(
    const struct image_header *header, const void *bytes, size_t count, VipsImage **ret_image)
{
    void *buffer = (void *)(uintptr_t)bytes; /* libvips' signature; it only reads */
    int (*loader)(void *, size_t, VipsImage **, ...) =
        header->format == IMAGE_FORMAT_PNG    ? vips_pngload_buffer
        : header->format == IMAGE_FORMAT_JPEG ? vips_jpegload_buffer
                                              : vips_webpload_buffer;
    return loader(buffer, count, ret_image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
        VIPS_FAIL_ON_ERROR, NULL);
}

/* 16 bits to 8, rounded. */
static int make_bytes(VipsImage *image, VipsImage **ret_bytes)
{
    AUTO_VIPS VipsImage *scaled = NULL;
    if (vips_linear1(image, &scaled, 1.0 / 257.0, 0.5, "uchar", TRUE, NULL) != 0)
        return -1;
    return vips_copy(scaled, ret_bytes, "interpretation",
        image->Bands <= 2 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, NULL);
}

/* By the embedded profile to 8-bit sRGB; NULL when the profile is of no use. 16-bit files become
 * 8-bit before: lcms' 16-bit path goes through a table that is off by up to 7/255 in saturated
 * colours (measured with Display P3), its 8-bit path is exact. */
static VipsImage *convert_by_profile(VipsImage *image)
{
    AUTO_VIPS VipsImage *bytes = NULL;
    VipsImage *converted = NULL;
    if (!vips_image_get_typeof(image, VIPS_META_ICC_NAME))
        return NULL;
    int is_short = image->BandFmt == VIPS_FORMAT_USHORT;
    if ((is_short && make_bytes(image, &bytes) != 0) ||
        vips_icc_transform(is_short ? bytes : image, &converted, "srgb", "embedded", TRUE, "intent",
            VIPS_INTENT_RELATIVE, "black_point_compensation", TRUE, NULL) != 0) {
        vips_error_clear();
        return NULL;
    }
    return converted;
}

/* CMYK without a usable profile: by libvips' generic one. */
static VipsImage *convert_cmyk(VipsImage *image)
{
    AUTO_VIPS VipsImage *bare = NULL;
    VipsImage *converted = NULL;
    if (vips_copy(image, &bare, NULL) != 0)
        return NULL;
    vips_image_remove(bare, VIPS_META_ICC_NAME);
    if (vips_icc_transform(bare, &converted, "srgb", "input_profile", "cmyk", "intent",
            VIPS_INTENT_RELATIVE, "black_point_compensation", TRUE, NULL) != 0)
        return NULL;
    return converted;
}

/* To grey or sRGB of 8 or 16 bits, with or without alpha. */
static enum pf_status convert_colours(
    VipsImage *image, enum image_format format, VipsImage **ret_converted, struct pf_error *err)
{
    VipsImage *converted = convert_by_profile(image);
    if (!converted && image->Type == VIPS_INTERPRETATION_CMYK) {
        converted = convert_cmyk(image);
        if (!converted)
            return fail_vips(err, PF_CORRUPT, "can't convert the colours of this", format);
    }
    if (!converted) {
        converted = image;
        g_object_ref(image);
    }
    *ret_converted = converted;
    return PF_OK;
}

static enum pf_status read_pixels(VipsImage *image, const struct image_header *header,
    struct image *ret_image, struct pf_error *err)
{
    int is_short = image->BandFmt == VIPS_FORMAT_USHORT;
    if ((!is_short && image->BandFmt != VIPS_FORMAT_UCHAR) || image->Bands < 1 || image->Bands > 4)
        return pf_fail(err, PF_UNSUPPORTED, "a %s of %d channels in libvips' format %d",
            format_names[header->format], image->Bands, (int)image->BandFmt);
    size_t size;
    AUTO_GLIB void *data = vips_image_write_to_memory(image, &size);
    if (!data)
        return fail_vips(err, PF_CORRUPT, "damaged or truncated", header->format);
    struct pixels pixels = {
        .width = image->Xsize,
        .height = image->Ysize,
        .channels = image->Bands,
        .depth = is_short ? 16 : 8,
        .data = data,
    };
    return image_from_pixels(&pixels, header->orientation, ret_image, err);
}

enum pf_status image_decode(const void *bytes, size_t count, const struct image_limits *limits,
    struct image *ret_image, struct pf_error *err)
{
    struct image_header header;
    PF_TRY(image_header_read(bytes, count, limits, &header, err));
    AUTO_VIPS VipsImage *image = NULL, *converted = NULL;
    vips_error_clear();
    if (load(&header, bytes, count, &image) != 0)
        return fail_vips(err, PF_CORRUPT, "damaged or truncated", header.format);
    if (image->Xsize != header.stored_width || image->Ysize != header.stored_height)
        return pf_fail(err, PF_CORRUPT,
            "the header says %" PRId64 "×%" PRId64 ", the pixels are %d×%d", header.stored_width,
            header.stored_height, image->Xsize, image->Ysize);
    PF_TRY(convert_colours(image, header.format, &converted, err));
    return read_pixels(converted, &header, ret_image, err);
}

static enum pf_status check_encodable(
    const struct image *image, enum image_format format, int quality, struct pf_error *err)
{
    if (quality < 1 || quality > 100)
        return pf_fail(err, PF_INVALID, "quality is %d, must be 1 to 100", quality);
    int max_side = image_side_max(format);
    if (image->width > max_side || image->height > max_side)
        return pf_fail(err, PF_INVALID, "%s holds at most %d pixels a side, the image has %d×%d",
            format_names[format], max_side, image->width, image->height);
    return PF_OK;
}

static int save(
    VipsImage *image, enum image_format format, int quality, void **ret_bytes, size_t *ret_count)
{
    switch (format) {
    case IMAGE_FORMAT_PNG:
        return vips_pngsave_buffer(image, ret_bytes, ret_count, "strip", TRUE, NULL);
    case IMAGE_FORMAT_JPEG:
        return vips_jpegsave_buffer(image, ret_bytes, ret_count, "strip", TRUE, "Q", quality,
            "optimize_coding", TRUE, NULL);
    default:
        return vips_webpsave_buffer(image, ret_bytes, ret_count, "strip", TRUE, "Q", quality, NULL);
    }
}

/* libvips' image around our pixels, with the usual 72 dpi instead of its default of 25. */
static VipsImage *wrap_pixels(const struct image *image, const uint8_t *data, int channels)
{
    size_t size = (size_t)image->width * (size_t)image->height * (size_t)channels;
    AUTO_VIPS VipsImage *raw = vips_image_new_from_memory(
        data, size, image->width, image->height, channels, VIPS_FORMAT_UCHAR);
    VipsImage *wrapped = NULL;
    if (!raw || vips_copy(raw, &wrapped, "interpretation", VIPS_INTERPRETATION_sRGB, "xres",
                    72.0 / 25.4, "yres", 72.0 / 25.4, NULL) != 0)
        return NULL;
    return wrapped;
}

enum pf_status image_encode(const struct image *image, enum image_format format, int quality,
    struct buffer *ret, struct pf_error *err)
{
    PF_TRY(check_encodable(image, format, quality, err));
    AUTO_FREE uint8_t *data = NULL;
    int with_alpha = image->alpha && format != IMAGE_FORMAT_JPEG;
    PF_TRY(image_to_pixels(image, with_alpha, &data, err));

    AUTO_GLIB void *bytes = NULL;
    size_t count = 0;
    vips_error_clear();
    AUTO_VIPS VipsImage *wrapped = wrap_pixels(image, data, with_alpha ? 4 : 3);
    if (!wrapped || save(wrapped, format, quality, &bytes, &count) != 0)
        return fail_vips(err, PF_INTERNAL, "can't write a", format);
    if (format == IMAGE_FORMAT_WEBP)
        count = image_webp_strip(bytes, count);
    buffer_put(ret, bytes, count);
    return buffer_status(ret, err);
}
