/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pipeline/image/files.h"

#include <string.h>

static void put_byte(struct buffer *out, uint32_t value)
{
    uint8_t byte = (uint8_t)value;
    buffer_put(out, &byte, 1);
}

void files_put_be16(struct buffer *out, uint32_t value)
{
    put_byte(out, value >> 8);
    put_byte(out, value);
}

void files_put_be32(struct buffer *out, uint32_t value)
{
    files_put_be16(out, value >> 16);
    files_put_be16(out, value);
}

void files_put_le16(struct buffer *out, uint32_t value)
{
    put_byte(out, value);
    put_byte(out, value >> 8);
}

void files_put_le32(struct buffer *out, uint32_t value)
{
    files_put_le16(out, value);
    files_put_le16(out, value >> 16);
}

void files_put_exif(struct buffer *out, int orientation, int big_endian)
{
    void (*put16)(struct buffer *, uint32_t) = big_endian ? files_put_be16 : files_put_le16;
    void (*put32)(struct buffer *, uint32_t) = big_endian ? files_put_be32 : files_put_le32;
    buffer_put_text(out, big_endian ? "MM" : "II");
    put16(out, 42);
    put32(out, 8);
    put16(out, 2);
    put16(out, 0x0100); /* ImageWidth, LONG */
    put16(out, 4);
    put32(out, 1);
    put32(out, 77);
    put16(out, 0x0112);
    put16(out, 3);
    put32(out, 1);
    put16(out, (uint32_t)orientation);
    put16(out, 0);
    put32(out, 0);
}

void files_put_png_signature(struct buffer *out)
{
    buffer_put(out, "\x89PNG\r\n\x1a\n", 8);
}

static uint32_t crc32_of(const uint8_t *bytes, size_t count)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

void files_put_png_chunk(struct buffer *out, const char *type, const void *data, size_t size)
{
    files_put_be32(out, (uint32_t)size);
    size_t start = out->size;
    buffer_put(out, type, 4);
    buffer_put(out, data, size);
    files_put_be32(out, crc32_of((const uint8_t *)out->data + start, size + 4));
}

void files_put_png_ihdr(
    struct buffer *out, uint32_t width, uint32_t height, int depth, int colour_type)
{
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    files_put_be32(&data, width);
    files_put_be32(&data, height);
    put_byte(&data, (uint32_t)depth);
    put_byte(&data, (uint32_t)colour_type);
    buffer_put(&data, "\0\0\0", 3);
    files_put_png_chunk(out, "IHDR", data.data, data.size);
}

void files_put_jpeg_segment(struct buffer *out, int marker, const void *data, size_t size)
{
    files_put_be16(out, 0xff00u | (uint32_t)marker);
    files_put_be16(out, (uint32_t)size + 2);
    buffer_put(out, data, size);
}

void files_put_jpeg_frame(struct buffer *out, int marker, int width, int height, int components)
{
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    put_byte(&data, 8);
    files_put_be16(&data, (uint32_t)height);
    files_put_be16(&data, (uint32_t)width);
    put_byte(&data, (uint32_t)components);
    for (int i = 0; i < components; i++)
        buffer_put(&data, "\x01\x11\x00", 3);
    files_put_jpeg_segment(out, marker, data.data, data.size);
}

void files_begin_webp(struct buffer *out)
{
    buffer_put(out, "RIFF\0\0\0\0WEBP", 12);
}

void files_put_webp_chunk(struct buffer *out, const char *type, const void *data, size_t size)
{
    buffer_put(out, type, 4);
    files_put_le32(out, (uint32_t)size);
    buffer_put(out, data, size);
    if (size % 2)
        put_byte(out, 0);
}

void files_put_webp_canvas(struct buffer *out, uint32_t flags, uint32_t width, uint32_t height)
{
    AUTO_BUFFER struct buffer data = BUFFER_INIT;
    files_put_le32(&data, flags);
    files_put_le16(&data, width - 1);
    put_byte(&data, (width - 1) >> 16);
    files_put_le16(&data, height - 1);
    put_byte(&data, (height - 1) >> 16);
    files_put_webp_chunk(out, "VP8X", data.data, data.size);
}

void files_end_webp(struct buffer *out)
{
    uint32_t size = (uint32_t)out->size - 8;
    for (int i = 0; i < 4; i++)
        out->data[4 + i] = (char)(size >> 8 * i & 0xff);
}

void files_insert(struct buffer *out, size_t at, const void *bytes, size_t count)
{
    AUTO_BUFFER struct buffer tail = BUFFER_INIT;
    buffer_put(&tail, out->data + at, out->size - at);
    out->size = at;
    buffer_put(out, bytes, count);
    buffer_put(out, tail.data, tail.size);
}
