/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { CAPACITY_MIN = 64, JSON_NUMBER_SIZE = 40 };

void buffer_finish(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer)BUFFER_INIT_MAX(buffer->max_size);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->status = PF_OK;
    if (buffer->data)
        buffer->data[0] = '\0';
}

/* Doubling keeps a run of puts linear; the capacity counts the terminator. No object is larger than
 * PTRDIFF_MAX, so no sum below overflows. */
static enum pf_status grow(struct buffer *buffer, size_t count)
{
    int is_limited = buffer->max_size > 0 && buffer->max_size < PTRDIFF_MAX;
    size_t max = is_limited ? buffer->max_size : PTRDIFF_MAX - 1;
    if (buffer->size > max || count > max - buffer->size)
        return is_limited ? PF_INVALID : PF_NOMEM;
    size_t needed = buffer->size + count + 1;
    if (needed <= buffer->capacity)
        return PF_OK;
    size_t capacity = buffer->capacity * 2;
    if (capacity < CAPACITY_MIN)
        capacity = CAPACITY_MIN;
    if (capacity > max + 1)
        capacity = max + 1;
    if (capacity < needed)
        capacity = needed;
    char *data = realloc(buffer->data, capacity);
    if (!data)
        return PF_NOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return PF_OK;
}

char *buffer_reserve(struct buffer *buffer, size_t count)
{
    if (buffer->status != PF_OK)
        return NULL;
    buffer->status = grow(buffer, count);
    if (buffer->status != PF_OK)
        return NULL;
    buffer->data[buffer->size + count] = '\0';
    return buffer->data + buffer->size;
}

void buffer_put(struct buffer *buffer, const void *bytes, size_t count)
{
    if (count == 0)
        return;
    char *to = buffer_reserve(buffer, count);
    if (!to)
        return;
    memcpy(to, bytes, count);
    buffer->size += count;
}

void buffer_put_text(struct buffer *buffer, const char *text)
{
    buffer_put(buffer, text, strlen(text));
}

void buffer_put_format(struct buffer *buffer, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int count = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (count <= 0)
        return;
    char *to = buffer_reserve(buffer, (size_t)count);
    if (!to)
        return;
    va_start(args, fmt);
    vsnprintf(to, (size_t)count + 1, fmt, args);
    va_end(args);
    buffer->size += (size_t)count;
}

static void put_escape(struct buffer *buffer, unsigned char byte)
{
    switch (byte) {
    case '"':
        buffer_put(buffer, "\\\"", 2);
        break;
    case '\\':
        buffer_put(buffer, "\\\\", 2);
        break;
    case '\n':
        buffer_put(buffer, "\\n", 2);
        break;
    case '\r':
        buffer_put(buffer, "\\r", 2);
        break;
    case '\t':
        buffer_put(buffer, "\\t", 2);
        break;
    default:
        buffer_put_format(buffer, "\\u%04x", byte);
    }
}

void buffer_put_json_string(struct buffer *buffer, const char *text, size_t count)
{
    buffer_put(buffer, "\"", 1);
    size_t plain = 0; /* start of the run that needs no escape */
    for (size_t at = 0; at < count;) {
        uint32_t code_point;
        size_t taken = utf8_decode(text + at, count - at, &code_point);
        int is_special = code_point < 0x20 || code_point == '"' || code_point == '\\';
        if (!is_special && code_point != UTF8_INVALID) {
            at += taken;
            continue;
        }
        if (at > plain)
            buffer_put(buffer, text + plain, at - plain);
        if (is_special)
            put_escape(buffer, (unsigned char)text[at]);
        else
            buffer_put(buffer, "\xEF\xBF\xBD", 3);
        at += taken;
        plain = at;
    }
    if (count > plain)
        buffer_put(buffer, text + plain, count - plain);
    buffer_put(buffer, "\"", 1);
}

void buffer_put_json_number(struct buffer *buffer, double value)
{
    if (!isfinite(value)) {
        buffer_put_text(buffer, "null");
        return;
    }
    /* Every decimal of up to 15 digits survives the way through a normal double, so no shorter one
     * reads back equal when the 15-digit form doesn't; subnormals have fewer digits. */
    int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    char text[JSON_NUMBER_SIZE];
    for (; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        double read_back = strtod(text, NULL);
        if (memcmp(&read_back, &value, sizeof value) == 0)
            break;
    }
    buffer_put_text(buffer, text);
}

char *buffer_steal(struct buffer *buffer, size_t *ret_size)
{
    if (!buffer_reserve(buffer, 0)) {
        enum pf_status status = buffer->status;
        buffer_finish(buffer);
        buffer->status = status;
        return NULL;
    }
    char *data = buffer->data; /* terminated by buffer_reserve() */
    if (ret_size)
        *ret_size = buffer->size;
    *buffer = (struct buffer)BUFFER_INIT_MAX(buffer->max_size);
    return data;
}

enum pf_status buffer_status(const struct buffer *buffer, struct pf_error *err)
{
    if (buffer->status == PF_INVALID)
        return pf_fail(err, PF_INVALID, "more than the maximum of %zu bytes", buffer->max_size);
    if (buffer->status != PF_OK)
        return pf_fail(err, buffer->status, "out of memory after %zu bytes", buffer->size);
    return PF_OK;
}
