/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_REPORT_H
#define TOOLS_EVAL_REPORT_H

/* What an evaluation has to say: tables of figures and rows of pictures. Filled once, then written
 * as text, JSON or an HTML sheet. Puts that fail (no memory, over a maximum) are remembered, so
 * that callers write straight on and ask report_status() once. */

#include "base/buffer.h"
#include "pipeline/image/image.h"

enum {
    REPORT_TABLES_MAX = 32,
    REPORT_COLUMNS_MAX = 16,
    REPORT_ROWS_MAX = 100000,
    REPORT_STRIPS_MAX = 4096,
    REPORT_PICTURES_MAX = 8, /* in a strip */
    REPORT_TEXT_SIZE = 120,  /* longer texts are cut */
};

enum report_kind { REPORT_EMPTY, REPORT_TEXT, REPORT_NUMBER, REPORT_VERDICT };

struct report_cell {
    enum report_kind kind;
    char text[REPORT_TEXT_SIZE];
    double number; /* of a verdict: 1 passed, 0 failed */
    int digits;    /* behind the point, when printed */
};

struct report_table {
    char title[REPORT_TEXT_SIZE];
    char note[4 * REPORT_TEXT_SIZE]; /* what was measured how; may be "" */
    char columns[REPORT_COLUMNS_MAX][REPORT_TEXT_SIZE];
    size_t column_count;
    struct report_cell *cells; /* [row_count,column_count], owned */
    size_t row_count;
    size_t filled; /* cells of the last row */
    int is_detail; /* not in the text: one row a photo */
};

struct report_picture {
    char label[REPORT_TEXT_SIZE];   /* "input" */
    char caption[REPORT_TEXT_SIZE]; /* its figures */
    struct buffer bytes;            /* a jpeg */
};

struct report_strip {
    char title[REPORT_TEXT_SIZE];
    char caption[4 * REPORT_TEXT_SIZE]; /* the instruction */
    struct report_picture pictures[REPORT_PICTURES_MAX];
    size_t picture_count;
};

struct report {
    char title[REPORT_TEXT_SIZE];
    char facts[8 * REPORT_TEXT_SIZE]; /* model, parameters, seconds: one paragraph */
    struct report_table tables[REPORT_TABLES_MAX];
    size_t table_count;
    struct report_strip **strips; /* each owned */
    size_t strip_count;
    int passed; /* no verdict failed */
    struct pf_error error;
};

struct report *report_create(const char *title, struct pf_error *err);
void report_destroy(struct report *report);
PF_MUST_CHECK enum pf_status report_status(const struct report *report, struct pf_error *err);

/* `columns` apart by '|'. */
struct report_table *report_add_table(
    struct report *report, const char *title, const char *note, const char *columns);
/* The following puts fill a new row from the left; what is not put stays empty. */
void report_add_row(struct report *report, struct report_table *table);
void report_put_text(struct report *report, struct report_table *table, const char *text);
/* A NaN stays empty. */
void report_put_number(
    struct report *report, struct report_table *table, double number, int digits);
void report_put_verdict(struct report *report, struct report_table *table, int passed);

/* A new row of pictures. PF_NOMEM or too many: NULL, remembered. */
struct report_strip *report_add_strip(
    struct report *report, const char *title, const char *caption);
/* A strip of NULL: no-op. The picture is encoded as a jpeg. */
void report_add_picture(struct report *report, struct report_strip *strip, const char *label,
    const struct image *image, const char *caption);

/* Whether a column holds nothing in any row; text and page leave it out. */
int report_is_empty(const struct report_table *table, size_t column);

void report_write_text(const struct report *report, struct buffer *out);
void report_write_json(const struct report *report, struct buffer *out);
/* One file: no other is loaded. */
void report_write_html(const struct report *report, struct buffer *out);

#endif
