/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/thumbnail.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <vips/vips.h>

static void unref_image(VipsImage **image)
{
    if (*image)
        g_object_unref(*image);
}

#define AUTO_VIPS __attribute__((cleanup(unref_image)))

/* libvips works when pixels are asked for: damage shows in save(). `fail_on` goes in by the
 * loader's options, since 8.14 doesn't hand its own on when the picture comes from memory. */
static int shrink(const void *bytes, size_t count, int side, VipsImage **ret_small)
{
    void *buffer = (void *)(uintptr_t)bytes; /* libvips' signature; it only reads */
    return vips_thumbnail_buffer(buffer, count, ret_small, side, "height", side, "size",
        VIPS_SIZE_DOWN, "option_string", "[fail_on=error]", NULL);
}

/* By the embedded profile to sRGB, as image_decode() does; thumbnail's own conversion has no black
 * point compensation and lifts black to 15/255. A profile that is damaged or doesn't fit the pixels
 * is left out. A new reference. */
static VipsImage *convert(VipsImage *small)
{
    VipsImage *converted = NULL;
    if (vips_image_get_typeof(small, VIPS_META_ICC_NAME) &&
        vips_icc_transform(small, &converted, "srgb", "embedded", TRUE, "intent",
            VIPS_INTENT_RELATIVE, "black_point_compensation", TRUE, NULL) == 0)
        return converted;
    vips_error_clear();
    g_object_ref(small);
    return small;
}

static int save(VipsImage *small, void **ret_bytes, size_t *ret_count)
{
    VipsArrayDouble *white = vips_array_double_newv(1, 255.0);
    int code = vips_jpegsave_buffer(small, ret_bytes, ret_count, "strip", TRUE, "Q",
        THUMBNAIL_QUALITY, "background", white, NULL);
    vips_area_unref(VIPS_AREA(white));
    return code;
}

static int make(const void *bytes, size_t count, int side, void **ret_bytes, size_t *ret_count)
{
    AUTO_VIPS VipsImage *small = NULL, *converted = NULL;
    vips_error_clear();
    if (shrink(bytes, count, side, &small) != 0)
        return -1;
    converted = convert(small);
    return save(converted, ret_bytes, ret_count);
}

static enum pf_status fail_vips(struct pf_error *err)
{
    char *text = vips_error_buffer_copy();
    enum pf_status status = strstr(text, "out of memory") ? PF_NOMEM : PF_CORRUPT;
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        text[--size] = '\0';
    (void)!pf_fail(err, status, "damaged or truncated: %.300s", text);
    g_free(text);
    return status;
}

enum pf_status image_thumbnail(const void *bytes, size_t count, const struct image_limits *limits,
    int side, struct buffer *ret, struct pf_error *err)
{
    struct image_info info;
    PF_TRY(image_probe(bytes, count, limits, &info, err));
    void *jpeg = NULL;
    size_t size = 0;
    if (make(bytes, count, side, &jpeg, &size) != 0)
        return fail_vips(err);
    buffer_put(ret, jpeg, size);
    g_free(jpeg);
    return buffer_status(ret, err);
}
