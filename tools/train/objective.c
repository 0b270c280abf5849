/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/objective.h"

#include <math.h>

#include "tools/train/draw.h"

enum { EARLY_TIMES = SCHEDULE_TIMESTEPS / 10, WINDOW = 8 };

/* Of each row, [B]. */
static tensor distance(struct scope *s, tensor a, tensor b, tensor w, double knee)
{
    tensor miss = op_abs(s, op_sub(s, a, b));
    if (knee > 0) {
        tensor low = op_clamp(s, miss, 0, knee);
        tensor square = op_mul_scalar(s, op_square(s, low), 0.5 / knee);
        miss = op_add(s, square, op_sub(s, miss, low));
    }
    return op_mean(s, w ? op_mul(s, miss, w) : miss, DIMS(1, 2, 3), 0);
}

/* Differences of neighbours along dim 2 or 3. */
static tensor slope(struct scope *s, tensor x, int dim)
{
    int64_t length = tensor_dim(x, dim) - 1;
    return op_sub(s, op_narrow(s, x, dim, 1, length), op_narrow(s, x, dim, 0, length));
}

/* Second differences, which a blur takes away first. */
static tensor curvature(struct scope *s, tensor x, int dim)
{
    return slope(s, slope(s, x, dim), dim);
}

tensor objective_picture_loss(
    struct scope *s, tensor a, tensor b, tensor w, double edge_weight, double knee)
{
    tensor single = op_to_type(s, a, TENSOR_F32);
    tensor loss = distance(s, single, b, w, knee);
    for (int dim = 2; dim <= 3; dim++) {
        tensor within = w ? op_narrow(s, w, dim, 1, tensor_dim(w, dim) - 1) : NULL;
        tensor edges = distance(s, slope(s, single, dim), slope(s, b, dim), within, 0);
        loss = op_add(s, loss, op_mul_scalar(s, edges, edge_weight));
    }
    return loss;
}

tensor objective_change_weights(struct scope *s, tensor input, tensor target, double change_weight)
{
    enum { MOST = 10 };
    const double least = 0.02; /* of the pictures' [-1,1]: below that it's noise */
    tensor change = op_mean(s, op_abs(s, op_sub(s, input, target)), DIMS(1), 1);
    tensor usual = op_clamp(s, op_mean(s, change, DIMS(2, 3), 1), least, HUGE_VAL);
    tensor relative = op_clamp(s, op_div(s, change, usual), 0, MOST);
    return op_add_scalar(s, op_mul_scalar(s, relative, change_weight), 1);
}

/* Root mean square of x [B,C,H,W] in each window, over its channels too. */
static tensor energy(struct scope *s, tensor x)
{
    const double least = 1e-4; /* a root's slope has no bound at 0 */
    tensor power = op_mean(s, op_square(s, x), DIMS(1), 1);
    return op_sqrt(s, op_add_scalar(s, op_avg_pool(s, power, WINDOW, WINDOW, 0), least));
}

/* What `a` has less of than OBJECTIVE_LEAST_SHARE of what `b` has, [B,1,H/WINDOW,W/WINDOW]. */
static tensor shortfall(struct scope *s, tensor a, tensor b)
{
    tensor wanted = op_mul_scalar(s, energy(s, b), OBJECTIVE_LEAST_SHARE);
    return op_clamp(s, op_sub(s, wanted, energy(s, a)), 0, HUGE_VAL);
}

/* A picture's distance to grey. */
static tensor chroma(struct scope *s, tensor x)
{
    return op_sub(s, x, op_mean(s, x, DIMS(1), 1));
}

tensor objective_colour_loss(struct scope *s, tensor a, tensor b, tensor input)
{
    const double coloured = 0.02; /* of the pictures' [-1,1] */
    tensor given = op_mean(s, op_abs(s, chroma(s, input)), DIMS(1, 2, 3), 1);
    tensor greyness = op_add_scalar(s, op_mul_scalar(s, given, -1 / coloured), 1);
    tensor lack = shortfall(s, chroma(s, op_to_type(s, a, TENSOR_F32)), chroma(s, b));
    return op_mean_all(s, op_mul(s, lack, op_clamp(s, greyness, 0, 1)));
}

tensor objective_detail_loss(struct scope *s, tensor a, tensor b)
{
    tensor single = op_to_type(s, a, TENSOR_F32);
    return op_add(s, op_mean_all(s, shortfall(s, curvature(s, single, 2), curvature(s, b, 2))),
        op_mean_all(s, shortfall(s, curvature(s, single, 3), curvature(s, b, 3))));
}

/* Uniform number of each row as [B,1,1,1] on the device of `like`. */
static tensor row_numbers(
    struct scope *s, tensor like, uint64_t seed, int64_t step, double low, double high)
{
    int64_t rows = tensor_dim(like, 0);
    float values[BATCH_ROWS_MAX];
    for (int64_t row = 0; row < rows; row++) {
        double draws[4];
        draw_uniform(seed, step, (int)row, DRAW_TIME, draws);
        values[row] = (float)(low + (high - low) * draws[2]);
    }
    tensor numbers = tensor_from_f32(s, values, DIMS(rows, 1, 1, 1));
    return op_to_device(s, numbers, tensor_device(like));
}

/* Skips of the second half of a batch of 2·rows. */
static void narrow_skips(struct scope *s, struct vae_skips *skips, int64_t rows)
{
    skips->picture = op_narrow(s, skips->picture, 0, rows, rows);
    for (int i = 0; i < skips->count; i++)
        skips->features[i] = op_narrow(s, skips->features[i], 0, rows, rows);
}

/* Mean squared error of the cosines between the texts' mean encodings: 1 within a task, 0 between
 * two. The mean over the tokens is what the UNet's attention begins with, before it has learned
 * where to look. */
static tensor text_loss(const struct trainee *trainee, struct scope *s,
    const struct objective_options *options, const struct batch_tensors *batch, int64_t step)
{
    (void)options;
    (void)step;
    tensor texts = op_to_type(s, clip_encode(trainee->clip, s, batch->instruction), TENSOR_F32);
    tensor mean = op_mean(s, texts, DIMS(1), 0);
    tensor length = op_sqrt(s, op_sum(s, op_square(s, mean), DIMS(1), 1));
    tensor unit = op_div(s, mean, length);
    tensor cosines = op_matmul(s, unit, op_transpose(s, unit, 0, 1));
    int device = tensor_device(cosines);
    tensor weight = op_to_device(s, batch->compared, device);
    tensor miss = op_square(s, op_sub(s, cosines, op_to_device(s, batch->same_task, device)));
    tensor count = op_clamp(s, op_sum_all(s, weight), 1, HUGE_VAL);
    return op_div(s, op_sum_all(s, op_mul(s, miss, weight)), count);
}

/* The target's latent with the encoder's own spread, and more noise for some rows, as what the UNet
 * will hand over is not exact either; decoded beside the input's features. */
static tensor vae_loss(const struct trainee *trainee, struct scope *s,
    const struct objective_options *options, const struct batch_tensors *batch, int64_t step)
{
    int64_t rows = tensor_dim(batch->target, 0);
    struct vae_skips skips;
    tensor both = op_cat(s, (tensor[]){batch->target, batch->input}, 2, 0);
    tensor moments = op_to_type(s, vae_encode(trainee->vae, s, both, &skips), TENSOR_F32);
    moments = op_narrow(s, moments, 0, 0, rows);
    narrow_skips(s, &skips, rows);
    int64_t channels = tensor_dim(moments, 1) / 2;
    tensor mean = op_narrow(s, moments, 1, 0, channels);
    tensor log_variance = op_clamp(s, op_narrow(s, moments, 1, channels, channels), -20, 10);
    tensor variance = op_exp(s, log_variance);
    tensor noise = trainee_noise(s, mean, options->seed, step);
    tensor extra = row_numbers(s, mean, options->seed, step, 0, options->latent_noise);
    tensor spread = op_sqrt(s, op_add(s, variance, op_square(s, extra)));
    tensor z = op_add(s, mean, op_mul(s, noise, spread));
    tensor picture =
        vae_decode(trainee->vae, s, op_mul_scalar(s, z, VAE_SCALE_FACTOR), &skips, NULL);
    tensor divergence = op_sub(s, op_add(s, op_square(s, mean), variance), log_variance);
    divergence = op_mean_all(s, op_mul_scalar(s, op_add_scalar(s, divergence, -1), 0.5));
    tensor loss = op_mean_all(
        s, objective_picture_loss(s, picture, batch->target, NULL, options->edge_weight, 0));
    return op_add(s, loss, op_mul_scalar(s, divergence, options->kl_weight));
}

/* Timesteps: a share from the noisiest tenth, where the picture's content is decided, the rest
 * even. */
static void draw_times(
    const struct objective_options *options, int64_t step, int64_t rows, float *t)
{
    for (int64_t row = 0; row < rows; row++) {
        double draws[4];
        draw_uniform(options->seed, step, (int)row, DRAW_TIME, draws);
        int first = draws[1] < options->early_share ? SCHEDULE_TIMESTEPS - EARLY_TIMES : 0;
        t[row] = (float)(first + (int)(draws[0] * (SCHEDULE_TIMESTEPS - first)));
    }
}

/* values[row] as [B,1,1,1] */
static tensor column(struct scope *s, tensor like, const float *values)
{
    tensor t = tensor_from_f32(s, values, DIMS(tensor_dim(like, 0), 1, 1, 1));
    return op_to_device(s, t, tensor_device(like));
}

static tensor diffusion_loss(const struct trainee *trainee, struct scope *s,
    const struct objective_options *options, const struct batch_tensors *batch, int64_t step)
{
    int64_t rows = tensor_dim(batch->input, 0);
    float t[BATCH_ROWS_MAX], signal[BATCH_ROWS_MAX], spread[BATCH_ROWS_MAX];
    draw_times(options, step, rows, t);
    for (int64_t row = 0; row < rows; row++) {
        double kept = trainee->schedule.alphas_cumprod[(int)t[row]];
        signal[row] = (float)sqrt(kept);
        spread[row] = (float)sqrt(1 - kept);
    }
    tensor z0 = trainee_latent(trainee, s, batch->target);
    tensor noise = trainee_noise(s, z0, options->seed, step);
    tensor alpha = column(s, z0, signal), sigma = column(s, z0, spread);
    tensor x = op_add(s, op_mul(s, z0, alpha), op_mul(s, noise, sigma));
    struct conditions conditions;
    conditions_make(s, trainee, batch, &conditions);
    tensor wanted = noise;
    if (trainee->sizes.prediction != PREDICTION_EPSILON) {
        tensor change = z0;
        if (trainee->sizes.prediction == PREDICTION_V_CHANGE)
            change = op_sub(s, z0, op_mul_scalar(s, conditions.image, VAE_SCALE_FACTOR));
        wanted = op_sub(s, op_mul(s, noise, alpha), op_mul(s, change, sigma));
    }
    tensor output = trainee_predict(trainee, s, x, t, &conditions);
    tensor missed = op_mean(s, op_square(s, op_sub(s, output, wanted)), DIMS(1, 2, 3), 0);
    if (options->relative > 0) {
        tensor power = op_mean(s, op_square(s, wanted), DIMS(1, 2, 3), 0);
        missed = op_div(s, missed, op_add_scalar(s, power, options->relative));
    }
    tensor loss = op_mean_all(s, missed);
    unet_context_destroy(conditions.context);
    return loss;
}

/* What each row's loss is divided by: its input's own loss plus `relative`. A row in which nothing
 * is to change is weighed as the others are in the mean: over `relative` alone it would drown them,
 * and teach to change nothing. */
static tensor row_scales(struct scope *s, tensor before, double relative)
{
    const double certain = 1e6; /* any change at all */
    tensor changes = op_clamp(s, op_mul_scalar(s, before, certain), 0, 1);
    tensor idle = op_add_scalar(s, op_mul_scalar(s, changes, -1), 1);
    tensor count = op_clamp(s, op_sum_all(s, changes), 1, HUGE_VAL);
    tensor mean = op_div(s, op_sum_all(s, before), count);
    return op_add_scalar(s, op_add(s, before, op_mul(s, idle, mean)), relative);
}

/* The picture's loss of each row, [B]; with `relative` as a share of the input's. */
static tensor picture_share(struct scope *s, const struct objective_options *options,
    tensor picture, const struct batch_tensors *batch, tensor weights)
{
    double edge_weight = options->edge_weight, knee = options->knee;
    tensor loss = objective_picture_loss(s, picture, batch->target, weights, edge_weight, knee);
    if (options->relative <= 0)
        return loss;
    tensor before =
        objective_picture_loss(s, batch->input, batch->target, weights, edge_weight, knee);
    return op_div(s, loss, row_scales(s, before, options->relative));
}

/* Pure noise to the picture in one step. */
static tensor joint_loss(const struct trainee *trainee, struct scope *s,
    const struct objective_options *options, const struct batch_tensors *batch, int64_t step)
{
    double sigmas[BATCH_ROWS_MAX];
    for (int64_t row = 0; row < tensor_dim(batch->input, 0); row++)
        sigmas[row] = trainee->schedule.sigma[SCHEDULE_TIMESTEPS - 1];
    struct conditions conditions;
    conditions_make(s, trainee, batch, &conditions);
    tensor noise = trainee_noise(s, conditions.image, options->seed, step);
    tensor start = op_mul_scalar(s, noise, sigmas[0]);
    tensor guess = trainee_denoise(trainee, s, start, sigmas, &conditions);
    unet_context_destroy(conditions.context);
    tensor picture = vae_decode(trainee->vae, s, guess, &conditions.skips, NULL);
    tensor weights =
        objective_change_weights(s, batch->input, batch->target, options->change_weight);
    tensor loss = op_mean_all(s, picture_share(s, options, picture, batch, weights));
    tensor grey = objective_colour_loss(s, picture, batch->target, batch->input);
    loss = op_add(s, loss, op_mul_scalar(s, grey, options->colour_weight));
    tensor flat = objective_detail_loss(s, picture, batch->target);
    return op_add(s, loss, op_mul_scalar(s, flat, options->detail_weight));
}

tensor objective_loss(const struct trainee *trainee, struct scope *s,
    const struct objective_options *options, const struct batch_tensors *batch, int64_t step)
{
    static tensor (*const losses[STAGE_COUNT])(const struct trainee *, struct scope *,
        const struct objective_options *, const struct batch_tensors *, int64_t) = {
        [STAGE_TEXT] = text_loss,
        [STAGE_VAE] = vae_loss,
        [STAGE_DIFFUSION] = diffusion_loss,
        [STAGE_JOINT] = joint_loss,
    };
    int former = tensor_grad_enable(1);
    tensor loss = losses[trainee->stage](trainee, s, options, batch, step);
    tensor_grad_enable(former);
    return loss;
}
