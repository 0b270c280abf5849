/* SPDX-License-Identifier: Apache-2.0 */
/* While a handler runs nobody else may end its request: neither a waker it gave away, nor a client
 * that has left, nor both together. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "tests/test.h"

#include "base/clock.h"
#include "server/http/server.h"
#include "tests/server/http/client.h"

enum { DEADLINE_MS = 10000, ROUNDS = 50 };

#define HOST "Host: x\r\n"

static struct {
    atomic_int is_entered, may_leave;
    struct http_waker *_Atomic waker;
    atomic_int finished;
} held;

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Gives its waker away and works on until it is told to answer. */
static void handle_held(struct http_request *request, void *context)
{
    (void)context;
    atomic_store(&held.waker, http_waker_create(request));
    atomic_store(&held.is_entered, 1);
    int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;
    while (!atomic_load(&held.may_leave) && clock_monotonic_ms() < until_ms)
        nap();
    http_respond_text(request, 200, "text/plain", "held");
}

static void handle_plain(struct http_request *request, void *context)
{
    (void)context;
    http_respond_text(request, 200, "text/plain", "plain");
}

static const struct http_route routes[] = {
    {"GET", "/held", "held", ROUTE_BODY_NONE, 0, handle_held},
    {"GET", "/plain", "plain", ROUTE_BODY_NONE, ROUTE_INLINE, handle_plain},
};

static void count_finished(const struct http_summary *summary, void *context)
{
    (void)context;
    if (summary->route && strcmp(summary->route->pattern, "/held") == 0)
        atomic_fetch_add(&held.finished, 1);
}

static struct http_server *start(void)
{
    struct pf_error err = PF_ERROR_INIT;
    struct http_server *server;
    struct http_server_options options;
    http_server_options_init(&options);
    options.port = 0;
    options.routes = routes;
    options.route_count = sizeof routes / sizeof *routes;
    options.finished = count_finished;
    memset(&held, 0, sizeof held);
    assert_ok(http_server_start(&server, &options, &err), &err);
    return server;
}

static void await(atomic_int *flag)
{
    int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;
    while (!atomic_load(flag) && clock_monotonic_ms() < until_ms)
        nap();
    assert_int_equal(atomic_load(flag), 1);
}

static void open_held(struct client *client, struct http_server *server)
{
    client_open(client, http_server_address(server));
    client_send(client, "GET /held HTTP/1.1\r\n" HOST "\r\n");
    await(&held.is_entered);
}

/* Wakes, and lets the HTTP thread go round each time: another request is answered in between. */
static void wake_often(struct http_server *server)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct client other;
        http_waker_wake(atomic_load(&held.waker));
        assert_int_equal(client_ask(&other, http_server_address(server),
                             "GET /plain HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"),
            200);
        client_close(&other);
    }
}

static void finish(struct http_server *server)
{
    atomic_store(&held.may_leave, 1);
    await(&held.finished);
    http_waker_unref(atomic_load(&held.waker));
    http_server_stop(server);
}

static void test_early_wakes(void **state)
{
    (void)state;
    struct http_server *server = start();
    struct client client;
    open_held(&client, server);
    wake_often(server);
    assert_int_equal(atomic_load(&held.finished), 0);
    atomic_store(&held.may_leave, 1);
    assert_true(client_wait(&client, "held", DEADLINE_MS));
    client_close(&client);
    finish(server);
}

static void test_early_wakes_of_a_client_that_left(void **state)
{
    (void)state;
    struct http_server *server = start();
    struct client client;
    open_held(&client, server);
    client_close(&client);
    wake_often(server);
    assert_int_equal(atomic_load(&held.finished), 0);
    finish(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early_wakes),
        cmocka_unit_test(test_early_wakes_of_a_client_that_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
