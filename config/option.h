/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

/* One option as a row of a table: what it is called, which values it takes, where its value lives.
 * The rows drive flags, environment, file, schema, help and documentation, so that each fact is
 * stated once. Used for promptfixd and promptfix-worker (config/config.h) and for the command line
 * of promptfix (tools/cli/). Links base only. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    OPTION_TEXT_MAX = 4096, /* bytes of one value */
    OPTION_LIST_MAX = 64,   /* items of one list */
    OPTION_NAME_MAX = 48,   /* bytes of a name */
};

/* Items given in order; empty: {NULL, 0}. */
struct text_list {
    char **items; /* owned, and so is each */
    size_t count;
};

enum option_type {
    OPTION_SWITCH,   /* int64_t 0 or 1; as a flag it takes no value: --name, --no-name */
    OPTION_INTEGER,  /* int64_t */
    OPTION_NUMBER,   /* double */
    OPTION_BYTES,    /* int64_t bytes; "4096", "16KiB", "32MiB", "2GiB", "10kB", "10MB", "10GB" */
    OPTION_DURATION, /* int64_t milliseconds; "250ms", "15s", "5min", "24h", "7d", or "0" */
    OPTION_CHOICE,   /* int64_t index into choices */
    OPTION_TEXT,     /* char *, owned, never NULL; "" means not given */
    OPTION_LIST,     /* struct text_list; "a,b", in a file an array of strings */
};

/* option_spec.attributes */
enum {
    OPTION_RELOADABLE = 1 << 0,  /* takes effect on SIGHUP */
    OPTION_FLAG_ONLY = 1 << 1,   /* neither in the file nor in the environment */
    OPTION_NOT_IN_FILE = 1 << 2, /* flag or environment */
    OPTION_ACTION = 1 << 3,      /* a switch that makes the program print something and end */
    OPTION_NOT_NEGATED = 1 << 4, /* a switch without the --no-name form */
    OPTION_REQUIRED = 1 << 5,    /* has no default: must be given */
};

struct option_spec {
    const char
        *name;       /* lower case with '_': the file's key; flags write '-', the environment A-Z */
    char short_name; /* 'o' for -o; 0: none */
    enum option_type type;
    unsigned attributes;
    unsigned programs;          /* bits; their meaning is the table's */
    size_t offset;              /* of the member in the caller's struct */
    double min, max;            /* of INTEGER, NUMBER, BYTES (bytes), DURATION (ms); of a TEXT's and
                                   LIST's number of bytes/items when max > 0 */
    const char *default_text;   /* as one would write it; NULL is "" (0 for a switch) */
    const char *const *choices; /* OPTION_CHOICE: NULL-terminated; else NULL */
    const char *value_name;     /* "FILE", "N" in help; NULL: by type */
    const char *group;          /* heading in help and docs */
    const char *doc; /* whole sentences, without default and range (these are generated) */

    /* Checks a TEXT value, or one item of a LIST, beyond its type: returns NULL when it is fine,
     * else what was expected ("HOST:PORT"). Not asked about "". NULL: no check. */
    const char *(*check)(const char *text);
};

/* Where a value came from; a later one wins. */
enum option_origin { OPTION_DEFAULT, OPTION_FROM_FILE, OPTION_FROM_ENVIRONMENT, OPTION_FROM_FLAG };

/* The place of one value, for messages: "--max-runs", "PROMPTFIX_MAX_RUNS", "max_runs in /etc/x".
 */
struct option_place {
    enum option_origin origin;
    const char *path; /* of the file, for OPTION_FROM_FILE */
};

#define OPTION_ENVIRONMENT_PREFIX "PROMPTFIX_"

/* --name as a flag, NAME with the prefix as an environment variable. */
void option_put_flag(struct buffer *out, const struct option_spec *option);
void option_put_environment(struct buffer *out, const struct option_spec *option);

/* The row of that file key, or NULL. */
const struct option_spec *option_find(
    const struct option_spec *options, size_t count, const char *name);

/* The row of `programs` whose name is at most two edits away from a mistyped one, or NULL. */
const struct option_spec *option_nearest(
    const struct option_spec *options, size_t count, unsigned programs, const char *name);

/* Sets the member of `target` from text, strictly; the old value is released. Untouched on failure.
 * PF_INVALID says the place, the value and what was expected. */
PF_MUST_CHECK enum pf_status option_set_text(const struct option_spec *option, void *target,
    const char *text, struct option_place place, struct pf_error *err);

/* Replaces a list by copies of `count` items. */
PF_MUST_CHECK enum pf_status option_set_items(const struct option_spec *option, void *target,
    const char *const *items, size_t count, struct option_place place, struct pf_error *err);

/* The failure of one value: "PLACE is GOT, expected …". `got` as "a string", "'x'";
 * `expected` NULL: by the row. */
enum pf_status option_fail(const struct option_spec *option, struct option_place place,
    const char *got, const char *expected, struct pf_error *err);

/* Sets all members to their defaults (`target` holds nothing owned before), and releases them. */
PF_MUST_CHECK enum pf_status options_init(
    const struct option_spec *options, size_t count, void *target, struct pf_error *err);
void options_finish(const struct option_spec *options, size_t count, void *target);

/* Copies one member's value from `from` to `to`. PF_NOMEM. */
PF_MUST_CHECK enum pf_status option_copy(
    const struct option_spec *option, const void *from, void *to, struct pf_error *err);
int option_is_equal(const struct option_spec *option, const void *a, const void *b);

/* The value as text that option_set_text() takes back. */
void option_put_text(struct buffer *out, const struct option_spec *option, const void *target);

/* The same as a JSON value for a file. */
void option_put_json(struct buffer *out, const struct option_spec *option, const void *target);

/* What values are taken, in words: "an integer from 1 to 64", "human or json", "a duration …". */
void option_put_expectation(struct buffer *out, const struct option_spec *option);

#endif
