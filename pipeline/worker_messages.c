/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/protocol.h"
#include "pipeline/worker_state.h"

enum { STATS_INTERVAL_MS = 1000, PREVIEW_QUALITY = 80 };

void worker_send_cancelled(struct worker *worker, const struct worker_job *job)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    worker_link_begin(&header, "cancelled", job->id, job->attempt);
    worker_link_send(&worker->link, &header, NULL, 0);
}

void worker_send_started(struct worker *worker, const struct worker_job *job)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    worker_link_begin(&header, "started", job->id, job->attempt);
    buffer_put_format(&header, ",\"load_ms\":%lld", (long long)worker->pipeline->load_ms);
    worker_link_send(&worker->link, &header, NULL, 0);
}

void worker_send_encoded(struct worker *worker, const struct worker_job *job)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    const struct run_progress *progress = run_progress(job->run);
    worker_link_begin(&header, "encoded", job->id, job->attempt);
    buffer_put_format(&header, ",\"encode_ms\":%lld,\"width\":%d,\"height\":%d",
        (long long)progress->encode_ms, progress->width, progress->height);
    worker_link_send(&worker->link, &header, NULL, 0);
}

void worker_send_step(struct worker *worker, const struct worker_job *job)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    const struct run_progress *progress = run_progress(job->run);
    int64_t elapsed_ms = clock_monotonic_ms() - job->start_ms;
    int64_t per_step_ms = (elapsed_ms - progress->encode_ms) / progress->step;
    worker_link_begin(&header, "step", job->id, job->attempt);
    buffer_put_format(
        &header, ",\"step\":%d,\"steps\":%d,\"sigma\":", progress->step, progress->steps);
    buffer_put_json_number(&header, progress->sigma);
    buffer_put_text(&header, ",\"guidance_loss\":");
    if (progress->has_guidance_loss)
        buffer_put_json_number(&header, progress->guidance_loss);
    else
        buffer_put_text(&header, "null");
    buffer_put_format(&header, ",\"elapsed_ms\":%lld,\"eta_ms\":%lld", (long long)elapsed_ms,
        (long long)(per_step_ms * (progress->steps - progress->step) + progress->encode_ms));
    worker_link_send(&worker->link, &header, NULL, 0);
}

void worker_send_preview(struct worker *worker, const struct worker_job *job)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image image = IMAGE_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    if (run_preview(job->run, &image, &err) != PF_OK ||
        image_encode(&image, IMAGE_FORMAT_JPEG, PREVIEW_QUALITY, &file, &err) != PF_OK) {
        if (err.status != PF_CANCELLED)
            fprintf(stderr, "job %s: preview left out: %s\n", job->id, err.message);
        image_finish(&image);
        return;
    }
    worker_link_begin(&header, "preview", job->id, job->attempt);
    buffer_put_format(&header, ",\"step\":%d,\"format\":\"jpeg\",\"width\":%d,\"height\":%d",
        run_progress(job->run)->step, image.width, image.height);
    image_finish(&image);
    worker_link_send(&worker->link, &header, file.data, file.size);
}

void worker_send_succeeded(struct worker *worker, const struct worker_job *job,
    const struct image *image, const struct buffer *file)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    const struct run_progress *progress = run_progress(job->run);
    const struct params *params = run_params(job->run);
    worker_link_begin(&header, "succeeded", job->id, job->attempt);
    buffer_put_format(&header,
        ",\"format\":\"%s\",\"width\":%d,\"height\":%d,\"timings\":{\"encode_ms\":%lld,"
        "\"sample_ms\":%lld,\"decode_ms\":%lld}",
        params_choice_name(params, params_find("output_format")), image->width, image->height,
        (long long)progress->encode_ms, (long long)progress->sample_ms,
        (long long)progress->decode_ms);
    worker_link_send(&worker->link, &header, file->data, file->size);
}

/* The field that is to blame: the one being read, or the one a message such as "mask: given, but …"
 * starts with. 0 when there is none. */
static size_t find_field(
    const struct worker_job *job, const struct pf_error *error, const char **ret_field)
{
    int callers = error->status == PF_INVALID || error->status == PF_UNSUPPORTED ||
                  error->status == PF_CORRUPT;
    const char *colon = strstr(error->message, ": ");
    *ret_field = job->field ? job->field : error->message;
    if (!callers)
        return 0;
    if (job->field)
        return strlen(job->field);
    size_t size = colon ? (size_t)(colon - error->message) : 0;
    return strspn(error->message, "abcdefghijklmnopqrstuvwxyz_") == size ? size : 0;
}

void worker_send_failed(
    struct worker *worker, const struct worker_job *job, const struct pf_error *error)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    const char *field = NULL;
    size_t size = find_field(job, error, &field);
    worker_link_begin(&header, "failed", job->id, job->attempt);
    buffer_put_format(&header, ",\"code\":\"%s\",\"message\":", pf_status_name(error->status));
    buffer_put_json_string(&header, error->message, strlen(error->message));
    buffer_put_text(&header, ",\"field\":");
    if (size > 0)
        buffer_put_json_string(&header, field, size);
    else
        buffer_put_text(&header, "null");
    buffer_put_format(&header, ",\"retryable\":%s", error->status == PF_NOMEM ? "true" : "false");
    worker_link_send(&worker->link, &header, NULL, 0);
}

static int64_t rss_bytes(void)
{
    long pages = 0;
    AUTO_FILE FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*s %ld", &pages) != 1)
        return 0;
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

void worker_send_stats(struct worker *worker)
{
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms - worker->stats_ms < STATS_INTERVAL_MS)
        return;
    worker->stats_ms = now_ms;
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    worker_link_begin(&header, "stats", NULL, 0);
    buffer_put_format(&header,
        ",\"rss_bytes\":%lld,\"device_bytes\":%lld,\"unet_calls\":%lld,\"unet_rows\":%lld",
        (long long)rss_bytes(),
        (long long)atc_cuda_memory_allocated(worker->pipeline->place.device),
        (long long)worker->batcher.unet_calls, (long long)worker->batcher.unet_rows);
    worker_link_send(&worker->link, &header, NULL, 0);
}

void worker_send_hello(struct worker *worker)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    worker_link_begin(&header, "hello", NULL, 0);
    buffer_put_format(
        &header, ",\"protocol\":%d,\"pid\":%ld,\"device\":", PROTOCOL_VERSION, (long)getpid());
    buffer_put_json_string(&header, worker->options->device, strlen(worker->options->device));
    buffer_put_format(&header, ",\"version\":\"%s\"", torch_version());
    worker_link_send(&worker->link, &header, NULL, 0);
}

void worker_send_ready(struct worker *worker)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    worker_link_begin(&header, "ready", NULL, 0);
    buffer_put_format(&header,
        ",\"device\":\"%s\",\"dtype\":\"%s\",\"load_ms\":%lld,\"max_runs\":%d",
        worker->options->device, tensor_type_name(worker->pipeline->place.type),
        (long long)worker->pipeline->load_ms, worker->options->max_runs);
    buffer_put_text(&header, ",\"model\":");
    pipeline_put_model_json(worker->pipeline, &header);
    worker_link_send(&worker->link, &header, NULL, 0);
}

void worker_send_broken(struct worker *worker, const struct pf_error *error)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    worker_link_begin(&header, "broken", NULL, 0);
    buffer_put_format(&header, ",\"code\":\"%s\",\"message\":", pf_status_name(error->status));
    buffer_put_json_string(&header, error->message, strlen(error->message));
    worker_link_send(&worker->link, &header, NULL, 0);
}
