/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/batcher.h"

#include <string.h>

enum { ROWS_MAX = BATCHER_RUNS_MAX * GUIDANCE_ROWS_MAX };

/* What one UNet call is made of. */
struct call {
    tensor inputs[BATCHER_RUNS_MAX];
    float t[ROWS_MAX];
    const struct unet_context *contexts[ROWS_MAX];
    struct batcher_step *step;
    int first_row[BATCHER_RUNS_MAX], row_count[BATCHER_RUNS_MAX];
    int taken[BATCHER_RUNS_MAX]; /* index in step->runs */
    int count, rows;
};

void batcher_init(struct batcher *batcher, struct pipeline *pipeline, int max_batch)
{
    *batcher = (struct batcher){.pipeline = pipeline, .max_batch = max_batch};
}

enum pf_status batcher_add(struct batcher *batcher, struct run *run, struct pf_error *err)
{
    if (batcher->count == BATCHER_RUNS_MAX)
        return pf_fail(err, PF_BUSY, "%d runs are in flight, the most there can be",
            BATCHER_RUNS_MAX);
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
static void gather(struct call *call, struct scope *s)
{
    for (int i = 0; i < call->step->count; i++) {
        struct run_rows rows;
        struct scope own;
        scope_init(&own, &call->step->errors[i]);
        if (run_wants(call->step->runs[i], &own, &rows, own.err) == PF_OK) {
            call->inputs[call->count] = scope_take(s, scope_keep(&own, rows.x));
            memcpy(call->t + call->rows, rows.t, (size_t)rows.count * sizeof *rows.t);
            memcpy(call->contexts + call->rows, rows.contexts,
                (size_t)rows.count * sizeof *rows.contexts);
            call->taken[call->count] = i;
            call->first_row[call->count] = call->rows;
            call->row_count[call->count++] = rows.count;
            call->rows += rows.count;
        }
        scope_finish(&own);
    }
}

static void scatter(struct call *call, tensor output, const struct pf_error *shared)
{
    for (int i = 0; i < call->count; i++) {
        int index = call->taken[i];
        struct pf_error *err = &call->step->errors[index];
        if (shared->status != PF_OK) {
            *err = *shared;
            continue;
        }
        SCOPE(s, err);
        tensor own = op_narrow(&s, output, 0, call->first_row[i], call->row_count[i]);
        if (scope_ok(&s))
            (void)!run_feed(call->step->runs[index], own, err);
    }
}

/* Too many for the device's memory: everybody stays in line, and calls are smaller from now on. */
static int shrink(struct batcher *batcher, const struct pf_error *shared, int count)
{
    if (shared->status != PF_NOMEM || count < 2)
        return 0;
    batcher->max_batch = count / 2;
    atc_empty_cache();
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
    SCOPE(s, &shared);
    struct call call = {.step = ret_step};
    choose(batcher, ret_step);
    gather(&call, &s);
    if (call.count > 0) {
        tensor x = op_cat(&s, call.inputs, call.count, 0);
        tensor output = unet_forward(batcher->pipeline->unet, &s, x, call.t, call.contexts);
        batcher->unet_calls++;
        batcher->unet_rows += call.rows;
        if (shrink(batcher, &shared, call.count)) {
            ret_step->count = 0;
            return;
        }
        scatter(&call, output, &shared);
    }
    requeue(batcher, ret_step);
}
