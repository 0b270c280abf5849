/* SPDX-License-Identifier: Apache-2.0 */
/* The server over real sockets, with handlers of its own: framing, limits, deadlines, streams that
 * sleep, deferrals, and its end under all of them. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/clock.h"
#include "server/http/log.h"
#include "server/http/server.h"
#include "server/http/sse.h"
#include "tests/server/http/client.h"

enum { BODY_MAX = 65536, DEADLINE_MS = 10000 };

/* ---- handlers ---- */

static atomic_int closed_sources, closed_deferrals;

static void handle_echo(struct http_request *request, void *context)
{
    (void)context;
    struct buffer out = BUFFER_INIT;
    const struct multipart *form = http_form(request);
    for (size_t i = 0; i < multipart_count(form); i++) {
        const struct multipart_part *part = multipart_get(form, i);
        buffer_put_format(&out, "%s=%zu;", part->name, part->data.size);
    }
    http_respond_buffer(request, 200, "text/plain", &out);
}

static void handle_item(struct http_request *request, void *context)
{
    (void)context;
    char text[256];
    snprintf(text, sizeof text, "id %s q %s", http_path_param(request, "id"),
        http_query(request, "q") ? http_query(request, "q") : "-");
    http_respond_text(request, 200, "text/plain", text);
}

static void handle_silent(struct http_request *request, void *context)
{
    (void)request;
    (void)context;
}

/* A source that counts to `last`, woken by test_tell(); -1: waits for ever. */
struct counter {
    struct http_waker *waker;
    atomic_int available;
    int sent;
    char data[32];
};
static pthread_mutex_t counter_lock = PTHREAD_MUTEX_INITIALIZER;
static struct counter *counter; /* the latest */

static enum sse_result count_next(void *state, struct sse_event *ret_event)
{
    struct counter *self = state;
    int available = atomic_load(&self->available);
    if (available < 0)
        return SSE_END;
    if (self->sent >= available)
        return SSE_PENDING;
    self->sent++;
    int size = snprintf(self->data, sizeof self->data, "{\"n\":%d}", self->sent);
    *ret_event = (struct sse_event){
        .id = self->sent, .name = "count", .data = self->data, .data_size = (size_t)size};
    return SSE_EVENT;
}

static void count_close(void *state)
{
    struct counter *self = state;
    pthread_mutex_lock(&counter_lock);
    if (counter == self)
        counter = NULL;
    pthread_mutex_unlock(&counter_lock);
    http_waker_unref(self->waker);
    free(self);
    atomic_fetch_add(&closed_sources, 1);
}

static void handle_stream(struct http_request *request, void *context)
{
    (void)context;
    struct counter *self = calloc(1, sizeof *self);
    self->waker = http_waker_create(request);
    atomic_store(&self->available, 1);
    pthread_mutex_lock(&counter_lock);
    counter = self;
    pthread_mutex_unlock(&counter_lock);
    http_stream(
        request, &(struct sse_source){.state = self, .next = count_next, .close = count_close});
}

/* Makes `available` events there are; 0 when no stream is open. */
static int tell(int available)
{
    pthread_mutex_lock(&counter_lock);
    int is_open = counter != NULL;
    if (is_open) {
        atomic_store(&counter->available, available);
        http_waker_wake(counter->waker);
    }
    pthread_mutex_unlock(&counter_lock);
    return is_open;
}

static atomic_int deferral_ready;
static struct http_waker *_Atomic deferral_waker;

static int is_ready(void *state)
{
    (void)state;
    return atomic_load(&deferral_ready);
}

static void answer_deferred(struct http_request *request, void *state)
{
    (void)state;
    http_respond_text(
        request, 200, "text/plain", atomic_load(&deferral_ready) ? "ready" : "time is over");
}

static void close_deferred(void *state)
{
    http_waker_unref(state);
    atomic_fetch_add(&closed_deferrals, 1);
}

static void handle_wait(struct http_request *request, void *context)
{
    (void)context;
    struct http_waker *waker = http_waker_create(request);
    const char *ms = http_query(request, "ms");
    atomic_store(&deferral_waker, waker);
    http_defer(request, &(struct http_deferral){.state = waker,
                            .is_ready = is_ready,
                            .answer = answer_deferred,
                            .close = close_deferred,
                            .until_ms = clock_monotonic_ms() + (ms ? atoi(ms) : 60000)});
}

static void handle_file(struct http_request *request, void *context)
{
    (void)context;
    FILE *file = tmpfile();
    fputs("file content", file);
    fflush(file);
    http_respond_file(request, "text/plain", dup(fileno(file)), 12, "tag");
    fclose(file);
}

static const struct http_route routes[] = {
    {"POST", "/echo", "echo", ROUTE_BODY_FORM, 0, handle_echo},
    {"GET", "/items/{id}", "item", ROUTE_BODY_NONE, 0, handle_item},
    {"GET", "/inline/{id}", "inline", ROUTE_BODY_NONE, ROUTE_INLINE, handle_item},
    {"GET", "/silent", "silent", ROUTE_BODY_NONE, 0, handle_silent},
    {"GET", "/stream", "stream", ROUTE_BODY_NONE, 0, handle_stream},
    {"GET", "/wait", "wait", ROUTE_BODY_NONE, 0, handle_wait},
    {"GET", "/wait-inline", "wait", ROUTE_BODY_NONE, ROUTE_INLINE, handle_wait},
    {"GET", "/file", "file", ROUTE_BODY_NONE, 0, handle_file},
};

/* ---- fixture ---- */

static struct http_server *start(void (*change)(struct http_server_options *options))
{
    struct pf_error err = PF_ERROR_INIT;
    struct http_server *server;
    struct http_server_options options;
    http_server_options_init(&options);
    options.port = 0;
    options.routes = routes;
    options.route_count = sizeof routes / sizeof *routes;
    options.tuning.max_body_bytes = BODY_MAX;
    if (change)
        change(&options);
    assert_ok(http_server_start(&server, &options, &err), &err);
    atomic_store(&deferral_ready, 0);
    return server;
}

/* Polls a condition until DEADLINE_MS. */
#define assert_becomes(condition)                                                                  \
    do {                                                                                           \
        int64_t until_ = clock_monotonic_ms() + DEADLINE_MS;                                       \
        while (!(condition) && clock_monotonic_ms() < until_)                                      \
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);                               \
        assert_true(condition);                                                                    \
    } while (0)

static int ask(struct http_server *server, const char *request)
{
    struct client client;
    int status = client_ask(&client, http_server_address(server), request);
    client_close(&client);
    return status;
}

#define HOST "Host: x\r\n"

/* ---- tests ---- */

static void test_basics(void **state)
{
    (void)state;
    struct http_server *server = start(NULL);
    const char *address = http_server_address(server);
    struct client client;
    assert_int_equal(
        client_ask(&client, address, "GET /items/a%20b?q=1%2B1 HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_true(client_wait(&client, "id a b q 1+1", DEADLINE_MS));
    assert_non_null(strstr(client.data, "X-Request-Id: "));
    client_close(&client);

    /* A second request on the same connection; a request id is kept when it is plain. */
    client_open(&client, address);
    client_send(&client, "GET /inline/1 HTTP/1.1\r\n" HOST "X-Request-Id: my-1.a\r\n\r\n");
    assert_true(client_wait(&client, "id 1", DEADLINE_MS));
    assert_non_null(strstr(client.data, "X-Request-Id: my-1.a\r\n"));
    client_send(&client, "GET /inline/2 HTTP/1.1\r\n" HOST "X-Request-Id: <x>\r\n\r\n");
    assert_true(client_wait(&client, "id 2", DEADLINE_MS));
    assert_null(strstr(client.data, "<x>"));
    client_close(&client);

    assert_int_equal(ask(server, "GET /nothing HTTP/1.1\r\n" HOST "\r\n"), 404);
    assert_int_equal(ask(server, "GET /items/%zz HTTP/1.1\r\n" HOST "\r\n"), 400);
    assert_int_equal(ask(server, "GET /items/1?a=1&a=2 HTTP/1.1\r\n" HOST "\r\n"), 400);
    assert_int_equal(ask(server, "GET /silent HTTP/1.1\r\n" HOST "\r\n"), 500);
    assert_int_equal(ask(server, "GET items HTTP/1.1\r\n" HOST "\r\n"), 400);

    assert_int_equal(client_ask(&client, address, "PUT /echo HTTP/1.1\r\n" HOST "\r\n"), 405);
    assert_non_null(strstr(client.data, "Allow: POST, OPTIONS\r\n"));
    client_close(&client);
    assert_int_equal(client_ask(&client, address, "OPTIONS /echo HTTP/1.1\r\n" HOST "\r\n"), 204);
    assert_non_null(strstr(client.data, "Allow: POST, OPTIONS\r\n"));
    client_close(&client);
    assert_int_equal(
        client_ask(&client, address, "HEAD /items/1 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"),
        200);
    assert_true(client_wait_end(&client, DEADLINE_MS));
    assert_null(strstr(client.data, "id 1"));
    client_close(&client);
    http_server_stop(server);
}

static void test_file(void **state)
{
    (void)state;
    struct http_server *server = start(NULL);
    struct client client;
    assert_int_equal(
        client_ask(&client, http_server_address(server), "GET /file HTTP/1.1\r\n" HOST "\r\n"),
        200);
    assert_true(client_wait(&client, "file content", DEADLINE_MS));
    assert_non_null(strstr(client.data, "ETag: \"tag\"\r\n"));
    client_close(&client);
    assert_int_equal(
        ask(server, "GET /file HTTP/1.1\r\n" HOST "If-None-Match: \"a\", \"tag\"\r\n\r\n"), 304);
    assert_int_equal(
        ask(server, "GET /file HTTP/1.1\r\n" HOST "If-None-Match: W/\"tag\"\r\n\r\n"), 304);
    assert_int_equal(
        ask(server, "GET /file HTTP/1.1\r\n" HOST "If-None-Match: \"x\"\r\n\r\n"), 200);
    http_server_stop(server);
}

#define FORM                                                                                       \
    "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n123\r\n"                             \
    "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n45\r\n--B--\r\n"
#define FORM_TYPE "Content-Type: multipart/form-data; boundary=B\r\n"

static int post(struct http_server *server, const char *headers, const char *content)
{
    char request[8192];
    snprintf(request, sizeof request, "POST /echo HTTP/1.1\r\n" HOST "%s\r\n%s", headers, content);
    return ask(server, request);
}

static void test_bodies(void **state)
{
    (void)state;
    struct http_server *server = start(NULL);
    char headers[256], chunked[2048];
    snprintf(headers, sizeof headers, FORM_TYPE "Content-Length: %zu\r\n", strlen(FORM));
    assert_int_equal(post(server, headers, FORM), 200);
    snprintf(chunked, sizeof chunked, "%zx\r\n" FORM "\r\n0\r\n\r\n", strlen(FORM));
    assert_int_equal(post(server, FORM_TYPE "Transfer-Encoding: chunked\r\n", chunked), 200);

    /* A body cut short by its own length. */
    snprintf(headers, sizeof headers, FORM_TYPE "Content-Length: %zu\r\n", strlen(FORM) - 6);
    assert_int_equal(post(server, headers, FORM), 400);
    assert_int_equal(post(server, FORM_TYPE "Content-Length: 0\r\n", ""), 400);
    assert_int_equal(post(server, FORM_TYPE, ""), 400);
    assert_int_equal(post(server, "Content-Type: text/plain\r\nContent-Length: 1\r\n", "x"), 415);
    assert_int_equal(post(server, "Content-Length: 1\r\n", "x"), 415);
    assert_int_equal(
        post(server, "Content-Type: multipart/form-data\r\nContent-Length: 1\r\n", "x"), 400);

    /* Framing that two parties could read in two ways. */
    static const char *const smuggled[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5 5\r\n",
    };
    for (size_t i = 0; i < sizeof smuggled / sizeof *smuggled; i++) {
        struct client client;
        char request[1024];
        snprintf(request, sizeof request,
            "POST /echo HTTP/1.1\r\n" HOST FORM_TYPE
            "%s\r\n0\r\n\r\nGET /items/smuggled HTTP/1.1\r\n" HOST "\r\n",
            smuggled[i]);
        client_open(&client, http_server_address(server));
        client_send(&client, request);
        assert_true(client_wait_end(&client, DEADLINE_MS));
        assert_int_equal(client_status(&client), 400);
        assert_null(strstr(client.data, "id smuggled"));
        client_close(&client);
    }
    assert_int_equal(
        ask(server, "GET /items/1 HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx"), 400);
    assert_int_equal(ask(server, "GET /items/1 HTTP/1.1\r\n" HOST
                                 "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
        400);
    http_server_stop(server);
}

static void test_too_large(void **state)
{
    (void)state;
    struct http_server *server = start(NULL);
    struct client client;
    char request[512];

    /* Asked for: refused before the body. */
    snprintf(request, sizeof request,
        "POST /echo HTTP/1.1\r\n" HOST FORM_TYPE
        "Content-Length: %d\r\nExpect: 100-continue\r\n\r\n",
        BODY_MAX + 1);
    assert_int_equal(client_ask(&client, http_server_address(server), request), 413);
    assert_true(client_wait_end(&client, DEADLINE_MS));
    client_close(&client);

    /* Not asked for: the body is read to its end, then refused. */
    size_t size = BODY_MAX * 2;
    char *bytes = calloc(1, size);
    snprintf(request, sizeof request,
        "POST /echo HTTP/1.1\r\n" HOST FORM_TYPE "Content-Length: %zu\r\n\r\n", size);
    client_open(&client, http_server_address(server));
    client_send(&client, request);
    client_send_bytes(&client, bytes, size);
    assert_true(client_wait(&client, "\r\n\r\n", DEADLINE_MS));
    assert_int_equal(client_status(&client), 413);
    /* The connection is still good. */
    client_send(&client, "GET /items/after HTTP/1.1\r\n" HOST "\r\n");
    assert_true(client_wait(&client, "id after", DEADLINE_MS));
    client_close(&client);

    /* The same in chunks, where the size shows only as it comes. */
    client_open(&client, http_server_address(server));
    client_send(
        &client, "POST /echo HTTP/1.1\r\n" HOST FORM_TYPE "Transfer-Encoding: chunked\r\n\r\n");
    snprintf(request, sizeof request, "%zx\r\n", size);
    client_send(&client, request);
    client_send(&client, "--B\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n");
    client_send_bytes(&client, bytes,
        size - strlen("--B\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n"));
    client_send(&client, "\r\n0\r\n\r\n");
    assert_true(client_wait(&client, "\r\n\r\n", DEADLINE_MS));
    assert_int_equal(client_status(&client), 413);
    client_close(&client);

    /* Far too large: not read at all. */
    assert_int_equal(
        ask(server, "POST /echo HTTP/1.1\r\n" HOST FORM_TYPE "Content-Length: 99999999999\r\n\r\n"),
        413);
    assert_int_equal(ask(server, "POST /echo HTTP/1.1\r\n" HOST FORM_TYPE
                                 "Content-Length: 5\r\nExpect: magic\r\n\r\n"),
        417);
    free(bytes);
    http_server_stop(server);
}

static void set_few_buffered(struct http_server_options *options)
{
    options->tuning.max_buffered_bytes = 100;
}

static void test_buffered_total(void **state)
{
    (void)state;
    struct http_server *server = start(set_few_buffered);
    struct client slow;
    char headers[256];
    /* One body that stays under way holds most of the room. */
    client_open(&slow, http_server_address(server));
    client_send(&slow, "POST /echo HTTP/1.1\r\n" HOST FORM_TYPE "Content-Length: 300\r\n\r\n--B\r\n"
                       "Content-Disposition: form-data; name=\"a\"; filename=\"abc\"\r\n\r\n1234");
    struct http_server_stats stats;
    assert_becomes((http_server_get_stats(server, &stats), stats.buffered_bytes > 60));
    snprintf(headers, sizeof headers, FORM_TYPE "Content-Length: %zu\r\n", strlen(FORM));
    assert_int_equal(post(server, headers, FORM), 503);
    client_close(&slow);
    assert_becomes((http_server_get_stats(server, &stats), stats.buffered_bytes == 0));
    http_server_stop(server);
}

static void set_short_deadline(struct http_server_options *options)
{
    options->tuning.request_deadline_ms = 300;
}

static void test_slow_drip(void **state)
{
    (void)state;
    struct http_server *server = start(set_short_deadline);
    static const char *const beginnings[] = {"", "GET /items",
        "GET /items/1 HTTP/1.1\r\nHost: x\r\nX-A",
        "POST /echo HTTP/1.1\r\n" HOST FORM_TYPE "Content-Length: 1000\r\n\r\n--B"};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        struct client client;
        client_open(&client, http_server_address(server));
        client_send(&client, beginnings[i]);
        int64_t start_ms = clock_monotonic_ms();
        int is_closed = 0;
        /* A byte every 20 ms is no reason to wait for ever. */
        while (!is_closed && clock_monotonic_ms() - start_ms < DEADLINE_MS) {
            if (*beginnings[i])
                client_send(&client, "a");
            is_closed = client_wait_end(&client, 20);
        }
        assert_true(is_closed);
        assert_true(clock_monotonic_ms() - start_ms >= 200);
        assert_int_equal(client_status(&client), 408);
        client_close(&client);
    }
    http_server_stop(server);
}

static void set_few_connections(struct http_server_options *options)
{
    options->max_connections = 3;
}

static void set_few_per_address(struct http_server_options *options)
{
    options->tuning.max_connections_per_address = 3;
}

static void test_connection_limits(void **state)
{
    (void)state;
    for (int each = 0; each < 2; each++) {
        struct http_server *server = start(each ? set_few_per_address : set_few_connections);
        struct client held[3], more;
        for (int i = 0; i < 3; i++)
            client_open(&held[i], http_server_address(server));
        struct http_server_stats stats;
        assert_becomes((http_server_get_stats(server, &stats), stats.connections == 3));
        assert_int_equal(
            client_ask(&more, http_server_address(server), "GET /items/1 HTTP/1.1\r\n" HOST "\r\n"),
            each ? 429 : 503);
        assert_non_null(strstr(more.data, "Retry-After: "));
        assert_true(client_wait_end(&more, DEADLINE_MS));
        client_close(&more);
        client_close(&held[0]);
        assert_becomes((http_server_get_stats(server, &stats), stats.connections == 2));
        assert_int_equal(ask(server, "GET /items/1 HTTP/1.1\r\n" HOST "\r\n"), 200);
        client_close(&held[1]);
        client_close(&held[2]);
        http_server_stop(server);
    }
}

static void set_quick_ping(struct http_server_options *options)
{
    options->tuning.ping_ms = 50;
}

static void test_stream(void **state)
{
    (void)state;
    struct http_server *server = start(set_quick_ping);
    struct client client;
    int closed_before = atomic_load(&closed_sources);
    assert_int_equal(
        client_ask(&client, http_server_address(server), "GET /stream HTTP/1.1\r\n" HOST "\r\n"),
        200);
    assert_non_null(strstr(client.data, "Content-Type: text/event-stream"));
    assert_non_null(strstr(client.data, "Cache-Control: no-cache, no-transform\r\n"));
    assert_non_null(strstr(client.data, "X-Accel-Buffering: no\r\n"));
    assert_true(client_wait(&client, "id: 1\nevent: count\ndata: {\"n\":1}\n\n", DEADLINE_MS));
    assert_true(client_wait(&client, ": ping\n\n", DEADLINE_MS));
    assert_true(tell(3));
    assert_true(client_wait(&client, "data: {\"n\":3}\n\n", DEADLINE_MS));
    /* Many wakes at once, from here while it runs there. */
    for (int i = 4; i <= 300; i++)
        assert_true(tell(i));
    assert_true(client_wait(&client, "data: {\"n\":300}\n\n", DEADLINE_MS));
    assert_true(tell(-1));
    assert_true(client_wait(&client, "\r\n0\r\n\r\n", DEADLINE_MS));
    assert_becomes(atomic_load(&closed_sources) == closed_before + 1);
    client_close(&client);

    /* HEAD gives the headers alone. */
    assert_int_equal(
        client_ask(&client, http_server_address(server), "HEAD /stream HTTP/1.1\r\n" HOST "\r\n"),
        200);
    assert_non_null(strstr(client.data, "text/event-stream"));
    assert_becomes(atomic_load(&closed_sources) == closed_before + 2);
    client_close(&client);
    http_server_stop(server);
}

/* Nobody tells a sleeping stream that its client left: the keeper finds out, long before a ping. */
static void test_disconnect(void **state)
{
    (void)state;
    struct http_server *server = start(NULL);
    int closed_before = atomic_load(&closed_sources);
    struct client client;
    struct http_server_stats stats;
    client_ask(&client, http_server_address(server), "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    assert_true(client_wait(&client, "{\"n\":1}", DEADLINE_MS));
    assert_becomes((http_server_get_stats(server, &stats), stats.asleep == 1));
    assert_int_equal(stats.streams, 1);
    client_close(&client);
    assert_becomes(atomic_load(&closed_sources) == closed_before + 1);
    assert_becomes((http_server_get_stats(server, &stats), stats.streams == 0));

    /* The same for one that waits for its answer. */
    int deferrals_before = atomic_load(&closed_deferrals);
    client_open(&client, http_server_address(server));
    client_send(&client, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    assert_becomes((http_server_get_stats(server, &stats), stats.asleep == 1));
    client_close(&client);
    assert_becomes(atomic_load(&closed_deferrals) == deferrals_before + 1);
    http_server_stop(server);
}

static void test_deferral(void **state)
{
    (void)state;
    struct http_server *server = start(NULL);
    struct client client;
    struct http_server_stats stats;
    static const char *const paths[] = {"/wait", "/wait-inline"};
    for (int i = 0; i < 2; i++) {
        char request[128];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "\r\n", paths[i]);
        client_open(&client, http_server_address(server));
        client_send(&client, request);
        assert_becomes((http_server_get_stats(server, &stats), stats.asleep == 1));
        /* A wake without reason changes nothing. */
        http_waker_wake(atomic_load(&deferral_waker));
        assert_false(client_wait(&client, "200", 50));
        atomic_store(&deferral_ready, 1);
        http_waker_wake(atomic_load(&deferral_waker));
        assert_true(client_wait(&client, "ready", DEADLINE_MS));
        client_close(&client);
        atomic_store(&deferral_ready, 0);

        int64_t start_ms = clock_monotonic_ms();
        snprintf(request, sizeof request, "GET %s?ms=200 HTTP/1.1\r\n" HOST "\r\n", paths[i]);
        assert_int_equal(client_ask(&client, http_server_address(server), request), 200);
        assert_true(client_wait(&client, "time is over", DEADLINE_MS));
        assert_true(clock_monotonic_ms() - start_ms >= 190);
        client_close(&client);
    }
    http_server_stop(server);
}

/* 0.9.75 aborts when it is stopped with a suspended connection. */
static void test_stop_with_sleepers(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct http_server *server = start(NULL);
        int closed_before = atomic_load(&closed_sources);
        enum { SLEEPERS = 20 };
        struct client streams[SLEEPERS], waits[SLEEPERS], idle;
        client_open(&idle, http_server_address(server));
        for (int i = 0; i < SLEEPERS; i++) {
            client_open(&streams[i], http_server_address(server));
            client_send(&streams[i], "GET /stream HTTP/1.1\r\n" HOST "\r\n");
            client_open(&waits[i], http_server_address(server));
            client_send(&waits[i], "GET /wait HTTP/1.1\r\n" HOST "\r\n");
        }
        struct http_server_stats stats;
        if (round > 0) /* the first round stops while they are still arriving */
            assert_becomes((http_server_get_stats(server, &stats), stats.asleep == 2 * SLEEPERS));
        http_server_stop(server);
        if (round > 0)
            assert_int_equal(atomic_load(&closed_sources), closed_before + SLEEPERS);
        for (int i = 0; i < SLEEPERS; i++) {
            assert_true(client_wait_end(&streams[i], DEADLINE_MS));
            assert_true(client_wait_end(&waits[i], DEADLINE_MS));
            if (round > 0)
                assert_non_null(strstr(waits[i].data, "time is over"));
            client_close(&streams[i]);
            client_close(&waits[i]);
        }
        client_close(&idle);
    }
}

/* Many streams with a storm of wakes, and clients that come and go. */
static void test_storm(void **state)
{
    (void)state;
    struct http_server *server = start(set_quick_ping);
    enum { CLIENTS = 100 };
    struct client clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], http_server_address(server));
        client_send(&clients[i], "GET /stream HTTP/1.1\r\n" HOST "\r\n");
        tell(2);
        if (i % 3 == 0)
            client_close(&clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        if (clients[i].fd < 0)
            continue;
        assert_true(client_wait(&clients[i], "{\"n\":1}", DEADLINE_MS));
        assert_true(client_wait(&clients[i], ": ping", DEADLINE_MS));
        client_close(&clients[i]);
    }
    struct http_server_stats stats;
    assert_becomes((http_server_get_stats(server, &stats), stats.streams == 0));
    http_server_stop(server);
}

static void test_listen(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct http_server *first = start(NULL), *second = NULL;
    struct http_server_options options;
    http_server_options_init(&options);
    options.port = (unsigned)atoi(strrchr(http_server_address(first), ':') + 1);
    assert_fails(http_server_start(&second, &options, &err), PF_IO, "in use", &err);
    options.host = "no.such.host.invalid";
    assert_fails(http_server_start(&second, &options, &err), PF_INVALID, "no.such.host", &err);
    options.host = "::1";
    options.port = 0;
    if (http_server_start(&second, &options, &err) == PF_OK) { /* where there is IPv6 */
        assert_memory_equal(http_server_address(second), "[::1]:", 6);
        http_server_stop(second);
    }
    http_server_stop(first);
}

int main(void)
{
    log_init(LOG_HUMAN, LOG_LEVEL_ERROR, 2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_basics),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_buffered_total),
        cmocka_unit_test(test_slow_drip),
        cmocka_unit_test(test_connection_limits),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_disconnect),
        cmocka_unit_test(test_deferral),
        cmocka_unit_test(test_stop_with_sleepers),
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
