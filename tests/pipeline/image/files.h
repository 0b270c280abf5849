/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PIPELINE_IMAGE_FILES_H
#define TESTS_PIPELINE_IMAGE_FILES_H

/* Image files made by hand, byte by byte, so that the tests decide what is wrong with them. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

void files_put_be16(struct buffer *out, uint32_t value);
void files_put_be32(struct buffer *out, uint32_t value);
void files_put_le16(struct buffer *out, uint32_t value);
void files_put_le32(struct buffer *out, uint32_t value);

/* An EXIF block (TIFF header, one directory) that holds an unrelated entry and the orientation. */
void files_put_exif(struct buffer *out, int orientation, int big_endian);

void files_put_png_signature(struct buffer *out);
void files_put_png_chunk(struct buffer *out, const char *type, const void *data, size_t size);
void files_put_png_ihdr(
    struct buffer *out, uint32_t width, uint32_t height, int depth, int colour_type);

void files_put_jpeg_segment(struct buffer *out, int marker, const void *data, size_t size);
void files_put_jpeg_frame(struct buffer *out, int marker, int width, int height, int components);

/* Chunks of a webp; files_end_webp() writes the size into the RIFF header. */
void files_begin_webp(struct buffer *out);
void files_put_webp_chunk(struct buffer *out, const char *type, const void *data, size_t size);
void files_put_webp_canvas(struct buffer *out, uint32_t flags, uint32_t width, uint32_t height);
void files_end_webp(struct buffer *out);

/* Inserts bytes into what `out` holds. */
void files_insert(struct buffer *out, size_t at, const void *bytes, size_t count);

#endif
