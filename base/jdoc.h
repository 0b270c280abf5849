/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JDOC_H
#define BASE_JDOC_H

/* A strict JSON reader (RFC 8259) for the parts that must build with nothing but libtorch:
 * safetensors headers, frame headers, token files. The server uses jansson. Untrusted input is
 * fine: nesting is bounded, every number and string is checked, duplicate keys are an error. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum jdoc_type {
    JDOC_NULL,
    JDOC_FALSE,
    JDOC_TRUE,
    JDOC_NUMBER,
    JDOC_STRING,
    JDOC_ARRAY,
    JDOC_OBJECT
};

/* A value inside a document; lives as long as the document. */
struct jdoc_value {
    enum jdoc_type type;
    const char *key;    /* the member's name inside an object (NUL-terminated), else NULL */
    size_t key_size;    /* its bytes: more than strlen(key) when it holds a NUL */
    const char *string; /* JDOC_STRING: NUL-terminated UTF-8 (may hold a NUL: see size) */
    size_t size;        /* JDOC_STRING: bytes; arrays and objects: number of children */
    double number;      /* JDOC_NUMBER */
    int64_t integer;    /* JDOC_NUMBER with is_integer */
    int is_integer;     /* written without fraction and exponent, and fits in 64 bits */
    const struct jdoc_value *first;         /* first child of an array or object, in order */
    const struct jdoc_value *next;          /* next sibling */
    const struct jdoc_value *const *sorted; /* by key, for jdoc_get(); NULL in small objects */
};

struct jdoc; /* owns all its values */

enum { JDOC_DEPTH_MAX = 64, JDOC_VALUES_MAX = 1 << 20 };

/* Parses `count` bytes that hold exactly one JSON value; the text isn't used afterwards. PF_CORRUPT
 * names the byte offset; PF_NOMEM. A value costs about 100 bytes of memory, so bound `count` for
 * hostile input. Beyond RFC 8259 it refuses: a byte order mark, invalid UTF-8, unpaired surrogates,
 * duplicate keys, and numbers beyond the range of a double. */
PF_MUST_CHECK enum pf_status jdoc_parse(
    struct jdoc **ret_doc, const char *text, size_t count, struct pf_error *err);
void jdoc_destroy(struct jdoc *doc);

const struct jdoc_value *jdoc_root(const struct jdoc *doc);

/* The member `key` of an object; NULL when there is none or `object` is NULL or no object. O(n)
 * below 16 members, O(log n) above. */
const struct jdoc_value *jdoc_get(const struct jdoc_value *object, const char *key);

/* Members with a type (integer: is_integer): `fallback` when absent or of another type. */
const char *jdoc_get_string(const struct jdoc_value *object, const char *key, const char *fallback);
int64_t jdoc_get_integer(const struct jdoc_value *object, const char *key, int64_t fallback);
double jdoc_get_number(const struct jdoc_value *object, const char *key, double fallback);

/* Appends the value as JSON without blanks; jdoc_parse() reads the same value from it. */
void jdoc_put(struct buffer *out, const struct jdoc_value *value);

#endif
