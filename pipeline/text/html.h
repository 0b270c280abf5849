/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TEXT_HTML_H
#define PIPELINE_TEXT_HTML_H

#include <stddef.h>
#include <stdint.h>

/* Replaces HTML5 character references (&amp; &#233; &#xE9; and the old names that need no ';') in
 * place, once, as Python's html.unescape() does. Returns the new number of code points, which is
 * never larger than `count`. */
size_t html_unescape(uint32_t *text, size_t count);

#endif
