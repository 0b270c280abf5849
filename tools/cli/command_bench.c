/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix bench: how long each part of the pipeline takes on this machine, on a synthetic picture
 * of the asked-for size, and how much memory it peaks at. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "pipeline/batcher.h"
#include "pipeline/image/image.h"
#include "tools/cli/command.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/model_options.h"
#include "tools/cli/param_rows.h"

enum { STEPS_MAX = 1000, DEVICE_SIZE = 24 };

struct bench_options {
    struct model_options model;
    struct params params;
    int64_t width, height, batch, json, help;
};

#define AT(member) offsetof(struct bench_options, member)

static const struct option_spec rows[] = {
    {"width", 0, OPTION_INTEGER, 0, 1, AT(width), 64, 4096, "512", .group = "Bench",
        .doc = "Width of the picture in pixels."},
    {"height", 0, OPTION_INTEGER, 0, 1, AT(height), 64, 4096, "512", .group = "Bench",
        .doc = "Height of the picture in pixels."},
    {"batch", 0, OPTION_INTEGER, 0, 1, AT(batch), 1, BATCHER_RUNS_MAX, "1", .group = "Bench",
        .doc = "Runs that are stepped together in one UNet call."},
    {"steps", 0, OPTION_INTEGER, 0, 1, AT(params.steps), 1, STEPS_MAX, "3", .group = "Bench",
        .doc = "Sampling steps that are measured."},
    {"guidance", 0, OPTION_CHOICE, 0, 1, AT(params.guidance), .default_text = "off",
        .choices = (const char *const[]){"off", "decoder", "latent", NULL}, .group = "Bench",
        .doc = "High-frequency guidance in each step."},
    {"json", 0, OPTION_SWITCH, OPTION_NOT_NEGATED, 1, AT(json), .group = "Bench",
        .doc = "Prints one JSON object."},
    MODEL_OPTION_ROWS(struct bench_options, model),
    COMMAND_HELP_ROW(struct bench_options),
};

static const struct help_section sections[] = {
    {"OUTPUT", "load is from opening the file to a model ready to run; encode covers both texts "
               "and the VAE's "
               "encoder; a step is one UNet call for three conditions of each run, with the "
               "sampler and the "
               "guidance asked for; decode is the VAE's decoder. The peak is the process's "
               "resident memory."},
    {"EXIT STATUS", command_exit_text},
    {"EXAMPLES", "  promptfix bench -m model.safetensors\n"
                 "  promptfix bench -m model.safetensors --dtype bfloat16 --batch 4 --json"},
};

struct bench {
    const struct bench_options *options;
    struct pipeline *pipeline;
    struct run *runs[BATCHER_RUNS_MAX];
    int run_count;
    int64_t encode_ms, decode_ms;
    int64_t step_ms[STEPS_MAX];
    int step_count;
    enum phase phase;
};

/* Smooth colours with some fine structure. */
static enum pf_status make_image(
    struct image *ret_image, int width, int height, struct pf_error *err)
{
    size_t plane = (size_t)width * (size_t)height;
    float *rgb = malloc(3 * plane * sizeof *rgb);
    if (!rgb)
        return pf_fail(err, PF_NOMEM, "a picture of %d×%d", width, height);
    for (size_t i = 0; i < 3 * plane; i++) {
        float x = (float)(i % (size_t)width) / (float)width;
        float y = (float)(i % plane / (size_t)width) / (float)height;
        float wave = sinf(6.0f * x + 2.0f * (float)(i / plane)) * cosf(5.0f * y);
        rgb[i] = 0.5f + 0.35f * wave + 0.1f * sinf(90.0f * (x + y));
    }
    *ret_image = (struct image){width, height, rgb, NULL};
    return PF_OK;
}

static enum pf_status begin_runs(
    struct bench *bench, const struct image *image, struct pf_error *err)
{
    struct run_request request = {
        .instruction = "remove the haze",
        .auxiliary_prompt = "",
        .params = bench->options->params,
        .image = image,
    };
    int64_t shorter = image->width < image->height ? image->width : image->height;
    request.params.resolution = shorter;
    request.params.set = UINT64_MAX; /* these, not the model's own defaults */
    int64_t start_ms = clock_monotonic_ms();
    for (; bench->run_count < bench->options->batch; bench->run_count++)
        PF_TRY(run_begin(&bench->runs[bench->run_count], bench->pipeline, &request, err));
    bench->encode_ms = (clock_monotonic_ms() - start_ms) / bench->run_count;
    return PF_OK;
}

static enum pf_status step_runs(struct bench *bench, struct pf_error *err)
{
    struct batcher batcher;
    batcher_init(&batcher, bench->pipeline, bench->run_count);
    for (int i = 0; i < bench->run_count; i++)
        PF_TRY(batcher_add(&batcher, bench->runs[i], err));
    while (batcher.count > 0) {
        struct batcher_step step;
        int64_t start_ms = clock_monotonic_ms();
        batcher_step(&batcher, &step);
        for (int i = 0; i < step.count; i++)
            if (step.errors[i].status != PF_OK)
                return pf_fail(err, step.errors[i].status, "%s", step.errors[i].message);
        if (step.count < bench->run_count)
            return pf_fail(err, PF_NOMEM, "not enough memory for a batch of %d", bench->run_count);
        bench->step_ms[bench->step_count++] = clock_monotonic_ms() - start_ms;
    }
    return PF_OK;
}

static enum pf_status finish_runs(struct bench *bench, struct pf_error *err)
{
    int64_t start_ms = clock_monotonic_ms();
    for (int i = 0; i < bench->run_count; i++) {
        struct image result = IMAGE_INIT;
        PF_TRY(run_finish(bench->runs[i], &result, err));
        image_finish(&result);
    }
    bench->decode_ms = (clock_monotonic_ms() - start_ms) / bench->run_count;
    return PF_OK;
}

static enum pf_status measure(struct bench *bench, struct pf_error *err)
{
    const struct bench_options *options = bench->options;
    struct image image = IMAGE_INIT;
    bench->phase = PHASE_MODEL;
    PF_TRY(model_options_open(&options->model, &bench->pipeline, err));
    bench->phase = PHASE_RUN;
    PF_TRY(make_image(&image, (int)options->width, (int)options->height, err));
    enum pf_status status = begin_runs(bench, &image, err);
    image_finish(&image);
    PF_TRY(status);
    PF_TRY(step_runs(bench, err));
    return finish_runs(bench, err);
}

static int64_t peak_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}

static int64_t fastest_step(const struct bench *bench)
{
    int64_t fastest = bench->step_ms[0];
    for (int i = 1; i < bench->step_count; i++)
        if (bench->step_ms[i] < fastest)
            fastest = bench->step_ms[i];
    return fastest;
}

static const char *device_name(const struct bench *bench, char text[DEVICE_SIZE])
{
    int device = bench->pipeline->place.device;
    if (device == TORCH_DEVICE_CPU)
        return "cpu";
    snprintf(text, DEVICE_SIZE, "cuda:%d", device);
    return text;
}

static void put_text(struct buffer *out, const struct bench *bench)
{
    char device[DEVICE_SIZE];
    const struct bench_options *options = bench->options;
    const struct pipeline *pipeline = bench->pipeline;
    buffer_put_format(out, "%s, %" PRId64 "×%" PRId64 ", batch %d, %s on %s\n", pipeline->name,
        options->width, options->height, bench->run_count, tensor_type_name(pipeline->place.type),
        device_name(bench, device));
    buffer_put_format(out, "  load    %8.2f s\n", (double)pipeline->load_ms / 1000);
    buffer_put_format(out, "  encode  %8.2f s a run\n", (double)bench->encode_ms / 1000);
    for (int i = 0; i < bench->step_count; i++)
        buffer_put_format(out, "  step %-2d %8.2f s\n", i + 1, (double)bench->step_ms[i] / 1000);
    buffer_put_format(out, "  decode  %8.2f s a run\n", (double)bench->decode_ms / 1000);
    buffer_put_format(out, "  fastest step %.2f s, %.2f s a run; peak memory %.2f GB\n",
        (double)fastest_step(bench) / 1000, (double)fastest_step(bench) / 1000 / bench->run_count,
        (double)peak_bytes() / 1e9);
}

static void put_json(struct buffer *out, const struct bench *bench)
{
    char device[DEVICE_SIZE];
    const struct bench_options *options = bench->options;
    buffer_put_text(out, "{\"model\":");
    buffer_put_json_string(out, bench->pipeline->name, strlen(bench->pipeline->name));
    buffer_put_format(out,
        ",\"width\":%" PRId64 ",\"height\":%" PRId64
        ",\"batch\":%d,\"dtype\":\"%s\",\"device\":\"%s\"",
        options->width, options->height, bench->run_count,
        tensor_type_name(bench->pipeline->place.type), device_name(bench, device));
    buffer_put_format(out, ",\"load_ms\":%" PRId64 ",\"encode_ms\":%" PRId64 ",\"step_ms\":[",
        bench->pipeline->load_ms, bench->encode_ms);
    for (int i = 0; i < bench->step_count; i++)
        buffer_put_format(out, "%s%" PRId64, i ? "," : "", bench->step_ms[i]);
    buffer_put_format(out, "],\"decode_ms\":%" PRId64 ",\"peak_bytes\":%" PRId64 "}\n",
        bench->decode_ms, peak_bytes());
}

static int bench_with(const struct bench_options *options)
{
    struct pf_error err = PF_ERROR_INIT;
    struct bench *bench = calloc(1, sizeof *bench);
    if (!bench) {
        pf_fail(&err, PF_NOMEM, "no memory to begin with");
        return command_fail(command_bench.name, PHASE_RUN, &err);
    }
    bench->options = options;
    interrupt_install();
    tensor_set_interrupt(interrupt_wanted, NULL);
    enum pf_status status = measure(bench, &err);
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    if (status == PF_OK) {
        bench->phase = PHASE_OUTPUT;
        (options->json ? put_json : put_text)(&text, bench);
        status = command_print(&text, &err);
    }
    int code =
        status == PF_OK ? EXIT_CODE_OK : command_fail(command_bench.name, bench->phase, &err);
    tensor_set_interrupt(NULL, NULL);
    for (int i = 0; i < bench->run_count; i++)
        run_destroy(bench->runs[i]);
    pipeline_destroy(bench->pipeline);
    free(bench);
    return code;
}

static enum pf_status print_help(struct pf_error *err)
{
    struct help_page page = {
        .name = "promptfix bench",
        .summary = command_bench.summary,
        .synopsis = "  promptfix bench [--model FILE] [OPTION…]",
        .description =
            "Runs a synthetic picture through the model and prints how long each part took.",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .programs = 1,
        .sections = sections,
        .section_count = COUNT_OF(sections),
    };
    return command_print_page(&page, err);
}

static int run_bench(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    struct bench_options options = {0};
    size_t positional_count;
    params_init(&options.params);
    if (options_init(rows, COUNT_OF(rows), &options, &err) != PF_OK)
        return command_fail(command_bench.name, PHASE_USAGE, &err);
    struct command_line line = {rows, COUNT_OF(rows), &options, NULL, NULL, 0};
    enum pf_status status = command_parse(&line, argc, argv, &positional_count, &err);
    int code = EXIT_CODE_OK;
    if (status == PF_OK && options.help) {
        if (print_help(&err) != PF_OK)
            code = command_fail(command_bench.name, PHASE_OUTPUT, &err);
    } else if (status != PF_OK) {
        code = command_fail(command_bench.name, PHASE_USAGE, &err);
    } else {
        code = bench_with(&options);
    }
    options_finish(rows, COUNT_OF(rows), &options);
    return code;
}

const struct command command_bench = {"bench", COMMAND_BENCH_SUMMARY, run_bench};
