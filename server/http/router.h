/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_ROUTER_H
#define SERVER_HTTP_ROUTER_H

/* A table of routes and the search in it. */

#include <stddef.h>

#include "base/error.h"

enum {
    ROUTE_PARAMS_MAX = 2,
    ROUTE_PARAM_SIZE = 129, /* bytes of one decoded path parameter, with its NUL */
    ROUTE_ALLOW_SIZE = 64,
};

enum route_body {
    ROUTE_BODY_NONE, /* a body is refused */
    ROUTE_BODY_FORM, /* multipart/form-data */
};

/* Bits of http_route.attributes. */
enum {
    ROUTE_INLINE = 1 << 0,     /* the handler never blocks: it runs on the HTTP thread */
    ROUTE_OPEN = 1 << 1,       /* needs no API key */
    ROUTE_QUIET = 1 << 2,      /* logged as debug: probes */
    ROUTE_PRIVATE = 1 << 3,    /* not part of the contract (openapi.yaml) */
    ROUTE_MANY_PARTS = 1 << 4, /* a form of up to HTTP_MANY_PARTS_MAX parts */
};

struct http_request;

struct http_route {
    const char *method;  /* "GET" also answers HEAD */
    const char *pattern; /* "/v1/jobs/{id}/events": a segment in braces takes any one segment */
    const char *name;    /* operation id, for logs and metrics */
    enum route_body body;
    unsigned attributes;

    /* Answers by one http_respond_…(), http_fail…(), http_stream() or http_defer(). Runs on a
     * thread that may block, unless ROUTE_INLINE. */
    void (*handle)(struct http_request *request, void *context);
};

struct route_match {
    const struct http_route *route; /* NULL: see path_known */
    int path_known;                 /* the path exists, for other methods */
    char allow[ROUTE_ALLOW_SIZE];   /* "GET, HEAD, OPTIONS" when path_known */
    size_t param_count;
    struct {
        const char *name; /* inside the pattern, name_size bytes */
        size_t name_size;
        char value[ROUTE_PARAM_SIZE];
    } params[ROUTE_PARAMS_MAX];
};

/* Finds the route of a method and a raw path (percent-encoded, without query). PF_INVALID: a bad
 * escape in a parameter. */
PF_MUST_CHECK enum pf_status router_find(const struct http_route *routes, size_t count,
    const char *method, const char *path, struct route_match *ret_match, struct pf_error *err);

/* The value of a path parameter; "" when the pattern has none of that name. */
const char *route_match_get(const struct route_match *match, const char *name);

#endif
