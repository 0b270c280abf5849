/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/diffusion/denoiser.h"

#include <math.h>

enum { ROWS_MAX = 1024 }; /* rows of one batch; far above any max_batch */

/* a function of each row's σ as [B,1,1,1] on z's device */
static tensor per_row(struct scope *s, tensor z, const double *sigmas, double (*f)(double))
{
    int64_t rows = tensor_dim(z, 0);
    float values[ROWS_MAX];
    if (!scope_ok(s))
        return NULL;
    if (rows > ROWS_MAX) {
        pf_fail(s->err, PF_INVALID, "a batch of %lld rows, at most %d are taken", (long long)rows,
            (int)ROWS_MAX);
        return NULL;
    }
    for (int64_t i = 0; i < rows; i++)
        values[i] = (float)f(sigmas[i]);
    return op_to_device(s, tensor_from_f32(s, values, DIMS(rows, 1, 1, 1)), tensor_device(z));
}

static double scale_in(double sigma)
{
    return 1 / sqrt(sigma * sigma + 1);
}

static double itself(double sigma)
{
    return sigma;
}

static double v_skip(double sigma)
{
    return 1 / (sigma * sigma + 1);
}

static double v_change_skip(double sigma)
{
    return VAE_SCALE_FACTOR * sigma * sigma / (sigma * sigma + 1);
}

static double v_out(double sigma)
{
    return sigma / sqrt(sigma * sigma + 1);
}

tensor denoiser_input(struct scope *out, tensor z, const double *sigmas)
{
    SCOPE(s, out->err);
    return scope_move(&s, op_mul(&s, z, per_row(&s, z, sigmas, scale_in)), out);
}

tensor denoiser_x0(struct scope *out, enum prediction_type prediction, tensor z, tensor image,
    tensor output, const double *sigmas)
{
    SCOPE(s, out->err);
    tensor single = op_to_type(&s, output, TENSOR_F32);
    if (prediction == PREDICTION_EPSILON) {
        tensor noise = op_mul(&s, single, per_row(&s, z, sigmas, itself));
        return scope_move(&s, op_sub(&s, z, noise), out);
    }
    tensor kept = op_mul(&s, z, per_row(&s, z, sigmas, v_skip));
    if (prediction == PREDICTION_V_CHANGE)
        kept = op_add(&s, kept, op_mul(&s, image, per_row(&s, z, sigmas, v_change_skip)));
    tensor removed = op_mul(&s, single, per_row(&s, z, sigmas, v_out));
    return scope_move(&s, op_sub(&s, kept, removed), out);
}
