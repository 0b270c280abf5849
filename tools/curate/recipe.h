/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_RECIPE_H
#define TOOLS_CURATE_RECIPE_H

/* Makes one pair: photo, crop, degradations, texts. Sample i of a seed is the same whoever makes
 * it, and whenever. */

#include "base/buffer.h"
#include "base/error.h"
#include "tools/curate/objects.h"
#include "tools/curate/phrases.h"
#include "tools/curate/thesaurus.h"
#include "tools/data/shards_write.h"
#include "tools/data/tasks.h"

enum { RECIPE_DEGRADATIONS_MAX = 3, RECIPE_SIDE_MAX = 2048, RECIPE_TAGS_MAX = 96 };

struct recipe_photo {
    char *cached; /* file as photo_cache() left it */
    char *source; /* what a sample's json says */
    char tags[RECIPE_TAGS_MAX];
    double weight;
};

struct recipe {
    uint64_t seed;
    int side;
    double shares[TASK_COUNT]; /* how often each task is the first one asked for */
    double combine;            /* of two or three degradations */
    double idle, wrong; /* shares of pairs with nothing to do, and with another task's words */
    enum phrase_set phrases;
    enum picture_format format;
    int quality;
    const struct recipe_photo *photos;
    size_t photo_count;
    const double *cumulative;          /* [photo_count] sums of their weights */
    struct objects *objects;           /* NULL: TASK_REMOVE is never drawn */
    const struct thesaurus *thesaurus; /* NULL: the words stay the grammar's */
};

/* Makes sample `index` and appends its packed files (sample_pack()) to `out`. */
PF_MUST_CHECK enum pf_status recipe_make(
    const struct recipe *recipe, size_t index, struct buffer *out, struct pf_error *err);

#endif
