/* SPDX-License-Identifier: Apache-2.0 */
/* Counted, because the thread that writes the body may outlive the connection. `done` hands what it
 * wrote to the HTTP thread. */
#include "server/http/late_body.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/http/request_impl.h"

enum { LATE_BLOCK_BYTES = 16384 };

struct late_body {
    struct executor_task task; /* first */
    atomic_int refs;
    atomic_int done;
    struct http_late_body source;
    struct http_server *server;
    struct suspension *suspension; /* one reference */
    int64_t last_ms;               /* of the last byte */
    int is_started;
    struct buffer out;
    size_t sent;
    int is_whole;
};

static void unref(void *context)
{
    struct late_body *late = context;
    if (atomic_fetch_sub(&late->refs, 1) != 1)
        return;
    late->source.close(late->source.state);
    suspension_unref(late->suspension);
    buffer_finish(&late->out);
    free(late);
}

static void write_body(struct executor_task *task)
{
    struct late_body *late = (struct late_body *)task;
    late->is_whole = late->source.put(late->source.state, &late->out) &&
                     buffer_status(&late->out, NULL) == PF_OK;
    atomic_store(&late->done, 1);
    suspension_release(late->suspension);
    unref(late);
}

static int start(struct late_body *late)
{
    late->is_started = 1;
    late->task.run = write_body;
    atomic_fetch_add(&late->refs, 1);
    if (executor_submit(late->server->executor, &late->task, NULL) == PF_OK)
        return 1;
    atomic_fetch_sub(&late->refs, 1);
    return 0;
}

static ssize_t send_rest(struct late_body *late, char *bytes, size_t count)
{
    size_t left = late->out.size - late->sent;
    size_t taken = count < left ? count : left;
    if (buffer_status(&late->out, NULL) != PF_OK || (taken == 0 && !late->is_whole))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (taken == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    memcpy(bytes, late->out.data + late->sent, taken);
    late->sent += taken;
    return (ssize_t)taken;
}

static ssize_t read_late(void *context, uint64_t position, char *bytes, size_t count)
{
    (void)position;
    struct late_body *late = context;
    for (;;) {
        int64_t ping_at_ms = late->last_ms + atomic_load(&late->server->tuned.ping_ms);
        if (atomic_load(&late->done))
            return send_rest(late, bytes, count);
        if (suspension_is_gone(late->suspension))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (late->is_started) {
            if (suspension_sleep(late->suspension, SUSPEND_UNWATCHED, INT64_MAX))
                return 0;
        } else if (late->source.is_ready(late->source.state) ||
                   suspension_is_stopping(late->suspension)) {
            if (!start(late))
                return MHD_CONTENT_READER_END_WITH_ERROR;
        } else if (clock_monotonic_ms() >= ping_at_ms) {
            late->last_ms = clock_monotonic_ms();
            bytes[0] = ' ';
            return 1;
        } else if (suspension_sleep(late->suspension, SUSPEND_WATCHED, ping_at_ms)) {
            return 0;
        }
    }
}

int64_t http_ping_ms(const struct http_request *request)
{
    return request->is_chunkable ? atomic_load(&request->server->tuned.ping_ms) : INT64_MAX;
}

struct MHD_Response *late_create_response(
    struct http_request *request, const struct http_late_body *body)
{
    struct suspension *suspension = request_suspension(request);
    struct late_body *late = suspension ? calloc(1, sizeof *late) : NULL;
    if (!late) {
        body->close(body->state);
        return NULL;
    }
    *late = (struct late_body){.source = *body,
        .server = request->server,
        .suspension = suspension_ref(suspension),
        .out = BUFFER_INIT,
        .last_ms = clock_monotonic_ms()};
    atomic_init(&late->refs, 1);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, LATE_BLOCK_BYTES, read_late, late, unref);
    if (!response)
        unref(late);
    return response;
}
