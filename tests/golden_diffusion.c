/* SPDX-License-Identifier: Apache-2.0 */
/* Golden checks of the samplers with the whole model in the loop, and of high-frequency guidance.
 * The samplers run freely from the given start: errors may add up over the steps. */
#include "tests/golden_case.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pipeline/diffusion/denoiser.h"
#include "pipeline/diffusion/guidance.h"
#include "pipeline/diffusion/highfreq.h"
#include "pipeline/diffusion/sampler.h"
#include "pipeline/diffusion/schedule.h"

/* What every evaluation of a case needs. */
struct model {
    struct golden_case *golden;
    struct schedule schedule;
    struct guidance guidance;
    struct unet_context *text, *null_text;
    struct vae_skips skips; /* of the input; count 0 in a model without LoRA */
    tensor image;           /* [1,z,h,w] image latent */
    tensor pixels;          /* [1,3,H,W] the input */
    struct scope scope;
};

static enum pf_status model_init(
    struct model *model, struct golden_case *golden, struct pf_error *err)
{
    *model = (struct model){.golden = golden};
    scope_init(&model->scope, err);
    schedule_init(&model->schedule);
    guidance_init(&model->guidance, golden->text_scale, golden->image_scale, 0);
    model->image = golden_image_latent(golden, &model->scope);
    model->pixels = golden_input(golden, &model->scope, "image");
    if (golden->sizes.vae.lora_rank > 0)
        vae_encode(golden->vae, &model->scope, model->pixels, &model->skips);
    PF_TRY(golden_context(golden, &model->text, 0, err));
    return golden_context(golden, &model->null_text, 1, err);
}

static void model_finish(struct model *model)
{
    unet_context_destroy(model->text);
    unet_context_destroy(model->null_text);
    scope_finish(&model->scope);
}

static const struct vae_skips *skips_of(const struct model *model)
{
    return model->skips.count > 0 ? &model->skips : NULL;
}

/* x0 under triple guidance. */
static tensor guided_estimate(const struct model *model, struct scope *out, tensor z, double sigma)
{
    SCOPE(s, out->err);
    tensor images[GUIDANCE_ROWS_MAX];
    tensor inputs[GUIDANCE_ROWS_MAX];
    const struct unet_context *contexts[GUIDANCE_ROWS_MAX];
    double sigmas[GUIDANCE_ROWS_MAX];
    float t[GUIDANCE_ROWS_MAX];
    int rows = model->guidance.row_count;
    tensor scaled = denoiser_input(&s, z, &sigma);
    for (int i = 0; i < rows; i++) {
        enum guidance_row row = model->guidance.rows[i];
        images[i] = op_mul_scalar(&s, model->image, row == GUIDANCE_ROW_NO_IMAGE ? 0.0 : 1.0);
        tensor list[] = {scaled, images[i]};
        inputs[i] = op_cat(&s, list, 2, 1);
        contexts[i] = row == GUIDANCE_ROW_NO_TEXT ? model->null_text : model->text;
        sigmas[i] = sigma;
        t[i] = (float)schedule_t_of_sigma(&model->schedule, sigma);
    }
    tensor x = op_cat(&s, inputs, rows, 0);
    if (!scope_ok(&s))
        return NULL;
    tensor output = unet_forward(model->golden->unet, &s, x, t, contexts);
    tensor zs = op_expand(&s, z, DIMS(rows, -1, -1, -1));
    tensor image = op_cat(&s, images, rows, 0);
    tensor x0 = denoiser_x0(&s, model->golden->sizes.prediction, zs, image, output, sigmas);
    return scope_move(&s, guidance_combine(&model->guidance, &s, x0), out);
}

/* Runs one sampler; `name` is the prefix of its golden tensors. Returns the last z. */
static tensor check_sampler(const struct model *model, struct scope *out, enum sampler_kind kind,
    const char *prefix, const double *sigmas, int steps)
{
    char name[GOLDEN_NAME_SIZE];
    struct sampler sampler;
    struct golden_case *golden = model->golden;
    if (sampler_init(&sampler, kind, sigmas, steps, out->err) != PF_OK)
        return NULL;
    tensor z = golden_input(golden, out, "sample.z_init");
    tensor noises =
        kind == SAMPLER_EULER_ANCESTRAL ? golden_input(golden, out, "sample.noise") : NULL;
    for (int i = 0; i < steps && scope_ok(out); i++) {
        tensor x0 = guided_estimate(model, out, z, sigmas[i]);
        snprintf(name, sizeof name, "%s.%d.denoised", prefix, i);
        golden_check(golden, name, x0, GOLDEN_TOLERANCE, out->err);
        tensor noise = sampler_needs_noise(&sampler) ? op_select(out, noises, 0, i) : NULL;
        z = sampler_step(&sampler, out, z, x0, noise);
        snprintf(name, sizeof name, "%s.%d.z", prefix, i);
        golden_check(golden, name, z, GOLDEN_TOLERANCE, out->err);
    }
    sampler_finish(&sampler);
    return z;
}

static void check_all_samplers(const struct model *model, struct scope *s)
{
    static const struct {
        enum sampler_kind kind;
        const char *prefix;
    } samplers[] = {{SAMPLER_EULER_ANCESTRAL, "sample"}, {SAMPLER_EULER, "euler"},
        {SAMPLER_DDIM, "ddim"}, {SAMPLER_DPMPP_2M, "dpmpp_2m"}};
    double sigmas[SCHEDULE_STEPS_MAX + 1];
    struct golden_case *golden = model->golden;
    int64_t count = tensor_count(golden_input(golden, s, "sample.sigmas"));
    AUTO_FREE float *values = golden_values(golden->expected, "sample.sigmas", &count);
    if (!values || count < 2 || count > SCHEDULE_STEPS_MAX + 1)
        return;
    for (int64_t i = 0; i < count; i++)
        sigmas[i] = (double)values[i];
    for (size_t k = 0; k < COUNT_OF(samplers); k++) {
        if (!golden_expects(golden, "%s.0.z", samplers[k].prefix))
            continue;
        SCOPE(run, s->err);
        tensor z = check_sampler(
            model, &run, samplers[k].kind, samplers[k].prefix, sigmas, (int)count - 1);
        if (samplers[k].kind != SAMPLER_EULER_ANCESTRAL || !golden_expects(golden, "sample.image"))
            continue;
        tensor pixels = vae_decode(golden->vae, &run, z, skips_of(model), NULL);
        golden_check(
            golden, "sample.image", op_clamp(&run, pixels, -1, 1), GOLDEN_TOLERANCE, s->err);
    }
}

void golden_check_samplers(struct golden_case *golden)
{
    struct model model;
    struct pf_error err = PF_ERROR_INIT;
    if (!golden_expects(golden, "sample.z_init"))
        return;
    if (model_init(&model, golden, &err) == PF_OK)
        check_all_samplers(&model, &model.scope);
    if (err.status != PF_OK)
        golden_count(golden, "samplers", 0, err.message);
    model_finish(&model);
}

/* One evaluation of the conditional branch for guidance. */
struct estimate {
    const struct model *model;
    double sigma, t;
    tensor x0, pixels; /* of the last call; borrowed from its scope */
};

static tensor estimate_pixels(void *context, struct scope *out, tensor z)
{
    struct estimate *estimate = context;
    const struct model *model = estimate->model;
    const struct unet_context *text = model->text;
    float t = (float)estimate->t;
    tensor list[] = {denoiser_input(out, z, &estimate->sigma), model->image};
    tensor x = op_cat(out, list, 2, 1);
    if (!scope_ok(out))
        return NULL;
    tensor output = unet_forward(model->golden->unet, out, x, &t, &text);
    estimate->x0 = denoiser_x0(
        out, model->golden->sizes.prediction, z, model->image, output, &estimate->sigma);
    estimate->pixels = vae_decode(model->golden->vae, out, estimate->x0, NULL, NULL);
    return estimate->pixels;
}

/* Returns x0 of the conditional branch. */
static tensor check_latent(const struct model *model, struct scope *s,
    const struct highpass_target *target, struct estimate *estimate, tensor z)
{
    struct golden_case *golden = model->golden;
    int former = tensor_grad_enable(1);
    tensor leaf = op_set_requires_grad(s, op_clone(s, z), 1), grad = NULL;
    tensor pixels = estimate_pixels(estimate, s, leaf);
    struct highfreq_step step = {target, estimate->t, 1};
    double loss = highfreq_gradients(s, &step, pixels, &leaf, 1, &grad);
    tensor_grad_enable(former);
    float single = (float)loss;
    tensor x0 = op_detach(s, estimate->x0);
    golden_check(golden, "hf.latent.x0", x0, GOLDEN_TOLERANCE, s->err);
    tensor clamped = op_clamp(s, op_detach(s, pixels), -1, 1);
    golden_check(golden, "hf.latent.pixels", clamped, GOLDEN_TOLERANCE, s->err);
    tensor value = tensor_from_f32(s, &single, DIMS(1));
    golden_check(golden, "hf.latent.loss", value, GOLDEN_TOLERANCE, s->err);
    golden_check(golden, "hf.latent.grad", grad, GOLDEN_TOLERANCE_GRADIENT, s->err);
    return x0;
}

/* The VAE's LoRA weights as one list: all down, then all up. */
static int lora_list(const struct vae_lora *lora, tensor ret_list[2 * VAE_SKIPS_MAX])
{
    for (int i = 0; i < lora->count; i++) {
        ret_list[i] = lora->down[i];
        ret_list[lora->count + i] = lora->up[i];
    }
    return 2 * lora->count;
}

static tensor decode_with(
    void *context, struct scope *out, tensor x0, const tensor *weights, int count)
{
    const struct model *model = context;
    struct vae_lora lora = {.count = count / 2};
    for (int i = 0; i < lora.count; i++) {
        lora.down[i] = weights[i];
        lora.up[i] = weights[lora.count + i];
    }
    return vae_decode(model->golden->vae, out, x0, &model->skips, &lora);
}

static void check_decoder_gradients(const struct model *model, struct scope *s,
    const struct highfreq_step *step, struct highfreq_decoder *decoder, tensor x0)
{
    char name[GOLDEN_NAME_SIZE], block[VAE_LORA_NAME_MAX];
    tensor grads[HIGHFREQ_WEIGHTS_MAX];
    int former = tensor_grad_enable(1);
    tensor pixels = decode_with((void *)(uintptr_t)model, s, x0, decoder->weights, decoder->count);
    double loss = highfreq_gradients(s, step, pixels, decoder->weights, decoder->count, grads);
    tensor_grad_enable(former);
    float single = (float)loss;
    golden_check(model->golden, "hf.decoder.loss", tensor_from_f32(s, &single, DIMS(1)),
        GOLDEN_TOLERANCE, s->err);
    int blocks = decoder->count / 2;
    for (int i = 0; i < blocks; i++) {
        vae_lora_name(model->golden->vae, i, block);
        snprintf(name, sizeof name, "hf.decoder.grad.%s.lora.lora_down.weight", block);
        golden_check(model->golden, name, grads[i], GOLDEN_TOLERANCE_GRADIENT, s->err);
        snprintf(name, sizeof name, "hf.decoder.grad.%s.lora.lora_up.weight", block);
        golden_check(model->golden, name, grads[blocks + i], GOLDEN_TOLERANCE_GRADIENT, s->err);
    }
}

/* "hf.decoder.after_sgd_lrR": the decode after one step of rate R. */
static void check_after_sgd(
    const struct model *model, struct scope *s, const struct highfreq_step *step, tensor x0)
{
    struct golden_case *golden = model->golden;
    tensor list[2 * VAE_SKIPS_MAX];
    int count = lora_list(vae_lora(golden->vae), list);
    struct highfreq_decode decode = {(void *)(uintptr_t)model, decode_with};
    for (size_t i = 0; i < checkpoint_array_count(golden->expected); i++) {
        const char *name = checkpoint_array_at(golden->expected, i)->name;
        double rate = 0;
        struct highfreq_decoder decoder;
        if (sscanf(name, "hf.decoder.after_sgd_lr%lf", &rate) != 1)
            continue;
        if (highfreq_decoder_init(&decoder, list, count, HIGHFREQ_SGD, rate, s->err) != PF_OK)
            return;
        tensor pixels = NULL;
        if (highfreq_decoder_update(&decoder, &decode, step, x0, NULL, s->err) == PF_OK)
            pixels = decode_with(decode.context, s, x0, decoder.weights, count);
        golden_check(golden, name, pixels, GOLDEN_TOLERANCE, s->err);
        highfreq_decoder_finish(&decoder);
    }
}

static void check_decoder(
    const struct model *model, struct scope *s, const struct highfreq_step *step, tensor x0)
{
    tensor list[2 * VAE_SKIPS_MAX];
    struct highfreq_decoder decoder;
    int count = lora_list(vae_lora(model->golden->vae), list);
    if (count == 0 ||
        highfreq_decoder_init(&decoder, list, count, HIGHFREQ_SGD, 1, s->err) != PF_OK)
        return;
    check_decoder_gradients(model, s, step, &decoder, x0);
    highfreq_decoder_finish(&decoder);
    check_after_sgd(model, s, step, x0);
}

static void check_maps(
    const struct model *model, struct scope *s, const struct highpass_target *target)
{
    golden_check(model->golden, "hf.highpass", target->fourier, GOLDEN_TOLERANCE, s->err);
    golden_check(model->golden, "hf.sobel", target->sobel, GOLDEN_TOLERANCE, s->err);
}

static void check_guidance(
    const struct model *model, struct scope *s, const struct highpass_target *target)
{
    struct golden_case *golden = model->golden;
    check_maps(model, s, target);
    if (!golden_expects(golden, "hf.z"))
        return;
    tensor z = golden_input(golden, s, "hf.z");
    struct estimate estimate = {.model = model};
    estimate.sigma = tensor_scalar(s, golden_input(golden, s, "hf.sigma"));
    estimate.t = schedule_t_of_sigma(&model->schedule, estimate.sigma);
    float t = (float)estimate.t;
    golden_check(golden, "hf.t", tensor_from_f32(s, &t, DIMS(1)), GOLDEN_TOLERANCE, s->err);
    tensor x0 = check_latent(model, s, target, &estimate, z);
    struct highfreq_step step = {target, estimate.t, 1};
    check_decoder(model, s, &step, x0);
}

void golden_check_guidance(struct golden_case *golden)
{
    struct model model;
    struct highpass_target target;
    struct pf_error err = PF_ERROR_INIT;
    if (!golden_expects(golden, "hf.highpass"))
        return;
    if (model_init(&model, golden, &err) == PF_OK &&
        highpass_target_init(&target, model.pixels, NULL, &err) == PF_OK) {
        check_guidance(&model, &model.scope, &target);
        highpass_target_finish(&target);
    }
    if (err.status != PF_OK)
        golden_count(golden, "high-frequency guidance", 0, err.message);
    model_finish(&model);
}
