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

/* A profile that is damaged or doesn't fit the pixels is left out, as image_decode() does. */
static int shrink(void *bytes, size_t count, int side, VipsImage **ret_small)
{
    if (vips_thumbnail_buffer(bytes, count, ret_small, side, "height", side, "size", VIPS_SIZE_DOWN,
            "export_profile", "srgb", "intent", VIPS_INTENT_RELATIVE, "fail_on", VIPS_FAIL_ON_ERROR,
            NULL) == 0)
        return 0;
    vips_error_clear();
    return vips_thumbnail_buffer(bytes, count, ret_small, side, "height", side, "size",
        VIPS_SIZE_DOWN, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
}

static int save(VipsImage *small, void **ret_bytes, size_t *ret_count)
{
    VipsArrayDouble *white = vips_array_double_newv(1, 255.0);
    int code = vips_jpegsave_buffer(small, ret_bytes, ret_count, "strip", TRUE, "Q",
        THUMBNAIL_QUALITY, "background", white, NULL);
    vips_area_unref(VIPS_AREA(white));
    return code;
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
    AUTO_VIPS VipsImage *small = NULL;
    void *jpeg = NULL;
    size_t size = 0;
    vips_error_clear();
    if (shrink((void *)(uintptr_t)bytes, count, side, &small) != 0 ||
        save(small, &jpeg, &size) != 0)
        return fail_vips(err);
    buffer_put(ret, jpeg, size);
    g_free(jpeg);
    return buffer_status(ret, err);
}
