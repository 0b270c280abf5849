/* SPDX-License-Identifier: Apache-2.0 */
/* A body is  --B CRLF headers CRLF CRLF data CRLF --B … CRLF --B-- epilogue.  Unused bytes wait in
 * `pending`; each step of the machine either takes some or asks for more. In data, everything but
 * the last bytes that could be the beginning of "CRLF--B" goes on to the part at once, so `pending`
 * stays small: at most one piece as fed plus MULTIPART_PART_HEADERS_MAX.
 *
 * Truncation needs no guessing: a body is whole exactly when the closing boundary was seen. */
#define _GNU_SOURCE /* memmem */
#include "server/http/multipart.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "server/http/multipart_header.h"

enum state { STATE_START, STATE_AFTER_BOUNDARY, STATE_HEADERS, STATE_DATA, STATE_EPILOGUE };

struct multipart {
    struct multipart_limits limits;
    char delimiter[4 + MULTIPART_BOUNDARY_MAX + 1]; /* "\r\n--boundary" */
    size_t delimiter_size;
    enum state state;
    struct buffer pending;
    struct multipart_part *parts;
    size_t count, capacity;
    size_t bytes;
    struct pf_error failure;
    char failed_field[MULTIPART_NAME_MAX + 1];
};

enum pf_status multipart_create(struct multipart **ret_multipart, const char *content_type,
    const struct multipart_limits *limits, struct pf_error *err)
{
    char boundary[MULTIPART_BOUNDARY_MAX + 1];
    PF_TRY(multipart_parse_boundary(content_type, boundary, err));
    struct multipart *multipart = calloc(1, sizeof *multipart);
    if (!multipart)
        return pf_fail(err, PF_NOMEM, "multipart: out of memory");
    multipart->limits = *limits;
    multipart->delimiter_size = 4 + strlen(boundary);
    memcpy(multipart->delimiter, "\r\n--", 4);
    memcpy(multipart->delimiter + 4, boundary, strlen(boundary) + 1);
    *ret_multipart = multipart;
    return PF_OK;
}

void multipart_destroy(struct multipart *multipart)
{
    if (!multipart)
        return;
    for (size_t i = 0; i < multipart->count; i++)
        buffer_finish(&multipart->parts[i].data);
    free(multipart->parts);
    buffer_finish(&multipart->pending);
    free(multipart);
}

static void take(struct multipart *multipart, size_t count)
{
    struct buffer *pending = &multipart->pending;
    memmove(pending->data, pending->data + count, pending->size - count);
    pending->size -= count;
}

static struct multipart_part *current_part(struct multipart *multipart)
{
    return &multipart->parts[multipart->count - 1];
}

static const char *blame_field(struct multipart *multipart)
{
    memcpy(multipart->failed_field, current_part(multipart)->name, MULTIPART_NAME_MAX + 1);
    return multipart->failed_field;
}

/* The first boundary, with nothing before it but an empty line. */
static enum pf_status step_start(struct multipart *multipart, int *ret_more, struct pf_error *err)
{
    const struct buffer *pending = &multipart->pending;
    size_t skip = pending->size > 0 && pending->data[0] == '\r' ? 0 : 2;
    const char *expected = multipart->delimiter + skip;
    size_t size = multipart->delimiter_size - skip;
    size_t have = pending->size < size ? pending->size : size;
    if (have > 0 && memcmp(pending->data, expected, have) != 0)
        return pf_fail(err, PF_INVALID, "multipart: the body doesn't begin with its boundary");
    if (have < size) {
        *ret_more = 1;
        return PF_OK;
    }
    take(multipart, size);
    multipart->state = STATE_AFTER_BOUNDARY;
    return PF_OK;
}

/* "--" closes the body; else the rest of the line is blank and a part begins. */
static enum pf_status step_after_boundary(
    struct multipart *multipart, int *ret_more, struct pf_error *err)
{
    const struct buffer *pending = &multipart->pending;
    if (pending->size < 2) {
        *ret_more = 1;
        return PF_OK;
    }
    if (memcmp(pending->data, "--", 2) == 0) {
        multipart->state = STATE_EPILOGUE;
        return PF_OK;
    }
    if (memcmp(pending->data, "\r\n", 2) != 0)
        return pf_fail(err, PF_INVALID, "multipart: unexpected bytes behind a boundary");
    if (multipart->count == multipart->limits.max_parts)
        return pf_fail(
            err, PF_INVALID, "multipart: more than %zu parts", multipart->limits.max_parts);
    /* The CRLF stays: with it, headers end at the first CRLFCRLF even if there are none. */
    multipart->state = STATE_HEADERS;
    return PF_OK;
}

static enum pf_status add_part(struct multipart *multipart, struct pf_error *err)
{
    if (multipart->count == multipart->capacity) {
        size_t capacity = multipart->capacity ? 2 * multipart->capacity : 8;
        struct multipart_part *parts = realloc(multipart->parts, capacity * sizeof *parts);
        if (!parts)
            return pf_fail(err, PF_NOMEM, "multipart: out of memory");
        multipart->parts = parts;
        multipart->capacity = capacity;
    }
    multipart->parts[multipart->count++] = (struct multipart_part){.data = BUFFER_INIT};
    return PF_OK;
}

static enum pf_status step_headers(struct multipart *multipart, int *ret_more, struct pf_error *err)
{
    struct buffer *pending = &multipart->pending;
    const char *end = memmem(pending->data, pending->size, "\r\n\r\n", 4);
    size_t size = end ? (size_t)(end - pending->data) + 2 : pending->size;
    if (size > MULTIPART_PART_HEADERS_MAX)
        return pf_fail(err, PF_INVALID, "multipart: headers of a part over %d bytes",
            MULTIPART_PART_HEADERS_MAX);
    if (!end) {
        *ret_more = 1;
        return PF_OK;
    }
    PF_TRY(add_part(multipart, err));
    PF_TRY(multipart_parse_headers(pending->data + 2, size - 2, current_part(multipart), err));
    take(multipart, size + 2);
    multipart->state = STATE_DATA;
    return PF_OK;
}

static enum pf_status put_data(struct multipart *multipart, size_t count, struct pf_error *err)
{
    struct multipart_part *part = current_part(multipart);
    size_t limit =
        part->is_file ? multipart->limits.max_file_bytes : multipart->limits.max_text_bytes;
    if (count > limit - part->data.size)
        return pf_fail(
            err, PF_INVALID, "field '%s' is longer than %zu bytes", blame_field(multipart), limit);
    buffer_put(&part->data, multipart->pending.data, count);
    multipart->bytes += count;
    PF_TRY(buffer_status(&part->data, err));
    take(multipart, count);
    return PF_OK;
}

static enum pf_status finish_part(struct multipart *multipart, struct pf_error *err)
{
    struct multipart_part *part = current_part(multipart);
    size_t size = part->data.size;
    if (size == 0) { /* an empty part has its terminator too */
        buffer_put(&part->data, "", 1);
        PF_TRY(buffer_status(&part->data, err));
        buffer_clear(&part->data);
    }
    if (!part->is_file &&
        (!utf8_is_valid(part->data.data, size, NULL) || memchr(part->data.data, 0, size)))
        return pf_fail(err, PF_INVALID, "field '%s' is not UTF-8 text", blame_field(multipart));
    return PF_OK;
}

static enum pf_status step_data(struct multipart *multipart, int *ret_more, struct pf_error *err)
{
    struct buffer *pending = &multipart->pending;
    const char *end =
        memmem(pending->data, pending->size, multipart->delimiter, multipart->delimiter_size);
    if (end) {
        PF_TRY(put_data(multipart, (size_t)(end - pending->data), err));
        PF_TRY(finish_part(multipart, err));
        take(multipart, multipart->delimiter_size);
        multipart->state = STATE_AFTER_BOUNDARY;
        return PF_OK;
    }
    *ret_more = 1;
    if (pending->size < multipart->delimiter_size)
        return PF_OK;
    return put_data(multipart, pending->size - multipart->delimiter_size + 1, err);
}

static enum pf_status advance(struct multipart *multipart, struct pf_error *err)
{
    int more = 0;
    while (!more) {
        switch (multipart->state) {
        case STATE_START:
            PF_TRY(step_start(multipart, &more, err));
            break;
        case STATE_AFTER_BOUNDARY:
            PF_TRY(step_after_boundary(multipart, &more, err));
            break;
        case STATE_HEADERS:
            PF_TRY(step_headers(multipart, &more, err));
            break;
        case STATE_DATA:
            PF_TRY(step_data(multipart, &more, err));
            break;
        case STATE_EPILOGUE:
            buffer_clear(&multipart->pending);
            return PF_OK;
        }
    }
    return PF_OK;
}

enum pf_status multipart_feed(
    struct multipart *multipart, const char *bytes, size_t count, struct pf_error *err)
{
    if (multipart->failure.status == PF_OK) {
        buffer_put(&multipart->pending, bytes, count);
        if (buffer_status(&multipart->pending, &multipart->failure) == PF_OK &&
            multipart->pending.size > 0 && advance(multipart, &multipart->failure) == PF_OK)
            return PF_OK;
    }
    if (multipart->failure.status == PF_OK)
        return PF_OK;
    return pf_fail(err, multipart->failure.status, "%s", multipart->failure.message);
}

enum pf_status multipart_end(struct multipart *multipart, struct pf_error *err)
{
    if (multipart->failure.status == PF_OK && multipart->state != STATE_EPILOGUE)
        (void)pf_fail(&multipart->failure, PF_INVALID,
            "multipart: the body ends before its closing boundary");
    if (multipart->failure.status == PF_OK)
        return PF_OK;
    return pf_fail(err, multipart->failure.status, "%s", multipart->failure.message);
}

const char *multipart_failed_field(const struct multipart *multipart)
{
    return multipart->failed_field;
}

size_t multipart_count(const struct multipart *multipart)
{
    return multipart->count;
}

const struct multipart_part *multipart_get(const struct multipart *multipart, size_t index)
{
    return &multipart->parts[index];
}

size_t multipart_size(const struct multipart *multipart)
{
    return multipart->bytes;
}
