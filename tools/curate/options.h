/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_OPTIONS_H
#define TOOLS_CURATE_OPTIONS_H

#include <stddef.h>

#include "tools/curate/album.h"
#include "tools/curate/recipe.h"

enum { CURATE_FOLDERS_MAX = 256 };

struct curate_options {
    const char *folders[CURATE_FOLDERS_MAX];
    size_t folder_count;
    const char *pairs, *list, *thesaurus, *stamps, *objects, *out, *cache, *sheet;
    size_t count, per_shard;
    int jobs, reports;
    enum album_split split;
    struct recipe recipe; /* its numbers; photos, objects, thesaurus come later */
};

extern const char curate_usage[];

/* Reads the command line; *ret_help is 1 when only help was asked for. INVALID names the option. */
PF_MUST_CHECK enum pf_status curate_options_read(
    struct curate_options *ret_options, int argc, char **argv, int *ret_help, struct pf_error *err);

#endif
