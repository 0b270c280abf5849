/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/batcher.h"

#include <string.h>

enum { ROWS_MAX = BATCHER_RUNS_MAX * GUIDANCE_ROWS_MAX };

/* What one UNet call is made of. */
struct call {
    struct run *runs[BATCHER_RUNS_MAX]; /* that gave rows */
    int index[BATCHER_RUNS_MAX];        /* of each in the step */
    int first_row[BATCHER_RUNS_MAX], row_count[BATCHER_RUNS_MAX];
    tensor inputs[BATCHER_RUNS_MAX];
    int count;
    float t[ROWS_MAX];
    const struct unet_context *contexts[ROWS_MAX];
    int rows;
};

void batcher_init(struct batcher *batcher, struct pipeline *pipeline, int max_batch)
{
    *batcher =
        (struct batcher){.pipeline = pipeline, .forward = unet_forward, .max_batch = max_batch};
}

static void set_busy(struct batcher *batcher, struct run *const *runs, int count)
{
    batcher->busy = runs;
    batcher->busy_count = count;
}

int batcher_is_busy_with(const struct batcher *batcher, const struct run *run)
{
    for (int i = 0; i < batcher->busy_count; i++)
        if (batcher->busy[i] == run)
            return 1;
    return 0;
}

enum pf_status batcher_add(struct batcher *batcher, struct run *run, struct pf_error *err)
{
    if (batcher->count == BATCHER_RUNS_MAX)
        return pf_fail(
            err, PF_BUSY, "%d runs are in flight, the most there can be", BATCHER_RUNS_MAX);
    batcher->runs[batcher->count++] = run;
    return PF_OK;
}

void batcher_remove(struct batcher *batcher, const struct run *run)
{
    for (int i = 0; i < batcher->count; i++) {
        if (batcher->runs[i] != run)
            continue;
        batcher->count--;
        memmove(batcher->runs + i, batcher->runs + i + 1,
            (size_t)(batcher->count - i) * sizeof *batcher->runs);
        return;
    }
}

static int same_size(const struct run *a, const struct run *b)
{
    int64_t ah, aw, bh, bw;
    run_latent_size(a, &ah, &aw);
    run_latent_size(b, &bh, &bw);
    return ah == bh && aw == bw;
}

/* The run that waited longest, and those that fit to it. */
static void choose(const struct batcher *batcher, struct batcher_step *step)
{
    step->count = 0;
    for (int i = 0; i < batcher->count && step->count < batcher->max_batch; i++) {
        if (!same_size(batcher->runs[0], batcher->runs[i]))
            continue;
        step->errors[step->count] = (struct pf_error)PF_ERROR_INIT;
        step->runs[step->count++] = batcher->runs[i];
    }
}

/* Asks each run for its rows. One that fails here is left out of the call. */
static void gather(
    struct batcher *batcher, struct call *call, struct batcher_step *step, struct scope *s)
{
    for (int i = 0; i < step->count; i++) {
        struct run_rows rows;
        SCOPE(own, &step->errors[i]);
        set_busy(batcher, &step->runs[i], 1);
        if (run_wants(step->runs[i], &own, &rows, own.err) != PF_OK)
            continue;
        int n = call->count++;
        call->runs[n] = step->runs[i];
        call->index[n] = i;
        call->inputs[n] = scope_take(s, scope_keep(&own, rows.x));
        call->first_row[n] = call->rows;
        call->row_count[n] = rows.count;
        memcpy(call->t + call->rows, rows.t, (size_t)rows.count * sizeof *rows.t);
        memcpy(
            call->contexts + call->rows, rows.contexts, (size_t)rows.count * sizeof *rows.contexts);
        call->rows += rows.count;
    }
}

/* Gives each run its rows of the output, or the failure they share. */
static void scatter(struct batcher *batcher, const struct call *call, tensor output,
    const struct pf_error *shared, struct batcher_step *step)
{
    for (int i = 0; i < call->count; i++) {
        struct pf_error *err = &step->errors[call->index[i]];
        if (shared->status != PF_OK) {
            *err = *shared;
            continue;
        }
        SCOPE(s, err);
        set_busy(batcher, &call->runs[i], 1);
        tensor own = op_narrow(&s, output, 0, call->first_row[i], call->row_count[i]);
        if (scope_ok(&s))
            (void)!run_feed(call->runs[i], own, err);
    }
}

/* Too many for the device's memory? Then those in the call are taken out of the step, so that they
 * stay in line, and calls are smaller from now on. */
static int shrink(struct batcher *batcher, const struct call *call, const struct pf_error *shared,
    struct batcher_step *step)
{
    if (shared->status != PF_NOMEM || call->count < 2)
        return 0;
    batcher->max_batch = call->count / 2;
    atc_empty_cache();
    int left = 0;
    for (int i = 0; i < step->count; i++) {
        if (step->errors[i].status == PF_OK)
            continue;
        step->runs[left] = step->runs[i];
        step->errors[left++] = step->errors[i];
    }
    step->count = left;
    return 1;
}

/* Those that took part go to the end of the line, or leave. */
static void requeue(struct batcher *batcher, const struct batcher_step *step)
{
    for (int i = 0; i < step->count; i++) {
        batcher_remove(batcher, step->runs[i]);
        if (step->errors[i].status == PF_OK && !run_done(step->runs[i]))
            batcher->runs[batcher->count++] = step->runs[i];
    }
}

void batcher_step(struct batcher *batcher, struct batcher_step *ret_step)
{
    struct pf_error shared = PF_ERROR_INIT;
    struct call call = {.count = 0};
    choose(batcher, ret_step);
    SCOPE(s, &shared);
    gather(batcher, &call, ret_step, &s);
    if (call.count > 0) {
        set_busy(batcher, call.runs, call.count);
        tensor x = op_cat(&s, call.inputs, call.count, 0);
        tensor output = batcher->forward(batcher->pipeline->unet, &s, x, call.t, call.contexts);
        batcher->unet_calls++;
        batcher->unet_rows += call.rows;
        if (!shrink(batcher, &call, &shared, ret_step))
            scatter(batcher, &call, output, &shared, ret_step);
    }
    set_busy(batcher, NULL, 0);
    requeue(batcher, ret_step);
}
