/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_HELP_H
#define CONFIG_HELP_H

/* A program's --help as a manual page in plain text, 80 columns. */

#include "config/option.h"

/* `text`: paragraphs apart by an empty line; a line that begins with blanks is kept as it is,
 * less the first two. */
struct help_section {
    const char *title; /* "EXIT STATUS" */
    const char *text;
};

struct help_page {
    const char *name;     /* "promptfix fix" */
    const char *summary;  /* one line, no capital, no full stop */
    const char *synopsis; /* as a section's text */
    const char *description;
    const struct option_spec *options;
    size_t option_count;
    unsigned programs;                   /* only their rows */
    const struct help_section *sections; /* behind OPTIONS */
    size_t section_count;
};

void help_put_page(struct buffer *out, const struct help_page *page);

/* One heading with its text. */
void help_put_section(struct buffer *out, const char *title, const char *text);

/* The option's doc, then what was generated: "… From 1 to 64. Default: 4." */
void help_put_option_doc(struct buffer *out, const struct option_spec *option);

/* "FILE", "N": what stands for the value; "" for a switch. */
const char *help_value_name(const struct option_spec *option);

#endif
