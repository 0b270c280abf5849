/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that can be refused by the headers is refused before a byte of the body is looked at.
 * A client that asked "Expect: 100-continue" then hears so at once; of others the body is read and
 * dropped first, because closing on a client that still sends can cost it the answer. */
#include "server/http/cors.h"
#include "server/http/request_impl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct framing {
    int length_count, encoding_count;
    const char *length, *encoding;
};

static enum MHD_Result count_framing(
    void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct framing *framing = context;
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        framing->length_count++;
        framing->length = value;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        framing->encoding_count++;
        framing->encoding = value;
    }
    return MHD_YES;
}

/* Where one proxy sees another body than we do, a request can be smuggled (RFC 9112 §11.2): only
 * unmistakable framing is taken. *ret_size is SIZE_MAX for a chunked body. */
static enum pf_status check_framing(
    struct http_request *request, const char *version, size_t *ret_size, struct pf_error *err)
{
    struct framing framing = {0};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_framing, &framing);
    if (framing.length_count > 1)
        return pf_fail(err, PF_INVALID, "Content-Length is given %d times", framing.length_count);
    if (framing.encoding_count > 0 && framing.length_count > 0)
        return pf_fail(err, PF_INVALID, "both Content-Length and Transfer-Encoding are given");
    if (framing.encoding_count > 1 ||
        (framing.encoding && strcasecmp(framing.encoding, "chunked") != 0))
        return pf_fail(err, PF_INVALID, "Transfer-Encoding is '%.40s', only chunked is taken",
            framing.encoding);
    if (framing.encoding && strcmp(version, MHD_HTTP_VERSION_1_1) != 0)
        return pf_fail(err, PF_INVALID, "Transfer-Encoding in a request of %.10s", version);
    if (framing.length &&
        (!*framing.length || framing.length[strspn(framing.length, "0123456789")]))
        return pf_fail(err, PF_INVALID, "Content-Length is '%.40s'", framing.length);
    *ret_size = framing.encoding ? SIZE_MAX
                : framing.length ? (size_t)strtoull(framing.length, NULL, 10)
                                 : 0;
    return PF_OK;
}

/* A client's own id is kept when it is plain; else ours stands. */
static void take_request_id(struct http_request *request)
{
    const char *id = http_header(request, "X-Request-Id");
    size_t size = id ? strlen(id) : 0;
    if (size == 0 || size > HTTP_REQUEST_ID_MAX ||
        size != strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"))
        return;
    memcpy(request->id, id, size + 1);
}

static size_t body_limit(const struct http_request *request)
{
    return atomic_load(&request->server->tuned.max_body_bytes);
}

static void fail_too_large(struct http_request *request)
{
    http_fail(
        request, PROBLEM_TOO_LARGE, NULL, "the body is larger than %zu bytes", body_limit(request));
}

static void check_limits(struct http_request *request)
{
    if (peer_get_verdict(request->peer) == PEER_TOO_MANY) {
        http_add_header(request, MHD_HTTP_HEADER_RETRY_AFTER, "5");
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "too many connections are open");
    } else if (peer_get_verdict(request->peer) == PEER_TOO_MANY_OF_ADDRESS) {
        http_add_header(request, MHD_HTTP_HEADER_RETRY_AFTER, "5");
        http_fail(request, PROBLEM_RATE_LIMITED, NULL, "too many connections are open from %s",
            peer_get_address(request->peer));
    } else if (atomic_load(&request->server->stopping)) {
        http_add_header(request, MHD_HTTP_HEADER_RETRY_AFTER, "5");
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "the server is stopping");
    } else {
        return;
    }
    request->must_close = 1;
}

static void find_route(struct http_request *request)
{
    struct pf_error err = PF_ERROR_INIT;
    const struct http_server_options *options = &request->server->options;
    if (request->target[0] != '/') {
        http_fail(request, PROBLEM_INVALID, NULL, "the request target is not a path");
        return;
    }
    if (router_find(options->routes, options->route_count, request->method, request->target,
            &request->match, &err) != PF_OK ||
        query_parse(&request->query, request->query_text, strlen(request->query_text), &err) !=
            PF_OK) {
        http_fail_error(request, NULL, &err);
        return;
    }
    if (request->match.route)
        return;
    if (!request->match.path_known) {
        http_fail(request, PROBLEM_NOT_FOUND, NULL, "there is no %.200s here", request->target);
        return;
    }
    http_add_header(request, MHD_HTTP_HEADER_ALLOW, request->match.allow);
    if (strcmp(request->method, "OPTIONS") == 0)
        http_respond_empty(request, MHD_HTTP_NO_CONTENT);
    else
        http_fail(request, PROBLEM_METHOD, NULL, "%s is not among the methods here: %s",
            request->method, request->match.allow);
}

static void open_body(struct http_request *request, size_t size)
{
    struct tuned *tuned = &request->server->tuned;
    const char *type = http_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
    struct pf_error err = PF_ERROR_INIT;
    switch (request->match.route->body) {
    case ROUTE_BODY_NONE:
        if (size > 0)
            http_fail(request, PROBLEM_INVALID, NULL, "this operation takes no body");
        return;
    case ROUTE_BODY_FORM:
        if (multipart_create(&request->form, type ? type : "",
                &(struct multipart_limits){
                    .max_parts = request->match.route->attributes & ROUTE_MANY_PARTS
                                     ? HTTP_MANY_PARTS_MAX
                                     : atomic_load(&tuned->max_parts),
                    .max_text_bytes = atomic_load(&tuned->max_field_bytes),
                    .max_file_bytes = atomic_load(&tuned->max_body_bytes)},
                &err) != PF_OK)
            http_fail_error(request, NULL, &err);
        return;
    }
}

/* Each check answers or leaves the request to the next. */
static void check_request(struct http_request *request, size_t size)
{
    const char *expect = http_header(request, MHD_HTTP_HEADER_EXPECT);
    if (request->status == 0)
        check_limits(request);
    if (request->status == 0)
        cors_check(request);
    if (request->status == 0)
        find_route(request);
    if (request->status == 0 && request->server->options.authorize)
        request->server->options.authorize(request, request->server->options.context);
    if (request->status == 0 && expect && strcasecmp(expect, "100-continue") != 0)
        http_fail(request, PROBLEM_EXPECTATION, NULL, "Expect is '%.40s', only 100-continue is met",
            expect);
    if (request->status == 0 && size != SIZE_MAX && size > body_limit(request))
        fail_too_large(request);
    if (request->status == 0)
        open_body(request, size);
}

int request_begin(struct http_request *request, const char *method, const char *version)
{
    struct pf_error err = PF_ERROR_INIT;
    size_t size = 0;
    size_t method_size = strlen(method);
    take_request_id(request);
    (void)trace_read(http_header(request, "traceparent"), request->trace); /* or goes without */
    if (method_size >= sizeof request->method)
        method_size = sizeof request->method - 1; /* no route has so long a one */
    memcpy(request->method, method, method_size);
    request->is_chunkable = strcmp(version, MHD_HTTP_VERSION_1_1) == 0;

    if (check_framing(request, version, &size, &err) != PF_OK) {
        http_fail_error(request, NULL, &err);
        request->must_close = 1;
        return 1;
    }
    check_request(request, size);
    if (request->status == 0)
        return 0;
    int is_waiting = http_header(request, MHD_HTTP_HEADER_EXPECT) != NULL;
    size_t worth_reading = body_limit(request) * HTTP_DRAIN_FACTOR;
    int must_not_read = size > 0 && (is_waiting || (size != SIZE_MAX && size > worth_reading));
    request->must_close |= must_not_read;
    return must_not_read;
}

static int account(struct http_request *request, size_t count)
{
    struct http_server *server = request->server;
    size_t before = atomic_fetch_add(&server->buffered_bytes, count);
    request->accounted += count;
    if (before + count <= atomic_load(&server->tuned.max_buffered_bytes))
        return 1;
    http_add_header(request, MHD_HTTP_HEADER_RETRY_AFTER, "2");
    http_fail(request, PROBLEM_UNAVAILABLE, NULL, "too many bodies are being received");
    return 0;
}

void request_take_body(struct http_request *request, const char *bytes, size_t count)
{
    struct pf_error err = PF_ERROR_INIT;
    request->received += count;
    if (request->status != 0)
        return;
    if (request->received > body_limit(request)) {
        fail_too_large(request);
    } else if (account(request, count)) {
        const char *field = NULL;
        if (request->form) {
            if (multipart_feed(request->form, bytes, count, &err) != PF_OK)
                field = multipart_failed_field(request->form);
        } else {
            http_fail(request, PROBLEM_INVALID, NULL, "this operation takes no body");
        }
        if (err.status != PF_OK)
            http_fail_error(request, field && *field ? field : NULL, &err);
    }
    if (request->status != 0)
        request_drop_body(request);
}

void request_end_body(struct http_request *request)
{
    struct pf_error err = PF_ERROR_INIT;
    if (request->status != 0 || !request->form)
        return;
    if (multipart_end(request->form, &err) != PF_OK) {
        const char *field = multipart_failed_field(request->form);
        http_fail_error(request, *field ? field : NULL, &err);
        request_drop_body(request);
    }
}
