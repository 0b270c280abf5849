/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_SHEET_H
#define TOOLS_CURATE_SHEET_H

#include "base/error.h"

enum { SHEET_PAIRS = 48, SHEET_COLUMNS = 4, SHEET_SIDE = 192 };

/* Draws a set's first SHEET_PAIRS pairs, input and target side by side under their task and
 * instruction, SHEET_COLUMNS pairs a row, into a png or ppm by the name's end. */
PF_MUST_CHECK enum pf_status sheet_write(
    const char *shards_path, const char *file, struct pf_error *err);

#endif
