/* SPDX-License-Identifier: Apache-2.0 */
/* A linear walk: some twenty routes of a few segments cost less than a microsecond. Paths are
 * matched raw; only what a parameter took is decoded, so an encoded slash never makes a new
 * segment. */
#include "server/http/router.h"

#include <stdio.h>
#include <string.h>

#include "server/http/query.h"

struct span {
    const char *text;
    size_t size;
};

/* Matches a whole path; the values of parameters are spans of it. */
static int match_path(const char *pattern, const char *path, struct route_match *match,
    struct span values[ROUTE_PARAMS_MAX])
{
    match->param_count = 0;
    while (*pattern && *path) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return 0;
            continue;
        }
        size_t name_size = strcspn(pattern, "}") - 1;
        size_t size = strcspn(path, "/");
        if (size == 0 || match->param_count == ROUTE_PARAMS_MAX)
            return 0;
        match->params[match->param_count].name = pattern + 1;
        match->params[match->param_count].name_size = name_size;
        values[match->param_count++] = (struct span){path, size};
        pattern += name_size + 2;
        path += size;
    }
    return *pattern == 0 && *path == 0;
}

static void allow_method(struct route_match *match, const char *method)
{
    size_t used = strlen(match->allow);
    const char *also = strcmp(method, "GET") == 0 ? ", HEAD" : "";
    snprintf(
        match->allow + used, sizeof match->allow - used, "%s%s%s", used ? ", " : "", method, also);
}

static int method_fits(const char *routed, const char *asked)
{
    return strcmp(routed, asked) == 0 || (strcmp(asked, "HEAD") == 0 && strcmp(routed, "GET") == 0);
}

enum pf_status router_find(const struct http_route *routes, size_t count, const char *method,
    const char *path, struct route_match *ret_match, struct pf_error *err)
{
    struct route_match match = {0};
    struct span values[ROUTE_PARAMS_MAX] = {{NULL, 0}};
    size_t found_params = 0;
    for (size_t i = 0; i < count; i++) {
        struct route_match candidate = match;
        struct span candidate_values[ROUTE_PARAMS_MAX];
        if (!match_path(routes[i].pattern, path, &candidate, candidate_values))
            continue;
        match.path_known = 1;
        allow_method(&match, routes[i].method);
        if (match.route || !method_fits(routes[i].method, method))
            continue;
        match.route = &routes[i];
        found_params = candidate.param_count;
        memcpy(match.params, candidate.params, sizeof match.params);
        memcpy(values, candidate_values, sizeof values);
    }
    match.param_count = found_params;
    if (match.path_known)
        allow_method(&match, "OPTIONS");
    for (size_t i = 0; i < match.param_count; i++)
        PF_TRY(query_decode("path", values[i].text, values[i].size, 0, match.params[i].value,
            sizeof match.params[i].value, err));
    *ret_match = match;
    return PF_OK;
}

const char *route_match_get(const struct route_match *match, const char *name)
{
    for (size_t i = 0; i < match->param_count; i++)
        if (match->params[i].name_size == strlen(name) &&
            memcmp(match->params[i].name, name, match->params[i].name_size) == 0)
            return match->params[i].value;
    return "";
}
