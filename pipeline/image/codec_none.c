/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/image/image.h"

/* A build without libvips: headers and fitting work, pixels travel as tensors. */

enum pf_status image_library_init(const char *program_name, int threads, struct pf_error *err)
{
    (void)program_name, (void)threads, (void)err;
    return PF_OK;
}

enum pf_status image_decode(const void *bytes, size_t count, const struct image_limits *limits,
    struct image *ret_image, struct pf_error *err)
{
    (void)bytes, (void)limits, (void)ret_image;
    return pf_fail(err, PF_UNSUPPORTED, "this build has no libvips: can't decode %zu bytes", count);
}

enum pf_status image_encode(const struct image *image, enum image_format format, int quality,
    struct buffer *ret, struct pf_error *err)
{
    (void)format, (void)quality, (void)ret;
    return pf_fail(err, PF_UNSUPPORTED, "this build has no libvips: can't encode an image of %d×%d",
        image->width, image->height);
}
