/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_LATE_BODY_H
#define SERVER_HTTP_LATE_BODY_H

/* An answer 200 that begins before its body is known, for clients and proxies that give up on a
 * silent connection: until the body is there they get a space at every ping, which JSON allows in
 * front of a value. */

#include "server/http/request.h"

struct http_late_body {
    void *state;
    /* Whether put() can be called; asked on the HTTP thread, after each wake: must not block. */
    int (*is_ready)(void *state);
    /* Appends the body; called once, on a thread that may block. 0: it failed. What was appended
     * then says why: it is sent, and the connection cut before the body's end is marked, so that no
     * client takes it for the answer. Without memory for it the connection is cut as well. */
    int (*put)(void *state, struct buffer *out);
    void (*close)(void *state); /* exactly once, from any thread */
};

/* Pause after which an idle answer should give a sign of life; INT64_MAX for a client of HTTP/1.0,
 * which can't tell a body that was cut from a whole one: it gets no late body. */
int64_t http_ping_ms(const struct http_request *request);

/* Answers. The body is closed also on failure (out of memory). */
void http_respond_late(
    struct http_request *request, const char *content_type, const struct http_late_body *body);

#endif
