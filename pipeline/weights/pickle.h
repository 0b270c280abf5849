/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_PICKLE_H
#define PIPELINE_WEIGHTS_PICKLE_H

/* Python pickles (protocol 2 to 4) as plain data. Nothing is ever imported or run: a class is its
 * two names, and an object is the record of how Python would build it (callable, arguments, and
 * items set on it afterwards). What that means is up to the reader of the values. Source: Python's
 * Lib/pickletools.py. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Bounds that end hostile input quickly; a full training checkpoint stays far below them. */
enum {
    PICKLE_SIZE_MAX = 64 << 20,
    PICKLE_OPS_MAX = 1 << 23,
    PICKLE_VALUES_MAX = 1 << 21, /* also the highest memo index */
    PICKLE_STACK_MAX = 1 << 17,
    PICKLE_MARKS_MAX = 1 << 12, /* nesting */
    PICKLE_SEQUENCE_MAX = 1 << 21,
};

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_BIG_INT, /* beyond 64 bits: its value is not kept */
    PICKLE_FLOAT,   /* value not kept */
    PICKLE_TEXT,
    PICKLE_BYTES,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_SET,        /* items not kept */
    PICKLE_CLASS,      /* module and name */
    PICKLE_OBJECT,     /* callable(*arguments) */
    PICKLE_PERSISTENT, /* a reference to something outside, by id */
};

/* Values may refer to each other in cycles: walk with a bound. All pointers live as long as the
 * pickle; texts point into its bytes. */
struct pickle_value {
    enum pickle_kind kind;
    uint32_t count;    /* items in use: values of a tuple or list, 2 × pairs of a dict or object */
    uint32_t capacity; /* items allocated */
    struct pickle_value **items; /* dicts and objects: key, value, key, value, … */
    union {
        int64_t integer; /* PICKLE_INT, PICKLE_BOOL */
        struct {
            const char *bytes; /* not NUL-terminated */
            size_t size;
        } text; /* PICKLE_TEXT (not checked to be UTF-8), PICKLE_BYTES */
        struct {
            const char *module, *name; /* not NUL-terminated */
            uint32_t module_size, name_size;
        } class;
        struct {
            const struct pickle_value *callable;  /* PICKLE_CLASS or PICKLE_OBJECT */
            const struct pickle_value *arguments; /* PICKLE_TUPLE */
        } object;
        const struct pickle_value *id; /* PICKLE_PERSISTENT */
    };
};

struct pickle;

/* Reads one pickle; the bytes must outlive it.
 * Errors  PF_CORRUPT with the offset of the opcode, also when a bound above is passed;
 *         PF_UNSUPPORTED an opcode or protocol outside the whitelist */
PF_MUST_CHECK enum pf_status pickle_read(
    struct pickle **ret_pickle, const unsigned char *bytes, size_t size, struct pf_error *err);
void pickle_destroy(struct pickle *pickle);

const struct pickle_value *pickle_root(const struct pickle *pickle);

/* Whether a value is that class, or that text. */
int pickle_is_class(const struct pickle_value *value, const char *module, const char *name);
int pickle_is_text(const struct pickle_value *value, const char *text);

#endif
