/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* sched_getaffinity() */
#include "pipeline/pipeline.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/program.h"
#include "pipeline/weights/checkpoint.h"

enum {
    BF16_CAPABILITY_MIN = 80, /* CUDA devices from Ampere on */
    CUDA_DIGITS_MAX = 4,
    PATH_SIZE = 4096,
};

/* Looked for beside a checkpoint, in this order. */
static const char *const merges_names[] = {
    "merges.txt", "merges.txt.gz", "bpe_simple_vocab_16e6.txt.gz"};

/* "cuda:N": N in plain digits, few enough not to overflow; else -1. */
static int parse_cuda_index(const char *text)
{
    static const char prefix[] = "cuda:";
    if (strncmp(text, prefix, strlen(prefix)) != 0)
        return -1;
    const char *digits = text + strlen(prefix);
    size_t count = strspn(digits, "0123456789");
    return count > 0 && count <= CUDA_DIGITS_MAX && digits[count] == '\0' ? atoi(digits) : -1;
}

enum pf_status pipeline_parse_device(const char *text, int *ret_device, struct pf_error *err)
{
    int count = atc_cuda_device_count(), index = parse_cuda_index(text);
    if (strcmp(text, "auto") == 0)
        return *ret_device = count > 0 ? 0 : TORCH_DEVICE_CPU, PF_OK;
    if (strcmp(text, "cpu") == 0)
        return *ret_device = TORCH_DEVICE_CPU, PF_OK;
    if (index < 0)
        return pf_fail(err, PF_INVALID, "device: '%s' is not one of auto, cpu, cuda:N", text);
    if (index >= count)
        return pf_fail(err, PF_INVALID, "device: '%s' isn't there, libtorch sees %d CUDA devices",
            text, count);
    *ret_device = index;
    return PF_OK;
}

enum pf_status pipeline_parse_precision(
    const char *text, enum precision *ret_precision, struct pf_error *err)
{
    static const char *const names[] = {"auto", "float32", "bfloat16", "float16"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(text, names[i]) == 0)
            return *ret_precision = (enum precision)i, PF_OK;
    return pf_fail(
        err, PF_INVALID, "dtype: '%s' is not one of auto, float32, bfloat16, float16", text);
}

static enum pf_status choose_place(
    const struct pipeline_options *options, struct tensor_place *ret_place, struct pf_error *err)
{
    int on_cpu = options->device == TORCH_DEVICE_CPU;
    enum tensor_type type = TENSOR_F32;
    switch (options->precision) {
    case PRECISION_AUTO:
        if (on_cpu)
            type = atc_cpu_has_fast_bf16() ? TENSOR_BF16 : TENSOR_F32;
        else
            type = atc_cuda_capability(options->device) >= BF16_CAPABILITY_MIN ? TENSOR_BF16
                                                                               : TENSOR_F16;
        break;
    case PRECISION_F32:
        break;
    case PRECISION_BF16:
        type = TENSOR_BF16;
        break;
    case PRECISION_F16:
        if (on_cpu)
            return pf_fail(err, PF_INVALID, "dtype: float16 runs on CUDA devices only");
        type = TENSOR_F16;
        break;
    }
    *ret_place = (struct tensor_place){options->device, type};
    return PF_OK;
}

static int usable_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static enum pf_status load_tokenizer(
    struct pipeline *pipeline, const struct pipeline_options *options, struct pf_error *err)
{
    size_t vocabulary = (size_t)pipeline->sizes.clip.vocabulary;
    if (options->merges)
        return tokenizer_create_from_file(&pipeline->tokenizer, options->merges, vocabulary, err);
    const char *embedded = checkpoint_metadata(pipeline->checkpoint, "merges");
    if (embedded)
        return tokenizer_create(&pipeline->tokenizer, embedded, strlen(embedded), vocabulary, err);
    const char *slash = strrchr(options->model, '/');
    int folder = slash ? (int)(slash - options->model) + 1 : 0;
    for (size_t i = 0; i < COUNT_OF(merges_names); i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%.*s%s", folder, options->model, merges_names[i]);
        if (access(path, R_OK) == 0)
            return tokenizer_create_from_file(&pipeline->tokenizer, path, vocabulary, err);
    }
    return pf_fail(err, PF_NOT_FOUND,
        "merges: the checkpoint holds no merges table, and there is none of merges.txt, "
        "merges.txt.gz, bpe_simple_vocab_16e6.txt.gz beside it");
}

/* The model's recommended parameters: metadata `defaults`, one JSON object. */
static enum pf_status load_recommended(struct pipeline *pipeline, struct pf_error *err)
{
    params_init(&pipeline->recommended);
    const char *text = checkpoint_metadata(pipeline->checkpoint, "defaults");
    return text ? params_set_json(&pipeline->recommended, text, strlen(text), err) : PF_OK;
}

static enum pf_status load_models(struct pipeline *pipeline, struct pf_error *err)
{
    const struct checkpoint *checkpoint = pipeline->checkpoint;
    const struct model_sizes *sizes = &pipeline->sizes;
    PF_TRY(unet_create(&pipeline->unet, checkpoint, &sizes->unet, pipeline->place, err));
    PF_TRY(vae_create(&pipeline->vae, checkpoint, &sizes->vae, pipeline->place, err));
    PF_TRY(clip_create(&pipeline->clip, checkpoint, &sizes->clip, pipeline->place, err));
    contexts_init(&pipeline->contexts, pipeline->tokenizer, pipeline->clip, pipeline->unet);
    return contexts_get(&pipeline->contexts, "", "", &pipeline->null_context, err);
}

static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path);
    char *dot = name ? strrchr(name, '.') : NULL;
    if (dot && dot != name)
        *dot = '\0';
    return name;
}

static enum pf_status load(
    struct pipeline *pipeline, const struct pipeline_options *given, struct pf_error *err)
{
    struct pipeline_options own = *given;
    const struct pipeline_options *options = &own;
    char embedded[PATH_MAX];
    if (!own.model[0]) {
        PF_TRY(program_find_data(PROGRAM_EMBEDDED_MODEL, embedded, err));
        own.model = embedded;
    }
    PF_TRY(choose_place(options, &pipeline->place, err));
    PF_TRY(checkpoint_open(&pipeline->checkpoint, options->model, err));
    PF_TRY(model_sizes_read(pipeline->checkpoint, &pipeline->sizes, err));
    PF_TRY(load_tokenizer(pipeline, options, err));
    PF_TRY(load_recommended(pipeline, err));
    pipeline->name = name_of(options->model);
    if (!pipeline->name)
        return pf_fail(err, PF_NOMEM, "the model's name");
    schedule_init(&pipeline->schedule);
    return load_models(pipeline, err);
}

enum pf_status pipeline_create(
    struct pipeline **ret_pipeline, const struct pipeline_options *options, struct pf_error *err)
{
    int64_t start_ms = clock_monotonic_ms();
    tensor_grad_enable(0);
    at_set_num_threads(options->threads > 0 ? options->threads : usable_cores());
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline)
        return pf_fail(err, PF_NOMEM, "a pipeline");
    enum pf_status status = load(pipeline, options, err);
    if (status != PF_OK) {
        pipeline_destroy(pipeline);
        return status;
    }
    pipeline->load_ms = clock_monotonic_ms() - start_ms;
    *ret_pipeline = pipeline;
    return PF_OK;
}

void pipeline_destroy(struct pipeline *pipeline)
{
    if (!pipeline)
        return;
    contexts_put(&pipeline->contexts, pipeline->null_context);
    contexts_finish(&pipeline->contexts);
    clip_destroy(pipeline->clip);
    vae_destroy(pipeline->vae);
    unet_destroy(pipeline->unet);
    tokenizer_destroy(pipeline->tokenizer);
    checkpoint_close(pipeline->checkpoint);
    free(pipeline->name);
    free(pipeline);
}

static int64_t count_parameters(const struct checkpoint *checkpoint)
{
    static const char *const parts[] = {SIZES_PREFIX_UNET, SIZES_PREFIX_VAE, SIZES_PREFIX_CLIP};
    int64_t sum = 0;
    for (size_t i = 0; i < checkpoint_array_count(checkpoint); i++) {
        const struct array *array = checkpoint_array_at(checkpoint, i);
        for (size_t p = 0; p < COUNT_OF(parts); p++)
            if (strncmp(array->name, parts[p], strlen(parts[p])) == 0)
                sum += array->element_count;
    }
    return sum;
}

void pipeline_put_model_json(const struct pipeline *pipeline, struct buffer *out)
{
    const struct model_sizes *sizes = &pipeline->sizes;
    struct params defaults;
    params_init(&defaults);
    params_apply_defaults(&defaults, &pipeline->recommended);
    buffer_put_text(out, "{\"id\":");
    buffer_put_json_string(out, pipeline->name, strlen(pipeline->name));
    buffer_put_format(out, ",\"parameters\":%lld,\"dtype\":\"%s\",\"load_ms\":%lld",
        (long long)count_parameters(pipeline->checkpoint), tensor_type_name(pipeline->place.type),
        (long long)pipeline->load_ms);
    if (pipeline->place.device == TORCH_DEVICE_CPU)
        buffer_put_text(out, ",\"device\":\"cpu\"");
    else
        buffer_put_format(out, ",\"device\":\"cuda:%d\"", pipeline->place.device);
    buffer_put_format(out,
        ",\"latent_channels\":%lld,\"multiple\":%lld,\"has_auxiliary\":%s,\"has_lora_skips\":%s,"
        "\"prediction\":\"%s\",\"defaults\":",
        (long long)sizes->unet.out_channels, (long long)sizes->model_factor,
        sizes->unet.has_extra ? "true" : "false", sizes->vae.lora_rank > 0 ? "true" : "false",
        prediction_type_name(sizes->prediction));
    params_put_json(out, &defaults);
    buffer_put_text(out, "}");
}
