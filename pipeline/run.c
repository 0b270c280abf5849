/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "pipeline/diffusion/denoiser.h"
#include "pipeline/diffusion/noise.h"
#include "pipeline/diffusion/sampler.h"
#include "pipeline/image/image.h"
#include "pipeline/preview.h"
#include "pipeline/run_guidance.h"

struct run {
    struct pipeline *pipeline;
    struct params params;
    struct run_progress progress;
    struct image_fit fit;
    uint8_t *alpha; /* of the input, owned; NULL without */

    struct scope tensors;  /* owns the tensors below that live as long as the run */
    struct pf_error error; /* of `tensors` */
    tensor image_latent;   /* [1,z,h,w] float32: c_img */
    struct vae_skips skips;
    int has_skips; /* the decoder takes them */
    tensor z;      /* [1,z,h,w] float32, owned on its own: it changes with each step */
    tensor x0;     /* the latest estimate, as z; NULL before the first step */

    const struct unet_context *context;
    struct guidance guidance;
    struct sampler sampler;
    struct run_guidance highfreq;
    struct preview preview;
    int64_t latent_h, latent_w;
    int64_t sampling_start_ms;
    int moved; /* latent guidance of the step at hand is done */
};

/* Replaces an owned tensor by one taken out of a scope. */
static void replace(tensor *slot, struct scope *s, tensor t)
{
    tensor kept = scope_keep(s, t);
    if (!kept)
        return;
    tensor_free(*slot);
    *slot = kept;
}

static enum pf_status check_request(const struct run_request *request, const struct params *params,
    const struct pipeline *pipeline, struct pf_error *err)
{
    if (params->guidance_region == GUIDANCE_REGION_MASK && !request->mask)
        return pf_fail(err, PF_INVALID, "guidance_region: 'mask' needs a mask");
    if (params->guidance_region == GUIDANCE_REGION_NONE && request->mask)
        return pf_fail(err, PF_INVALID, "mask: given, but guidance_region is 'none'");
    if (params->previews_decoded > params->previews)
        return pf_fail(err, PF_INVALID, "previews_decoded: %lld of %lld previews",
            (long long)params->previews_decoded, (long long)params->previews);
    if (request->auxiliary_prompt && *request->auxiliary_prompt && !pipeline->sizes.unet.has_extra)
        return pf_fail(err, PF_INVALID, "auxiliary_prompt: the model '%s' has no auxiliary context",
            pipeline->name);
    return PF_OK;
}

/* The model's defaults under the caller's values, and what follows from them: a mask that was given
 * is used, and a decoder without LoRA has nothing that decoder guidance could train. */
static void settle_params(
    struct params *params, const struct run_request *request, const struct pipeline *pipeline)
{
    *params = request->params;
    params_apply_defaults(params, &pipeline->recommended);
    const struct param_field *region = params_find("guidance_region");
    const struct param_field *mode = params_find("guidance");
    if (request->mask && !(params->set & (UINT64_C(1) << (region - params_fields))))
        params->guidance_region = GUIDANCE_REGION_MASK;
    if (params->guidance == GUIDANCE_DECODER && pipeline->sizes.vae.lora_rank == 0 &&
        !(params->set & (UINT64_C(1) << (mode - params_fields))))
        params->guidance = GUIDANCE_OFF;
}

static void clamp_planes(float *planes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        planes[i] = fminf(fmaxf(planes[i], 0.0f), 1.0f);
}

/* The picture at the model's size: planes in [0,1] to free(), tensor [1,3,H,W] in [-1,1]. */
static enum pf_status fit_image(struct run *run, const struct image *image, struct scope *s,
    float **ret_planes, tensor *ret_pixels)
{
    PF_TRY(image_fit_plan(image->width, image->height, (int)run->params.resolution,
        (int)run->pipeline->sizes.model_factor, IMAGE_MODEL_SIDE_MAX, &run->fit, s->err));
    PF_TRY(image_fit_apply(&run->fit, image->rgb, 3, ret_planes, s->err));
    int64_t height = run->fit.padded_height, width = run->fit.padded_width;
    clamp_planes(*ret_planes, (size_t)(3 * height * width));
    tensor planes = tensor_from_f32(s, *ret_planes, DIMS(1, 3, height, width));
    *ret_pixels = op_add_scalar(s, op_mul_scalar(s, planes, 2), -1);
    run->progress.width = (int)width;
    run->progress.height = (int)height;
    return s->err->status;
}

/* Encodes the picture, keeps what the decoder takes of it, fits the preview. */
static enum pf_status encode_image(
    struct run *run, tensor pixels, const float *planes, struct scope *s)
{
    struct pipeline *pipeline = run->pipeline;
    const struct vae_sizes *sizes = &pipeline->sizes.vae;
    run->has_skips = sizes->lora_rank > 0 || sizes->output == DECODER_OUTPUT_AFFINE;
    tensor moments =
        vae_encode(pipeline->vae, &run->tensors, pixels, run->has_skips ? &run->skips : NULL);
    run->image_latent = vae_mode(&run->tensors, moments);
    scope_drop(&run->tensors, moments);
    if (run->error.status != PF_OK)
        return pf_fail(s->err, run->error.status, "%s", run->error.message);
    run->latent_h = tensor_dim(run->image_latent, 2);
    run->latent_w = tensor_dim(run->image_latent, 3);
    int64_t channels = tensor_dim(run->image_latent, 1);
    int64_t count = tensor_count(run->image_latent);
    AUTO_FREE float *latent = malloc((size_t)count * sizeof *latent);
    if (!latent || channels > PREVIEW_CHANNELS_MAX)
        return pf_fail(s->err, latent ? PF_UNSUPPORTED : PF_NOMEM, "a latent of %lld channels",
            (long long)channels);
    PF_TRY(tensor_to_f32(run->image_latent, latent, count, s->err));
    preview_fit(&run->preview, latent, (int)channels, (int)run->latent_h, (int)run->latent_w,
        planes, (int)pipeline->sizes.vae.factor);
    return PF_OK;
}

/* Standard normal [1,z,h,w] on the UNet's device. */
static tensor draw_noise(const struct run *run, struct scope *s, uint32_t stream)
{
    int64_t channels = run->pipeline->sizes.unet.out_channels;
    int64_t count = channels * run->latent_h * run->latent_w;
    AUTO_FREE float *noise = malloc((size_t)count * sizeof *noise);
    if (!noise) {
        pf_fail(s->err, PF_NOMEM, "noise of %lld values", (long long)count);
        return NULL;
    }
    noise_fill((uint64_t)run->params.seed, stream, noise, (size_t)count);
    tensor host = tensor_from_f32(s, noise, DIMS(1, channels, run->latent_h, run->latent_w));
    return op_to_device(s, host, run->pipeline->place.device);
}

static enum pf_status start_sampling(struct run *run, struct scope *s)
{
    int steps = (int)run->params.steps;
    AUTO_FREE double *sigmas = calloc((size_t)steps + 1, sizeof *sigmas);
    if (!sigmas)
        return pf_fail(s->err, PF_NOMEM, "%d sampling steps", steps);
    PF_TRY(schedule_sigmas(&run->pipeline->schedule, steps, sigmas, s->err));
    PF_TRY(
        sampler_init(&run->sampler, (enum sampler_kind)run->params.sampler, sigmas, steps, s->err));
    tensor noise = draw_noise(run, s, NOISE_STREAM_INITIAL);
    replace(&run->z, s, op_mul_scalar(s, noise, sampler_sigma(&run->sampler)));
    run->progress.steps = steps;
    return s->err->status;
}

static enum pf_status begin(struct run *run, const struct run_request *request, struct scope *s)
{
    AUTO_FREE float *planes = NULL;
    tensor pixels = NULL;
    int64_t start_ms = clock_monotonic_ms();
    PF_TRY(check_request(request, &run->params, run->pipeline, s->err));
    PF_TRY(contexts_get(&run->pipeline->contexts, request->instruction,
        request->auxiliary_prompt ? request->auxiliary_prompt : "", &run->context, s->err));
    PF_TRY(fit_image(run, request->image, s, &planes, &pixels));
    PF_TRY(encode_image(run, pixels, planes, s));
    PF_TRY(run_guidance_init(&run->highfreq, run->pipeline, &run->params,
        &(struct run_guidance_input){.pixels = pixels,
            .image_latent = run->image_latent,
            .context = run->context,
            .skips = &run->skips,
            .mask = request->mask,
            .mask_width = request->mask_width,
            .mask_height = request->mask_height,
            .fit = &run->fit},
        s->err));
    guidance_init(&run->guidance, run->params.text_scale, run->params.image_scale,
        run->params.guidance_region == GUIDANCE_REGION_AUTO);
    PF_TRY(start_sampling(run, s));
    if (request->image->alpha) {
        size_t count = (size_t)request->image->width * (size_t)request->image->height;
        run->alpha = malloc(count);
        if (!run->alpha)
            return pf_fail(s->err, PF_NOMEM, "an alpha plane of %zu pixels", count);
        memcpy(run->alpha, request->image->alpha, count);
    }
    run->sampling_start_ms = clock_monotonic_ms();
    run->progress.encode_ms = run->sampling_start_ms - start_ms;
    return PF_OK;
}

enum pf_status run_begin(struct run **ret_run, struct pipeline *pipeline,
    const struct run_request *request, struct pf_error *err)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return pf_fail(err, PF_NOMEM, "a run");
    run->pipeline = pipeline;
    scope_init(&run->tensors, &run->error);
    settle_params(&run->params, request, pipeline);
    SCOPE(s, err);
    enum pf_status status = begin(run, request, &s);
    if (status != PF_OK) {
        run_destroy(run);
        return status;
    }
    *ret_run = run;
    return PF_OK;
}

void run_destroy(struct run *run)
{
    if (!run)
        return;
    run_guidance_finish(&run->highfreq);
    sampler_finish(&run->sampler);
    contexts_put(&run->pipeline->contexts, run->context);
    tensor_free(run->z);
    tensor_free(run->x0);
    scope_finish(&run->tensors);
    free(run->alpha);
    free(run);
}

int run_done(const struct run *run)
{
    return sampler_done(&run->sampler);
}

const struct run_progress *run_progress(const struct run *run)
{
    return &run->progress;
}

const struct params *run_params(const struct run *run)
{
    return &run->params;
}

void run_latent_size(const struct run *run, int64_t *ret_height, int64_t *ret_width)
{
    *ret_height = run->latent_h;
    *ret_width = run->latent_w;
}

static tensor image_of_row(const struct run *run, struct scope *s, enum guidance_row row)
{
    return row == GUIDANCE_ROW_NO_IMAGE ? op_mul_scalar(s, run->image_latent, 0)
                                        : run->image_latent;
}

enum pf_status run_wants(
    struct run *run, struct scope *out, struct run_rows *ret_rows, struct pf_error *err)
{
    double sigma = sampler_sigma(&run->sampler);
    double t = schedule_t_of_sigma(&run->pipeline->schedule, sigma);
    SCOPE(s, err);
    if (!run->moved) {
        replace(&run->z, &s, run_guidance_move_latent(&run->highfreq, &s, run->z, sigma, t));
        run->moved = scope_ok(&s);
    }
    tensor scaled = denoiser_input(&s, run->z, &sigma);
    tensor rows[GUIDANCE_ROWS_MAX];
    for (int i = 0; i < run->guidance.row_count; i++) {
        enum guidance_row row = run->guidance.rows[i];
        rows[i] = op_cat(&s, (tensor[]){scaled, image_of_row(run, &s, row)}, 2, 1);
        ret_rows->t[i] = (float)t;
        ret_rows->contexts[i] =
            row == GUIDANCE_ROW_NO_TEXT ? run->pipeline->null_context : run->context;
    }
    ret_rows->count = run->guidance.row_count;
    ret_rows->x = scope_move(&s, op_cat(&s, rows, ret_rows->count, 0), out);
    return err->status;
}

/* Estimates of all rows; each has the run's sigma. */
static tensor estimate_rows(const struct run *run, struct scope *s, tensor output, double sigma)
{
    int rows = run->guidance.row_count;
    double sigmas[GUIDANCE_ROWS_MAX] = {sigma, sigma, sigma};
    tensor images[GUIDANCE_ROWS_MAX];
    for (int i = 0; i < rows; i++)
        images[i] = image_of_row(run, s, run->guidance.rows[i]);
    tensor z = op_expand(s, run->z, DIMS(rows, -1, -1, -1));
    return denoiser_x0(
        s, run->pipeline->sizes.prediction, z, op_cat(s, images, rows, 0), output, sigmas);
}

enum pf_status run_feed(struct run *run, tensor output, struct pf_error *err)
{
    double sigma = sampler_sigma(&run->sampler);
    double t = schedule_t_of_sigma(&run->pipeline->schedule, sigma);
    SCOPE(s, err);
    tensor estimates = estimate_rows(run, &s, output, sigma);
    tensor x0 = guidance_combine(&run->guidance, &s, estimates);
    if (scope_ok(&s) && !op_is_finite(&s, x0))
        pf_fail(err, PF_INTERNAL, "step %d gave values that are not finite", run->sampler.step + 1);
    run_guidance_see(&run->highfreq, &s, &run->guidance, estimates);
    run_guidance_train_decoder(&run->highfreq, &s, x0, t);
    tensor noise = NULL;
    if (scope_ok(&s) && sampler_needs_noise(&run->sampler))
        noise = draw_noise(run, &s, NOISE_STREAM_STEPS + (uint32_t)run->sampler.step);
    if (!scope_ok(&s))
        return err->status;
    tensor next = sampler_step(&run->sampler, &s, run->z, x0, noise);
    replace(&run->z, &s, next);
    replace(&run->x0, &s, x0);
    if (!scope_ok(&s))
        return err->status;
    run->moved = 0;
    run->progress.sample_ms = clock_monotonic_ms() - run->sampling_start_ms;
    run->progress.step = run->sampler.step;
    run->progress.sigma = sigma;
    run->progress.has_guidance_loss = run->highfreq.mode != GUIDANCE_OFF;
    run->progress.guidance_loss = run->highfreq.loss;
    return PF_OK;
}

int run_preview_due(const struct run *run)
{
    int64_t previews = run->params.previews, steps = run->params.steps;
    int64_t step = run->progress.step;
    if (previews == 0 || step == 0)
        return 0;
    return step * previews / steps > (step - 1) * previews / steps;
}

/* With more previews than steps every step has one. */
static int is_preview_decoded(const struct run *run)
{
    int64_t previews = run->params.previews, steps = run->params.steps;
    int64_t step = run->progress.step;
    int64_t left = previews < steps ? previews - step * previews / steps : steps - step;
    return left < run->params.previews_decoded;
}

static enum pf_status preview_estimated(
    const struct run *run, struct image *ret_image, struct pf_error *err)
{
    SCOPE(s, err);
    tensor latent = op_mul_scalar(&s, run->x0, 1.0 / VAE_SCALE_FACTOR);
    int64_t count = tensor_count(latent);
    AUTO_FREE float *values = malloc((size_t)count * sizeof *values);
    if (!values)
        return pf_fail(err, PF_NOMEM, "a preview of %lld values", (long long)count);
    PF_TRY(tensor_to_f32(latent, values, count, err));
    struct image whole = IMAGE_INIT;
    PF_TRY(
        preview_render(&run->preview, values, (int)run->latent_h, (int)run->latent_w, &whole, err));
    int factor = (int)run->pipeline->sizes.vae.factor;
    int width = (run->fit.scaled_width + factor - 1) / factor;
    int height = (run->fit.scaled_height + factor - 1) / factor;
    struct image_fit crop = {width, height, width, height, whole.width, whole.height};
    struct image cropped = {width, height, NULL, NULL};
    enum pf_status status = image_fit_undo(&crop, whole.rgb, 3, &cropped.rgb, err);
    image_finish(&whole);
    if (status == PF_OK)
        *ret_image = cropped;
    return status;
}

/* A latent [1,z,h,w] through the (possibly trained) decoder, as planes in [0,1] at the model's
 * size.
 */
static enum pf_status decode(
    const struct run *run, tensor latent, float *ret_planes, int64_t count, struct pf_error *err)
{
    SCOPE(s, err);
    struct vae_lora trained;
    const struct vae_lora *lora = run_guidance_lora(&run->highfreq, &trained) ? &trained : NULL;
    tensor pixels =
        vae_decode(run->pipeline->vae, &s, latent, run->has_skips ? &run->skips : NULL, lora);
    if (scope_ok(&s) && !op_is_finite(&s, pixels))
        pf_fail(err, PF_INTERNAL, "the decoder gave values that are not finite");
    tensor unit = op_mul_scalar(&s, op_add_scalar(&s, op_to_type(&s, pixels, TENSOR_F32), 1), 0.5);
    return tensor_to_f32(op_clamp(&s, unit, 0, 1), ret_planes, count, err);
}

static int shrink(int side, int longer)
{
    int64_t scaled = longer > PREVIEW_SIDE_MAX ? (int64_t)side * PREVIEW_SIDE_MAX / longer : side;
    return scaled > 0 ? (int)scaled : 1;
}

static enum pf_status preview_decoded(
    const struct run *run, struct image *ret_image, struct pf_error *err)
{
    struct image_fit fit = run->fit;
    int64_t count = 3 * (int64_t)fit.padded_width * fit.padded_height;
    int longer = fit.scaled_width > fit.scaled_height ? fit.scaled_width : fit.scaled_height;
    AUTO_FREE float *planes = malloc((size_t)count * sizeof *planes);
    if (!planes)
        return pf_fail(err, PF_NOMEM, "a preview of %lld values", (long long)count);
    PF_TRY(decode(run, run->x0, planes, count, err));
    fit.width = shrink(fit.scaled_width, longer);
    fit.height = shrink(fit.scaled_height, longer);
    struct image image = {fit.width, fit.height, NULL, NULL};
    PF_TRY(image_fit_undo(&fit, planes, 3, &image.rgb, err));
    *ret_image = image;
    return PF_OK;
}

enum pf_status run_preview(const struct run *run, struct image *ret_image, struct pf_error *err)
{
    return is_preview_decoded(run) ? preview_decoded(run, ret_image, err)
                                   : preview_estimated(run, ret_image, err);
}

enum pf_status run_finish(struct run *run, struct image *ret_image, struct pf_error *err)
{
    int64_t start_ms = clock_monotonic_ms();
    int64_t count = 3 * (int64_t)run->fit.padded_width * run->fit.padded_height;
    AUTO_FREE float *planes = malloc((size_t)count * sizeof *planes);
    if (!planes)
        return pf_fail(err, PF_NOMEM, "a picture of %lld values", (long long)count);
    PF_TRY(decode(run, run->z, planes, count, err));
    struct image image = {run->fit.width, run->fit.height, NULL, NULL};
    PF_TRY(image_fit_undo(&run->fit, planes, 3, &image.rgb, err));
    image.alpha = run->alpha;
    run->alpha = NULL;
    *ret_image = image;
    run->progress.decode_ms = clock_monotonic_ms() - start_ms;
    return PF_OK;
}
