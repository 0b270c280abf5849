/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

/* Where the other programs of promptfix are. */

#include <limits.h>

#include "base/error.h"

/* The program of that name beside this one, else on PATH. PF_NOT_FOUND. */
PF_MUST_CHECK enum pf_status program_find(
    const char *name, char ret_path[PATH_MAX], struct pf_error *err);

#endif
