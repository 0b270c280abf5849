/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_MULTIPART_H
#define SERVER_HTTP_MULTIPART_H

/* multipart/form-data (RFC 7578), read incrementally from a body that arrives in pieces of any
 * size. Knows no sockets: the fuzz target drives it as the server does. Strict: what it doesn't
 * take is an error that says where, and nothing but the closing boundary ends a body well. */

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    MULTIPART_NAME_MAX = 64,          /* bytes of a field name */
    MULTIPART_FILE_NAME_MAX = 255,    /* bytes of a file name */
    MULTIPART_TYPE_MAX = 127,         /* bytes of a part's Content-Type */
    MULTIPART_BOUNDARY_MAX = 70,      /* RFC 2046 */
    MULTIPART_PART_HEADERS_MAX = 4096 /* bytes of all headers of one part */
};

struct multipart_limits {
    size_t max_parts;
    size_t max_text_bytes; /* of a part without a file name */
    size_t max_file_bytes; /* of a part with one */
};

struct multipart_part {
    char name[MULTIPART_NAME_MAX + 1];
    char file_name[MULTIPART_FILE_NAME_MAX + 1]; /* as sent: never use it as a path */
    char content_type[MULTIPART_TYPE_MAX + 1];   /* "" when absent */
    int is_file;                                 /* had a filename parameter */
    struct buffer data;                          /* NUL-terminated behind its size */
};

struct multipart;

/* `content_type` is the request's header, with its boundary. PF_UNSUPPORTED: another media type;
 * PF_INVALID: no boundary, or one RFC 2046 doesn't allow; PF_NOMEM. */
PF_MUST_CHECK enum pf_status multipart_create(struct multipart **ret_multipart,
    const char *content_type, const struct multipart_limits *limits, struct pf_error *err);
void multipart_destroy(struct multipart *multipart); /* takes NULL */

/* The next bytes of the body. PF_INVALID: malformed, or over a limit on parts or text fields (the
 * message names the field); PF_NOMEM. After a failure every call returns the same failure. */
PF_MUST_CHECK enum pf_status multipart_feed(
    struct multipart *multipart, const char *bytes, size_t count, struct pf_error *err);

/* The body is over. PF_INVALID when it was cut short. */
PF_MUST_CHECK enum pf_status multipart_end(struct multipart *multipart, struct pf_error *err);

/* Name of the field the failure is about, or "". */
const char *multipart_failed_field(const struct multipart *multipart);

/* The parts, in the order they came; complete only after multipart_end(). */
size_t multipart_count(const struct multipart *multipart);
const struct multipart_part *multipart_get(const struct multipart *multipart, size_t index);

/* Bytes held by all parts. */
size_t multipart_size(const struct multipart *multipart);

#endif
