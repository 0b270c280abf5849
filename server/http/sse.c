/* SPDX-License-Identifier: Apache-2.0 */
/* A stream is a response whose reader pulls: what the client has not taken yet waits in `out`, one
 * event (or a few small ones) at a time. With nothing to say it sleeps until woken or until the
 * next ping is due; a ping is a comment line, because an event without data kills the parser of
 * some clients. All of it runs on the HTTP thread. */
#include "server/http/sse.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/http/request_impl.h"

enum {
    SSE_BATCH_BYTES = 4096,   /* small events are joined up to here */
    SSE_KEEP_BYTES = 16384,   /* a larger buffer is given back once it is empty */
    SSE_BLOCK_BYTES = 4096,   /* one piece for a client of HTTP/1.0 */
    SSE_EVENT_MAX = 64 << 20, /* wire bytes of one event */
};

struct stream {
    struct sse_source source;
    struct http_server *server;
    struct suspension *suspension; /* one reference */
    struct buffer out;
    size_t sent; /* bytes of `out` that are gone */
    int64_t last_ms;
    int ended;
};

void sse_put_event(struct buffer *out, const struct sse_event *event)
{
    if (event->id > 0)
        buffer_put_format(out, "id: %lld\n", (long long)event->id);
    if (event->name)
        buffer_put_format(out, "event: %s\n", event->name);
    const char *at = event->data, *end = event->data + event->data_size;
    while (at) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        buffer_put_text(out, "data: ");
        buffer_put(out, at, (size_t)((newline ? newline : end) - at));
        buffer_put_text(out, "\n");
        at = newline ? newline + 1 : NULL;
    }
    buffer_put_text(out, "\n");
}

enum pf_status sse_parse_last_id(const char *text, int64_t *ret_id, struct pf_error *err)
{
    int64_t id = 0;
    if (text) {
        size_t digits = strspn(text, "0123456789");
        if (digits > 18 || text[digits])
            return pf_fail(
                err, PF_INVALID, "Last-Event-ID: '%.64s', expected a whole number", text);
        if (digits > 0)
            id = strtoll(text, NULL, 10);
    }
    *ret_id = id;
    return PF_OK;
}

/* Fills `out` from the source. Returns 0 when there is nothing for now. */
static int fill(struct stream *stream)
{
    buffer_clear(&stream->out);
    stream->sent = 0;
    if (stream->out.capacity > SSE_KEEP_BYTES) {
        buffer_finish(&stream->out);
        stream->out = (struct buffer)BUFFER_INIT_MAX(SSE_EVENT_MAX);
    }
    while (!stream->ended && stream->out.size < SSE_BATCH_BYTES) {
        struct sse_event event;
        enum sse_result result = stream->source.next(stream->source.state, &event);
        if (result == SSE_PENDING)
            break;
        if (result == SSE_END)
            stream->ended = 1;
        else
            sse_put_event(&stream->out, &event);
    }
    return stream->ended || stream->out.size > 0;
}

/* With nothing to send: sleeps, or says why not. 1: asleep. */
static int sleep_or_ping(struct stream *stream)
{
    int64_t ping_at_ms = stream->last_ms + atomic_load(&stream->server->tuned.ping_ms);
    if (suspension_is_stopping(stream->suspension)) {
        buffer_put_text(&stream->out, ": the server stops\n\n");
        stream->ended = 1;
        return 0;
    }
    if (clock_monotonic_ms() >= ping_at_ms) {
        buffer_put_text(&stream->out, ": ping\n\n");
        return 0;
    }
    return suspension_sleep(stream->suspension, SUSPEND_WATCHED, ping_at_ms);
}

static ssize_t read_stream(void *context, uint64_t position, char *bytes, size_t count)
{
    (void)position;
    struct stream *stream = context;
    while (stream->sent == stream->out.size) {
        if (stream->ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (suspension_is_gone(stream->suspension))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (!fill(stream) && sleep_or_ping(stream))
            return 0;
        if (buffer_status(&stream->out, NULL) != PF_OK)
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t left = stream->out.size - stream->sent;
    size_t taken = count < left ? count : left;
    memcpy(bytes, stream->out.data + stream->sent, taken);
    stream->sent += taken;
    stream->last_ms = clock_monotonic_ms();
    return (ssize_t)taken;
}

static void close_stream(void *context)
{
    struct stream *stream = context;
    stream->source.close(stream->source.state);
    suspension_unref(stream->suspension);
    buffer_finish(&stream->out);
    atomic_fetch_sub(&stream->server->streams, 1);
    free(stream);
}

struct MHD_Response *sse_create_response(
    struct http_request *request, const struct sse_source *source)
{
    struct suspension *suspension = request_suspension(request);
    struct stream *stream = suspension ? calloc(1, sizeof *stream) : NULL;
    if (!stream) {
        source->close(source->state);
        return NULL;
    }
    *stream = (struct stream){.source = *source,
        .server = request->server,
        .suspension = suspension_ref(suspension),
        .out = BUFFER_INIT_MAX(SSE_EVENT_MAX),
        .last_ms = clock_monotonic_ms()};
    atomic_fetch_add(&request->server->streams, 1);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, SSE_BLOCK_BYTES, read_stream, stream, close_stream);
    if (!response)
        close_stream(stream);
    return response;
}
