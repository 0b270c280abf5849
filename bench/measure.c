/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "pipeline/image/image.h"

/* Smooth colours with a grid of fine lines: something for the high-pass to find. */
static enum pf_status make_picture(int width, int height, struct image *ret, struct pf_error *err)
{
    size_t plane = (size_t)width * (size_t)height;
    float *rgb = malloc(3 * plane * sizeof *rgb);
    if (!rgb)
        return pf_fail(err, PF_NOMEM, "a picture of %d×%d", width, height);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                rgb[(size_t)c * plane + (size_t)y * (size_t)width + (size_t)x] =
                    0.5f + 0.4f * sinf((float)(x * (c + 1) + y) * 0.01f) +
                    (x % 16 == 0 || y % 16 == 0 ? 0.1f : 0.0f);
    *ret = (struct image){width, height, rgb, NULL};
    return PF_OK;
}

static enum pf_status begin_all(struct pipeline *pipeline, const struct measure_options *options,
    struct batcher *batcher, struct run **runs, struct pf_error *err)
{
    struct image image;
    PF_TRY(make_picture(options->width, options->height, &image, err));
    struct run_request request = {.instruction = "remove the haze", .auxiliary_prompt = "",
        .params = options->params, .image = &image};
    request.params.steps = options->steps + 1;
    request.params.resolution = options->width < options->height ? options->width : options->height;
    enum pf_status status = PF_OK;
    for (int i = 0; i < options->batch && status == PF_OK; i++) {
        request.params.seed = i;
        status = run_begin(&runs[i], pipeline, &request, err);
        if (status == PF_OK)
            status = batcher_add(batcher, runs[i], err);
    }
    image_finish(&image);
    return status;
}

static enum pf_status step_all(struct batcher *batcher, struct measure_result *ret,
    struct pf_error *err)
{
    static struct batcher_step step;
    for (int done = 0; batcher->count > 0; done++) {
        int64_t start_us = clock_monotonic_us();
        batcher_step(batcher, &step);
        for (int i = 0; i < step.count; i++)
            if (step.errors[i].status != PF_OK)
                return pf_fail(err, step.errors[i].status, "%s", step.errors[i].message);
        if (done > 0 && ret->steps < MEASURE_STEPS_MAX)
            ret->step_ms[ret->steps++] = (double)(clock_monotonic_us() - start_us) / 1000;
    }
    return PF_OK;
}

static int64_t peak_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}

enum pf_status measure_run(struct pipeline *pipeline, const struct measure_options *options,
    struct measure_result *ret, struct pf_error *err)
{
    struct run *runs[BATCHER_RUNS_MAX] = {NULL};
    struct batcher batcher;
    struct image image = IMAGE_INIT;
    *ret = (struct measure_result){.load_ms = pipeline->load_ms};
    batcher_init(&batcher, pipeline, options->batch);
    enum pf_status status = begin_all(pipeline, options, &batcher, runs, err);
    if (status == PF_OK) {
        ret->encode_ms = (double)run_progress(runs[0])->encode_ms;
        status = step_all(&batcher, ret, err);
    }
    if (status == PF_OK)
        status = run_finish(runs[0], &image, err);
    if (status == PF_OK)
        ret->decode_ms = (double)run_progress(runs[0])->decode_ms;
    image_finish(&image);
    for (int i = 0; i < options->batch; i++)
        run_destroy(runs[i]);
    ret->peak_bytes = peak_bytes();
    return status;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double measure_median_step_ms(const struct measure_result *result)
{
    double sorted[MEASURE_STEPS_MAX];
    if (result->steps == 0)
        return 0;
    memcpy(sorted, result->step_ms, (size_t)result->steps * sizeof *sorted);
    qsort(sorted, (size_t)result->steps, sizeof *sorted, compare);
    return sorted[result->steps / 2];
}
