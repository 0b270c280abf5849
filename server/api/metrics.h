/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_METRICS_H
#define SERVER_API_METRICS_H

/* What is counted of HTTP requests: by route, status and duration. Locking: every member is atomic.
 */

#include <stdatomic.h>
#include <stdint.h>

#include "server/http/server.h"

enum {
    METRICS_ROUTES_MAX = 48, /* and one more for requests that matched none */
    METRICS_STATUS_MIN = 200,
    METRICS_STATUS_COUNT = 400,
    METRICS_BUCKETS = 10,
};

struct metrics {
    atomic_llong requests[METRICS_ROUTES_MAX + 1][METRICS_STATUS_COUNT];
    atomic_llong buckets[METRICS_ROUTES_MAX + 1][METRICS_BUCKETS + 1];
    atomic_llong duration_us[METRICS_ROUTES_MAX + 1];
};

/* The server's `finished` callback; context is the struct api. */
void metrics_count_request(const struct http_summary *summary, void *context);

#endif
