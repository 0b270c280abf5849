/* SPDX-License-Identifier: Apache-2.0 */
#include "config/help.h"

#include <string.h>

#include "config/value.h"

enum { COLUMNS = 80, INDENT = 4, OPTION_INDENT = 8 };

/* Characters, not bytes, so that "…" counts as one column. */
static size_t width_of(const char *text, size_t count)
{
    size_t width = 0;
    for (size_t i = 0; i < count; i++)
        width += ((unsigned char)text[i] & 0xC0) != 0x80;
    return width;
}

static void put_indent(struct buffer *out, int indent)
{
    buffer_put_format(out, "%*s", indent, "");
}

/* Wraps one paragraph of `count` bytes; ends with a line break. */
static void put_wrapped(struct buffer *out, int indent, const char *text, size_t count)
{
    size_t column = 0;
    for (size_t i = 0; i < count;) {
        size_t blanks = strspn(text + i, " \n");
        i += blanks;
        size_t word = i < count ? strcspn(text + i, " \n") : 0;
        if (i + word > count)
            word = count > i ? count - i : 0;
        if (word == 0)
            break;
        size_t width = width_of(text + i, word);
        if (column > 0 && column + 1 + width > COLUMNS) {
            buffer_put_text(out, "\n");
            column = 0;
        }
        if (column == 0) {
            put_indent(out, indent);
            column = (size_t)indent;
        } else {
            buffer_put_text(out, " ");
            column++;
        }
        buffer_put(out, text + i, word);
        column += width;
        i += word;
    }
    buffer_put_text(out, "\n");
}

/* Consecutive lines without a leading blank are one paragraph. */
static void put_text(struct buffer *out, int indent, const char *text)
{
    while (*text) {
        size_t line = strcspn(text, "\n");
        size_t step = line + (text[line] == '\n');
        if (line == 0) {
            buffer_put_text(out, "\n");
        } else if (*text == ' ') {
            put_indent(out, indent);
            size_t strip = text[1] == ' ' ? 2 : 1;
            buffer_put(out, text + strip, line - strip);
            buffer_put_text(out, "\n");
        } else {
            while (text[step] && text[step] != '\n' && text[step] != ' ') {
                line = step + strcspn(text + step, "\n");
                step = line + (text[line] == '\n');
            }
            put_wrapped(out, indent, text, line);
        }
        text += step;
    }
}

void help_put_section(struct buffer *out, const char *title, const char *text)
{
    buffer_put_format(out, "\n%s\n", title);
    put_text(out, INDENT, text);
}

const char *help_value_name(const struct option_spec *option)
{
    if (option->value_name)
        return option->value_name;
    switch (option->type) {
    case OPTION_SWITCH:
        return "";
    case OPTION_INTEGER:
        return "N";
    case OPTION_NUMBER:
        return "X";
    case OPTION_BYTES:
        return "BYTES";
    case OPTION_DURATION:
        return "TIME";
    case OPTION_CHOICE:
        return "NAME";
    case OPTION_TEXT:
        return "TEXT";
    case OPTION_LIST:
        return "ITEM,…";
    }
    return "";
}

static void put_range(struct buffer *out, const struct option_spec *option)
{
    switch (option->type) {
    case OPTION_INTEGER:
        buffer_put_format(out, " From %.0f to %.0f.", option->min, option->max);
        break;
    case OPTION_NUMBER:
        buffer_put_format(out, " From %g to %g.", option->min, option->max);
        break;
    case OPTION_BYTES:
        buffer_put_text(out, " From ");
        value_put_bytes(out, (int64_t)option->min);
        buffer_put_text(out, " to ");
        value_put_bytes(out, (int64_t)option->max);
        buffer_put_text(out, ".");
        break;
    case OPTION_DURATION:
        buffer_put_text(out, " From ");
        value_put_duration(out, (int64_t)option->min);
        buffer_put_text(out, " to ");
        value_put_duration(out, (int64_t)option->max);
        buffer_put_text(out, ".");
        break;
    case OPTION_CHOICE:
        buffer_put_text(out, " One of: ");
        for (size_t i = 0; option->choices[i]; i++)
            buffer_put_format(out, "%s%s", i ? ", " : "", option->choices[i]);
        buffer_put_text(out, ".");
        break;
    case OPTION_SWITCH:
    case OPTION_TEXT:
    case OPTION_LIST:
        break;
    }
}

/* A default that is a sentence brings its own full stop. */
static void put_default(struct buffer *out, const char *text)
{
    int has_stop = text[strlen(text) - 1] == '.';
    buffer_put_format(out, " Default: %s%s", text, has_stop ? "" : ".");
}

void help_put_option_doc(struct buffer *out, const struct option_spec *option)
{
    buffer_put_text(out, option->doc);
    put_range(out, option);
    if (option->attributes & OPTION_REQUIRED)
        buffer_put_text(out, " Required.");
    else if (option->type == OPTION_SWITCH && option->attributes & OPTION_NOT_NEGATED)
        return;
    else if (option->type == OPTION_SWITCH)
        buffer_put_format(
            out, " Default: %s.", option->default_text ? option->default_text : "false");
    else if (option->default_text && option->default_text[0])
        put_default(out, option->default_text);
}

static void put_option(struct buffer *out, const struct option_spec *option)
{
    put_indent(out, INDENT);
    if (option->short_name)
        buffer_put_format(out, "-%c, ", option->short_name);
    option_put_flag(out, option);
    if (option->type == OPTION_SWITCH && !(option->attributes & OPTION_NOT_NEGATED)) {
        buffer_put_text(out, ", --no");
        AUTO_BUFFER struct buffer flag = BUFFER_INIT;
        option_put_flag(&flag, option);
        buffer_put_text(out, flag.data ? flag.data + 1 : "");
    }
    const char *value = help_value_name(option);
    buffer_put_format(out, "%s%s\n", *value ? " " : "", value);
    AUTO_BUFFER struct buffer doc = BUFFER_INIT;
    help_put_option_doc(&doc, option);
    put_wrapped(out, OPTION_INDENT, doc.data ? doc.data : "", doc.size);
}

static void put_options(struct buffer *out, const struct help_page *page)
{
    const char *group = NULL;
    buffer_put_text(out, "\nOPTIONS\n");
    for (size_t i = 0; i < page->option_count; i++) {
        const struct option_spec *option = &page->options[i];
        if (!(option->programs & page->programs))
            continue;
        if (group)
            buffer_put_text(out, "\n");
        if (option->group && (!group || strcmp(group, option->group) != 0))
            buffer_put_format(out, "  %s\n", option->group);
        group = option->group ? option->group : "";
        put_option(out, option);
    }
}

void help_put_page(struct buffer *out, const struct help_page *page)
{
    buffer_put_text(out, "NAME\n");
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    buffer_put_format(&name, "%s - %s", page->name, page->summary);
    put_wrapped(out, INDENT, name.data ? name.data : "", name.size);
    help_put_section(out, "SYNOPSIS", page->synopsis);
    help_put_section(out, "DESCRIPTION", page->description);
    put_options(out, page);
    for (size_t i = 0; i < page->section_count; i++)
        help_put_section(out, page->sections[i].title, page->sections[i].text);
}
