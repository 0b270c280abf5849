/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TEXT_HTML_DATA_H
#define PIPELINE_TEXT_HTML_DATA_H

/* Tables behind html.h, written by tools/gen-unicode.py, sorted by name. */

#include <stddef.h>
#include <stdint.h>

#include "pipeline/text/unicode_data.h"

enum { HTML_NAME_MAX = 31 }; /* characters of the longest name */

struct html_entity {
    const char *name;       /* without '&' and ';' */
    uint32_t first, second; /* code points; second is 0 when there is one */
};

extern const struct html_entity html_entities[]; /* names that end with ';' */
extern const size_t html_entities_count;
extern const struct html_entity html_open_entities[]; /* names that also stand without ';' */
extern const size_t html_open_entities_count;

extern const uint16_t html_c1_references[32];     /* what &#128; … &#159; mean: windows-1252 */
extern const struct unicode_range html_dropped[]; /* numeric references that stand for nothing */
extern const size_t html_dropped_count;

#endif
