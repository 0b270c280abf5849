/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SOURCES_H
#define CONFIG_SOURCES_H

/* Where options come from besides flags: a JSON file and environment variables. Both hand text
 * values to option_set_text() and mark the row's origin. */

#include "config/option.h"

/* A table with the struct it fills. */
struct option_target {
    const struct option_spec *options;
    size_t count;
    unsigned programs;     /* only their rows are known */
    void *values;          /* the struct of the members */
    unsigned char *origin; /* enum option_origin of each row; NULL: not wanted */
    /* Variables with our prefix that belong to another program, NULL-terminated; NULL: none. */
    const char *const *foreign;
};

/* The rows one can write into a file or set in the environment. */
int option_is_in_file(const struct option_spec *option);
int option_is_in_environment(const struct option_spec *option);

/* Reads text of `count` bytes: one JSON object, a member an option ("$schema" is skipped). Values
 * have the option's JSON type: true/false, integer, number, string (choices, texts, durations,
 * sizes with a unit), array of strings; sizes may be integers too. `path` is for messages. Errors
 * PF_INVALID: no JSON object, unknown key, wrong type or value */
PF_MUST_CHECK enum pf_status source_read_json(const struct option_target *target, const char *text,
    size_t count, const char *path, struct pf_error *err);

/* The same from a file. PF_NOT_FOUND, PF_IO. */
PF_MUST_CHECK enum pf_status source_read_file(
    const struct option_target *target, const char *path, size_t max_size, struct pf_error *err);

/* Every variable of `environment` ("NAME=value", NULL-terminated) with the prefix PROMPTFIX_.
 * PF_INVALID: no such option, or a bad value. */
PF_MUST_CHECK enum pf_status source_read_environment(
    const struct option_target *target, char *const *environment, struct pf_error *err);

/* The value of one variable, or NULL. */
const char *source_environment_get(char *const *environment, const char *name);

#endif
