/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_FLAGS_H
#define CONFIG_FLAGS_H

/* Reads a command line over a table of options:
 *
 *     --name VALUE  --name=VALUE  -n VALUE  -nVALUE     values; one that begins with "--" needs '='
 *     --switch  --no-switch  -s                         switches
 *     --                                                everything behind it is positional
 *
 * A flag given twice: the last one counts (a list is replaced, not extended). */

#include "config/option.h"

/* Who receives what was read. A positional argument with `positional` NULL is an error. */
struct flags_sink {
    enum pf_status (*set)(
        void *context, const struct option_spec *option, const char *value, struct pf_error *err);
    enum pf_status (*positional)(void *context, const char *text, struct pf_error *err);
    void *context;
};

/* Reads argv[1] … argv[argc - 1] for the rows of `programs`. A switch is set with "true" or
 * "false". PF_INVALID: unknown flag (the nearest one is named), a value missing, or one too many.
 */
PF_MUST_CHECK enum pf_status flags_parse(const struct option_spec *options, size_t count,
    unsigned programs, int argc, char *const *argv, const struct flags_sink *sink,
    struct pf_error *err);

#endif
