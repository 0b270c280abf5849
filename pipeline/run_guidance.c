/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/run_guidance.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "pipeline/diffusion/denoiser.h"
#include "pipeline/image/image.h"

/* The trained weights lie as down 0, up 0, down 1, up 1, … */
static void lora_from_list(struct vae_lora *ret_lora, const tensor *weights, int count)
{
    ret_lora->count = count / 2;
    for (int i = 0; i < ret_lora->count; i++) {
        ret_lora->down[i] = weights[2 * i];
        ret_lora->up[i] = weights[2 * i + 1];
    }
}

static enum pf_status init_decoder(struct run_guidance *guidance, struct pf_error *err)
{
    const struct vae_lora *lora = vae_lora(guidance->pipeline->vae);
    if (lora->count == 0)
        return pf_fail(err, PF_INVALID,
            "guidance: 'decoder' needs LoRA skips, the model '%s' has none",
            guidance->pipeline->name);
    tensor list[2 * VAE_SKIPS_MAX];
    for (int i = 0; i < lora->count; i++) {
        list[2 * i] = lora->down[i];
        list[2 * i + 1] = lora->up[i];
    }
    return highfreq_decoder_init(
        &guidance->decoder, list, 2 * lora->count, HIGHFREQ_ADAM, guidance->rate, err);
}

/* A mask of any size to the picture's, then through the same fit as the picture. */
static enum pf_status mask_weight(
    struct scope *s, const struct run_guidance_input *input, int device, tensor *ret_weight)
{
    const struct image_fit *fit = input->fit;
    struct image_fit to_image = {fit->width, fit->height, input->mask_width, input->mask_height,
        input->mask_width, input->mask_height};
    AUTO_FREE float *sized = NULL, *fitted = NULL;
    PF_TRY(image_fit_undo(&to_image, input->mask, 1, &sized, s->err));
    PF_TRY(image_fit_apply(fit, sized, 1, &fitted, s->err));
    tensor mask = tensor_from_f32(s, fitted, DIMS(1, 1, fit->padded_height, fit->padded_width));
    *ret_weight = region_weight(s, op_clamp(s, op_to_device(s, mask, device), 0, 1));
    return s->err->status;
}

enum pf_status run_guidance_init(struct run_guidance *ret, struct pipeline *pipeline,
    const struct params *params, const struct run_guidance_input *input, struct pf_error *err)
{
    *ret = (struct run_guidance){
        .mode = (enum guidance_mode)params->guidance,
        .region = (enum guidance_region)params->guidance_region,
        .pipeline = pipeline,
        .skips = input->skips,
        .context = input->context,
        .image_latent = input->image_latent,
        .rate = params->guidance_rate,
        .updates = (int)params->guidance_updates,
    };
    if (ret->mode == GUIDANCE_OFF)
        return PF_OK;
    if (ret->rate == 0)
        ret->rate = ret->mode == GUIDANCE_DECODER ? HIGHFREQ_DECODER_RATE : HIGHFREQ_LATENT_RATE;
    SCOPE(s, err);
    tensor weight = NULL;
    if (ret->region == GUIDANCE_REGION_MASK)
        PF_TRY(mask_weight(&s, input, pipeline->place.device, &weight));
    tensor pixels = op_to_device(&s, input->pixels, pipeline->place.device);
    PF_TRY(highpass_target_init(&ret->target, pixels, weight, err));
    return ret->mode == GUIDANCE_DECODER ? init_decoder(ret, err) : err->status;
}

void run_guidance_finish(struct run_guidance *guidance)
{
    if (guidance->mode == GUIDANCE_OFF)
        return;
    highfreq_decoder_finish(&guidance->decoder);
    highpass_target_finish(&guidance->target);
    region_auto_finish(&guidance->automatic);
}

/* Latent mode: x0 of the conditional branch, decoded without skips, if that gives a picture. */
static tensor estimate_pixels(void *context, struct scope *out, tensor z)
{
    const struct run_guidance *guidance = context;
    const struct pipeline *pipeline = guidance->pipeline;
    float t = (float)guidance->t;
    tensor scaled = denoiser_input(out, z, &guidance->sigma);
    tensor x = op_cat(out, (tensor[]){scaled, guidance->image_latent}, 2, 1);
    tensor output = unet_forward(pipeline->unet, out, x, &t, &guidance->context);
    tensor x0 = denoiser_x0(
        out, pipeline->sizes.prediction, z, guidance->image_latent, output, &guidance->sigma);
    int is_affine = pipeline->sizes.vae.output == DECODER_OUTPUT_AFFINE;
    return vae_decode(pipeline->vae, out, x0, is_affine ? guidance->skips : NULL, NULL);
}

tensor run_guidance_move_latent(
    struct run_guidance *guidance, struct scope *s, tensor z, double sigma, double t)
{
    if (guidance->mode != GUIDANCE_LATENT)
        return NULL;
    guidance->sigma = sigma;
    guidance->t = t;
    struct highfreq_estimate estimate = {guidance, estimate_pixels};
    struct highfreq_step step = {&guidance->target, t, guidance->updates};
    return highfreq_latent_update(s, &estimate, &step, z, guidance->rate, &guidance->loss);
}

void run_guidance_see(struct run_guidance *guidance, struct scope *s,
    const struct guidance *conditions, tensor estimates)
{
    if (guidance->mode == GUIDANCE_OFF || guidance->region != GUIDANCE_REGION_AUTO || !scope_ok(s))
        return;
    tensor full = guidance_select(conditions, s, estimates, GUIDANCE_ROW_FULL);
    tensor no_text = guidance_select(conditions, s, estimates, GUIDANCE_ROW_NO_TEXT);
    if (!scope_ok(s) || region_auto_add(&guidance->automatic, full, no_text, s->err) != PF_OK)
        return;
    struct tensor_place place = {guidance->pipeline->place.device, TENSOR_F32};
    tensor weight = region_auto_weight(&guidance->automatic, s, place,
        tensor_dim(guidance->target.luma, 2), tensor_dim(guidance->target.luma, 3));
    if (scope_ok(s))
        (void)!highpass_target_set_weight(&guidance->target, weight, s->err);
}

static tensor decode_pixels(
    void *context, struct scope *out, tensor x0, const tensor *weights, int count)
{
    const struct run_guidance *guidance = context;
    struct vae_lora lora;
    lora_from_list(&lora, weights, count);
    return vae_decode(guidance->pipeline->vae, out, x0, guidance->skips, &lora);
}

void run_guidance_train_decoder(struct run_guidance *guidance, struct scope *s, tensor x0, double t)
{
    if (guidance->mode != GUIDANCE_DECODER || !scope_ok(s))
        return;
    struct highfreq_decode decode = {guidance, decode_pixels};
    struct highfreq_step step = {&guidance->target, t, guidance->updates};
    (void)!highfreq_decoder_update(&guidance->decoder, &decode, &step, x0, &guidance->loss, s->err);
}

int run_guidance_lora(const struct run_guidance *guidance, struct vae_lora *ret_lora)
{
    if (guidance->mode != GUIDANCE_DECODER)
        return 0;
    lora_from_list(ret_lora, guidance->decoder.weights, guidance->decoder.count);
    return 1;
}
