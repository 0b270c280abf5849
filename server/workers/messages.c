/* SPDX-License-Identifier: Apache-2.0 */
#include "server/workers/messages.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/params.h"

/* Reads members one after the other; after the first failure the rest are no-ops. */
struct reader {
    const json_t *json;
    const char *type;
    enum pf_status status;
    struct pf_error *err;
};

static void fail_member(struct reader *reader, const char *name, const char *expected)
{
    if (reader->status == PF_OK)
        reader->status = pf_fail(reader->err, PF_CORRUPT,
            "message '%s' of the worker: member '%s' is missing or no %s", reader->type, name,
            expected);
}

static int64_t read_integer(struct reader *reader, const char *name)
{
    const json_t *value = json_object_get(reader->json, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        fail_member(reader, name, "integer of 0 or more");
        return 0;
    }
    return json_integer_value(value);
}

/* Counts that begin at 1. */
static int64_t read_positive(struct reader *reader, const char *name)
{
    int64_t value = read_integer(reader, name);
    if (value < 1)
        fail_member(reader, name, "integer of 1 or more");
    return value;
}

/* null counts as absent. */
static int64_t read_optional(struct reader *reader, const char *name)
{
    const json_t *value = json_object_get(reader->json, name);
    return !value || json_is_null(value) ? -1 : read_integer(reader, name);
}

static double read_number(struct reader *reader, const char *name)
{
    const json_t *value = json_object_get(reader->json, name);
    if (!json_is_number(value)) {
        fail_member(reader, name, "number");
        return 0;
    }
    return json_number_value(value);
}

static const char *read_text(struct reader *reader, const char *name)
{
    const char *text = json_string_value(json_object_get(reader->json, name));
    if (!text) {
        fail_member(reader, name, "string");
        return "";
    }
    return text;
}

static void read_hello(struct reader *reader, struct message *message)
{
    message->hello.protocol = read_integer(reader, "protocol");
    message->hello.device = read_text(reader, "device");
    message->hello.version = read_text(reader, "version");
}

static void read_ready(struct reader *reader, struct message *message)
{
    message->ready.device = read_text(reader, "device");
    message->ready.dtype = read_text(reader, "dtype");
    message->ready.load_ms = read_integer(reader, "load_ms");
    message->ready.max_runs = read_positive(reader, "max_runs");
    message->ready.model = json_object_get(reader->json, "model");
    if (!json_is_object(message->ready.model))
        fail_member(reader, "model", "object");
}

static void read_step(struct reader *reader, struct message *message)
{
    const json_t *loss = json_object_get(reader->json, "guidance_loss");
    message->step = (struct jobs_step){
        .step = read_positive(reader, "step"),
        .steps = read_positive(reader, "steps"),
        .elapsed_ms = read_integer(reader, "elapsed_ms"),
        .eta_ms = read_optional(reader, "eta_ms"),
        .sigma = read_number(reader, "sigma"),
        .guidance_loss = !loss || json_is_null(loss) ? NAN : read_number(reader, "guidance_loss"),
    };
    if (message->step.step > message->step.steps)
        fail_member(reader, "step", "integer up to steps");
}

static void read_preview(struct reader *reader, const struct frame *frame, struct message *message)
{
    message->preview = (struct jobs_preview){
        .step = read_positive(reader, "step"),
        .width = read_positive(reader, "width"),
        .height = read_positive(reader, "height"),
        .format = read_text(reader, "format"),
        .bytes = frame->body,
        .size = frame->body_size,
    };
}

static void read_succeeded(
    struct reader *reader, const struct frame *frame, struct message *message)
{
    struct reader timings = *reader;
    timings.json = json_object_get(reader->json, "timings");
    message->outcome = (struct jobs_outcome){
        .status = JOB_SUCCEEDED,
        .format = read_text(reader, "format"),
        .width = read_positive(reader, "width"),
        .height = read_positive(reader, "height"),
        .encode_ms = read_optional(&timings, "encode_ms"),
        .sample_ms = read_optional(&timings, "sample_ms"),
        .decode_ms = read_optional(&timings, "decode_ms"),
        .bytes = frame->body,
        .size = frame->body_size,
    };
    if (!json_is_object(timings.json))
        fail_member(reader, "timings", "object");
    if (reader->status == PF_OK)
        reader->status = timings.status;
    if (frame->body_size == 0)
        fail_member(reader, "(body)", "image");
}

static void read_failed(struct reader *reader, struct message *message)
{
    const json_t *field = json_object_get(reader->json, "field");
    const json_t *retryable = json_object_get(reader->json, "retryable");
    message->outcome = (struct jobs_outcome){
        .status = JOB_FAILED,
        .code = read_text(reader, "code"),
        .message = read_text(reader, "message"),
        .field = !field || json_is_null(field) ? NULL : read_text(reader, "field"),
        .retryable = json_is_true(retryable),
    };
    if (!json_is_boolean(retryable))
        fail_member(reader, "retryable", "boolean");
}

static void read_stats(struct reader *reader, struct message *message)
{
    message->stats.rss_bytes = read_integer(reader, "rss_bytes");
    message->stats.device_bytes = read_integer(reader, "device_bytes");
    message->stats.unet_calls = read_integer(reader, "unet_calls");
    message->stats.unet_rows = read_integer(reader, "unet_rows");
}

static void read_members(struct reader *reader, const struct frame *frame, struct message *message)
{
    if (message->type >= MESSAGE_STARTED && message->type <= MESSAGE_CANCELLED) {
        message->job = read_text(reader, "job");
        message->attempt = read_positive(reader, "attempt");
    }
    switch (message->type) {
    case MESSAGE_HELLO:
        read_hello(reader, message);
        break;
    case MESSAGE_READY:
        read_ready(reader, message);
        break;
    case MESSAGE_BROKEN:
        message->broken.code = read_text(reader, "code");
        message->broken.text = read_text(reader, "message");
        break;
    case MESSAGE_STARTED:
        message->load_ms = read_integer(reader, "load_ms");
        break;
    case MESSAGE_ENCODED:
        message->encode_ms = read_integer(reader, "encode_ms");
        break;
    case MESSAGE_STEP:
        read_step(reader, message);
        break;
    case MESSAGE_PREVIEW:
        read_preview(reader, frame, message);
        break;
    case MESSAGE_SUCCEEDED:
        read_succeeded(reader, frame, message);
        break;
    case MESSAGE_FAILED:
        read_failed(reader, message);
        break;
    case MESSAGE_CANCELLED:
        message->outcome = (struct jobs_outcome){.status = JOB_CANCELLED};
        break;
    case MESSAGE_STATS:
        read_stats(reader, message);
        break;
    }
}

static int find_type(const char *name, enum message_type *ret_type)
{
    static const char *const names[] = {"hello", "ready", "broken", "started", "encoded", "step",
        "preview", "succeeded", "failed", "cancelled", "stats"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_type = (enum message_type)i;
            return 1;
        }
    }
    return 0;
}

enum pf_status message_parse(
    struct message *ret_message, const struct frame *frame, struct pf_error *err)
{
    json_error_t json_err;
    json_t *json = json_loadb(frame->header, frame->header_size, JSON_REJECT_DUPLICATES, &json_err);
    if (!json)
        return pf_fail(err, PF_CORRUPT, "a message of the worker is no JSON: %s at byte %d",
            json_err.text, json_err.position);
    const char *type = json_string_value(json_object_get(json, "type"));
    struct message message = {.json = json};
    enum pf_status status;
    if (!type || !find_type(type, &message.type)) {
        status = pf_fail(
            err, PF_CORRUPT, "the worker sent a message of unknown type '%.32s'", type ? type : "");
    } else {
        struct reader reader = {.json = json, .type = type, .status = PF_OK, .err = err};
        read_members(&reader, frame, &message);
        status = reader.status;
    }
    if (status != PF_OK) {
        message_finish(&message);
        return status;
    }
    *ret_message = message;
    return PF_OK;
}

void message_finish(struct message *message)
{
    json_decref(message->json);
    message->json = NULL;
}

void message_put_run(struct buffer *out, const struct job *job)
{
    const char *auxiliary = job->auxiliary_prompt ? job->auxiliary_prompt : "";
    buffer_put_format(out,
        "{\"type\":\"run\",\"job\":\"%s\",\"attempt\":%lld,\"instruction\":", job->id,
        (long long)job->attempts);
    buffer_put_json_string(out, job->instruction, strlen(job->instruction));
    buffer_put_text(out, ",\"auxiliary_prompt\":");
    buffer_put_json_string(out, auxiliary, strlen(auxiliary));
    buffer_put_text(out, ",\"parameters\":");
    params_put_json(out, &job->params);
    buffer_put_format(out, ",\"image_bytes\":%lld,\"mask_bytes\":%lld}",
        (long long)job->image_bytes, (long long)job->mask_bytes);
}

void message_put_cancel(struct buffer *out, const char *job)
{
    buffer_put_format(out, "{\"type\":\"cancel\",\"job\":\"%s\"}", job);
}
