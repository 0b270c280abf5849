/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_HTTP_LOAD_H
#define BENCH_HTTP_LOAD_H

/* A load generator: keep-alive connections on one thread, each sends its request again as soon as
 * the answer is there. */

#include <stddef.h>
#include <stdint.h>

struct http_load {
    unsigned port; /* on 127.0.0.1 */
    const char *request;
    size_t request_size;
    size_t connections;
    int64_t duration_ms;
};

struct http_load_result {
    int64_t answers, errors; /* errors: other statuses than 2xx, lost connections */
    double per_second;
    double p50_ms, p99_ms;
};

/* Dies with a message when the server can't be reached. */
struct http_load_result http_load_run(const struct http_load *load);

/* Connects; dies when it can't. */
int http_load_connect(unsigned port);

/* One request on a connection of its own; returns its status, 0 when the connection was lost.
 * `answer` gets the body (NUL-terminated, cut to `capacity`). */
int http_load_ask(
    unsigned port, const char *request, size_t request_size, char *answer, size_t capacity);

#endif
