/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_IMAGE_WEBP_STRIP_H
#define PIPELINE_IMAGE_WEBP_STRIP_H

#include <stddef.h>
#include <stdint.h>

/* Takes EXIF, XMP and ICC chunks out of a webp file of our own encoder, in place, and returns its
 * new size. Needed because libvips 8.14 writes an EXIF chunk of its own whatever "strip" says. */
size_t image_webp_strip(uint8_t *bytes, size_t count);

#endif
