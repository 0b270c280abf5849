/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct unit {
    const char *name;
    int64_t factor;
    int64_t written_from; /* value_put_…() uses it for this many units and more; 0: never */
};

static const struct unit byte_units[] = {
    {"GiB", INT64_C(1) << 30, 1},
    {"MiB", INT64_C(1) << 20, 1},
    {"KiB", INT64_C(1) << 10, 1},
    {"GB", 1000 * 1000 * 1000, 0},
    {"MB", 1000 * 1000, 0},
    {"kB", 1000, 0},
    {"", 1, 1},
};

static const struct unit duration_units[] = {
    {"d", 24 * 3600 * 1000, 2},
    {"h", 3600 * 1000, 1},
    {"min", 60 * 1000, 1},
    {"s", 1000, 1},
    {"ms", 1, 1},
};

enum { DIGITS_MAX = 18 };

/* Reads 1 … DIGITS_MAX digits; returns what follows them, or NULL. */
static const char *parse_digits(const char *text, int64_t *ret)
{
    int64_t value = 0;
    int digits = 0;
    for (; *text >= '0' && *text <= '9'; text++, digits++) {
        if (digits == DIGITS_MAX)
            return NULL;
        value = value * 10 + (*text - '0');
    }
    if (digits == 0)
        return NULL;
    *ret = value;
    return text;
}

int value_parse_integer(const char *text, int64_t *ret)
{
    int negative = *text == '-';
    int64_t value;
    const char *rest = parse_digits(text + negative, &value);
    if (!rest || *rest)
        return 0;
    *ret = negative ? -value : value;
    return 1;
}

int value_parse_number(const char *text, double *ret)
{
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text))
        return 0;
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !isfinite(value))
        return 0;
    *ret = value;
    return 1;
}

static int parse_with_unit(const char *text, const struct unit *units, size_t count, int64_t *ret)
{
    int64_t value;
    const char *name = parse_digits(text, &value);
    if (!name)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(units[i].name, name) != 0)
            continue;
        if (value > INT64_MAX / units[i].factor)
            return 0;
        *ret = value * units[i].factor;
        return 1;
    }
    return 0;
}

int value_parse_bytes(const char *text, int64_t *ret_bytes)
{
    return parse_with_unit(text, byte_units, COUNT_OF(byte_units), ret_bytes);
}

int value_parse_duration(const char *text, int64_t *ret_ms)
{
    if (strcmp(text, "0") == 0) {
        *ret_ms = 0;
        return 1;
    }
    return parse_with_unit(text, duration_units, COUNT_OF(duration_units), ret_ms);
}

/* Days from two on: people write 24h. */
static void put_with_unit(struct buffer *out, int64_t value, const struct unit *units, size_t count)
{
    for (size_t i = 0; i < count && value != 0; i++) {
        if (units[i].written_from == 0 || value / units[i].factor < units[i].written_from ||
            value % units[i].factor != 0)
            continue;
        buffer_put_format(out, "%" PRId64 "%s", value / units[i].factor, units[i].name);
        return;
    }
    buffer_put_text(out, "0");
}

void value_put_bytes(struct buffer *out, int64_t bytes)
{
    put_with_unit(out, bytes, byte_units, COUNT_OF(byte_units));
}

void value_put_duration(struct buffer *out, int64_t ms)
{
    put_with_unit(out, ms, duration_units, COUNT_OF(duration_units));
}

void value_put_number(struct buffer *out, double value)
{
    buffer_put_json_number(out, value);
}
