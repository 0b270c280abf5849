/* SPDX-License-Identifier: Apache-2.0 */
/* The spectrum is not shifted; the disc is laid out around index 0 instead, wrapping at the edges,
 * which gives the same picture. */
#include "pipeline/diffusion/highpass.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define SOBEL_EPS 1e-8

static tensor channel(struct scope *s, tensor pixels, int index, double weight)
{
    return op_mul_scalar(s, op_narrow(s, pixels, 1, index, 1), weight);
}

tensor highpass_luma(struct scope *out, tensor pixels)
{
    SCOPE(s, out->err);
    tensor single = op_to_type(&s, pixels, TENSOR_F32);
    tensor unit = op_clamp(&s, op_mul_scalar(&s, op_add_scalar(&s, single, 1), 0.5), 0, 1);
    tensor red = channel(&s, unit, 0, 0.299), green = channel(&s, unit, 1, 0.587);
    tensor luma = op_add(&s, op_add(&s, red, green), channel(&s, unit, 2, 0.114));
    return scope_move(&s, luma, out);
}

/* The map, weighted, over its maximum. */
static tensor normalise(struct scope *s, tensor map, tensor weight)
{
    tensor weighted = weight ? op_mul(s, map, weight) : map;
    tensor maximum = op_amax(s, weighted, DIMS(1, 2, 3), 1);
    return op_div(s, weighted, op_clamp(s, maximum, HIGHPASS_MAXIMUM_MIN, INFINITY));
}

/* 0 in the disc, 1 outside, [1,1,H,W], for a spectrum with frequency 0 at index 0. */
static tensor high_frequencies(struct scope *s, int64_t height, int64_t width, int device)
{
    AUTO_FREE float *pass = malloc((size_t)(height * width) * sizeof *pass);
    if (!scope_ok(s))
        return NULL;
    if (!pass) {
        pf_fail(s->err, PF_NOMEM, "a mask of %lld x %lld frequencies", (long long)width,
            (long long)height);
        return NULL;
    }
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            int64_t fy = y < (height + 1) / 2 ? y : y - height;
            int64_t fx = x < (width + 1) / 2 ? x : x - width;
            int inside = fy * fy + fx * fx <= HIGHPASS_RADIUS * HIGHPASS_RADIUS;
            pass[y * width + x] = inside ? 0.0F : 1.0F;
        }
    return op_to_device(s, tensor_from_f32(s, pass, DIMS(1, 1, height, width)), device);
}

tensor highpass_fourier(struct scope *out, tensor luma, tensor weight)
{
    SCOPE(s, out->err);
    tensor pass =
        high_frequencies(&s, tensor_dim(luma, 2), tensor_dim(luma, 3), tensor_device(luma));
    tensor spectrum = op_mul(&s, op_fft2(&s, luma), pass);
    tensor magnitude = op_abs(&s, op_ifft2(&s, spectrum));
    return scope_move(&s, normalise(&s, magnitude, weight), out);
}

tensor highpass_sobel(struct scope *out, tensor luma, tensor weight)
{
    static const float kernels[] = {-1, 0, 1, -2, 0, 2, -1, 0, 1, -1, -2, -1, 0, 0, 0, 1, 2, 1};
    SCOPE(s, out->err);
    tensor kernel =
        op_to_device(&s, tensor_from_f32(&s, kernels, DIMS(2, 1, 3, 3)), tensor_device(luma));
    tensor gradients = op_conv2d(&s, luma, kernel, NULL, 1, 1);
    tensor power = op_sum(&s, op_square(&s, gradients), DIMS(1), 1);
    tensor magnitude = op_sqrt(&s, op_add_scalar(&s, power, SOBEL_EPS));
    return scope_move(&s, normalise(&s, magnitude, weight), out);
}

static enum pf_status check_weight(tensor luma, tensor weight, struct pf_error *err)
{
    if (!weight || tensor_same_shape(luma, weight))
        return PF_OK;
    return pf_fail(err, PF_INVALID, "a mask of %lld x %lld for a picture of %lld x %lld",
        (long long)tensor_dim(weight, 3), (long long)tensor_dim(weight, 2),
        (long long)tensor_dim(luma, 3), (long long)tensor_dim(luma, 2));
}

enum pf_status highpass_target_init(
    struct highpass_target *ret_target, tensor pixels, tensor weight, struct pf_error *err)
{
    SCOPE(s, err);
    struct highpass_target target = {.lambda = HIGHPASS_LAMBDA};
    target.luma = scope_keep(&s, highpass_luma(&s, pixels));
    if (err->status == PF_OK && highpass_target_set_weight(&target, weight, err) == PF_OK)
        *ret_target = target;
    else
        highpass_target_finish(&target);
    return err->status;
}

enum pf_status highpass_target_set_weight(
    struct highpass_target *target, tensor weight, struct pf_error *err)
{
    PF_TRY(check_weight(target->luma, weight, err));
    SCOPE(s, err);
    tensor kept = weight ? tensor_alias(&s, op_to_type(&s, weight, TENSOR_F32)) : NULL;
    tensor fourier = highpass_fourier(&s, target->luma, kept);
    tensor sobel = highpass_sobel(&s, target->luma, kept);
    if (err->status != PF_OK)
        return err->status;
    tensor_free(target->weight);
    tensor_free(target->fourier);
    tensor_free(target->sobel);
    target->weight = scope_keep(&s, kept);
    target->fourier = scope_keep(&s, fourier);
    target->sobel = scope_keep(&s, sobel);
    return PF_OK;
}

void highpass_target_finish(struct highpass_target *target)
{
    tensor_free(target->fourier);
    tensor_free(target->sobel);
    tensor_free(target->weight);
    tensor_free(target->luma);
    *target = (struct highpass_target){0};
}

tensor highpass_loss(
    const struct highpass_target *target, struct scope *out, tensor pixels, double t)
{
    SCOPE(s, out->err);
    tensor luma = highpass_luma(&s, pixels);
    tensor fourier = highpass_fourier(&s, luma, target->weight);
    tensor sobel = highpass_sobel(&s, luma, target->weight);
    tensor squares = op_add(&s, op_square(&s, op_sub(&s, fourier, target->fourier)),
        op_square(&s, op_sub(&s, sobel, target->sobel)));
    tensor loss = op_mul_scalar(&s, op_mean_all(&s, squares), 0.5 * exp(-target->lambda * t));
    return scope_move(&s, loss, out);
}
