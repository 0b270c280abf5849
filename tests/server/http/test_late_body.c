/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that begin before their body is known, and tuning a server that runs. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/test.h"

#include "base/clock.h"
#include "server/http/late_body.h"
#include "server/http/server.h"
#include "tests/server/http/client.h"

enum { DEADLINE_MS = 20000, LARGE = 300000 };

#define HOST "Host: x\r\n"

static struct {
    atomic_int is_ready, fails, puts, closes;
    _Atomic(struct http_waker *) waker;
} late;

static int is_ready(void *state)
{
    (void)state;
    return atomic_load(&late.is_ready);
}

static int put(void *state, struct buffer *out)
{
    (void)state;
    atomic_fetch_add(&late.puts, 1);
    if (atomic_load(&late.fails) || !atomic_load(&late.is_ready)) {
        buffer_put_text(out, "{\"error\":\"why\"}");
        return 0;
    }
    memset(buffer_reserve(out, LARGE), 'x', LARGE);
    out->size += LARGE;
    buffer_put_text(out, "END");
    return 1;
}

static void close_late(void *state)
{
    (void)state;
    http_waker_unref(atomic_exchange(&late.waker, NULL));
    atomic_fetch_add(&late.closes, 1);
}

static void handle_late(struct http_request *request, void *context)
{
    (void)context;
    assert_true(http_ping_ms(request) > 0);
    atomic_store(&late.waker, http_waker_create(request));
    http_respond_late(request, "application/json",
        &(struct http_late_body){.is_ready = is_ready, .put = put, .close = close_late});
}

static void handle_form(struct http_request *request, void *context)
{
    (void)context;
    http_respond_text(request, 200, "text/plain", http_ping_ms(request) == INT64_MAX ? "1.0" : "");
}

static const struct http_route routes[] = {
    {"GET", "/late", "late", ROUTE_BODY_NONE, 0, handle_late},
    {"POST", "/form", "form", ROUTE_BODY_FORM, 0, handle_form},
};

static struct http_server *start(struct http_tuning *ret_tuning)
{
    struct pf_error err = PF_ERROR_INIT;
    struct http_server *server;
    struct http_server_options options;
    http_server_options_init(&options);
    options.port = 0;
    options.routes = routes;
    options.route_count = sizeof routes / sizeof *routes;
    options.tuning.ping_ms = 50;
    assert_ok(http_server_start(&server, &options, &err), &err);
    *ret_tuning = options.tuning;
    late.is_ready = late.fails = late.puts = late.closes = 0;
    return server;
}

static void assert_closed(int count)
{
    int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;
    while (atomic_load(&late.closes) < count && clock_monotonic_ms() < until_ms)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    assert_int_equal(atomic_load(&late.closes), count);
}

/* Opens one and waits until two pings have come. */
static void open_late(struct client *client, struct http_server *server)
{
    client_open(client, http_server_address(server));
    client_send(client, "GET /late HTTP/1.1\r\n" HOST "\r\n");
    assert_true(client_wait(client, "1\r\n \r\n1\r\n \r\n", DEADLINE_MS));
    assert_int_equal(client_status(client), 200);
    assert_non_null(strstr(client->data, "Content-Type: application/json"));
}

static void test_whole(void **state)
{
    (void)state;
    struct http_tuning tuning;
    struct http_server *server = start(&tuning);
    struct client client;
    open_late(&client, server);
    assert_int_equal(atomic_load(&late.puts), 0);
    atomic_store(&late.is_ready, 1);
    http_waker_wake(atomic_load(&late.waker));
    assert_true(client_wait(&client, "END\r\n0\r\n\r\n", DEADLINE_MS));
    assert_true(client.size > LARGE);
    assert_closed(1);
    assert_int_equal(atomic_load(&late.puts), 1);
    client_close(&client);
    http_server_stop(server);
}

static void test_failure_cuts(void **state)
{
    (void)state;
    struct http_tuning tuning;
    struct http_server *server = start(&tuning);
    struct client client;
    open_late(&client, server);
    atomic_store(&late.fails, 1);
    atomic_store(&late.is_ready, 1);
    http_waker_wake(atomic_load(&late.waker));
    assert_true(client_wait_end(&client, DEADLINE_MS));
    assert_non_null(strstr(client.data, "{\"error\":\"why\"}"));
    assert_null(strstr(client.data, "\r\n0\r\n"));
    assert_closed(1);
    client_close(&client);
    http_server_stop(server);
}

static void test_leaving_and_stopping(void **state)
{
    (void)state;
    struct http_tuning tuning;
    struct http_server *server = start(&tuning);
    struct client client;
    open_late(&client, server);
    client_close(&client);
    assert_closed(1);
    assert_int_equal(atomic_load(&late.puts), 0);
    open_late(&client, server);
    http_server_stop(server); /* waits for it: it is told, and fails */
    assert_closed(2);
    assert_int_equal(atomic_load(&late.puts), 1);
    assert_true(client_wait_end(&client, DEADLINE_MS));
    assert_null(strstr(client.data, "\r\n0\r\n"));
    client_close(&client);
}

static const char small_form[] =
    "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B--\r\n";

static int post(
    struct http_server *server, const char *version, const char *headers, char **ret_data)
{
    char text[600];
    struct client client;
    snprintf(text, sizeof text,
        "POST /form HTTP/%s\r\n" HOST "%sConnection: close\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: %zu\r\n\r\n%s",
        version, headers, sizeof small_form - 1, small_form);
    client_open(&client, http_server_address(server));
    client_send(&client, text);
    assert_true(client_wait_end(&client, DEADLINE_MS));
    int status = client_status(&client);
    if (ret_data)
        *ret_data = strdup(client.data);
    client_close(&client);
    return status;
}

static void test_tuning(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct http_tuning tuning;
    struct http_server *server = start(&tuning);
    const char *origins[] = {"https://a.example", "https://b.example"};
    char *data = NULL;
    assert_int_equal(post(server, "1.1", "Origin: https://b.example\r\n", NULL), 403);
    assert_int_equal(post(server, "1.1", "", NULL), 200);
    assert_int_equal(post(server, "1.0", "", &data), 200);
    assert_non_null(strstr(data, "\r\n\r\n1.0")); /* such a client gets no late body */
    free(data);
    tuning.cors_origins = origins;
    tuning.cors_origin_count = 2;
    assert_ok(http_server_tune(server, &tuning, &err), &err);
    origins[1] = "https://c.example"; /* it has copies */
    assert_int_equal(post(server, "1.1", "Origin: https://b.example\r\n", &data), 200);
    assert_non_null(strstr(data, "Access-Control-Allow-Origin: https://b.example\r\n"));
    free(data);
    tuning.cors_origin_count = 0;
    tuning.max_body_bytes = 8;
    assert_ok(http_server_tune(server, &tuning, &err), &err);
    assert_int_equal(post(server, "1.1", "Origin: https://b.example\r\n", NULL), 403);
    assert_int_equal(post(server, "1.1", "", NULL), 413);
    http_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_failure_cuts),
        cmocka_unit_test(test_leaving_and_stopping),
        cmocka_unit_test(test_tuning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
