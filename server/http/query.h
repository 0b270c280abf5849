/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_QUERY_H
#define SERVER_HTTP_QUERY_H

/* Request targets: percent-decoding and the query string, strictly. */

#include <stddef.h>

#include "base/error.h"

enum {
    QUERY_PAIRS_MAX = 16,
    QUERY_TEXT_MAX = 4096, /* bytes of a query string */
};

struct query_pair {
    const char *name;  /* decoded, valid UTF-8, no control characters */
    const char *value; /* the same; "" when there was no '=' */
};

struct query {
    struct query_pair pairs[QUERY_PAIRS_MAX];
    size_t count;
    char *text; /* owned; what the pairs point into */
};

#define QUERY_INIT                                                                                 \
    {                                                                                              \
        .count = 0, .text = NULL                                                                   \
    }

/* Reads "a=1&b=x%20y" ('+' is a space, empty pieces are skipped). PF_INVALID: a bad escape, bytes
 * that are no UTF-8, control characters, a name twice, too many or too long; PF_NOMEM. */
PF_MUST_CHECK enum pf_status query_parse(
    struct query *ret_query, const char *text, size_t count, struct pf_error *err);
void query_finish(struct query *query);

/* The value of a name, or NULL. */
const char *query_get(const struct query *query, const char *name);

/* Decodes %XX of `count` bytes into `ret_text` (NUL-terminated, never longer than the input).
 * PF_INVALID: a bad escape, a control character, no UTF-8; `what` names it in the message. */
PF_MUST_CHECK enum pf_status query_decode(const char *what, const char *text, size_t count,
    int plus_is_space, char *ret_text, size_t capacity, struct pf_error *err);

#endif
