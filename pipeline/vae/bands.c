/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/vae/bands.h"

#include <math.h>

#include "pipeline/weights/sizes.h"

enum { RADIUS_MAX = 2 << (SIZES_BANDS_MAX - 1) }; /* 2σ of the widest */

/* One direction of the blur: planes [N,1,h,w] and a kernel [1,1,rows,columns]. */
static tensor pass(struct scope *s, tensor planes, const float *taps, int64_t rows, int64_t columns)
{
    tensor kernel = tensor_from_f32(s, taps, DIMS(1, 1, rows, columns));
    if (scope_ok(s))
        kernel = op_to_type(s, op_to_device(s, kernel, tensor_device(planes)), tensor_type(planes));
    return op_conv2d(s, planes, kernel, NULL, 1, 0);
}

/* Planes [N,1,H,W] blurred by a Gaussian that ends at 2σ. */
static tensor blur(struct scope *out, tensor planes, int sigma)
{
    int radius = 2 * sigma, count = 2 * radius + 1;
    float taps[2 * RADIUS_MAX + 1];
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += exp(-0.5 * pow((double)(i - radius) / sigma, 2));
    for (int i = 0; i < count; i++)
        taps[i] = (float)(exp(-0.5 * pow((double)(i - radius) / sigma, 2)) / sum);
    SCOPE(s, out->err);
    tensor padded = op_pad_edge(&s, planes, radius, radius);
    tensor down = pass(&s, padded, taps, count, 1);
    return scope_move(&s, pass(&s, down, taps, 1, count), out);
}

/* gain [B,1,H,W] · (finer - coarser), both [B·3,1,H,W], as [B,3,H,W]. */
static tensor weigh(struct scope *out, tensor finer, tensor coarser, tensor gain)
{
    SCOPE(s, out->err);
    if (!scope_ok(&s))
        return NULL;
    tensor band = op_sub(&s, finer, coarser);
    band = op_reshape(&s, band, DIMS(-1, 3, tensor_dim(gain, 2), tensor_dim(gain, 3)));
    return scope_move(&s, op_mul(&s, band, gain), out);
}

tensor bands_weighed(struct scope *out, tensor picture, tensor gains)
{
    SCOPE(s, out->err);
    if (!scope_ok(&s))
        return NULL;
    int64_t height = tensor_dim(picture, 2), width = tensor_dim(picture, 3);
    tensor finer = op_reshape(&s, picture, DIMS(-1, 1, height, width)), sum = NULL;
    for (int64_t k = 0; k < tensor_dim(gains, 1) && scope_ok(&s); k++) {
        tensor coarser = blur(&s, finer, 1 << k);
        tensor weighed = weigh(&s, finer, coarser, op_narrow(&s, gains, 1, k, 1));
        sum = sum ? op_add(&s, sum, weighed) : weighed;
        scope_drop(&s, finer); /* the pictures of a large one are large */
        finer = coarser;
    }
    return scope_move(&s, sum, out);
}
