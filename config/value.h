/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

/* Numbers with units as text, both ways. Strict: the whole text must be the value. */

#include <stdint.h>

#include "base/buffer.h"

/* "-12". 1 when well-formed and within 18 digits, else 0 and nothing written. So the others. */
int value_parse_integer(const char *text, int64_t *ret);

/* "2.5", "1e-3"; no infinity, no NaN, no hexadecimal. */
int value_parse_number(const char *text, double *ret);

/* "4096", "16KiB", "10MB": whole numbers with an optional unit (kB MB GB, KiB MiB GiB). */
int value_parse_bytes(const char *text, int64_t *ret_bytes);

/* "250ms", "15s", "5min", "24h", "7d": whole numbers with a unit; "0" needs none. */
int value_parse_duration(const char *text, int64_t *ret_ms);

/* In the largest unit that divides evenly (binary units for bytes). */
void value_put_bytes(struct buffer *out, int64_t bytes);
void value_put_duration(struct buffer *out, int64_t ms);

/* As value_parse_number() reads it back, without needless digits. */
void value_put_number(struct buffer *out, double value);

#endif
