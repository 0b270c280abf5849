/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/base64.h"
#include "tools/eval/report.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

static const char style[] =
    "<style>\n"
    ":root { color-scheme: light dark; --ground: #fff; --ink: #1b1c1e; --soft: #5d6066; "
    "--line: #d9dbdf; --band: #f4f5f7; --good: #0a6b2d; --bad: #b3261e; }\n"
    "@media (prefers-color-scheme: dark) { :root { --ground: #17181a; --ink: #e8e9eb; "
    "--soft: #a4a8ae; --line: #36393e; --band: #202225; --good: #6fd08c; --bad: #ff8f85; } }\n"
    "* { box-sizing: border-box; }\n"
    "body { margin: 0 auto; max-width: 90rem; padding: 1rem; background: var(--ground); "
    "color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }\n"
    "h1 { font-size: 1.5rem; line-height: 1.2; margin: .5rem 0; }\n"
    "h2 { font-size: 1.15rem; margin: 2rem 0 .25rem; }\n"
    "h3 { font-size: 1rem; margin: 1.5rem 0 0; overflow-wrap: anywhere; }\n"
    "p { margin: .25rem 0 .5rem; max-width: 75ch; color: var(--soft); overflow-wrap: anywhere; }\n"
    ".verdict { font-weight: 600; }\n"
    ".pass { color: var(--good); } .fail { color: var(--bad); font-weight: 700; }\n"
    ".wide { overflow-x: auto; }\n"
    "table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }\n"
    "th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; "
    "vertical-align: top; }\n"
    "th { background: var(--band); font-weight: 600; }\n"
    "td.number, th.number { text-align: right; white-space: nowrap; }\n"
    ".strip { display: grid; gap: .5rem; "
    "grid-template-columns: repeat(auto-fill, minmax(min(100%, 9.5rem), 1fr)); }\n"
    "@media (min-width: 60rem) { .strip { grid-template-columns: "
    "repeat(auto-fill, minmax(17rem, 1fr)); } }\n"
    "figure { margin: 0; }\n"
    "img { display: block; width: 100%; height: auto; background: var(--band); }\n"
    "figcaption { font-size: .8rem; line-height: 1.35; padding: .25rem 0; }\n"
    "figcaption span { display: block; color: var(--soft); font-variant-numeric: tabular-nums; }\n"
    "@media (max-width: 40rem) { table { font-size: .8rem; } th, td { padding: .25rem .3rem; } "
    "th:first-child, td:first-child { padding-left: 0; } }\n"
    "details summary { cursor: pointer; padding: .25rem 0; }\n"
    "</style>\n";

static void put_escaped(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            buffer_put_text(out, "&amp;");
            break;
        case '<':
            buffer_put_text(out, "&lt;");
            break;
        case '>':
            buffer_put_text(out, "&gt;");
            break;
        case '"':
            buffer_put_text(out, "&quot;");
            break;
        default:
            buffer_put(out, text, 1);
        }
    }
}

static void put_element(struct buffer *out, const char *name, const char *class, const char *text)
{
    buffer_put_format(out, "<%s", name);
    if (class)
        buffer_put_format(out, " class=\"%s\"", class);
    buffer_put_text(out, ">");
    put_escaped(out, text);
    buffer_put_format(out, "</%s>", name);
}

static const char *class_of(const struct report_cell *cell)
{
    if (cell->kind == REPORT_NUMBER)
        return "number";
    if (cell->kind == REPORT_VERDICT)
        return cell->number > 0 ? "pass" : "fail";
    return NULL;
}

static int holds_numbers(const struct report_table *table, size_t column)
{
    for (size_t row = 0; row < table->row_count; row++)
        if (table->cells[row * table->column_count + column].kind == REPORT_NUMBER)
            return 1;
    return 0;
}

static void put_rows(struct buffer *out, const struct report_table *table)
{
    buffer_put_text(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"");
    put_escaped(out, table->title);
    buffer_put_text(out, "\"><table><thead><tr>");
    for (size_t column = 0; column < table->column_count; column++)
        if (!report_is_empty(table, column))
            put_element(
                out, "th", holds_numbers(table, column) ? "number" : NULL, table->columns[column]);
    buffer_put_text(out, "</tr></thead><tbody>\n");
    for (size_t row = 0; row < table->row_count; row++) {
        buffer_put_text(out, "<tr>");
        for (size_t column = 0; column < table->column_count; column++) {
            const struct report_cell *cell = &table->cells[row * table->column_count + column];
            if (!report_is_empty(table, column))
                put_element(out, "td", class_of(cell), cell->text);
        }
        buffer_put_text(out, "</tr>\n");
    }
    buffer_put_text(out, "</tbody></table></div>\n");
}

static void put_table(struct buffer *out, const struct report_table *table)
{
    if (table->is_detail)
        buffer_put_text(out, "<details><summary>");
    put_element(out, table->is_detail ? "span" : "h2", NULL, table->title);
    if (table->is_detail)
        buffer_put_text(out, "</summary>");
    if (table->note[0])
        put_element(out, "p", NULL, table->note);
    put_rows(out, table);
    if (table->is_detail)
        buffer_put_text(out, "</details>\n");
}

static void put_picture(
    struct buffer *out, const struct report_strip *strip, const struct report_picture *picture)
{
    buffer_put_text(out, "<figure><img loading=\"lazy\" alt=\"");
    put_escaped(out, strip->title);
    buffer_put_text(out, ", ");
    put_escaped(out, picture->label);
    buffer_put_text(out, "\" src=\"data:image/jpeg;base64,");
    buffer_put_base64(out, picture->bytes.data, picture->bytes.size);
    buffer_put_text(out, "\"><figcaption>");
    put_escaped(out, picture->label);
    put_element(out, "span", NULL, picture->caption);
    buffer_put_text(out, "</figcaption></figure>\n");
}

void report_write_html(const struct report *report, struct buffer *out)
{
    buffer_put_text(out, head);
    put_element(out, "title", NULL, report->title);
    buffer_put_text(out, style);
    buffer_put_text(out, "</head><body><main>\n");
    put_element(out, "h1", NULL, report->title);
    put_element(out, "p", NULL, report->facts);
    for (size_t i = 0; i < report->table_count; i++)
        put_table(out, &report->tables[i]);
    if (report->strip_count > 0)
        put_element(out, "h2", NULL, "Pictures");
    for (size_t i = 0; i < report->strip_count; i++) {
        const struct report_strip *strip = report->strips[i];
        put_element(out, "h3", NULL, strip->title);
        put_element(out, "p", NULL, strip->caption);
        buffer_put_text(out, "<div class=\"strip\">\n");
        for (size_t k = 0; k < strip->picture_count; k++)
            put_picture(out, strip, &strip->pictures[k]);
        buffer_put_text(out, "</div>\n");
    }
    buffer_put_text(out, "</main></body></html>\n");
}
