/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/param_rows.h"

#include <assert.h>
#include <string.h>

#include "base/cleanup.h"

static const enum option_type types[] = {
    [PARAM_INTEGER] = OPTION_INTEGER,
    [PARAM_NUMBER] = OPTION_NUMBER,
    [PARAM_CHOICE] = OPTION_CHOICE,
};

/* Written once by the main thread, before any other starts. */
static char defaults[PARAM_ROWS_MAX][32];

static int is_in(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return 1;
    return 0;
}

static const char *default_text(size_t index)
{
    const struct param_field *field = &params_fields[index];
    if (field->type == PARAM_CHOICE)
        return field->choices[(size_t)field->default_value];
    snprintf(defaults[index], sizeof defaults[index], "%.15g", field->default_value);
    return defaults[index];
}

void param_rows_append(
    struct option_spec *rows, size_t *count, size_t offset, const char *const *without)
{
    assert(params_field_count <= PARAM_ROWS_MAX);
    for (size_t i = 0; i < params_field_count; i++) {
        const struct param_field *field = &params_fields[i];
        if (is_in(without, field->name))
            continue;
        rows[(*count)++] = (struct option_spec){
            .name = field->name,
            .type = types[field->type],
            .programs = 1,
            .offset = offset + field->offset,
            .min = field->min,
            .max = field->max,
            .default_text = default_text(i),
            .choices = field->choices,
            .group = "Parameters",
            .doc = field->doc,
        };
    }
}

void param_table_init(struct param_table *table, const struct option_spec *rows, size_t count,
    const char *group, size_t offset, const char *const *without)
{
    size_t before = 0;
    assert(count + PARAM_ROWS_MAX <= PARAM_TABLE_ROWS_MAX);
    while (strcmp(rows[before].group, group) != 0)
        before++;
    memcpy(table->rows, rows, before * sizeof *rows);
    table->count = before;
    param_rows_append(table->rows, &table->count, offset, without);
    memcpy(table->rows + table->count, rows + before, (count - before) * sizeof *rows);
    table->count += count - before;
}

enum pf_status param_rows_set(const struct option_spec *row, void *values, struct params *params,
    const char *value, struct pf_error *err)
{
    struct option_place place = {OPTION_FROM_FLAG, NULL};
    PF_TRY(option_set_text(row, values, value, place, err));
    const struct param_field *field = params_find(row->name);
    char *member = (char *)values + row->offset;
    return field && member == (char *)params + field->offset
               ? params_set_text(params, row->name, value, err)
               : PF_OK;
}
