/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_HTTP_STREAMS_H
#define BENCH_HTTP_STREAMS_H

/* Many event streams of one job: how late each step is at each of them. */

#include <stddef.h>
#include <stdint.h>

enum { HTTP_STREAMS_MAX = 1000, HTTP_STREAMS_STEPS = 30, HTTP_STREAMS_STEP_MS = 100 };

struct http_streams_result {
    int64_t deliveries;    /* that were timed: those of the steps' second half */
    double p50_ms, p99_ms; /* from the worker's sending to the client's having it */
    int64_t opened_kib;    /* the server's resident memory more than before, all streams open */
    size_t unfinished;     /* streams that didn't get all steps */
};

/* `id` is a job of HTTP_STREAMS_STEPS steps of HTTP_STREAMS_STEP_MS whose worker writes into each
 * step's sigma when it was sent, in ms of the monotonic clock (the fake worker's `sent-at`). It has
 * just been submitted. `pid` is the server. */
struct http_streams_result http_streams_run(unsigned port, int pid, const char *id, size_t streams);

/* Resident memory of a process. */
int64_t http_streams_resident_kib(int pid);

#endif
