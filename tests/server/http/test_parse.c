/* SPDX-License-Identifier: Apache-2.0 */
/* Query strings, the route table, problem bodies, event lines. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tests/test.h"

#include "server/http/problem.h"
#include "server/http/query.h"
#include "server/http/router.h"
#include "server/http/sse.h"

static void test_query(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct query query;
    const char *text = "a=1&b=x%20y+z&&c&d=%C3%A9=";
    assert_ok(query_parse(&query, text, strlen(text), &err), &err);
    assert_int_equal(query.count, 4);
    assert_string_equal(query_get(&query, "a"), "1");
    assert_string_equal(query_get(&query, "b"), "x y z");
    assert_string_equal(query_get(&query, "c"), "");
    assert_string_equal(query_get(&query, "d"), "\xc3\xa9=");
    assert_null(query_get(&query, "e"));
    query_finish(&query);

    static const char *const refused[] = {"a=%", "a=%4", "a=%zz", "a=%00", "a=%0a", "a=\x7f",
        "a=%ff", "=1", "a=1&a=2", "1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_fails(
            query_parse(&query, refused[i], strlen(refused[i]), &err), PF_INVALID, "query", &err);
    }
    char *longest = calloc(1, QUERY_TEXT_MAX + 2);
    memset(longest, 'a', QUERY_TEXT_MAX + 1);
    assert_fails(
        query_parse(&query, longest, QUERY_TEXT_MAX + 1, &err), PF_INVALID, "at most", &err);
    free(longest);
}

static const struct http_route routes[] = {
    {"GET", "/", "root", ROUTE_BODY_NONE, 0, NULL},
    {"POST", "/v1/jobs", "create", ROUTE_BODY_FORM, 0, NULL},
    {"GET", "/v1/jobs", "list", ROUTE_BODY_NONE, 0, NULL},
    {"GET", "/v1/jobs/{id}", "get", ROUTE_BODY_NONE, 0, NULL},
    {"DELETE", "/v1/jobs/{id}", "delete", ROUTE_BODY_NONE, 0, NULL},
    {"GET", "/v1/jobs/{id}/events", "events", ROUTE_BODY_NONE, 0, NULL},
};
enum { ROUTE_COUNT = sizeof routes / sizeof *routes };

static const char *route_name(const char *method, const char *path, struct route_match *match)
{
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(router_find(routes, ROUTE_COUNT, method, path, match, &err), &err);
    return match->route ? match->route->name : "";
}

static void test_router(void **state)
{
    (void)state;
    struct route_match match;
    assert_string_equal(route_name("GET", "/", &match), "root");
    assert_string_equal(route_name("POST", "/v1/jobs", &match), "create");
    assert_string_equal(route_name("HEAD", "/v1/jobs", &match), "list");
    assert_string_equal(route_name("GET", "/v1/jobs/a%2Fb", &match), "get");
    assert_string_equal(route_match_get(&match, "id"), "a/b");
    assert_string_equal(route_match_get(&match, "i"), "");
    assert_string_equal(route_name("GET", "/v1/jobs/x/events", &match), "events");
    assert_string_equal(route_match_get(&match, "id"), "x");

    static const char *const unknown[] = {"", "/v1", "/v1/jobs/", "/v1/jobs//events", "/v1/jobs/x/",
        "/v1/jobs/x/event", "/v1/jobs/x/eventss", "//v1/jobs", "/v1/./jobs"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_string_equal(route_name("GET", unknown[i], &match), "");
        assert_false(match.path_known);
    }
    assert_string_equal(route_name("PUT", "/v1/jobs", &match), "");
    assert_true(match.path_known);
    assert_string_equal(match.allow, "POST, GET, HEAD, OPTIONS");
    assert_string_equal(route_name("POST", "/v1/jobs/x", &match), "");
    assert_string_equal(match.allow, "GET, HEAD, DELETE, OPTIONS");

    struct pf_error err = PF_ERROR_INIT;
    assert_fails(router_find(routes, ROUTE_COUNT, "GET", "/v1/jobs/%zz", &match, &err), PF_INVALID,
        "escape", &err);
    assert_fails(router_find(routes, ROUTE_COUNT, "GET", "/v1/jobs/%00", &match, &err), PF_INVALID,
        "control", &err);
}

static void test_problem(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    problem_put_json(&out, &(struct problem){.kind = PROBLEM_INVALID,
                               .detail = "steps: \"x\"\n is no number",
                               .param = "a/b~c",
                               .instance = "/v1/jobs",
                               .request_id = "r1"});
    json_t *root = json_loadb(out.data, out.size, 0, NULL);
    assert_non_null(root);
    const char *type, *title, *detail, *instance, *id, *pointer, *message, *kind, *param, *code;
    int status;
    assert_int_equal(
        json_unpack(root, "{s:s,s:s,s:i,s:s,s:s,s:s,s:[{s:s}],s:{s:s,s:s,s:s,s:s}}", "type", &type,
            "title", &title, "status", &status, "detail", &detail, "instance", &instance,
            "request_id", &id, "errors", "pointer", &pointer, "error", "message", &message, "type",
            &kind, "param", &param, "code", &code),
        0);
    assert_string_equal(type, "urn:promptfix:problem:invalid_request");
    assert_int_equal(status, 400);
    assert_string_equal(detail, "steps: \"x\"\n is no number");
    assert_string_equal(pointer, "#/a~1b~0c");
    assert_string_equal(param, "a/b~c");
    assert_string_equal(kind, "invalid_request_error");
    assert_string_equal(code, "invalid_request");
    json_decref(root);
    buffer_finish(&out);

    /* What happened inside is never told. */
    out = (struct buffer)BUFFER_INIT;
    problem_put_json(&out, &(struct problem){.kind = PROBLEM_INTERNAL, .detail = "secret"});
    assert_null(strstr(out.data, "secret"));
    buffer_finish(&out);

    static const struct {
        enum pf_status status;
        int http;
    } table[] = {{PF_INVALID, 400}, {PF_NOT_FOUND, 404}, {PF_CONFLICT, 409}, {PF_UNSUPPORTED, 415},
        {PF_CORRUPT, 422}, {PF_IO, 500}, {PF_NOMEM, 503}, {PF_BUSY, 429}, {PF_CANCELLED, 409},
        {PF_INTERNAL, 500}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(problem_http_status(problem_of_status(table[i].status)), table[i].http);
    for (int each = 0; each < PROBLEM_KIND_COUNT; each++) {
        assert_true(problem_http_status((enum problem_kind)each) >= 400);
        assert_non_null(problem_code((enum problem_kind)each));
    }
}

static void test_event_lines(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    sse_put_event(
        &out, &(struct sse_event){.id = 7, .name = "step", .data = "a\nb", .data_size = 3});
    sse_put_event(&out, &(struct sse_event){.data = "", .data_size = 0});
    assert_string_equal(out.data, "id: 7\nevent: step\ndata: a\ndata: b\n\ndata: \n\n");
    buffer_finish(&out);

    struct pf_error err = PF_ERROR_INIT;
    int64_t id = -1;
    assert_ok(sse_parse_last_id(NULL, &id, &err), &err);
    assert_int_equal(id, 0);
    assert_ok(sse_parse_last_id("", &id, &err), &err);
    assert_int_equal(id, 0);
    assert_ok(sse_parse_last_id("42", &id, &err), &err);
    assert_int_equal(id, 42);
    assert_fails(sse_parse_last_id("-1", &id, &err), PF_INVALID, "Last-Event-ID", &err);
    assert_fails(sse_parse_last_id("4x", &id, &err), PF_INVALID, "Last-Event-ID", &err);
    assert_fails(
        sse_parse_last_id("12345678901234567890", &id, &err), PF_INVALID, "Last-Event-ID", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_router),
        cmocka_unit_test(test_problem),
        cmocka_unit_test(test_event_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
