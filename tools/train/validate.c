/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/validate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/diffusion/denoiser.h"
#include "pipeline/diffusion/sampler.h"

enum { SHEET_ROWS_MAX = 48, SHEET_COLUMNS = 3, SHEET_ACROSS = 4, TASKS_MAX = 32 };

static tensor sample_latent(const struct trainee *trainee, struct scope *s,
    const struct conditions *conditions, const struct validation_options *options)
{
    double sigmas[SCHEDULE_STEPS_MAX + 1], row_sigmas[BATCH_ROWS_MAX];
    struct sampler sampler = {0};
    tensor like = conditions->image;
    if (!scope_ok(s) ||
        schedule_sigmas(&trainee->schedule, (int)options->steps, sigmas, s->err) != PF_OK ||
        sampler_init(&sampler, SAMPLER_EULER, sigmas, (int)options->steps, s->err) != PF_OK)
        return NULL;
    tensor z = op_mul_scalar(s, trainee_noise(s, like, options->seed, 0), sigmas[0]);
    while (scope_ok(s) && !sampler_done(&sampler)) {
        for (int64_t row = 0; row < tensor_dim(like, 0); row++)
            row_sigmas[row] = sampler_sigma(&sampler);
        tensor x0 = trainee_denoise(trainee, s, z, row_sigmas, conditions);
        z = sampler_step(&sampler, s, z, x0, NULL);
    }
    sampler_finish(&sampler);
    return z;
}

/* [B,3,S,S] */
static tensor make_pictures(const struct trainee *trainee, struct scope *out,
    const struct batch *batch, const struct validation_options *options)
{
    SCOPE(s, out->err);
    struct batch_tensors tensors;
    struct conditions conditions = {0};
    tensor z = NULL;
    batch_tensors_make(&s, trainee, batch, &tensors);
    if (trainee->stage == STAGE_VAE) {
        (void)!vae_encode(trainee->vae, &s, tensors.input, &conditions.skips);
        z = trainee_latent(trainee, &s, tensors.target);
    } else {
        conditions_make(&s, trainee, &tensors, &conditions);
        z = sample_latent(trainee, &s, &conditions, options);
        unet_context_destroy(conditions.context);
    }
    return scope_move(&s, vae_decode(trainee->vae, &s, z, &conditions.skips, NULL), out);
}

/* Mean squared error of pictures in [-1,1], as if in [0,1] and clamped. */
static double squared_error(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double x = fmin(fmax((double)a[i], -1), 1), y = fmin(fmax((double)b[i], -1), 1);
        sum += (x - y) * (x - y) / 4;
    }
    return sum / (double)count;
}

static double decibels(double squared_error_sum, int count)
{
    return -10 * log10(fmax(squared_error_sum / count, 1e-10));
}

/* Errors are pooled before they become decibels: a pair that asks for no change has a perfect
 * input. */
struct figures {
    const char *task;
    int count;
    double after, before;
};

static void add_row(struct figures *figures, double after, double before)
{
    figures->count++;
    figures->after += after;
    figures->before += before;
}

static struct figures *figures_of(struct figures *tasks, int *count, const char *name)
{
    for (int t = 0; t < *count; t++)
        if (strcmp(tasks[t].task, name) == 0)
            return &tasks[t];
    if (*count == TASKS_MAX)
        return &tasks[TASKS_MAX - 1];
    tasks[*count].task = name;
    return &tasks[(*count)++];
}

static void put_figures(const struct batch *batch, const float *pictures, struct buffer *out)
{
    size_t pixels = 3 * (size_t)batch->size * (size_t)batch->size;
    struct figures tasks[TASKS_MAX] = {{0}}, all = {0};
    int task_count = 0;
    for (int64_t row = 0; row < batch->rows; row++) {
        const float *target = batch->target + (size_t)row * pixels;
        double after = squared_error(pictures + (size_t)row * pixels, target, pixels);
        double before = squared_error(batch->input + (size_t)row * pixels, target, pixels);
        add_row(&all, after, before);
        add_row(figures_of(tasks, &task_count, batch->tasks[row]), after, before);
    }
    buffer_put_format(out, "\"psnr\":%.3f,\"input_psnr\":%.3f,\"tasks\":{",
        decibels(all.after, all.count), decibels(all.before, all.count));
    for (int t = 0; t < task_count; t++)
        buffer_put_format(out, "%s\"%s\":{\"n\":%d,\"psnr\":%.2f,\"gain_db\":%.2f}", t ? "," : "",
            tasks[t].task, tasks[t].count, decibels(tasks[t].after, tasks[t].count),
            decibels(tasks[t].after, tasks[t].count) - decibels(tasks[t].before, tasks[t].count));
    buffer_put_text(out, "}");
}

/* Places a picture in [-1,1] at a cell of the sheet. */
static void place(struct image *sheet, const float *picture, int size, int column, int row)
{
    size_t plane = (size_t)sheet->width * (size_t)sheet->height;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++)
                sheet->rgb[(size_t)c * plane + (size_t)(row * size + y) * (size_t)sheet->width +
                           (size_t)(column * size + x)] =
                    fminf(fmaxf(picture[((size_t)c * (size_t)size + (size_t)y) * (size_t)size +
                                        (size_t)x] *
                                        0.5f +
                                    0.5f,
                              0),
                        1);
}

static enum pf_status write_sheet(
    const struct batch *batch, const float *pictures, const char *path, struct pf_error *err)
{
    int size = (int)batch->size;
    int count = batch->rows < SHEET_ROWS_MAX ? (int)batch->rows : SHEET_ROWS_MAX;
    struct image sheet = {SHEET_ACROSS * SHEET_COLUMNS * size,
        (count + SHEET_ACROSS - 1) / SHEET_ACROSS * size, NULL, NULL};
    size_t pixels = 3 * (size_t)size * (size_t)size;
    sheet.rgb = calloc(3 * (size_t)sheet.width * (size_t)sheet.height, sizeof(float));
    if (!sheet.rgb)
        return pf_fail(err, PF_NOMEM, "a sheet of %d×%d", sheet.width, sheet.height);
    for (int i = 0; i < count; i++) {
        const float *cells[SHEET_COLUMNS] = {batch->input + (size_t)i * pixels,
            pictures + (size_t)i * pixels, batch->target + (size_t)i * pixels};
        for (int c = 0; c < SHEET_COLUMNS; c++)
            place(&sheet, cells[c], size, i % SHEET_ACROSS * SHEET_COLUMNS + c, i / SHEET_ACROSS);
    }
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    enum pf_status status = image_encode(&sheet, IMAGE_FORMAT_PNG, 100, &bytes, err);
    if (status == PF_OK)
        status = file_write(path, bytes.data, bytes.size, 0644, 0, err);
    image_finish(&sheet);
    return status;
}

enum pf_status validate(const struct trainee *trainee, const struct batch *batch,
    const struct validation_options *options, struct buffer *out, struct pf_error *err)
{
    SCOPE(s, err);
    size_t count = (size_t)batch->rows * 3 * (size_t)batch->size * (size_t)batch->size;
    AUTO_FREE float *pictures = malloc(count * sizeof *pictures);
    if (!pictures)
        return pf_fail(err, PF_NOMEM, "%d pictures", (int)batch->rows);
    int former = tensor_grad_enable(0);
    tensor made = make_pictures(trainee, &s, batch, options);
    tensor_grad_enable(former);
    if (!scope_ok(&s))
        return err->status;
    PF_TRY(tensor_to_f32(made, pictures, (int64_t)count, err));
    put_figures(batch, pictures, out);
    if (options->sheet && options->sheet[0])
        return write_sheet(batch, pictures, options->sheet, err);
    return PF_OK;
}
