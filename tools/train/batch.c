/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/train/draw.h"

void batch_destroy(struct batch *batch)
{
    if (!batch)
        return;
    free(batch->input);
    free(batch->target);
    free(batch->instruction);
    free(batch->auxiliary);
    free(batch->has_image);
    free(batch->tasks);
    free(batch->is_empty);
    free(batch);
}

static struct batch *batch_create(const struct batch_options *options)
{
    struct batch *batch = calloc(1, sizeof *batch);
    size_t rows = (size_t)options->rows, size = (size_t)options->size;
    if (!batch)
        return NULL;
    batch->rows = options->rows;
    batch->size = options->size;
    batch->positions = options->positions;
    size_t bytes = rows * 3 * size * size * sizeof(float) + 1; /* not 0: that may give NULL */
    batch->input = malloc(bytes);
    batch->target = malloc(bytes);
    batch->instruction = calloc(rows * (size_t)options->positions, sizeof(int64_t));
    batch->auxiliary = calloc(rows * (size_t)options->positions, sizeof(int64_t));
    batch->has_image = calloc(rows, sizeof(float));
    batch->tasks = calloc(rows, sizeof *batch->tasks);
    batch->is_empty = calloc(rows, 1);
    if (batch->input && batch->target && batch->instruction && batch->auxiliary &&
        batch->has_image && batch->tasks && batch->is_empty)
        return batch;
    batch_destroy(batch);
    return NULL;
}

/* How a row is cut out of its pair: boxes of `box` × `box` pixels become one. */
struct cut {
    int left, top, box, flip;
};

static void cut_plane(const struct cut *cut, const float *plane, int width, int size, float *ret)
{
    float scale = 2.0f / (float)(cut->box * cut->box);
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float sum = 0;
            const float *corner = plane + (size_t)(cut->top + y * cut->box) * (size_t)width +
                                  (size_t)(cut->left + x * cut->box);
            for (int dy = 0; dy < cut->box; dy++)
                for (int dx = 0; dx < cut->box; dx++)
                    sum += corner[(size_t)dy * (size_t)width + (size_t)dx];
            ret[(size_t)y * (size_t)size + (size_t)(cut->flip ? size - 1 - x : x)] =
                sum * scale - 1;
        }
    }
}

static void cut_image(const struct cut *cut, const struct image *image, int size, float *ret)
{
    size_t plane = (size_t)image->width * (size_t)image->height;
    for (int c = 0; c < 3; c++)
        cut_plane(cut, image->rgb + (size_t)c * plane, image->width, size,
            ret + (size_t)c * (size_t)size * (size_t)size);
}

static enum pf_status choose_cut(const struct sample *sample, const struct batch_options *options,
    const double draws[4], struct cut *ret_cut, struct pf_error *err)
{
    int size = (int)options->size, width = sample->input.width, height = sample->input.height;
    int shorter = width < height ? width : height;
    if (shorter < size)
        return pf_fail(err, PF_INVALID,
            "pair %s is %d×%d, smaller than the %d pixels to train with", sample->key, width,
            height, size);
    struct cut cut = {
        .box = draws[0] < options->shrink ? shorter / size : 1, .flip = draws[1] < 0.5};
    cut.left = (int)(draws[2] * (width - size * cut.box + 1));
    cut.top = (int)(draws[3] * (height - size * cut.box + 1));
    *ret_cut = cut;
    return PF_OK;
}

static enum pf_status encode(const struct batch_options *options, const char *text, int drop,
    int64_t *ret_ids, struct pf_error *err)
{
    if (drop)
        text = "";
    return tokenizer_encode(
        options->tokenizer, text, strlen(text), (size_t)options->positions, ret_ids, NULL, err);
}

/* With another pair's texts the input is left as it is, if they ask for nothing that is wrong with
 * it. */
static enum pf_status swap_texts(
    const struct batch_options *options, struct sample *sample, size_t index, struct pf_error *err)
{
    struct sample other = {0};
    PF_TRY(shards_read_texts(options->shards, index, &other, err));
    if (sample->is_told && other.is_told && !(other.asked & sample->defects)) {
        size_t pixels = 3 * (size_t)sample->input.width * (size_t)sample->input.height;
        if (options->size > 0)
            memcpy(sample->target.rgb, sample->input.rgb, pixels * sizeof(float));
        struct sample former = *sample;
        sample->task = other.task;
        sample->instruction = other.instruction;
        other.task = former.task;
        other.instruction = former.instruction;
    }
    sample_finish(&other);
    return PF_OK;
}

static double overshoot_of(const struct batch_options *options, const struct sample *sample)
{
    for (int task = 0; task < TASK_COUNT; task++)
        if (sample->is_told && sample->asked == 1u << task)
            return options->overshoot[task];
    return 0;
}

static void go_beyond(double overshoot, const float *input, float *target, size_t count)
{
    for (size_t i = 0; overshoot > 0 && i < count; i++)
        target[i] += (float)overshoot * (target[i] - input[i]);
}

static enum pf_status fill_row(const struct batch_options *options, const struct sample *sample,
    struct batch *batch, int row, const double draws[8], struct pf_error *err)
{
    struct cut cut;
    size_t pixels = 3 * (size_t)options->size * (size_t)options->size;
    size_t ids = (size_t)row * (size_t)options->positions;
    if (options->size > 0) {
        PF_TRY(choose_cut(sample, options, draws, &cut, err));
        cut_image(&cut, &sample->input, (int)options->size, batch->input + (size_t)row * pixels);
        cut_image(&cut, &sample->target, (int)options->size, batch->target + (size_t)row * pixels);
        go_beyond(overshoot_of(options, sample), batch->input + (size_t)row * pixels,
            batch->target + (size_t)row * pixels, pixels);
    }
    batch->has_image[row] = draws[4] < options->drop_image ? 0.0f : 1.0f;
    snprintf(batch->tasks[row], sizeof batch->tasks[row], "%s", sample->task);
    batch->is_empty[row] = draws[5] < options->drop_instruction || !sample->instruction[0];
    PF_TRY(
        encode(options, sample->instruction, batch->is_empty[row], batch->instruction + ids, err));
    return encode(options, sample->auxiliary, draws[6] < options->drop_auxiliary,
        batch->auxiliary + ids, err);
}

static enum pf_status make_row(const struct batch_options *options, struct batch *batch,
    int64_t step, int row, struct pf_error *err)
{
    /* Twelve numbers: pairs are drawn with replacement, so that no order has to be remembered. */
    double draws[12];
    for (int i = 0; i < 3; i++)
        draw_uniform(options->seed, step, 3 * row + i, DRAW_SAMPLE, draws + 4 * i);
    size_t count = shards_count(options->shards);
    size_t index = (size_t)(draws[8] * (double)count);
    struct sample sample = {0};
    enum pf_status status = options->size > 0
                                ? shards_read(options->shards, index, &sample, err)
                                : shards_read_texts(options->shards, index, &sample, err);
    if (status == PF_OK && draws[9] < options->swap)
        status = swap_texts(options, &sample, (size_t)(draws[10] * (double)count), err);
    if (status == PF_OK)
        status = fill_row(options, &sample, batch, row, draws, err);
    sample_finish(&sample);
    return status;
}

enum pf_status batch_make(const struct batch_options *options, int64_t step,
    struct batch **ret_batch, struct pf_error *err)
{
    struct batch *batch = batch_create(options);
    if (!batch)
        return pf_fail(err, PF_NOMEM, "a batch of %d pairs", (int)options->rows);
    for (int row = 0; row < options->rows; row++) {
        if (make_row(options, batch, step, row, err) != PF_OK) {
            batch_destroy(batch);
            return err->status;
        }
    }
    *ret_batch = batch;
    return PF_OK;
}
