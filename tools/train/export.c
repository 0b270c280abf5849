/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/train/state.h"
#include "tools/train/trainee.h"

enum { LATENT_CHANNELS_MAX = 64 };

#define QUANT      SIZES_PREFIX_VAE "quant_conv"
#define POST_QUANT SIZES_PREFIX_VAE "post_quant_conv"

/* The averages under the names of the weights they are of. */
static size_t collect_averages(
    const struct checkpoint *state, struct scope *s, struct rewrite_array *ret_arrays)
{
    static const char prefix[] = STATE_PREFIX_AVERAGE;
    struct weights view;
    size_t count = 0;
    weights_init(&view, state, (struct tensor_place){TORCH_DEVICE_CPU, TENSOR_F32}, s, "");
    for (size_t i = 0; i < checkpoint_array_count(state); i++) {
        const char *name = checkpoint_array_at(state, i)->name;
        if (strncmp(name, prefix, strlen(prefix)) == 0)
            ret_arrays[count++] =
                (struct rewrite_array){name + strlen(prefix), weights_tensor(&view, name)};
    }
    return count;
}

enum pf_status export_model(const struct checkpoint *state, enum dtype dtype,
    const struct rewrite_text *texts, size_t text_count, const char *path, struct pf_error *err)
{
    SCOPE(s, err);
    AUTO_FREE struct rewrite_array *arrays =
        calloc(checkpoint_array_count(state) + 1, sizeof *arrays);
    if (!arrays)
        return pf_fail(err, PF_NOMEM, "a table of averages");
    struct rewrite rewrite = {.source = state,
        .arrays = arrays,
        .array_count = collect_averages(state, &s, arrays),
        .texts = texts,
        .text_count = text_count,
        .dtype = dtype,
        .left_out = STATE_PREFIX};
    if (!scope_ok(&s))
        return err->status;
    return rewrite_checkpoint(&rewrite, path, err);
}

struct moments {
    int channels;
    double count; /* of values a channel */
    double sum[LATENT_CHANNELS_MAX], squares[LATENT_CHANNELS_MAX];
};

static enum pf_status add_latents(const struct trainee *trainee, const struct batch *batch,
    struct moments *m, struct pf_error *err)
{
    SCOPE(s, err);
    struct batch_tensors tensors;
    batch_tensors_make(&s, trainee, batch, &tensors);
    tensor latent = trainee_latent(trainee, &s, tensors.target);
    int64_t total = tensor_count(latent);
    m->channels = (int)tensor_dim(latent, 1);
    AUTO_FREE float *values = malloc((size_t)total * sizeof *values);
    if (!scope_ok(&s))
        return err->status;
    if (!values || m->channels > LATENT_CHANNELS_MAX)
        return pf_fail(err, PF_NOMEM, "latents of %d channels", m->channels);
    PF_TRY(tensor_to_f32(latent, values, total, err));
    int64_t plane = tensor_dim(latent, 2) * tensor_dim(latent, 3);
    for (int64_t i = 0; i < total; i++) {
        int channel = (int)(i / plane % m->channels);
        m->sum[channel] += (double)values[i];
        m->squares[channel] += (double)values[i] * (double)values[i];
    }
    m->count += (double)(total / m->channels);
    return PF_OK;
}

/* quant_conv gives mean and log-variance, e rows each: e' = (e - mean)/deviation, and
 * post_quant_conv takes e = e'·deviation + mean. Rows of a kernel and their bias scale together. */
static void fold(const struct moments *m, float *quant, float *quant_bias, float *post,
    float *post_bias, int64_t quant_inputs, int64_t post_outputs)
{
    /* As measured, latents carry VAE_SCALE_FACTOR already; the encoder's own must not. */
    for (int c = 0; c < m->channels; c++) {
        double mean = m->sum[c] / m->count;
        double deviation = sqrt(fmax(m->squares[c] / m->count - mean * mean, 1e-12));
        double shift = mean / VAE_SCALE_FACTOR;
        for (int64_t i = 0; i < quant_inputs; i++)
            quant[c * quant_inputs + i] /= (float)deviation;
        quant_bias[c] = (float)(((double)quant_bias[c] - shift) / deviation);
        quant_bias[m->channels + c] -= (float)(2 * log(deviation));
        for (int64_t o = 0; o < post_outputs; o++) {
            float *weight = &post[o * m->channels + c];
            post_bias[o] += (float)((double)*weight * shift);
            *weight *= (float)deviation;
        }
    }
}

static enum pf_status write_folded(
    const struct trainee *trainee, const struct moments *m, const char *path, struct pf_error *err)
{
    static const char *const names[] = {
        QUANT ".weight", QUANT ".bias", POST_QUANT ".weight", POST_QUANT ".bias"};
    SCOPE(s, err);
    struct weights view;
    struct rewrite_array arrays[COUNT_OF(names)];
    float *data[COUNT_OF(names)];
    weights_init(
        &view, trainee->checkpoint, (struct tensor_place){TORCH_DEVICE_CPU, TENSOR_F32}, &s, "");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        tensor copy = op_clone(&s, op_contiguous(&s, weights_tensor(&view, names[i])));
        arrays[i] = (struct rewrite_array){names[i], copy};
        data[i] = copy ? at_data_ptr(copy) : NULL;
    }
    if (!scope_ok(&s))
        return err->status;
    fold(m, data[0], data[1], data[2], data[3], tensor_dim(arrays[0].value, 1),
        tensor_dim(arrays[2].value, 0));
    struct rewrite rewrite = {.source = trainee->checkpoint,
        .arrays = arrays,
        .array_count = COUNT_OF(arrays),
        .dtype = DTYPE_F32,
        .left_out = STATE_PREFIX};
    return rewrite_checkpoint(&rewrite, path, err);
}

static enum pf_status measure(const struct trainee *trainee,
    const struct normalize_options *options, struct moments *m, struct pf_error *err)
{
    struct batch_options batches = {.shards = options->shards,
        .tokenizer = trainee->tokenizer,
        .positions = trainee->sizes.clip.positions,
        .rows = options->rows,
        .size = options->size,
        .seed = 1};
    for (int64_t step = 0; step * options->rows < options->count; step++) {
        struct batch *batch = NULL;
        PF_TRY(batch_make(&batches, step, &batch, err));
        enum pf_status status = add_latents(trainee, batch, m, err);
        batch_destroy(batch);
        PF_TRY(status);
    }
    return PF_OK;
}

enum pf_status normalize_latents(const char *model, const char *merges,
    const struct normalize_options *options, const char *path, struct pf_error *err)
{
    struct trainee trainee;
    struct moments m = {0};
    PF_TRY(trainee_open(&trainee, model, merges, STAGE_VAE, NULL,
        (struct tensor_place){TORCH_DEVICE_CPU, TENSOR_F32}, err));
    enum pf_status status = measure(&trainee, options, &m, err);
    if (status == PF_OK)
        status = write_folded(&trainee, &m, path, err);
    trainee_close(&trainee);
    return status;
}
