/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_SSE_H
#define SERVER_HTTP_SSE_H

/* Server-sent events (the WHATWG HTML standard §9.2) over a pulled source. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* Pointers are the source's and hold until its next call. */
struct sse_event {
    int64_t id;       /* 0: no id line */
    const char *name; /* NULL: no event line */
    const char *data; /* any text; one data line for each of its lines */
    size_t data_size;
};

enum sse_result {
    SSE_EVENT,   /* *ret_event is filled */
    SSE_PENDING, /* nothing yet: the source wakes the request's waker (http_waker_create()) */
    SSE_END,     /* the stream is over */
};

/* Pulled on the HTTP thread only when the client has taken what came before: a slow reader costs
 * its source nothing. Must not block. */
struct sse_source {
    void *state;
    enum sse_result (*next)(void *state, struct sse_event *ret_event);
    void (*close)(void *state);
};

/* Writes one event in wire form. */
void sse_put_event(struct buffer *out, const struct sse_event *event);

/* Parses a Last-Event-ID header: NULL or "" is 0. PF_INVALID: no whole number from 0. */
PF_MUST_CHECK enum pf_status sse_parse_last_id(
    const char *text, int64_t *ret_id, struct pf_error *err);

#endif
