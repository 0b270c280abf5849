/* SPDX-License-Identifier: Apache-2.0 */
/* GET /health/live and /health/ready. Live: the process answers. Ready: it can do work now, or says
 * why not; loading passes by itself, broken doesn't. */
#include <string.h>

#include "base/buffer.h"
#include "server/api/handlers.h"

void handle_live(struct http_request *request, void *context)
{
    (void)context;
    http_add_header(request, "Cache-Control", "no-store");
    http_respond_text(request, 200, "application/json", "{\"status\":\"ok\"}");
}

static void put_workers(struct buffer *out, struct api *api)
{
    struct worker_stats stats[WORKERS_MAX];
    size_t count = workers_get_stats(api->workers, stats, WORKERS_MAX);
    buffer_put_text(out, ",\"workers\":[");
    for (size_t i = 0; i < count && i < WORKERS_MAX; i++) {
        buffer_put_format(out, "%s{\"device\":", i ? "," : "");
        buffer_put_json_string(out, stats[i].device, strlen(stats[i].device));
        buffer_put_format(out, ",\"state\":\"%s\",\"running\":%lld,\"restarts\":%lld}",
            worker_state_name(stats[i].state), (long long)stats[i].in_flight,
            (long long)stats[i].restarts);
    }
    buffer_put_text(out, "]");
}

void handle_ready(struct http_request *request, void *context)
{
    static const char *const names[] = {
        [WORKERS_LOADING] = "loading",
        [WORKERS_READY] = "ready",
        [WORKERS_ALL_BROKEN] = "broken",
        [WORKERS_DRAINED] = "draining",
    };
    struct api *api = context;
    char message[PF_ERROR_MESSAGE_MAX] = "";
    enum workers_readiness readiness = workers_get_readiness(api->workers, message);
    if (atomic_load(&api->draining))
        readiness = WORKERS_DRAINED;
    struct buffer body = BUFFER_INIT;
    buffer_put_format(&body, "{\"status\":\"%s\",\"message\":", names[readiness]);
    buffer_put_json_string(&body, message, strlen(message));
    put_workers(&body, api);
    buffer_put_text(&body, "}");
    http_add_header(request, "Cache-Control", "no-store");
    if (readiness != WORKERS_READY)
        http_add_header(request, "Retry-After", "5");
    http_respond_buffer(request, readiness == WORKERS_READY ? 200 : 503, "application/json", &body);
}
