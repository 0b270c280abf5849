/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/utf8.h"
#include "tools/eval/report.h"

/* Columns on a screen; every character of these texts takes one. */
static size_t columns_of(const char *text)
{
    size_t characters = 0;
    return utf8_is_valid(text, strlen(text), &characters) ? characters : strlen(text);
}

static void put_padded(struct buffer *out, const char *text, size_t width, int to_right)
{
    size_t columns = columns_of(text);
    int blanks = columns < width ? (int)(width - columns) : 0;
    if (to_right)
        buffer_put_format(out, "%*s%s", blanks, "", text);
    else
        buffer_put_format(out, "%s%*s", text, blanks, "");
}

/* Numbers stand to the right, and so do the heads of columns that hold any. */
static int is_to_right(const struct report_table *table, size_t column)
{
    for (size_t row = 0; row < table->row_count; row++) {
        enum report_kind kind = table->cells[row * table->column_count + column].kind;
        if (kind != REPORT_EMPTY)
            return kind == REPORT_NUMBER;
    }
    return 0;
}

static size_t width_of(const struct report_table *table, size_t column)
{
    size_t widest = columns_of(table->columns[column]);
    for (size_t row = 0; row < table->row_count; row++) {
        size_t columns = columns_of(table->cells[row * table->column_count + column].text);
        widest = columns > widest ? columns : widest;
    }
    return widest;
}

static void put_row(struct buffer *out, const struct report_table *table, const size_t *widths,
    size_t row, int is_head)
{
    for (size_t column = 0; column < table->column_count; column++) {
        if (report_is_empty(table, column))
            continue;
        const char *text = is_head ? table->columns[column]
                                   : table->cells[row * table->column_count + column].text;
        buffer_put_text(out, "  ");
        put_padded(out, text, widths[column], is_to_right(table, column));
    }
    while (out->size > 0 && out->data[out->size - 1] == ' ')
        out->data[--out->size] = '\0';
    buffer_put_text(out, "\n");
}

static void put_table(struct buffer *out, const struct report_table *table)
{
    size_t widths[REPORT_COLUMNS_MAX];
    buffer_put_format(out, "\n%s\n", table->title);
    for (size_t column = 0; column < table->column_count; column++)
        widths[column] = width_of(table, column);
    put_row(out, table, widths, 0, 1);
    for (size_t row = 0; row < table->row_count; row++)
        put_row(out, table, widths, row, 0);
    if (table->note[0])
        buffer_put_format(out, "  %s\n", table->note);
}

void report_write_text(const struct report *report, struct buffer *out)
{
    buffer_put_format(out, "%s\n%s\n", report->title, report->facts);
    for (size_t i = 0; i < report->table_count; i++)
        if (!report->tables[i].is_detail)
            put_table(out, &report->tables[i]);
}
