/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_PICTURE_H
#define TOOLS_CLI_PICTURE_H

/* Pictures as files of the command line: image files, or tensors. A name that ends in
 * ".safetensors" is a tensor `image` [1,3,H,W] float32 in [-1,1] (a mask: `mask` [1,1,H,W] in
 * [0,1]); that is the only way in a build without libvips. */

#include "pipeline/image/image.h"

/* Errors  NOT_FOUND, IO, and those of image_decode(); for tensors INVALID (no such tensor, another
 *         shape or type) */
PF_MUST_CHECK enum pf_status picture_read(const char *path, const struct image_limits *limits,
    struct image *ret_image, struct pf_error *err);

/* ret_plane [height,width], 1 = to be changed; malloc'd. */
PF_MUST_CHECK enum pf_status picture_read_mask(const char *path, const struct image_limits *limits,
    int *ret_width, int *ret_height, float **ret_plane, struct pf_error *err);

/* The format a file name asks for: png, jpg, jpeg, webp. 0 when it asks for none. */
int picture_format_of(const char *path, enum image_format *ret_format);
int picture_is_tensor(const char *path);

/* Fails early when `path` can't be written: its folder is missing or not writable, or it is one. */
PF_MUST_CHECK enum pf_status picture_check_output(const char *path, struct pf_error *err);

/* The file is there whole or not at all. Format and quality don't matter to a tensor. */
PF_MUST_CHECK enum pf_status picture_write(const char *path, const struct image *image,
    enum image_format format, int quality, struct pf_error *err);

#endif
