/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets: the query string, and the path through the route table. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "server/http/query.h"
#include "server/http/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_route routes[] = {
    {.method = "GET", .pattern = "/v1/jobs", .name = "list"},
    {.method = "GET", .pattern = "/v1/jobs/{id}", .name = "get"},
    {.method = "POST", .pattern = "/v1/jobs/{id}/cancel", .name = "cancel"},
    {.method = "GET", .pattern = "/a/{b}/{c}", .name = "two"},
};

static void check_text(const char *text)
{
    if (!utf8_is_valid(text, strlen(text), NULL))
        abort();
    for (; *text; text++)
        if ((unsigned char)*text < 0x20)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *target = malloc(size + 1);
    if (!target)
        return 0;
    memcpy(target, data, size);
    target[size] = 0;
    char *question = strchr(target, '?');
    struct query query = QUERY_INIT;
    if (question) {
        *question = 0;
        size_t used = (size_t)(question + 1 - target);
        if (query_parse(&query, question + 1, size - used, NULL) == PF_OK) {
            for (size_t i = 0; i < query.count; i++) {
                check_text(query.pairs[i].name);
                check_text(query.pairs[i].value);
            }
        }
        query_finish(&query);
    }
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct route_match match;
        if (router_find(routes, sizeof routes / sizeof *routes, methods[i], target, &match, NULL) !=
                PF_OK ||
            !match.route)
            continue;
        check_text(route_match_get(&match, "id"));
        check_text(route_match_get(&match, "b"));
    }
    free(target);
    return 0;
}
