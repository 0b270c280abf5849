/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/text_mark.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <vips/vips.h>

static const char *const fonts[TEXT_MARK_FONTS] = {
    "Sans",
    "Sans Bold",
    "Serif",
    "Serif Italic",
    "Mono Bold",
    "DejaVu Sans Condensed Bold",
    "Liberation Sans Narrow",
    "Liberation Serif Bold",
    "Cantarell",
    "Inter Extra Bold",
    "URW Gothic",
    "Z003",
};

enum pf_status text_mark_render(const char *text, int font, double height, float **ret_plane,
    int *ret_width, int *ret_height, struct pf_error *err)
{
    char description[80];
    VipsImage *image = NULL;
    snprintf(description, sizeof description, "%s %.1f", fonts[font], height);
    if (vips_text(&image, text, "font", description, "dpi", 72, NULL) != 0) {
        enum pf_status status =
            pf_fail(err, PF_INTERNAL, "can't draw text: %s", vips_error_buffer());
        vips_error_clear();
        return status;
    }
    size_t size;
    uint8_t *bytes = vips_image_write_to_memory(image, &size);
    int width = image->Xsize, lines = image->Ysize, bands = image->Bands;
    g_object_unref(image);
    float *plane = bytes ? malloc((size_t)width * (size_t)lines * sizeof *plane) : NULL;
    if (!plane) {
        g_free(bytes);
        return pf_fail(err, PF_NOMEM, "no memory for text of %d×%d", width, lines);
    }
    for (size_t i = 0; i < (size_t)width * (size_t)lines; i++)
        plane[i] = (float)bytes[i * (size_t)bands] / 255.0f;
    g_free(bytes);
    *ret_plane = plane;
    *ret_width = width;
    *ret_height = lines;
    return PF_OK;
}
