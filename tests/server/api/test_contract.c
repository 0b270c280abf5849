/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.yaml and the route table say the same: every operation with its path, method and name.
 * The file is read by its indentation, which is enough for its paths section. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/buffer.h"
#include "base/file.h"
#include "server/api/api.h"

enum { OPERATIONS_MAX = 100, LINE_MAX_SIZE = 512 };

struct operation {
    char method[16];
    char path[128];
    char name[64];
    int is_found;
};

static struct operation operations[OPERATIONS_MAX];
static size_t operation_count;

static void read_line(const char *line, char path[128], int *in_paths)
{
    if (line[0] != ' ' && line[0] != '#' && line[0])
        *in_paths = strncmp(line, "paths:", 6) == 0;
    if (!*in_paths)
        return;
    if (strncmp(line, "  /", 3) == 0) {
        size_t size = strcspn(line + 2, ":");
        assert_true(size < 128);
        memcpy(path, line + 2, size);
        path[size] = 0;
    }
    static const char *const methods[] = {"get", "post", "put", "patch", "delete"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        size_t size = strlen(methods[i]);
        if (strncmp(line, "    ", 4) != 0 || strncmp(line + 4, methods[i], size) != 0 ||
            line[4 + size] != ':')
            continue;
        assert_true(operation_count < OPERATIONS_MAX);
        struct operation *operation = &operations[operation_count++];
        strcpy(operation->path, path);
        for (size_t c = 0; c <= size; c++)
            operation->method[c] = (char)toupper((unsigned char)methods[i][c]);
    }
    if (strncmp(line, "      operationId: ", 19) == 0)
        snprintf(operations[operation_count - 1].name, 64, "%s", line + 19);
}

static int read_contract(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    char path[128] = "";
    int in_paths = 0;
    assert_ok(file_read(getenv("OPENAPI_YAML"), 1 << 20, &text, &err), &err);
    for (char *save, *line = strtok_r(text.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        read_line(line, path, &in_paths);
    buffer_finish(&text);
    return operation_count > 0 ? 0 : -1;
}

static void test_routes(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_route_count; i++) {
        const struct http_route *route = &api_routes[i];
        if (route->attributes & ROUTE_PRIVATE)
            continue;
        int found = 0;
        for (size_t k = 0; k < operation_count; k++) {
            if (strcmp(operations[k].method, route->method) != 0 ||
                strcmp(operations[k].path, route->pattern) != 0)
                continue;
            assert_string_equal(operations[k].name, route->name);
            operations[k].is_found = found = 1;
        }
        if (!found)
            fail_msg("%s %s is not in openapi.yaml", route->method, route->pattern);
    }
    for (size_t k = 0; k < operation_count; k++)
        if (!operations[k].is_found)
            fail_msg("%s %s has no route", operations[k].method, operations[k].path);
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_route_count; i++)
        for (size_t k = i + 1; k < api_route_count; k++)
            assert_string_not_equal(api_routes[i].name, api_routes[k].name);
}

/* Each parameter of the table is a field of JobSubmission and a member of Parameters. */
static void test_parameters(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    assert_ok(file_read(getenv("OPENAPI_YAML"), 1 << 20, &text, &err), &err);
    for (size_t i = 0; i < params_field_count; i++) {
        char member[64];
        int found = 0;
        snprintf(member, sizeof member, "\n        %s:", params_fields[i].name);
        for (const char *at = text.data; (at = strstr(at, member)) != NULL; at++)
            found++;
        if (found < 2)
            fail_msg("%s is not in openapi.yaml", params_fields[i].name);
    }
    buffer_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_parameters),
    };
    return cmocka_run_group_tests(tests, read_contract, NULL);
}
