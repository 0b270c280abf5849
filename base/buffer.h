/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A growing run of bytes with a maximum. After the first failure every put is a no-op, so callers
 * write straight on and ask buffer_status() once. `data` is NUL-terminated behind `size`. */
struct buffer {
    char *data;  /* owned; NULL while empty */
    size_t size; /* bytes in use, the terminator not counted */
    size_t capacity;
    size_t max_size;       /* a put beyond it fails with PF_INVALID; 0 means no limit */
    enum pf_status status; /* PF_OK, PF_INVALID (over max_size) or PF_NOMEM */
};

/* clang-format off */
#define BUFFER_INIT {NULL, 0, 0, 0, PF_OK}
#define BUFFER_INIT_MAX(max) {NULL, 0, 0, (max), PF_OK}
/* clang-format on */
#define AUTO_BUFFER __attribute__((cleanup(buffer_finish)))

void buffer_finish(struct buffer *buffer);
void buffer_clear(struct buffer *buffer); /* keeps the memory, forgets a failure */

void buffer_put(struct buffer *buffer, const void *bytes, size_t count);
void buffer_put_text(struct buffer *buffer, const char *text);
void buffer_put_format(struct buffer *buffer, const char *fmt, ...) PF_PRINTF(2, 3);

/* Makes room for `count` more bytes and returns where they go, or NULL; the caller then adds what
 * it wrote to `size`. The NUL behind `size` is in place when all `count` bytes were written; else
 * the next put or buffer_steal() sets it. */
char *buffer_reserve(struct buffer *buffer, size_t count);

/* Writes `text` (UTF-8, `count` bytes) as a JSON string with its quotes. Bytes that are not valid
 * UTF-8 become U+FFFD, so the output is always valid JSON. */
void buffer_put_json_string(struct buffer *buffer, const char *text, size_t count);

/* Writes a finite number as JSON in the shortest form that reads back equal; "null" otherwise. */
void buffer_put_json_number(struct buffer *buffer, double value);

/* Hands the bytes out (NUL-terminated, the caller frees them) and leaves the buffer empty; NULL
 * when a put failed, never otherwise. `ret_size` may be NULL. */
char *buffer_steal(struct buffer *buffer, size_t *ret_size);

/* PF_OK, or the first failure with its message. */
PF_MUST_CHECK enum pf_status buffer_status(const struct buffer *buffer, struct pf_error *err);

#endif
