/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/diffusion/highfreq.h"

#include <math.h>
#include <stdlib.h>

void highfreq_decoder_finish(struct highfreq_decoder *decoder)
{
    for (int i = 0; i < decoder->count; i++) {
        tensor_free(decoder->weights[i]);
        tensor_free(decoder->moment1[i]);
        tensor_free(decoder->moment2[i]);
    }
    free(decoder->weights);
    free(decoder->moment1);
    free(decoder->moment2);
    *decoder = (struct highfreq_decoder){0};
}

/* A float32 leaf with the values of `source`, in its own memory. */
static tensor copy_leaf(struct scope *s, tensor source)
{
    tensor copy = op_clone(s, op_detach(s, op_to_type(s, source, TENSOR_F32)));
    return op_set_requires_grad(s, copy, 1);
}

static tensor zeros_like(struct scope *s, tensor t)
{
    return op_mul_scalar(s, op_detach(s, t), 0);
}

static void copy_weights(
    struct highfreq_decoder *decoder, const tensor *weights, struct pf_error *err)
{
    for (int i = 0; i < decoder->count; i++) {
        SCOPE(s, err);
        decoder->weights[i] = scope_keep(&s, copy_leaf(&s, weights[i]));
        if (decoder->optimizer == HIGHFREQ_SGD)
            continue;
        decoder->moment1[i] = scope_keep(&s, zeros_like(&s, decoder->weights[i]));
        decoder->moment2[i] = scope_keep(&s, zeros_like(&s, decoder->weights[i]));
    }
}

enum pf_status highfreq_decoder_init(struct highfreq_decoder *ret_decoder, const tensor *weights,
    int count, enum highfreq_optimizer optimizer, double rate, struct pf_error *err)
{
    if (count < 1 || count > HIGHFREQ_WEIGHTS_MAX)
        return pf_fail(err, PF_INVALID, "%d weights to adapt, expected 1 to %d", count,
            (int)HIGHFREQ_WEIGHTS_MAX);
    struct highfreq_decoder decoder = {.optimizer = optimizer,
        .rate = rate,
        .count = count,
        .weights = calloc((size_t)count, sizeof(tensor)),
        .moment1 = calloc((size_t)count, sizeof(tensor)),
        .moment2 = calloc((size_t)count, sizeof(tensor))};
    if (!decoder.weights || !decoder.moment1 || !decoder.moment2) {
        decoder.count = 0;
        pf_fail(err, PF_NOMEM, "a table of %d weights", count);
    } else {
        copy_weights(&decoder, weights, err);
    }
    if (err->status == PF_OK)
        *ret_decoder = decoder;
    else
        highfreq_decoder_finish(&decoder);
    return err->status;
}

double highfreq_gradients(struct scope *out, const struct highfreq_step *step, tensor pixels,
    const tensor *inputs, int count, tensor *ret_grads)
{
    SCOPE(s, out->err);
    tensor loss = highpass_loss(step->target, &s, pixels, step->t);
    double value = tensor_scalar(&s, loss);
    if (scope_ok(out) && !isfinite(value))
        pf_fail(out->err, PF_INTERNAL, "high-frequency loss is %g at timestep %g", value, step->t);
    op_backward(out, loss, inputs, count, ret_grads);
    return value;
}

/* w ← w - rate·g */
static void update_sgd(struct scope *s, tensor weight, tensor grad, double rate)
{
    op_add_in(s, weight, op_mul_scalar(s, grad, -rate));
}

static void update_adam(struct highfreq_decoder *decoder, struct scope *s, int i, tensor grad)
{
    double number = (double)(decoder->updates + 1);
    double correct1 = 1 - pow(HIGHFREQ_ADAM_BETA1, number);
    double correct2 = 1 - pow(HIGHFREQ_ADAM_BETA2, number);
    tensor m = decoder->moment1[i], v = decoder->moment2[i];
    op_add_in(s, op_mul_scalar_in(s, m, HIGHFREQ_ADAM_BETA1),
        op_mul_scalar(s, grad, 1 - HIGHFREQ_ADAM_BETA1));
    op_add_in(s, op_mul_scalar_in(s, v, HIGHFREQ_ADAM_BETA2),
        op_mul_scalar(s, op_square(s, grad), 1 - HIGHFREQ_ADAM_BETA2));
    tensor spread = op_sqrt(s, op_mul_scalar(s, v, 1 / correct2));
    tensor direction = op_div(s, m, op_add_scalar(s, spread, HIGHFREQ_ADAM_EPS));
    op_add_in(s, decoder->weights[i], op_mul_scalar(s, direction, -decoder->rate / correct1));
}

/* Gradients are off here: leaves may be written to. */
static void apply_gradients(struct highfreq_decoder *decoder, struct scope *s, const tensor *grads)
{
    for (int i = 0; i < decoder->count && scope_ok(s); i++) {
        SCOPE(step, s->err);
        if (decoder->optimizer == HIGHFREQ_SGD)
            update_sgd(&step, decoder->weights[i], grads[i], decoder->rate);
        else
            update_adam(decoder, &step, i, grads[i]);
    }
    if (scope_ok(s))
        decoder->updates++;
}

enum pf_status highfreq_decoder_update(struct highfreq_decoder *decoder,
    const struct highfreq_decode *decode, const struct highfreq_step *step, tensor x0,
    double *ret_loss, struct pf_error *err)
{
    for (int k = 0; k < step->updates && err->status == PF_OK; k++) {
        SCOPE(s, err);
        tensor grads[HIGHFREQ_WEIGHTS_MAX];
        int former = tensor_grad_enable(1);
        tensor latent = op_detach(&s, x0);
        tensor pixels = decode->run(decode->context, &s, latent, decoder->weights, decoder->count);
        double loss = highfreq_gradients(&s, step, pixels, decoder->weights, decoder->count, grads);
        tensor_grad_enable(0);
        apply_gradients(decoder, &s, grads);
        tensor_grad_enable(former);
        if (k == 0 && ret_loss && err->status == PF_OK)
            *ret_loss = loss;
    }
    return err->status;
}

tensor highfreq_latent_update(struct scope *out, const struct highfreq_estimate *estimate,
    const struct highfreq_step *step, tensor z, double rate, double *ret_loss)
{
    SCOPE(s, out->err);
    double eta = rate * (double)(tensor_dim(z, -2) * tensor_dim(z, -1));
    tensor current = copy_leaf(&s, z);
    for (int k = 0; k < step->updates && scope_ok(&s); k++) {
        SCOPE(inner, out->err);
        tensor grad = NULL;
        int former = tensor_grad_enable(1);
        tensor pixels = estimate->run(estimate->context, &inner, current);
        double loss = highfreq_gradients(&inner, step, pixels, &current, 1, &grad);
        tensor_grad_enable(0);
        update_sgd(&inner, current, grad, eta);
        tensor_grad_enable(former);
        if (k == 0 && ret_loss && scope_ok(&s))
            *ret_loss = loss;
    }
    return scope_move(&s, op_detach(&s, current), out);
}
