/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/worker_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/jdoc.h"

enum { LOOK_INTERVAL_US = 10 * 1000 };

/* --- jobs ------------------------------------------------------------------------------------- */

static void job_destroy(struct worker_job *job)
{
    if (!job)
        return;
    run_destroy(job->run);
    free(job->id);
    free(job->instruction);
    free(job->auxiliary_prompt);
    free(job->body);
    free(job);
}

static void job_remove(struct worker *worker, struct worker_job *job)
{
    for (struct worker_job **link = &worker->jobs; *link; link = &(*link)->next) {
        if (*link != job)
            continue;
        *link = job->next;
        batcher_remove(&worker->batcher, job->run);
        job_destroy(job);
        return;
    }
}

static struct worker_job *job_find(const struct worker *worker, const char *id)
{
    for (struct worker_job *job = worker->jobs; job; job = job->next)
        if (strcmp(job->id, id) == 0)
            return job;
    return NULL;
}

static struct worker_job *job_of_run(const struct worker *worker, const struct run *run)
{
    for (struct worker_job *job = worker->jobs; job; job = job->next)
        if (job->run == run)
            return job;
    return NULL;
}

static int job_count(const struct worker *worker)
{
    int count = 0;
    for (const struct worker_job *job = worker->jobs; job; job = job->next)
        count++;
    return count;
}

/* --- messages in ------------------------------------------------------------------------------ */

static char *copy_string(const struct jdoc_value *message, const char *key)
{
    return strdup(jdoc_get_string(message, key, ""));
}

/* The object's members into params. A bad one is the job's failure, not the link's. */
static void read_params(struct worker_job *job, const struct jdoc_value *object)
{
    params_init(&job->params);
    for (const struct jdoc_value *m = object ? object->first : NULL; m; m = m->next) {
        enum pf_status status;
        if (!params_find(m->key))
            status = pf_fail(&job->refused, PF_INVALID, "%s: no such parameter", m->key);
        else if (m->type == JDOC_STRING)
            status = params_set_text(&job->params, m->key, m->string, &job->refused);
        else if (m->type == JDOC_NUMBER)
            status = params_set_number(&job->params, m->key, m->number, &job->refused);
        else
            status = pf_fail(&job->refused, PF_INVALID, "%s: neither text nor number", m->key);
        if (status != PF_OK)
            return;
    }
}

static enum pf_status job_create(struct worker_job **ret_job, const struct jdoc_value *message,
    const struct frame *frame, struct pf_error *err)
{
    struct worker_job *job = calloc(1, sizeof *job);
    if (!job)
        return pf_fail(err, PF_NOMEM, "a job");
    job->attempt = jdoc_get_integer(message, "attempt", 0);
    job->id = copy_string(message, "job");
    job->instruction = copy_string(message, "instruction");
    job->auxiliary_prompt = copy_string(message, "auxiliary_prompt");
    job->body = malloc(frame->body_size + 1);
    if (!job->id || !job->instruction || !job->auxiliary_prompt || !job->body) {
        job_destroy(job);
        return pf_fail(err, PF_NOMEM, "a job of %zu bytes", frame->body_size);
    }
    if (frame->body_size > 0)
        memcpy(job->body, frame->body, frame->body_size);
    read_params(job, jdoc_get(message, "parameters"));
    *ret_job = job;
    return PF_OK;
}

static enum pf_status read_run(struct worker *worker, const struct jdoc_value *message,
    const struct frame *frame, struct pf_error *err)
{
    const char *id = jdoc_get_string(message, "job", "");
    int64_t image_size = jdoc_get_integer(message, "image_bytes", -1);
    int64_t mask_size = jdoc_get_integer(message, "mask_bytes", 0);
    struct worker_job **end = &worker->jobs;
    if (image_size < 0 || mask_size < 0 || image_size > (int64_t)frame->body_size ||
        mask_size != (int64_t)frame->body_size - image_size)
        return pf_fail(err, PF_CORRUPT, "a run of %lld + %lld bytes in a frame of %zu",
            (long long)image_size, (long long)mask_size, frame->body_size);
    if (*id == '\0' || job_find(worker, id))
        return pf_fail(err, PF_CORRUPT, "a run of job '%s', which is nameless or in flight", id);
    if (job_count(worker) >= worker->options->max_runs)
        return pf_fail(err, PF_CORRUPT, "more than %d jobs in flight", worker->options->max_runs);
    while (*end)
        end = &(*end)->next;
    PF_TRY(job_create(end, message, frame, err));
    (*end)->image_size = (size_t)image_size;
    (*end)->mask_size = (size_t)mask_size;
    return PF_OK;
}

static enum pf_status read_message(struct worker *worker, const struct jdoc_value *message,
    const struct frame *frame, struct pf_error *err)
{
    const char *type = jdoc_get_string(message, "type", "");
    if (strcmp(type, "run") == 0)
        return read_run(worker, message, frame, err);
    if (strcmp(type, "cancel") != 0)
        return pf_fail(err, PF_CORRUPT, "the server sent a message '%.40s'", type);
    struct worker_job *job = job_find(worker, jdoc_get_string(message, "job", ""));
    if (job)
        job->cancelled = 1;
    return PF_OK;
}

static void read_frame(struct worker *worker, const struct frame *frame)
{
    struct pf_error *err = &worker->link.error;
    struct jdoc *doc = NULL;
    enum pf_status status = jdoc_parse(&doc, frame->header, frame->header_size, err);
    if (status == PF_OK)
        status = read_message(worker, jdoc_root(doc), frame, err);
    if (status != PF_OK)
        worker->link.closed = 1;
    jdoc_destroy(doc);
}

static void look(struct worker *worker, int timeout_ms)
{
    struct frame frame;
    worker->looked_us = clock_monotonic_us();
    while (worker_link_receive(&worker->link, timeout_ms)) {
        timeout_ms = 0;
        while (worker_link_next(&worker->link, &frame))
            read_frame(worker, &frame);
    }
}

int worker_interrupt(void *context)
{
    struct worker *worker = context;
    int computing = 0, cancelled = 0;
    if (clock_monotonic_us() - worker->looked_us >= LOOK_INTERVAL_US)
        look(worker, 0);
    worker_send_stats(worker); /* a sign of life in a long computation */
    if (worker->link.closed)
        return 1;
    for (const struct worker_job *job = worker->jobs; job; job = job->next) {
        if (job != worker->busy && !batcher_is_busy_with(&worker->batcher, job->run))
            continue;
        computing++;
        cancelled += job->cancelled;
    }
    return computing > 0 && computing == cancelled;
}

/* --- the loop --------------------------------------------------------------------------------- */

/* How a job ends that can't go on. */
static void job_give_up(struct worker *worker, struct worker_job *job, const struct pf_error *error)
{
    if (job->cancelled)
        worker_send_cancelled(worker, job);
    else
        worker_send_failed(worker, job, error);
    if (error->status == PF_NOMEM)
        atc_empty_cache();
    if (error->status == PF_INTERNAL)
        fprintf(stderr, "job %s: %s\n", job->id, error->message);
    job_remove(worker, job);
}

static void drop_cancelled(struct worker *worker)
{
    for (struct worker_job *job = worker->jobs, *next; job; job = next) {
        next = job->next;
        if (!job->cancelled)
            continue;
        worker_send_cancelled(worker, job);
        job_remove(worker, job);
    }
}

static enum pf_status decode_inputs(const struct worker *worker, struct worker_job *job,
    struct image *ret_image, struct run_request *request, float **ret_mask, struct pf_error *err)
{
    struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    limits.max_pixels = worker->options->max_pixels;
    job->field = "image";
    PF_TRY(image_decode(job->body, job->image_size, &limits, ret_image, err));
    job->field = "mask";
    if (job->mask_size > 0)
        PF_TRY(image_decode_mask(job->body + job->image_size, job->mask_size, &limits,
            &request->mask_width, &request->mask_height, ret_mask, err));
    job->field = NULL;
    return PF_OK;
}

static enum pf_status begin_run(struct worker *worker, struct worker_job *job, struct pf_error *err)
{
    struct image image = IMAGE_INIT;
    AUTO_FREE float *mask = NULL;
    struct run_request request = {
        .instruction = job->instruction,
        .auxiliary_prompt = job->auxiliary_prompt,
        .params = job->params,
        .image = &image,
    };
    if (job->refused.status != PF_OK)
        return pf_fail(err, job->refused.status, "%s", job->refused.message);
    enum pf_status status = decode_inputs(worker, job, &image, &request, &mask, err);
    request.mask = mask;
    if (status == PF_OK)
        status = run_begin(&job->run, worker->pipeline, &request, err);
    image_finish(&image);
    return status == PF_OK ? batcher_add(&worker->batcher, job->run, err) : status;
}

/* Takes up the oldest job that waits; one at a time, so that those under way go on in between. */
static void begin_one(struct worker *worker)
{
    struct worker_job *job = worker->jobs;
    while (job && job->run)
        job = job->next;
    if (!job)
        return;
    struct pf_error err = PF_ERROR_INIT;
    job->start_ms = clock_monotonic_ms();
    worker_send_started(worker, job);
    worker->busy = job;
    enum pf_status status = begin_run(worker, job, &err);
    worker->busy = NULL;
    free(STEAL(job->body));
    if (status != PF_OK)
        job_give_up(worker, job, &err);
    else
        worker_send_encoded(worker, job);
}

static void finish_job(struct worker *worker, struct worker_job *job)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image image = IMAGE_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    const struct params *params = run_params(job->run);
    worker->busy = job;
    enum pf_status status = run_finish(job->run, &image, &err);
    worker->busy = NULL;
    if (status == PF_OK)
        status = image_encode(&image, (enum image_format)params->output_format,
            (int)params->output_quality, &file, &err);
    if (status == PF_OK) {
        worker_send_succeeded(worker, job, &image, &file);
        job_remove(worker, job);
    } else {
        job_give_up(worker, job, &err);
    }
    image_finish(&image);
}

static void report(struct worker *worker, struct worker_job *job, const struct pf_error *error)
{
    if (error->status != PF_OK) {
        job_give_up(worker, job, error);
        return;
    }
    worker_send_step(worker, job);
    if (run_preview_due(job->run)) {
        worker->busy = job; /* decoding takes a while */
        worker_send_preview(worker, job);
        worker->busy = NULL;
    }
    if (run_done(job->run))
        finish_job(worker, job);
}

static void step_all(struct worker *worker)
{
    struct batcher_step *step = &worker->step;
    batcher_step(&worker->batcher, step);
    for (int i = 0; i < step->count && !worker->link.closed; i++)
        report(worker, job_of_run(worker, step->runs[i]), &step->errors[i]);
}

void worker_turn(struct worker *worker)
{
    look(worker, worker->jobs ? 0 : -1);
    if (worker->link.closed)
        return;
    drop_cancelled(worker);
    begin_one(worker);
    if (worker->batcher.count > 0)
        step_all(worker);
    worker_send_stats(worker);
}

static enum pf_status load(struct worker *worker, struct pf_error *err)
{
    struct pipeline_options options = worker->options->pipeline;
    PF_TRY(pipeline_parse_device(worker->options->device, &options.device, err));
    PF_TRY(image_library_init("promptfix-worker", options.threads, err));
    return pipeline_create(&worker->pipeline, &options, err);
}

enum pf_status worker_open(
    struct worker *worker, const struct worker_options *options, struct pf_error *err)
{
    *worker = (struct worker){.options = options};
    worker_link_init(&worker->link, options->socket_fd);
    worker_send_hello(worker);
    if (load(worker, err) != PF_OK) {
        worker_send_broken(worker, err);
        worker_close(worker);
        return err->status;
    }
    batcher_init(&worker->batcher, worker->pipeline, options->max_batch);
    tensor_set_interrupt(worker_interrupt, worker);
    worker_send_ready(worker);
    return PF_OK;
}

void worker_close(struct worker *worker)
{
    while (worker->jobs)
        job_remove(worker, worker->jobs);
    tensor_set_interrupt(NULL, NULL);
    pipeline_destroy(worker->pipeline);
    worker_link_finish(&worker->link);
}

enum pf_status worker_serve(const struct worker_options *options, struct pf_error *err)
{
    struct worker worker;
    PF_TRY(worker_open(&worker, options, err));
    while (!worker.link.closed)
        worker_turn(&worker);
    *err = worker.link.error;
    worker_close(&worker);
    return err->status;
}
