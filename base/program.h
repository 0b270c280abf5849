/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

/* Where the other programs of promptfix and its model are. */

#include <limits.h>

#include "base/error.h"

/* The program of that name beside this one, else on PATH. PF_NOT_FOUND. */
PF_MUST_CHECK enum pf_status program_find(
    const char *name, char ret_path[PATH_MAX], struct pf_error *err);

/* The model that ships with promptfix. */
#define PROGRAM_EMBEDDED_MODEL "promptfix-small.safetensors"

/* A data file: beside this program (a build folder), else in ../share/promptfix (installed).
 * PF_NOT_FOUND. */
PF_MUST_CHECK enum pf_status program_find_data(
    const char *name, char ret_path[PATH_MAX], struct pf_error *err);

#endif
