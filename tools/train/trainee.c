/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/trainee.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/diffusion/denoiser.h"
#include "pipeline/diffusion/noise.h"
#include "tools/data/tasks.h"
#include "tools/train/draw.h"

const char *const stage_names[] = {"text", "vae", "diffusion", "joint", NULL};

static const struct {
    const char *prefixes[PARAMETERS_PREFIXES_MAX];
    int count;
} trained[STAGE_COUNT] = {
    [STAGE_TEXT] = {{SIZES_PREFIX_CLIP}, 1},
    [STAGE_VAE] = {{SIZES_PREFIX_VAE}, 1},
    [STAGE_DIFFUSION] = {{SIZES_PREFIX_UNET}, 1},
    [STAGE_JOINT] = {{SIZES_PREFIX_UNET, SIZES_PREFIX_VAE}, 2},
};

static enum pf_status load_tokenizer(
    struct trainee *trainee, const char *merges, struct pf_error *err)
{
    size_t vocabulary = (size_t)trainee->sizes.clip.vocabulary;
    if (merges && merges[0])
        return tokenizer_create_from_file(&trainee->tokenizer, merges, vocabulary, err);
    const char *own = checkpoint_metadata(trainee->checkpoint, "merges");
    if (!own)
        return pf_fail(err, PF_NOT_FOUND, "the checkpoint holds no merges table: --merges FILE");
    return tokenizer_create(&trainee->tokenizer, own, strlen(own), vocabulary, err);
}

static enum pf_status load(struct trainee *trainee, const char *merges, const char *only,
    struct tensor_place place, struct pf_error *err)
{
    enum stage stage = trainee->stage;
    const struct model_sizes *sizes = &trainee->sizes;
    PF_TRY(model_sizes_read(trainee->checkpoint, &trainee->sizes, err));
    PF_TRY(load_tokenizer(trainee, merges, err));
    PF_TRY(parameters_init(&trainee->parameters, trainee->checkpoint, place,
        trained[stage].prefixes, trained[stage].count, only, err));
    schedule_init(&trainee->schedule);
    parameters_attach(&trainee->parameters);
    enum pf_status status = PF_OK;
    if (stage != STAGE_TEXT)
        status = vae_create(&trainee->vae, trainee->checkpoint, &sizes->vae, place, err);
    if (status == PF_OK && stage != STAGE_VAE && stage != STAGE_TEXT)
        status = unet_create(&trainee->unet, trainee->checkpoint, &sizes->unet, place, err);
    if (status == PF_OK && stage != STAGE_VAE)
        status = clip_create(&trainee->clip, trainee->checkpoint, &sizes->clip, place, err);
    parameters_detach();
    PF_TRY(status);
    return parameters_check_only(&trainee->parameters, err);
}

enum pf_status trainee_open(struct trainee *ret_trainee, const char *path, const char *merges,
    enum stage stage, const char *only, struct tensor_place place, struct pf_error *err)
{
    struct trainee trainee = {.stage = stage};
    PF_TRY(checkpoint_open(&trainee.checkpoint, path, err));
    *ret_trainee = trainee;
    if (load(ret_trainee, merges, only, place, err) != PF_OK)
        trainee_close(ret_trainee);
    return err->status;
}

void trainee_close(struct trainee *trainee)
{
    vae_destroy(trainee->vae);
    unet_destroy(trainee->unet);
    clip_destroy(trainee->clip);
    tokenizer_destroy(trainee->tokenizer);
    parameters_finish(&trainee->parameters);
    checkpoint_close(trainee->checkpoint);
    *trainee = (struct trainee){0};
}

/* Which rows are of one task. An empty instruction is a task of its own; "combined" ones are
 * compared with none. */
static void compare_tasks(struct scope *s, const struct batch *batch, struct batch_tensors *ret)
{
    enum { UNKNOWN = -1, EMPTY = TASK_COUNT };
    size_t rows = (size_t)batch->rows;
    AUTO_FREE int *tasks = calloc(rows, sizeof *tasks);
    AUTO_FREE float *same = calloc(rows * rows, sizeof *same);
    AUTO_FREE float *compared = calloc(rows * rows, sizeof *compared);
    if (!tasks || !same || !compared) {
        pf_fail(s->err, PF_NOMEM, "tasks of %zu rows", rows);
        return;
    }
    for (size_t i = 0; i < rows; i++)
        tasks[i] = batch->is_empty[i] ? EMPTY : task_find(batch->tasks[i]);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < rows; j++) {
            same[i * rows + j] = tasks[i] == tasks[j];
            compared[i * rows + j] = i != j && tasks[i] != UNKNOWN && tasks[j] != UNKNOWN;
        }
    }
    ret->same_task = tensor_from_f32(s, same, DIMS(batch->rows, batch->rows));
    ret->compared = tensor_from_f32(s, compared, DIMS(batch->rows, batch->rows));
}

void batch_tensors_make(struct scope *s, const struct trainee *trainee, const struct batch *batch,
    struct batch_tensors *ret)
{
    int device = trainee->parameters.place.device;
    int64_t rows = batch->rows, size = batch->size, positions = batch->positions;
    *ret = (struct batch_tensors){0};
    ret->instruction = tensor_from_i64(s, batch->instruction, DIMS(rows, positions));
    ret->auxiliary = tensor_from_i64(s, batch->auxiliary, DIMS(rows, positions));
    if (size == 0) {
        compare_tasks(s, batch, ret);
        return;
    }
    ret->input =
        op_to_device(s, tensor_from_f32(s, batch->input, DIMS(rows, 3, size, size)), device);
    ret->target =
        op_to_device(s, tensor_from_f32(s, batch->target, DIMS(rows, 3, size, size)), device);
    ret->has_image =
        op_to_device(s, tensor_from_f32(s, batch->has_image, DIMS(rows, 1, 1, 1)), device);
}

void conditions_make(struct scope *s, const struct trainee *trainee,
    const struct batch_tensors *batch, struct conditions *ret)
{
    int64_t rows = tensor_dim(batch->input, 0);
    *ret = (struct conditions){0};
    tensor mode = vae_mode(s, vae_encode(trainee->vae, s, batch->input, &ret->skips));
    ret->image = op_mul(s, mode, batch->has_image);
    tensor ids = op_cat(s, (tensor[]){batch->instruction, batch->auxiliary}, 2, 0);
    tensor texts = clip_encode(trainee->clip, s, ids);
    tensor instruction = op_narrow(s, texts, 0, 0, rows);
    tensor auxiliary = op_narrow(s, texts, 0, rows, rows);
    if (scope_ok(s))
        (void)!unet_context_create(&ret->context, trainee->unet, instruction, auxiliary, s->err);
}

tensor trainee_predict(const struct trainee *trainee, struct scope *s, tensor x, const float *t,
    const struct conditions *conditions)
{
    int64_t rows = tensor_dim(x, 0);
    const struct unet_context *contexts[BATCH_ROWS_MAX];
    for (int64_t row = 0; row < rows; row++)
        contexts[row] = conditions->context;
    if (!scope_ok(s))
        return NULL;
    return unet_forward(
        trainee->unet, s, op_cat(s, (tensor[]){x, conditions->image}, 2, 1), t, contexts);
}

tensor trainee_denoise(const struct trainee *trainee, struct scope *s, tensor z,
    const double *sigmas, const struct conditions *conditions)
{
    float t[BATCH_ROWS_MAX];
    for (int64_t row = 0; row < tensor_dim(z, 0); row++)
        t[row] = (float)schedule_t_of_sigma(&trainee->schedule, sigmas[row]);
    tensor output = trainee_predict(trainee, s, denoiser_input(s, z, sigmas), t, conditions);
    return denoiser_x0(s, trainee->sizes.prediction, z, conditions->image, output, sigmas);
}

tensor trainee_latent(const struct trainee *trainee, struct scope *s, tensor pixels)
{
    int former = tensor_grad_enable(0);
    tensor mode = vae_mode(s, vae_encode(trainee->vae, s, pixels, NULL));
    tensor latent = op_mul_scalar(s, mode, VAE_SCALE_FACTOR);
    tensor_grad_enable(former);
    return latent;
}

tensor trainee_noise(struct scope *s, tensor like, uint64_t seed, int64_t step)
{
    int64_t rows = tensor_dim(like, 0), count = tensor_count(like);
    if (!scope_ok(s) || rows == 0)
        return NULL;
    AUTO_FREE float *values = malloc((size_t)count * sizeof *values);
    if (!values) {
        pf_fail(s->err, PF_NOMEM, "noise of %lld numbers", (long long)count);
        return NULL;
    }
    for (int64_t row = 0; row < rows; row++)
        noise_fill(draw_seed(seed, step, (int)row, DRAW_NOISE), 0, values + row * (count / rows),
            (size_t)(count / rows));
    tensor noise = tensor_from_f32(
        s, values, DIMS(rows, tensor_dim(like, 1), tensor_dim(like, 2), tensor_dim(like, 3)));
    return op_to_device(s, noise, tensor_device(like));
}
