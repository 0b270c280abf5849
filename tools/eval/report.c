/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/report.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JPEG_QUALITY = 88 };

static void set_text(char *to, size_t size, const char *text)
{
    size_t count = strlen(text);
    if (count >= size) {
        count = size - 1;
        while (count > 0 && ((unsigned char)text[count] & 0xC0) == 0x80)
            count--; /* not inside of a character */
    }
    memcpy(to, text, count);
    to[count] = '\0';
}

struct report *report_create(const char *title, struct pf_error *err)
{
    struct report *report = calloc(1, sizeof *report);
    if (!report) {
        pf_fail(err, PF_NOMEM, "no memory for a report");
        return NULL;
    }
    set_text(report->title, sizeof report->title, title);
    report->passed = 1;
    return report;
}

void report_destroy(struct report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->table_count; i++)
        free(report->tables[i].cells);
    for (size_t i = 0; i < report->strip_count; i++) {
        struct report_strip *strip = report->strips[i];
        for (size_t k = 0; k < strip->picture_count; k++)
            buffer_finish(&strip->pictures[k].bytes);
        free(strip);
    }
    free(report->strips);
    free(report);
}

enum pf_status report_status(const struct report *report, struct pf_error *err)
{
    if (report->error.status == PF_OK)
        return PF_OK;
    return pf_fail(err, report->error.status, "%s", report->error.message);
}

struct report_table *report_add_table(
    struct report *report, const char *title, const char *note, const char *columns)
{
    assert(report->table_count < REPORT_TABLES_MAX);
    struct report_table *table = &report->tables[report->table_count++];
    set_text(table->title, sizeof table->title, title);
    set_text(table->note, sizeof table->note, note);
    for (const char *at = columns; *at;) {
        assert(table->column_count < REPORT_COLUMNS_MAX);
        size_t count = strcspn(at, "|");
        snprintf(table->columns[table->column_count++], REPORT_TEXT_SIZE, "%.*s", (int)count, at);
        at += count + (at[count] == '|');
    }
    return table;
}

void report_add_row(struct report *report, struct report_table *table)
{
    if (table->row_count == REPORT_ROWS_MAX) {
        pf_fail(&report->error, PF_INVALID, "%s: more than %d rows", table->title, REPORT_ROWS_MAX);
        return;
    }
    size_t count = (table->row_count + 1) * table->column_count;
    struct report_cell *cells = realloc(table->cells, count * sizeof *cells);
    if (!cells) {
        pf_fail(&report->error, PF_NOMEM, "no memory for %zu cells", count);
        return;
    }
    memset(cells + count - table->column_count, 0, table->column_count * sizeof *cells);
    table->cells = cells;
    table->row_count++;
    table->filled = 0;
}

int report_is_empty(const struct report_table *table, size_t column)
{
    for (size_t row = 0; row < table->row_count; row++)
        if (table->cells[row * table->column_count + column].kind != REPORT_EMPTY)
            return 0;
    return table->row_count > 0;
}

/* The next cell of the last row, or NULL after a failure. */
static struct report_cell *next_cell(const struct report *report, struct report_table *table)
{
    if (report->error.status != PF_OK || table->row_count == 0)
        return NULL;
    assert(table->filled < table->column_count);
    return &table->cells[(table->row_count - 1) * table->column_count + table->filled++];
}

void report_put_text(struct report *report, struct report_table *table, const char *text)
{
    struct report_cell *cell = next_cell(report, table);
    if (!cell)
        return;
    cell->kind = REPORT_TEXT;
    set_text(cell->text, sizeof cell->text, text);
}

void report_put_number(struct report *report, struct report_table *table, double number, int digits)
{
    struct report_cell *cell = next_cell(report, table);
    if (!cell || !isfinite(number))
        return;
    cell->kind = REPORT_NUMBER;
    cell->number = number;
    cell->digits = digits;
    snprintf(cell->text, sizeof cell->text, "%.*f", digits, number);
}

void report_put_verdict(struct report *report, struct report_table *table, int passed)
{
    struct report_cell *cell = next_cell(report, table);
    report->passed &= passed;
    if (!cell)
        return;
    cell->kind = REPORT_VERDICT;
    cell->number = passed;
    set_text(cell->text, sizeof cell->text, passed ? "pass" : "FAIL");
}

struct report_strip *report_add_strip(struct report *report, const char *title, const char *caption)
{
    if (report->strip_count == REPORT_STRIPS_MAX) {
        pf_fail(&report->error, PF_INVALID, "more than %d rows of pictures", REPORT_STRIPS_MAX);
        return NULL;
    }
    struct report_strip **strips =
        realloc(report->strips, (report->strip_count + 1) * sizeof(struct report_strip *));
    struct report_strip *strip = calloc(1, sizeof *strip);
    if (strips)
        report->strips = strips;
    if (!strips || !strip) {
        free(strip);
        pf_fail(&report->error, PF_NOMEM, "no memory for a row of pictures");
        return NULL;
    }
    set_text(strip->title, sizeof strip->title, title);
    set_text(strip->caption, sizeof strip->caption, caption);
    return strips[report->strip_count++] = strip;
}

void report_add_picture(struct report *report, struct report_strip *strip, const char *label,
    const struct image *image, const char *caption)
{
    if (!strip)
        return;
    assert(strip->picture_count < REPORT_PICTURES_MAX);
    struct report_picture *picture = &strip->pictures[strip->picture_count++];
    *picture = (struct report_picture){.bytes = BUFFER_INIT};
    set_text(picture->label, sizeof picture->label, label);
    set_text(picture->caption, sizeof picture->caption, caption);
    if (image_encode(image, IMAGE_FORMAT_JPEG, JPEG_QUALITY, &picture->bytes, &report->error) !=
        PF_OK)
        return; /* remembered */
}
