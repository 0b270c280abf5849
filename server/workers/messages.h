/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_WORKERS_MESSAGES_H
#define SERVER_WORKERS_MESSAGES_H

/* What a worker's messages (base/protocol.h) mean, read strictly: a missing member, a wrong type or
 * a message out of turn is PF_CORRUPT, and the talk is over. */

#include <jansson.h>

#include "base/frame.h"
#include "server/jobs/jobs_work.h"

enum message_type {
    MESSAGE_HELLO,
    MESSAGE_READY,
    MESSAGE_BROKEN,
    MESSAGE_STARTED,
    MESSAGE_ENCODED,
    MESSAGE_STEP,
    MESSAGE_PREVIEW,
    MESSAGE_SUCCEEDED,
    MESSAGE_FAILED,
    MESSAGE_CANCELLED,
    MESSAGE_STATS,
};

enum { MESSAGE_DEVICE_SIZE = 64, MESSAGE_DTYPE_SIZE = 16 };

/* Texts point into `json` and live as long; bytes into the frame. */
struct message {
    enum message_type type;
    json_t *json;    /* owned */
    const char *job; /* started … cancelled */
    int64_t attempt;
    union {
        struct {
            int64_t protocol;
            const char *device, *version;
        } hello;
        struct {
            const char *device, *dtype;
            int64_t load_ms, max_runs;
            json_t *model; /* borrowed */
        } ready;
        struct {
            const char *code, *text;
        } broken;
        int64_t load_ms;   /* started */
        int64_t encode_ms; /* encoded */
        struct jobs_step step;
        struct jobs_preview preview;
        struct jobs_outcome outcome; /* succeeded, failed, cancelled */
        struct {
            int64_t rss_bytes, device_bytes, unet_calls, unet_rows;
        } stats;
    };
};

PF_MUST_CHECK enum pf_status message_parse(
    struct message *ret_message, const struct frame *frame, struct pf_error *err);
void message_finish(struct message *message);

/* Headers of what the server says. */
void message_put_run(struct buffer *out, const struct job *job);
void message_put_cancel(struct buffer *out, const char *job);

#endif
