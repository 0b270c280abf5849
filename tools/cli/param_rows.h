/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_PARAM_ROWS_H
#define TOOLS_CLI_PARAM_ROWS_H

/* The parameters of a job (base/params.h) as rows of a command's table: '-' for '_'. */

#include "base/params.h"
#include "config/option.h"

enum { PARAM_ROWS_MAX = 32, PARAM_TABLE_ROWS_MAX = 64 };

/* Appends a row for each parameter but those in `without` (names, NULL-terminated) to `rows`, which
 * has room for PARAM_ROWS_MAX more; `offset` is that of the struct params in the command's values.
 */
void param_rows_append(
    struct option_spec *rows, size_t *count, size_t offset, const char *const *without);

/* A command's rows with those of the parameters in front of the first row of `group`. */
struct param_table {
    struct option_spec rows[PARAM_TABLE_ROWS_MAX];
    size_t count;
};
void param_table_init(struct param_table *table, const struct option_spec *rows, size_t count,
    const char *group, size_t offset, const char *const *without);

/* As option_set_text(); a parameter's row also marks the parameter as set by the caller. */
PF_MUST_CHECK enum pf_status param_rows_set(const struct option_spec *row, void *values,
    struct params *params, const char *value, struct pf_error *err);

#endif
