/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_PROBLEM_H
#define SERVER_HTTP_PROBLEM_H

/* Errors as HTTP answers: one table from what went wrong to status, title and codes, and the body
 * that says it twice, as RFC 9457 problem and as the error object OpenAI's clients read. */

#include "base/buffer.h"
#include "base/error.h"

enum problem_kind {
    PROBLEM_INVALID,           /* 400 a field or header is wrong */
    PROBLEM_UNAUTHORIZED,      /* 401 */
    PROBLEM_FORBIDDEN,         /* 403 */
    PROBLEM_NOT_FOUND,         /* 404 */
    PROBLEM_METHOD,            /* 405 */
    PROBLEM_TIMEOUT,           /* 408 the request came too slowly */
    PROBLEM_CONFLICT,          /* 409 */
    PROBLEM_EXPIRED,           /* 410 */
    PROBLEM_TOO_LARGE,         /* 413 */
    PROBLEM_UNSUPPORTED_MEDIA, /* 415 */
    PROBLEM_EXPECTATION,       /* 417 */
    PROBLEM_UNPROCESSABLE,     /* 422 */
    PROBLEM_HEADERS_TOO_LARGE, /* 431 */
    PROBLEM_QUEUE_FULL,        /* 429 */
    PROBLEM_RATE_LIMITED,      /* 429 */
    PROBLEM_INTERNAL,          /* 500 */
    PROBLEM_UNAVAILABLE,       /* 503 loading, draining, or out of memory */
    PROBLEM_KIND_COUNT,
};

struct problem {
    enum problem_kind kind;
    const char *detail;     /* what happened, with the values; NULL: the title says it all */
    const char *param;      /* the field, header or query parameter at fault; NULL: none */
    const char *instance;   /* path of the request; NULL: left out */
    const char *request_id; /* NULL: left out */
};

int problem_http_status(enum problem_kind kind);
const char *problem_code(enum problem_kind kind);

/* What a status of ours is over HTTP: INVALID 400, NOT_FOUND 404, CONFLICT 409, UNSUPPORTED 415,
 * CORRUPT 422, BUSY 429, CANCELLED 409, NOMEM 503; IO and INTERNAL 500. */
enum problem_kind problem_of_status(enum pf_status status);

/* Writes the JSON body:
 * {type, title, status, detail, instance, request_id, errors:[{detail, pointer}],
 *  error:{message, type, param, code}}. The pointer is "#/<param>". The text of PROBLEM_INTERNAL is
 * never written: the caller logs it. */
void problem_put_json(struct buffer *out, const struct problem *problem);

#endif
