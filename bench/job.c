/* SPDX-License-Identifier: Apache-2.0 */
/* bench-job PROMPTFIXD WORKER MODEL PHOTO [STEPS [RESOLUTION [ROUNDS]]]: what the service adds to a
 * job. In turn, the same photo goes through the bare pipeline in this process (decode, fit, encode,
 * steps, decode, encode to png; high-frequency guidance off, it would only make the job longer)
 * and, by POST with Prefer: wait and GET of the result, through promptfixd and its worker, on the
 * same cores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "bench/http_load.h"
#include "bench/http_service.h"
#include "pipeline/batcher.h"
#include "pipeline/image/image.h"

enum { ROUNDS_MAX = 200, PHOTO_MAX = 32 << 20, RESULT_MAX = 4 << 20 };

struct job {
    struct pipeline *pipeline;
    struct buffer photo;
    struct params params;
    struct http_service service;
    struct buffer post;
};

static void check(enum pf_status status, const struct pf_error *err)
{
    if (status == PF_OK)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

/* From bytes of a photo to bytes of a png. */
struct trip {
    double wall_ms;
    double
        beside_ms; /* of that, not in the stages that the pipeline times: encode, sample, decode */
};

static struct trip run_bare(const struct job *job)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    struct image image = IMAGE_INIT, result = IMAGE_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    struct batcher batcher;
    static struct batcher_step step;
    struct run *run;
    int64_t start_us = clock_monotonic_us();
    check(image_decode(job->photo.data, job->photo.size, &limits, &image, &err), &err);
    struct run_request request = {.instruction = "remove the haze",
        .auxiliary_prompt = "",
        .params = job->params,
        .image = &image};
    check(run_begin(&run, job->pipeline, &request, &err), &err);
    batcher_init(&batcher, job->pipeline, 1);
    check(batcher_add(&batcher, run, &err), &err);
    while (!run_done(run)) {
        batcher_step(&batcher, &step);
        check(step.errors[0].status, &step.errors[0]);
    }
    check(run_finish(run, &result, &err), &err);
    check(image_encode(&result, IMAGE_FORMAT_PNG, 90, &file, &err), &err);
    double wall_ms = (double)(clock_monotonic_us() - start_us) / 1000;
    const struct run_progress *stages = run_progress(run);
    double staged_ms = (double)(stages->encode_ms + stages->sample_ms + stages->decode_ms);
    run_destroy(run);
    image_finish(&image);
    image_finish(&result);
    return (struct trip){wall_ms, wall_ms - staged_ms};
}

static double read_number(const char *json, const char *mark)
{
    const char *found = strstr(json, mark);
    return found ? strtod(found + strlen(mark), NULL) : 0;
}

static struct trip run_served(const struct job *job)
{
    static char answer[RESULT_MAX];
    char id[33], request[160];
    int64_t start_us = clock_monotonic_us();
    int status =
        http_load_ask(job->service.port, job->post.data, job->post.size, answer, sizeof answer);
    http_service_copy_text(answer, "\"id\":\"", id, sizeof id);
    double staged_ms = read_number(answer, "\"encode_ms\":") +
                       read_number(answer, "\"sample_ms\":") +
                       read_number(answer, "\"decode_ms\":");
    int size =
        snprintf(request, sizeof request, "GET /v1/jobs/%s/result HTTP/1.1\r\nHost: x\r\n\r\n", id);
    if (status == 200)
        status = http_load_ask(job->service.port, request, (size_t)size, answer, sizeof answer);
    double wall_ms = (double)(clock_monotonic_us() - start_us) / 1000;
    if (status != 200) {
        fprintf(stderr, "answered %d: %.300s\n", status, answer);
        exit(1);
    }
    return (struct trip){wall_ms, wall_ms - staged_ms};
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

static void measure(const struct job *job, size_t rounds)
{
    double bare_ms[ROUNDS_MAX], served_ms[ROUNDS_MAX], added_ms[ROUNDS_MAX], beside_ms[ROUNDS_MAX];
    for (size_t i = 0; i < rounds; i++) {
        struct trip bare = run_bare(job), served = run_served(job);
        bare_ms[i] = bare.wall_ms;
        served_ms[i] = served.wall_ms;
        added_ms[i] = served.wall_ms - bare.wall_ms;
        beside_ms[i] = served.beside_ms - bare.beside_ms;
    }
    double middle_ms = median(bare_ms, rounds);
    printf("%d steps at resolution %d, medians of %zu rounds:\n"
           "bare %.1f ms, served %.1f ms: added %.1f ms, %.2f %%; of that beside the stages of the "
           "pipeline %.1f ms, %.2f %%\n",
        (int)job->params.steps, (int)job->params.resolution, rounds, middle_ms,
        median(served_ms, rounds), median(added_ms, rounds),
        100 * median(added_ms, rounds) / middle_ms, median(beside_ms, rounds),
        100 * median(beside_ms, rounds) / middle_ms);
}

static void set_up(struct job *job, char **argv, const char *steps, const char *resolution)
{
    struct pf_error err = PF_ERROR_INIT;
    struct pipeline_options options = {.model = argv[3]};
    char steps_field[32], resolution_field[32], model[1100];
    check(image_library_init("bench-job", 0, &err), &err);
    check(file_read(argv[4], PHOTO_MAX, &job->photo, &err), &err);
    check(pipeline_parse_device("auto", &options.device, &err), &err);
    check(pipeline_create(&job->pipeline, &options, &err), &err);
    params_init(&job->params);
    check(params_set_text(&job->params, "steps", steps, &err), &err);
    check(params_set_text(&job->params, "resolution", resolution, &err), &err);
    check(params_set_text(&job->params, "guidance", "off", &err), &err);
    snprintf(steps_field, sizeof steps_field, "steps=%s", steps);
    snprintf(resolution_field, sizeof resolution_field, "resolution=%s", resolution);
    snprintf(model, sizeof model, "%s", argv[3]);
    job->service =
        http_service_start(argv[1], argv[2], NULL, (const char *const[]){"--model", model, NULL});
    http_service_put_post(&job->post, "Prefer: wait=300\r\n", job->photo.data, job->photo.size,
        (const char *const[]){
            "instruction=remove the haze", "guidance=off", steps_field, resolution_field, NULL});
}

int main(int argc, char **argv)
{
    struct job job = {.photo = BUFFER_INIT, .post = BUFFER_INIT};
    if (argc < 5 || argc > 8)
        return fprintf(stderr,
                   "usage: %s PROMPTFIXD WORKER MODEL PHOTO [STEPS [RESOLUTION [ROUNDS]]]\n",
                   argv[0]),
               2;
    int rounds = argc > 7 ? atoi(argv[7]) : 10;
    set_up(&job, argv, argc > 5 ? argv[5] : "20", argc > 6 ? argv[6] : "256");
    run_bare(&job); /* the first of each has much to load */
    run_served(&job);
    measure(&job, (size_t)(rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds));
    http_service_stop(&job.service);
    pipeline_destroy(job.pipeline);
    buffer_finish(&job.photo);
    buffer_finish(&job.post);
    return 0;
}
