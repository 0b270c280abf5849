/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/engine.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "tools/cli/interrupt.h"
#include "tools/eval/canvas.h"

static enum pf_status begin(struct engine *engine, const struct engine_request *request,
    struct run **ret_run, struct pf_error *err)
{
    struct run_request wanted = {
        .instruction = request->instruction,
        .auxiliary_prompt = request->auxiliary,
        .params = request->params ? *request->params : engine->params,
        .image = request->image,
        .mask = request->mask,
        .mask_width = request->mask ? request->image->width : 0,
        .mask_height = request->mask ? request->image->height : 0,
    };
    return run_begin(ret_run, engine->pipeline, &wanted, err);
}

static enum pf_status sample(struct batcher *batcher, struct pf_error *err)
{
    while (batcher->count > 0) {
        struct batcher_step step;
        batcher_step(batcher, &step);
        for (int i = 0; i < step.count; i++)
            if (step.errors[i].status != PF_OK)
                return pf_fail(err, step.errors[i].status, "%s", step.errors[i].message);
        if (interrupt_wanted(NULL))
            return pf_fail(err, PF_CANCELLED, "interrupted");
    }
    return PF_OK;
}

static enum pf_status run_batch(struct engine *engine, struct engine_request *requests, int count,
    struct run **runs, struct pf_error *err)
{
    struct batcher batcher;
    batcher_init(&batcher, engine->pipeline, count);
    for (int i = 0; i < count; i++) {
        PF_TRY(begin(engine, &requests[i], &runs[i], err));
        PF_TRY(batcher_add(&batcher, runs[i], err));
    }
    PF_TRY(sample(&batcher, err));
    for (int i = 0; i < count; i++)
        PF_TRY(run_finish(runs[i], &requests[i].result, err));
    return PF_OK;
}

static void tell(const struct engine *engine, const struct engine_request *request, int64_t ms)
{
    if (!engine->progress)
        return;
    fprintf(stderr, "%" PRId64, engine->done);
    if (engine->planned > 0)
        fprintf(stderr, "/%" PRId64, engine->planned);
    fprintf(stderr, " %s, %.1f s\n", request->label, (double)ms / 1000);
}

enum pf_status engine_run(
    struct engine *engine, struct engine_request *requests, size_t count, struct pf_error *err)
{
    for (size_t first = 0; first < count;) {
        struct run *runs[BATCHER_RUNS_MAX] = {NULL};
        size_t left = count - first;
        int batch = left < (size_t)engine->batch ? (int)left : engine->batch;
        int64_t start_ms = clock_monotonic_ms();
        enum pf_status status = run_batch(engine, requests + first, batch, runs, err);
        for (int i = 0; i < batch; i++)
            run_destroy(runs[i]);
        PF_TRY(status);
        int64_t took_ms = clock_monotonic_ms() - start_ms;
        engine->busy_ms += took_ms;
        for (int i = 0; i < batch; i++) {
            engine->done++;
            canvas_quantize(&requests[first + (size_t)i].result);
            tell(engine, &requests[first + (size_t)i], took_ms / batch);
        }
        first += (size_t)batch;
    }
    return PF_OK;
}
