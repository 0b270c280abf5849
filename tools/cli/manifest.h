/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_MANIFEST_H
#define TOOLS_CLI_MANIFEST_H

/* A list of images, each with an instruction of its own: one JSON object a line.
 *
 *     {"image": "a/b.jpg", "instruction": "remove the snow", "steps": 30}
 *
 * Members: image (required; relative to the manifest's folder), instruction, auxiliary,
 * auxiliary_prompt, mask (a file, as image), output (path of the result below the output folder;
 * without it that of the image, or its name when that is absolute or leads up), metadata, priority,
 * webhook_url, and every parameter. What a line doesn't say is as on the command line. Empty lines
 * are passed over. */

#include "tools/cli/items.h"

enum { MANIFEST_MAX = 256 << 20, MANIFEST_LINE_MAX = 64 << 10 };

extern const char *const request_auxiliary_names[]; /* NULL-terminated */
extern const char *const request_priority_names[];

/* Adds an item for each line. INVALID with the line's number; NOT_FOUND, IO. */
PF_MUST_CHECK enum pf_status manifest_read(
    struct items *items, const char *path, const struct request *defaults, struct pf_error *err);

#endif
