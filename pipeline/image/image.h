/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_IMAGE_IMAGE_H
#define PIPELINE_IMAGE_IMAGE_H

/* Pictures as pixels: files in, sRGB planes out, and back. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/params.h"

/* sRGB pixels, upright. Planar, so that a tensor [C,H,W] can wrap `rgb` as it is. */
struct image {
    int width, height;
    float *rgb;     /* [3,height,width] in [0,1]; owned */
    uint8_t *alpha; /* [height,width], 255 = opaque; owned; NULL when the file had none */
};

#define IMAGE_INIT {0, 0, NULL, NULL}

void image_finish(struct image *image);

struct image_limits {
    int64_t max_pixels; /* of the file, from its header, before anything is decoded */
    int max_side;
};

#define IMAGE_LIMITS_DEFAULT {50 * 1000 * 1000, 32767}

/* What a file says of itself, from its header alone. */
struct image_info {
    enum image_format format; /* by magic bytes, never by name */
    int width, height;        /* as shown: after the EXIF orientation */
    int has_alpha;
};

/* Once a process, before image_decode*() and image_encode(): starts libvips with at most `threads`
 * threads per picture, no operation cache, and nothing but the three formats' loaders and savers.
 * A second call changes the threads only. */
PF_MUST_CHECK enum pf_status image_library_init(const char *program_name, int threads,
    struct pf_error *err);

/* PF_UNSUPPORTED: not png, jpeg or webp by magic, or more than one frame. PF_CORRUPT: unreadable
 * header. PF_INVALID: over the limits, with the numbers. */
PF_MUST_CHECK enum pf_status image_probe(const void *bytes, size_t count,
    const struct image_limits *limits, struct image_info *ret_info, struct pf_error *err);

/* Decodes a file: orientation applied; ICC profile, CMYK, grey and palette to sRGB; alpha kept aside,
 * not premultiplied. 16-bit files keep their precision, those with a profile are rounded to 8 bits
 * first. A profile that is damaged or doesn't fit the pixels is left out, and damaged EXIF counts as
 * upright, as browsers do. PF_CORRUPT: truncated or damaged pixels, or a header that contradicts them.
 * Otherwise fails as image_probe() does. Decoding and encoding are PF_UNSUPPORTED in a build without
 * libvips. */
PF_MUST_CHECK enum pf_status image_decode(const void *bytes, size_t count,
    const struct image_limits *limits, struct image *ret_image, struct pf_error *err);

/* Decodes a mask file to one plane [height,width] in [0,1], white = to be changed. A file with alpha
 * that is not opaque everywhere: alpha 0 = to be changed (the OpenAI convention); else its luma. */
PF_MUST_CHECK enum pf_status image_decode_mask(const void *bytes, size_t count,
    const struct image_limits *limits, int *ret_width, int *ret_height, float **ret_plane,
    struct pf_error *err);

/* Encodes to a file's bytes (appended to `ret`); alpha is written where the format has it (png, webp),
 * and flattened on white for jpeg. rgb outside [0,1] is clamped; NaN or infinity is PF_INTERNAL. sRGB,
 * 8 bit, no metadata. `quality` is 1 … 100 (jpeg and webp). PF_INVALID: quality out of range, or more
 * pixels a side than the format holds (image_side_max(): webp 16383, jpeg 65500). */
PF_MUST_CHECK enum pf_status image_encode(const struct image *image, enum image_format format,
    int quality, struct buffer *ret, struct pf_error *err);

/* Most pixels a side that a file of this format holds. */
int image_side_max(enum image_format format);

enum { IMAGE_MODEL_SIDE_MAX = 8192 }; /* inside the model, of the longer side */

/* How a picture is fitted to the model: shrunk until the shorter side is at most `resolution` (but not
 * below one multiple), never enlarged, then padded by reflection at the right and bottom to multiples
 * of `multiple`. */
struct image_fit {
    int width, height;               /* of the original */
    int scaled_width, scaled_height; /* after scaling */
    int padded_width, padded_height; /* what the model sees */
};

/* Chooses the sizes. PF_INVALID when the aspect ratio would make the longer padded side exceed
 * `max_model_side` (named with the numbers). */
PF_MUST_CHECK enum pf_status image_fit_plan(int width, int height, int resolution, int multiple,
    int max_model_side, struct image_fit *ret_fit, struct pf_error *err);

/* [channels,height,width] → [channels,padded_height,padded_width] by the plan: lanczos3 where an axis
 * shrinks, bicubic where it grows, untouched where neither; then reflection padding. Values are not
 * clamped: beside a hard edge they leave the input's range by some percent. malloc'd. */
PF_MUST_CHECK enum pf_status image_fit_apply(const struct image_fit *fit, const float *planes,
    int channels, float **ret_planes, struct pf_error *err);

/* The way back: crops the padding away and scales to the original size. */
PF_MUST_CHECK enum pf_status image_fit_undo(const struct image_fit *fit, const float *planes,
    int channels, float **ret_planes, struct pf_error *err);

#endif
