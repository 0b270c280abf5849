/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker says: a stream of frames, read as the server reads it. A message that is taken has
 * every member its type has, of its type and in range; one that is not leaves nothing behind. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/workers/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void require_text(const char *text)
{
    require(text != NULL && strlen(text) <= FRAME_HEADER_MAX);
}

/* The bytes are read, so that a wrong range is seen. */
static void require_bytes(const void *bytes, size_t size, const struct frame *frame)
{
    unsigned sum = 0;
    require(bytes == frame->body && size == frame->body_size);
    for (size_t i = 0; i < size; i++)
        sum += ((const unsigned char *)bytes)[i];
    require(sum <= size * 255);
}

static void check_outcome(const struct jobs_outcome *outcome, const struct frame *frame)
{
    if (outcome->status == JOB_SUCCEEDED) {
        require_text(outcome->format);
        require(outcome->width > 0 && outcome->height > 0 && outcome->size > 0);
        require(outcome->encode_ms >= -1 && outcome->sample_ms >= -1 && outcome->decode_ms >= -1);
        require_bytes(outcome->bytes, outcome->size, frame);
    } else if (outcome->status == JOB_FAILED) {
        require_text(outcome->code);
        require_text(outcome->message);
        if (outcome->field)
            require_text(outcome->field);
    }
}

static void check_talk(const struct message *message)
{
    switch (message->type) {
    case MESSAGE_HELLO:
        require_text(message->hello.device);
        require_text(message->hello.version);
        break;
    case MESSAGE_READY:
        require_text(message->ready.device);
        require_text(message->ready.dtype);
        require(message->ready.max_runs > 0 && json_is_object(message->ready.model));
        break;
    case MESSAGE_BROKEN:
        require_text(message->broken.code);
        require_text(message->broken.text);
        break;
    default:
        require(message->stats.rss_bytes >= 0 && message->stats.unet_rows >= 0);
    }
}

static void check(const struct message *message, const struct frame *frame)
{
    if (message->type < MESSAGE_STARTED || message->type > MESSAGE_CANCELLED) {
        check_talk(message);
        return;
    }
    require_text(message->job);
    require(message->attempt > 0);
    if (message->type == MESSAGE_STEP)
        require(message->step.step > 0 && message->step.step <= message->step.steps &&
                message->step.eta_ms >= -1);
    if (message->type == MESSAGE_PREVIEW)
        require_bytes(message->preview.bytes, message->preview.size, frame);
    if (message->type >= MESSAGE_SUCCEEDED)
        check_outcome(&message->outcome, frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame_reader reader;
    struct frame frame;
    int have = 1;
    frame_reader_init(&reader);
    require(frame_reader_feed(&reader, data, size, NULL) == PF_OK);
    while (have && frame_reader_next(&reader, &frame, &have, NULL) == PF_OK && have) {
        struct message message;
        struct pf_error err = PF_ERROR_INIT;
        if (message_parse(&message, &frame, &err) == PF_OK) {
            check(&message, &frame);
            message_finish(&message);
        } else {
            require(err.status == PF_CORRUPT && err.message[0]);
        }
    }
    frame_reader_finish(&reader);
    return 0;
}
