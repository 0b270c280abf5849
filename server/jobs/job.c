/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/job.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

static const char *const status_names[] = {"queued", "running", "succeeded", "failed", "cancelled"};
static const char *const priority_names[] = {"interactive", "batch"};
static const char *const auxiliary_names[] = {"off", "auto"};

struct job *job_create(void)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->refs = 1;
    job->eta_ms = -1;
    job->timings = (struct job_timings){-1, -1, -1, -1, -1};
    return job;
}

/* The texts a job owns, as one array: copying and releasing must not forget any. */
enum { JOB_TEXTS = 7 };
static void job_texts(struct job *job, char **ret_texts[JOB_TEXTS])
{
    ret_texts[0] = &job->instruction;
    ret_texts[1] = &job->auxiliary_prompt;
    ret_texts[2] = &job->auxiliary_log;
    ret_texts[3] = &job->model;
    ret_texts[4] = &job->metadata;
    ret_texts[5] = &job->webhook_url;
    ret_texts[6] = &job->idempotency_key;
}

struct job *job_copy(const struct job *job)
{
    struct job *copy = malloc(sizeof *copy);
    if (!copy)
        return NULL;
    /* Everything behind refs, which other threads may be changing. */
    memcpy((char *)copy + sizeof copy->refs, (const char *)job + sizeof job->refs,
        sizeof *copy - sizeof copy->refs);
    copy->refs = 1;
    char **texts[JOB_TEXTS];
    job_texts(copy, texts);
    int failed = 0;
    for (int i = 0; i < JOB_TEXTS; i++) {
        if (!*texts[i])
            continue;
        *texts[i] = strdup(*texts[i]);
        failed |= !*texts[i];
    }
    if (failed) {
        job_unref(copy);
        return NULL;
    }
    return copy;
}

struct job *job_ref(struct job *job)
{
    __atomic_add_fetch(&job->refs, 1, __ATOMIC_RELAXED);
    return job;
}

void job_unref(struct job *job)
{
    if (!job || __atomic_sub_fetch(&job->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    char **texts[JOB_TEXTS];
    job_texts(job, texts);
    for (int i = 0; i < JOB_TEXTS; i++)
        free(*texts[i]);
    free(job);
}

void job_cleanup(struct job **job)
{
    job_unref(*job);
}

int job_is_terminal(const struct job *job)
{
    return job->status >= JOB_SUCCEEDED;
}

int job_is_expired(const struct job *job)
{
    return job_is_terminal(job) && !job->image_blob[0];
}

int job_wants_auxiliary(const struct job *job)
{
    int is_given = job->auxiliary_prompt && *job->auxiliary_prompt;
    return job->status == JOB_QUEUED && job->auxiliary == JOB_AUXILIARY_AUTO && !is_given &&
           !job->auxiliary_log;
}

const char *job_status_name(enum job_status status)
{
    return status_names[status];
}

const char *job_priority_name(enum job_priority priority)
{
    return priority_names[priority];
}

const char *job_auxiliary_name(enum job_auxiliary auxiliary)
{
    return auxiliary_names[auxiliary];
}

static enum pf_status parse_name(const char *what, const char *const *names, size_t count,
    const char *text, size_t *ret_index, struct pf_error *err)
{
    char choices[128] = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_index = i;
            return PF_OK;
        }
        strcat(strcat(choices, i ? ", " : ""), names[i]);
    }
    return pf_fail(err, PF_INVALID, "%s is '%.64s', expected one of: %s", what, text, choices);
}

enum pf_status job_status_parse(const char *text, enum job_status *ret_status, struct pf_error *err)
{
    size_t index = 0;
    PF_TRY(parse_name("status", status_names, COUNT_OF(status_names), text, &index, err));
    *ret_status = (enum job_status)index;
    return PF_OK;
}

enum pf_status job_priority_parse(
    const char *text, enum job_priority *ret_priority, struct pf_error *err)
{
    size_t index = 0;
    PF_TRY(parse_name("priority", priority_names, COUNT_OF(priority_names), text, &index, err));
    *ret_priority = (enum job_priority)index;
    return PF_OK;
}

enum pf_status job_auxiliary_parse(
    const char *text, enum job_auxiliary *ret_auxiliary, struct pf_error *err)
{
    size_t index = 0;
    PF_TRY(parse_name("auxiliary", auxiliary_names, COUNT_OF(auxiliary_names), text, &index, err));
    *ret_auxiliary = (enum job_auxiliary)index;
    return PF_OK;
}

static void put_name(struct buffer *out, const char *name)
{
    buffer_put_format(out, ",\"%s\":", name);
}

static void put_text(struct buffer *out, const char *name, const char *text)
{
    put_name(out, name);
    if (text)
        buffer_put_json_string(out, text, strlen(text));
    else
        buffer_put_text(out, "null");
}

/* JSON that was checked when it came in. */
static void put_raw(struct buffer *out, const char *name, const char *json)
{
    put_name(out, name);
    buffer_put_text(out, json ? json : "null");
}

static void put_count(struct buffer *out, const char *name, int64_t value)
{
    put_name(out, name);
    if (value < 0)
        buffer_put_text(out, "null");
    else
        buffer_put_format(out, "%lld", (long long)value);
}

static void put_time(struct buffer *out, const char *name, int64_t realtime_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    if (realtime_ms > 0)
        clock_format_rfc3339(realtime_ms, text);
    put_text(out, name, realtime_ms > 0 ? text : NULL);
}

static void put_timings(struct buffer *out, const struct job_timings *timings)
{
    buffer_put_text(out, ",\"timings\":{");
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {{"queued_ms", timings->queued_ms}, {"load_ms", timings->load_ms},
        {"encode_ms", timings->encode_ms}, {"sample_ms", timings->sample_ms},
        {"decode_ms", timings->decode_ms}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buffer_put_format(out, "%s\"%s\":", i ? "," : "", rows[i].name);
        if (rows[i].value < 0)
            buffer_put_text(out, "null");
        else
            buffer_put_format(out, "%lld", (long long)rows[i].value);
    }
    buffer_put_text(out, "}");
}

static void put_result(struct buffer *out, const struct job *job, const struct job_view *view)
{
    put_name(out, "result");
    if (job->status != JOB_SUCCEEDED || job_is_expired(job)) {
        buffer_put_text(out, "null");
        return;
    }
    buffer_put_format(out, "{\"images\":[{\"url\":\"%s/v1/jobs/%s/result\"",
        view->base_url ? view->base_url : "", job->id);
    put_text(out, "format", job->result.format);
    put_count(out, "width", job->result.width);
    put_count(out, "height", job->result.height);
    put_count(out, "bytes", job->result.bytes);
    if (view->image_b64) {
        buffer_put_text(out, ",\"b64_json\":\"");
        buffer_put(out, view->image_b64, view->image_b64_size);
        buffer_put_text(out, "\"");
    }
    buffer_put_text(out, "}]}");
}

static void put_error(struct buffer *out, const struct job *job)
{
    put_name(out, "error");
    if (job->status != JOB_FAILED) {
        buffer_put_text(out, "null");
        return;
    }
    int is_internal = strcmp(job->error.code, pf_status_name(PF_INTERNAL)) == 0;
    buffer_put_text(out, "{\"code\":");
    buffer_put_json_string(out, job->error.code, strlen(job->error.code));
    put_text(out, "message",
        is_internal ? "an internal error; the server's log has it under this job's id"
                    : job->error.message);
    put_text(out, "field", job->error.field[0] ? job->error.field : NULL);
    buffer_put_text(out, "}");
}

static void put_urls(struct buffer *out, const struct job *job, const struct job_view *view)
{
    const char *base = view->base_url ? view->base_url : "";
    buffer_put_format(out,
        ",\"urls\":{\"self\":\"%s/v1/jobs/%s\",\"events\":\"%s/v1/jobs/%s/events\","
        "\"cancel\":\"%s/v1/jobs/%s/cancel\",\"result\":\"%s/v1/jobs/%s/result\"}",
        base, job->id, base, job->id, base, job->id, base, job->id);
}

void job_put_json(struct buffer *out, const struct job *job, const struct job_view *view)
{
    static const struct job_view no_view = {.eta_ms = -1};
    if (!view)
        view = &no_view;
    buffer_put_format(out, "{\"id\":\"%s\",\"object\":\"job\"", job->id);
    put_text(out, "status", job_status_name(job->status));
    put_text(out, "priority", job_priority_name(job->priority));
    put_text(out, "batch", job->batch[0] ? job->batch : NULL);
    put_text(out, "instruction", job->instruction ? job->instruction : "");
    put_text(out, "auxiliary", job_auxiliary_name(job->auxiliary));
    put_text(out, "auxiliary_prompt", job->auxiliary_prompt);
    put_raw(out, "auxiliary_log", job->auxiliary_log);
    put_text(out, "model", job->model);
    put_name(out, "parameters");
    params_put_json(out, &job->params);
    put_count(out, "queue_position",
        job->status == JOB_QUEUED && view->queue_position > 0 ? view->queue_position : -1);
    put_count(out, "attempts", job->attempts);
    buffer_put_format(out, ",\"progress\":{\"step\":%lld,\"steps\":%lld", (long long)job->step,
        (long long)job->steps);
    put_count(out, "eta_ms", job_is_terminal(job) ? -1 : view->eta_ms);
    buffer_put_text(out, "}");
    put_timings(out, &job->timings);
    put_time(out, "created_at", job->created_ms);
    put_time(out, "started_at", job->started_ms);
    put_time(out, "finished_at", job->finished_ms);
    put_time(out, "expires_at", job->expires_ms);
    put_raw(out, "expired", job_is_expired(job) ? "true" : "false");
    put_result(out, job, view);
    put_error(out, job);
    put_raw(out, "metadata", job->metadata);
    put_text(out, "webhook_url", job->webhook_url);
    put_urls(out, job, view);
    buffer_put_text(out, "}");
}
