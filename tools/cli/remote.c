/* SPDX-License-Identifier: Apache-2.0 */
/* Following a job: the event stream tells every step at once, but any proxy, restart or broken line
 * may end it. So whenever it ends without the job's end, the job itself is asked for (with all
 * patience of client_call()), and the stream is opened again behind the last event seen. With a
 * proxy that holds streams back this turns into plain polling. */
#include "tools/cli/remote.h"

#include <stdio.h>
#include <string.h>

#include "base/jdoc.h"
#include "tools/cli/event_reader.h"

enum { REOPEN_PAUSE_MS = 500, PATH_SIZE = 128 };

const char *const remote_status_names[] = {
    "queued", "running", "succeeded", "failed", "cancelled", NULL};

int remote_has_ended(const struct remote_job *job)
{
    return job->status >= REMOTE_SUCCEEDED;
}

/* ---- the job object ---- */

static void copy_text(char *to, size_t size, const struct jdoc_value *object, const char *key)
{
    snprintf(to, size, "%.*s", (int)size - 1, jdoc_get_string(object, key, ""));
}

/* As copy_text(), and a character cut in half is left out. */
static void copy_words(char *to, size_t size, const struct jdoc_value *object, const char *key)
{
    copy_text(to, size, object, key);
    size_t end = strlen(to);
    if (end < size - 1)
        return;
    while (end > 0 && ((unsigned char)to[end - 1] & 0xc0) == 0x80)
        end--;
    if (end > 0 && (unsigned char)to[end - 1] >= 0xc0)
        to[end - 1] = 0;
}

static void read_result(struct remote_job *job, const struct jdoc_value *root)
{
    const struct jdoc_value *images = jdoc_get(jdoc_get(root, "result"), "images");
    const struct jdoc_value *image = images && images->type == JDOC_ARRAY ? images->first : NULL;
    job->width = jdoc_get_integer(image, "width", 0);
    job->height = jdoc_get_integer(image, "height", 0);
    job->bytes = jdoc_get_integer(image, "bytes", 0);
    copy_text(job->format, sizeof job->format, image, "format");
}

static enum pf_status read_job(
    struct remote_job *ret_job, const struct jdoc_value *root, struct pf_error *err)
{
    const char *id = jdoc_get_string(root, "id", "");
    const char *status = jdoc_get_string(root, "status", "");
    size_t index = 0;
    while (remote_status_names[index] && strcmp(remote_status_names[index], status) != 0)
        index++;
    if (!id_is_valid(id) || !remote_status_names[index])
        return pf_fail(err, PF_CORRUPT, "the server's answer is no job of promptfix");
    struct remote_job job = {.status = (enum remote_status)index};
    const struct jdoc_value *progress = jdoc_get(root, "progress");
    const struct jdoc_value *error = jdoc_get(root, "error");
    memcpy(job.id, id, sizeof job.id);
    copy_text(job.priority, sizeof job.priority, root, "priority");
    copy_text(job.created_at, sizeof job.created_at, root, "created_at");
    copy_words(job.instruction, sizeof job.instruction, root, "instruction");
    copy_text(job.error_code, sizeof job.error_code, error, "code");
    copy_words(job.error_message, sizeof job.error_message, error, "message");
    job.queue_position = jdoc_get_integer(root, "queue_position", 0);
    job.attempts = jdoc_get_integer(root, "attempts", 0);
    job.step = jdoc_get_integer(progress, "step", 0);
    job.steps = jdoc_get_integer(progress, "steps", 0);
    job.eta_ms = jdoc_get_integer(progress, "eta_ms", -1);
    read_result(&job, root);
    *ret_job = job;
    return PF_OK;
}

enum pf_status remote_parse(
    struct remote_job *ret_job, const char *text, size_t size, struct pf_error *err)
{
    struct jdoc *doc = NULL;
    if (jdoc_parse(&doc, text ? text : "", size, NULL) != PF_OK)
        return pf_fail(err, PF_CORRUPT, "the server's answer is not JSON: no promptfix server?");
    enum pf_status status = read_job(ret_job, jdoc_root(doc), err);
    jdoc_destroy(doc);
    return status;
}

/* ---- requests with one job as answer ---- */

static enum pf_status call_for_job(struct client *client, const struct client_request *request,
    struct remote_job *ret_job, struct client_reply *reply, struct pf_error *err)
{
    PF_TRY(client_call_2xx(client, request, reply, err));
    return remote_parse(ret_job, reply->body.data, reply->body.size, err);
}

enum pf_status remote_submit(struct client *client, const struct client_field *fields, size_t count,
    const char *idempotency_key, struct remote_job *ret_job, int *ret_replayed,
    struct pf_error *err)
{
    struct client_request request = {.method = "POST",
        .path = "/v1/jobs",
        .fields = fields,
        .field_count = count,
        .idempotency_key = idempotency_key};
    struct client_reply reply = CLIENT_REPLY_INIT;
    enum pf_status status = call_for_job(client, &request, ret_job, &reply, err);
    *ret_replayed = reply.is_replayed;
    client_reply_finish(&reply);
    return status;
}

enum pf_status remote_get(struct client *client, const char *id, struct remote_job *ret_job,
    struct buffer *ret_text, struct pf_error *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/v1/jobs/%s", id);
    struct client_request request = {.method = "GET", .path = path};
    struct client_reply reply = CLIENT_REPLY_INIT;
    enum pf_status status = call_for_job(client, &request, ret_job, &reply, err);
    if (status == PF_OK && ret_text) {
        buffer_put(ret_text, reply.body.data, reply.body.size);
        status = buffer_status(ret_text, err);
    }
    client_reply_finish(&reply);
    return status;
}

enum pf_status remote_cancel(
    struct client *client, const char *id, struct remote_job *ret_job, struct pf_error *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/v1/jobs/%s/cancel", id);
    struct client_request request = {.method = "POST", .path = path};
    struct client_reply reply = CLIENT_REPLY_INIT;
    enum pf_status status = call_for_job(client, &request, ret_job, &reply, err);
    client_reply_finish(&reply);
    return status;
}

/* ---- others ---- */

enum pf_status remote_get_limits(
    struct client *client, struct remote_limits *ret_limits, struct pf_error *err)
{
    struct client_request request = {.method = "GET", .path = "/v1/capabilities"};
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct jdoc *doc = NULL;
    struct remote_limits limits = {0, 0};
    enum pf_status status = client_call_2xx(client, &request, &reply, err);
    if (status == PF_OK &&
        jdoc_parse(&doc, reply.body.data ? reply.body.data : "", reply.body.size, NULL) == PF_OK) {
        const struct jdoc_value *root = jdoc_root(doc);
        limits.body_bytes = jdoc_get_integer(jdoc_get(root, "limits"), "body_bytes", 0);
        const struct jdoc_value *modes = jdoc_get(root, "auxiliary");
        for (const struct jdoc_value *mode = modes ? modes->first : NULL; mode; mode = mode->next)
            limits.has_auxiliary |= mode->type == JDOC_STRING && strcmp(mode->string, "auto") == 0;
        jdoc_destroy(doc);
    }
    client_reply_finish(&reply);
    if (status == PF_OK && limits.body_bytes == 0)
        return pf_fail(err, PF_CORRUPT, "there is no promptfix server");
    if (status == PF_OK)
        *ret_limits = limits;
    return status;
}

enum pf_status remote_get_result(
    struct client *client, const char *id, struct buffer *ret, struct pf_error *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/v1/jobs/%s/result", id);
    struct client_request request = {.method = "GET", .path = path, .body_max = CLIENT_RESULT_MAX};
    struct client_reply reply = CLIENT_REPLY_INIT;
    enum pf_status status = client_call_2xx(client, &request, &reply, err);
    if (status == PF_OK) {
        buffer_put(ret, reply.body.data, reply.body.size);
        status = buffer_status(ret, err);
    }
    client_reply_finish(&reply);
    return status;
}

static enum pf_status read_page(const struct buffer *text, struct remote_job *ret_jobs,
    size_t limit, size_t *ret_count, int *ret_has_more, struct pf_error *err)
{
    struct jdoc *doc = NULL;
    size_t count = 0;
    if (jdoc_parse(&doc, text->data ? text->data : "", text->size, NULL) != PF_OK)
        return pf_fail(err, PF_CORRUPT, "the server's answer is not JSON: no promptfix server?");
    const struct jdoc_value *more = jdoc_get(jdoc_root(doc), "has_more");
    const struct jdoc_value *list = jdoc_get(jdoc_root(doc), "data");
    enum pf_status status = PF_OK;
    const struct jdoc_value *item = list && list->type == JDOC_ARRAY ? list->first : NULL;
    for (; item && status == PF_OK && count < limit; item = item->next)
        status = read_job(&ret_jobs[count++], item, err);
    if (!list)
        status = pf_fail(err, PF_CORRUPT, "the server's answer is no list of jobs");
    *ret_count = count;
    *ret_has_more = more && more->type == JDOC_TRUE;
    jdoc_destroy(doc);
    return status;
}

enum pf_status remote_list(struct client *client, const struct remote_page *page,
    struct remote_job *ret_jobs, size_t *ret_count, int *ret_has_more, struct pf_error *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/v1/jobs?limit=%zu%s%s%s%s", page->limit,
        page->status ? "&status=" : "", page->status ? page->status : "",
        page->after ? "&after=" : "", page->after ? page->after : "");
    struct client_request request = {.method = "GET", .path = path};
    struct client_reply reply = CLIENT_REPLY_INIT;
    enum pf_status status = client_call_2xx(client, &request, &reply, err);
    if (status == PF_OK)
        status = read_page(&reply.body, ret_jobs, page->limit, ret_count, ret_has_more, err);
    if (status == PF_OK && page->text) {
        buffer_put(page->text, reply.body.data, reply.body.size);
        status = buffer_status(page->text, err);
    }
    client_reply_finish(&reply);
    return status;
}

/* ---- following ---- */

struct follow {
    struct event_reader reader;
    struct remote_job *job;
    void (*progress)(void *context, const struct remote_job *job);
    void *context;
};

static void tell(const struct follow *follow)
{
    if (follow->progress)
        follow->progress(follow->context, follow->job);
}

static void take_step(struct remote_job *job, const struct jdoc_value *data)
{
    job->status = REMOTE_RUNNING;
    job->queue_position = 0;
    job->step = jdoc_get_integer(data, "step", job->step);
    job->steps = jdoc_get_integer(data, "steps", job->steps);
    job->eta_ms = jdoc_get_integer(data, "eta_ms", -1);
}

static enum pf_status on_event(
    void *context, const struct received_event *event, struct pf_error *err)
{
    struct follow *follow = context;
    struct jdoc *doc = NULL;
    if (strcmp(event->name, "preview") == 0)
        return PF_OK;
    if (jdoc_parse(&doc, event->data, event->size, NULL) != PF_OK)
        return pf_fail(err, PF_CORRUPT, "an event '%.31s' is not JSON", event->name);
    enum pf_status status = PF_OK;
    if (strcmp(event->name, "step") == 0)
        take_step(follow->job, jdoc_root(doc));
    else if (jdoc_get(jdoc_root(doc), "status")) /* a kind yet unknown is passed over */
        status = read_job(follow->job, jdoc_root(doc), err);
    jdoc_destroy(doc);
    if (status == PF_OK)
        tell(follow);
    return status;
}

static enum pf_status on_bytes(void *context, const char *bytes, size_t count, struct pf_error *err)
{
    struct follow *follow = context;
    return event_reader_feed(&follow->reader, bytes, count, on_event, follow, err);
}

static enum pf_status follow_to_end(
    struct client *client, struct follow *follow, struct pf_error *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/v1/jobs/%s/events", follow->job->id);
    while (!remote_has_ended(follow->job)) {
        struct client_request request = {.method = "GET",
            .path = path,
            .receive = on_bytes,
            .receive_context = follow,
            .last_event_id = follow->reader.last_id};
        struct client_reply reply = CLIENT_REPLY_INIT;
        struct pf_error why = PF_ERROR_INIT;
        enum pf_status status = client_try(client, &request, &reply, &why);
        int64_t pause_ms = reply.retry_after_ms;
        client_reply_finish(&reply);
        if (remote_has_ended(follow->job))
            return PF_OK;
        if (status != PF_OK && status != PF_IO)
            return pf_fail(err, status, "%s", why.message);
        event_reader_restart(&follow->reader);
        PF_TRY(remote_get(client, follow->job->id, follow->job, NULL, err));
        tell(follow);
        if (!remote_has_ended(follow->job))
            PF_TRY(
                client_pause(client, pause_ms > REOPEN_PAUSE_MS ? pause_ms : REOPEN_PAUSE_MS, err));
    }
    return PF_OK;
}

enum pf_status remote_follow(struct client *client, struct remote_job *job,
    void (*progress)(void *context, const struct remote_job *job), void *context,
    struct pf_error *err)
{
    struct follow follow = {.job = job, .progress = progress, .context = context};
    event_reader_init(&follow.reader);
    tell(&follow);
    enum pf_status status = follow_to_end(client, &follow, err);
    event_reader_finish(&follow.reader);
    return status;
}
