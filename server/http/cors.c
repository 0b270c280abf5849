/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/cors.h"

#include <string.h>
#include <strings.h>

#include "server/http/request_impl.h"

static const char exposed_headers[] = "ETag, Idempotent-Replayed, Location, Preference-Applied, "
                                      "Retry-After, Server-Timing, X-Request-Id";
static const char request_headers[] = "Accept, Authorization, Content-Type, Idempotency-Key, "
                                      "Last-Event-ID, Prefer, X-Request-Id, traceparent";

int cors_is_same_host(const char *origin, const char *host)
{
    static const struct {
        const char *scheme, *port;
    } schemes[] = {{"http://", ":80"}, {"https://", ":443"}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i].scheme);
        if (strncasecmp(origin, schemes[i].scheme, size) != 0)
            continue;
        const char *own = origin + size;
        size_t own_size = strlen(own), host_size = strlen(host),
               port_size = strlen(schemes[i].port);
        if (host_size > port_size && strcmp(host + host_size - port_size, schemes[i].port) == 0)
            host_size -= port_size;
        return own_size == host_size && strncasecmp(own, host, host_size) == 0;
    }
    return 0;
}

/* origin may be NULL. */
static int is_listed(struct tuned *tuned, const char *origin, int *ret_has_any)
{
    int is_found = 0;
    pthread_rwlock_rdlock(&tuned->cors_lock);
    for (size_t i = 0; origin && i < tuned->cors_origin_count && !is_found; i++)
        is_found = strcmp(tuned->cors_origins[i], origin) == 0;
    *ret_has_any = tuned->cors_origin_count > 0;
    pthread_rwlock_unlock(&tuned->cors_lock);
    return is_found;
}

static void answer_preflight(struct http_request *request)
{
    http_add_header(request, "Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE");
    http_add_header(request, "Access-Control-Allow-Headers", request_headers);
    http_add_header(request, "Access-Control-Max-Age", "600");
    http_respond_empty(request, 204);
}

void cors_check(struct http_request *request)
{
    const char *origin = http_header(request, "Origin");
    const char *host = http_header(request, "Host");
    int is_options = strcmp(request->method, "OPTIONS") == 0;
    int has_any;
    int is_allowed = is_listed(&request->server->tuned, origin, &has_any);
    if (has_any)
        http_add_header(request, "Vary", "Origin");
    if (!origin)
        return;
    if (is_allowed) {
        http_add_header(request, "Access-Control-Allow-Origin", origin);
        http_add_header(request, "Access-Control-Expose-Headers", exposed_headers);
        if (is_options && http_header(request, "Access-Control-Request-Method"))
            answer_preflight(request);
        return;
    }
    int is_safe =
        is_options || strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    if (!is_safe && !(host && cors_is_same_host(origin, host)))
        http_fail(request, PROBLEM_FORBIDDEN, NULL,
            "pages of %.100s may not use this server (cors_origins)", origin);
}
