/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_FILES_H
#define TOOLS_CURATE_FILES_H

/* Lists of files below folders. */

#include <stddef.h>

#include "base/error.h"

enum { FILES_MAX = 1 << 20, FILES_DEPTH_MAX = 32, FILES_PATH_MAX = 4095 };

struct files {
    char **paths; /* sorted, without doubles */
    size_t count;
};

void files_finish(struct files *files);

/* Adds every plain file below `folder` whose name ends in one of `suffixes` (NULL-terminated, case
 * ignored). Symbolic links are passed over: packages link one picture to many names. NOT_FOUND, IO,
 * NOMEM, INVALID over FILES_MAX or FILES_DEPTH_MAX. */
PF_MUST_CHECK enum pf_status files_add(
    struct files *files, const char *folder, const char *const *suffixes, struct pf_error *err);

extern const char *const files_pictures[]; /* png, jpg, jpeg, webp, ppm */

#endif
