/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_ALBUM_H
#define TOOLS_CURATE_ALBUM_H

/* All photos to draw from: found, chosen by the rules of a list file, reduced into a cache by
 * several processes, measured, and sorted out.
 *
 * A list file has one rule a line, the last one that matches a path decides; without any match a
 * file is taken with weight 1. Words are split at spaces, '#' starts a comment:
 *
 *     include PATTERN [weight=W] [tags=some_words]
 *     exclude PATTERN
 *
 * What a rule includes is taken whatever photo_objection()'s guess, if it is large enough: somebody
 * has looked. PATTERN is a shell pattern on the whole path, where * matches '/' too. */

#include <stdio.h>

#include "base/error.h"
#include "tools/curate/recipe.h"

enum album_split { ALBUM_ALL, ALBUM_TRAIN, ALBUM_VALID };

struct album_options {
    const char *const *folders;
    size_t folder_count;
    const char *list;  /* rules, or NULL */
    const char *cache; /* folder, made when missing */
    int side, jobs;
    enum album_split split; /* valid: a twentieth of the photos, by a hash of their names */
    FILE *report;           /* a line for every file left out; or NULL */
};

struct album {
    struct recipe_photo *photos;
    double *cumulative;
    size_t count;
};

void album_finish(struct album *album);

/* NOT_FOUND when no photo is left; INVALID for a rule that can't be read, with its line. Doesn't
 * start libvips in this process. */
PF_MUST_CHECK enum pf_status album_open(
    const struct album_options *options, struct album *ret_album, struct pf_error *err);

#endif
