/* SPDX-License-Identifier: Apache-2.0 */
/* {"title","facts","passed","tables":[{"title","note","rows":[{COLUMN: value, …}]}]}: a verdict is
 * true or false, an empty cell null. */
#include <string.h>

#include "tools/eval/report.h"

static void put_string(struct buffer *out, const char *text)
{
    buffer_put_json_string(out, text, strlen(text));
}

static void put_cell(struct buffer *out, const struct report_cell *cell)
{
    switch (cell->kind) {
    case REPORT_EMPTY:
        buffer_put_text(out, "null");
        break;
    case REPORT_TEXT:
        put_string(out, cell->text);
        break;
    case REPORT_NUMBER:
        buffer_put_json_number(out, cell->number);
        break;
    case REPORT_VERDICT:
        buffer_put_text(out, cell->number > 0 ? "true" : "false");
        break;
    }
}

static void put_table(struct buffer *out, const struct report_table *table)
{
    buffer_put_text(out, "{\"title\": ");
    put_string(out, table->title);
    buffer_put_text(out, ", \"note\": ");
    put_string(out, table->note);
    buffer_put_text(out, ", \"rows\": [");
    for (size_t row = 0; row < table->row_count; row++) {
        buffer_put_text(out, row > 0 ? ",\n  {" : "\n  {");
        for (size_t column = 0; column < table->column_count; column++) {
            buffer_put_text(out, column > 0 ? ", " : "");
            put_string(out, table->columns[column]);
            buffer_put_text(out, ": ");
            put_cell(out, &table->cells[row * table->column_count + column]);
        }
        buffer_put_text(out, "}");
    }
    buffer_put_text(out, "]}");
}

void report_write_json(const struct report *report, struct buffer *out)
{
    buffer_put_text(out, "{\"title\": ");
    put_string(out, report->title);
    buffer_put_text(out, ", \"facts\": ");
    put_string(out, report->facts);
    buffer_put_format(out, ", \"passed\": %s, \"tables\": [", report->passed ? "true" : "false");
    for (size_t i = 0; i < report->table_count; i++) {
        buffer_put_text(out, i > 0 ? ",\n " : "\n ");
        put_table(out, &report->tables[i]);
    }
    buffer_put_text(out, "]}\n");
}
