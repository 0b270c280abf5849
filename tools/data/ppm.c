/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/data/ppm.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Locking: libvips' error text is one for the process, so image_decode() is under `decode_lock`. */
static pthread_mutex_t decode_lock = PTHREAD_MUTEX_INITIALIZER;

int ppm_is(const void *bytes, size_t count)
{
    const char *text = bytes;
    return count >= 3 && text[0] == 'P' && (text[1] == '6' || text[1] == '5') &&
           isspace((unsigned char)text[2]);
}

/* A decimal number behind white space and comments; -1 when there is none or it is too large. */
static int read_number(const char *text, size_t count, size_t *at)
{
    for (;;) {
        while (*at < count && isspace((unsigned char)text[*at]))
            ++*at;
        if (*at >= count || text[*at] != '#')
            break;
        while (*at < count && text[*at] != '\n')
            ++*at;
    }
    int value = -1;
    for (; *at < count && isdigit((unsigned char)text[*at]); ++*at) {
        value = (value < 0 ? 0 : value) * 10 + (text[*at] - '0');
        if (value > 1000000)
            return -1;
    }
    return value;
}

enum pf_status ppm_read_header(const void *bytes, size_t count, const struct image_limits *limits,
    struct ppm_header *ret_header, struct pf_error *err)
{
    const char *text = bytes;
    if (!ppm_is(bytes, count))
        return pf_fail(err, PF_UNSUPPORTED, "no binary ppm or pgm");
    size_t at = 2;
    int channels = text[1] == '6' ? 3 : 1;
    int width = read_number(text, count, &at), height = read_number(text, count, &at);
    int max = read_number(text, count, &at);
    if (width < 1 || height < 1 || max != 255 || at >= count || !isspace((unsigned char)text[at]))
        return pf_fail(
            err, PF_CORRUPT, "ppm: a header of %d×%d with maximum %d", width, height, max);
    at++;
    if (width > limits->max_side || height > limits->max_side ||
        (int64_t)width * height > limits->max_pixels)
        return pf_fail(err, PF_INVALID, "ppm: %d×%d is over the limit of %lld pixels", width,
            height, (long long)limits->max_pixels);
    size_t wanted = (size_t)width * (size_t)height * (size_t)channels;
    if (count - at < wanted)
        return pf_fail(err, PF_CORRUPT, "ppm: %d×%d needs %zu bytes of pixels, the file has %zu",
            width, height, wanted, count - at);
    *ret_header = (struct ppm_header){width, height, channels, at};
    return PF_OK;
}

enum pf_status ppm_decode(const void *bytes, size_t count, const struct image_limits *limits,
    struct image *ret_image, struct pf_error *err)
{
    struct ppm_header header;
    PF_TRY(ppm_read_header(bytes, count, limits, &header, err));
    size_t area = (size_t)header.width * (size_t)header.height;
    float *rgb = malloc(3 * area * sizeof *rgb);
    if (!rgb)
        return pf_fail(err, PF_NOMEM, "no memory for a ppm of %d×%d", header.width, header.height);
    const uint8_t *from = (const uint8_t *)bytes + header.offset;
    for (size_t i = 0; i < area; i++)
        for (size_t c = 0; c < 3; c++)
            rgb[c * area + i] =
                (float)(header.channels == 3 ? from[3 * i + c] : from[i]) * (1.0f / 255.0f);
    *ret_image = (struct image){header.width, header.height, rgb, NULL};
    return PF_OK;
}

enum pf_status ppm_encode(
    const struct image *image, const char *comment, struct buffer *ret, struct pf_error *err)
{
    size_t area = (size_t)image->width * (size_t)image->height;
    buffer_put_text(ret, "P6\n");
    if (comment)
        buffer_put_format(ret, "# %s\n", comment);
    buffer_put_format(ret, "%d %d\n255\n", image->width, image->height);
    uint8_t *to = (uint8_t *)buffer_reserve(ret, 3 * area);
    if (!to)
        return buffer_status(ret, err);
    for (size_t i = 0; i < area; i++)
        for (size_t c = 0; c < 3; c++) {
            float value = image->rgb[c * area + i];
            value = value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
            to[3 * i + c] = (uint8_t)lrintf(value * 255.0f);
        }
    ret->size += 3 * area;
    return buffer_status(ret, err);
}

enum pf_status picture_decode(const void *bytes, size_t count, const struct image_limits *limits,
    struct image *ret_image, struct pf_error *err)
{
    if (ppm_is(bytes, count))
        return ppm_decode(bytes, count, limits, ret_image, err);
    pthread_mutex_lock(&decode_lock);
    enum pf_status status = image_decode(bytes, count, limits, ret_image, err);
    pthread_mutex_unlock(&decode_lock);
    return status;
}
