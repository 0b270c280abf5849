/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_OBJECTS_H
#define TOOLS_CURATE_OBJECTS_H

/* Cut-outs to paste into photos: tuxpaint stamps (a png with alpha, beside it a .txt whose first
 * line describes it) and objects cut along labelme's polygons out of photos (photo and .json). */

#include <stddef.h>

#include "base/error.h"
#include "tools/curate/rng.h"

enum {
    OBJECTS_MAX = 16384,
    OBJECT_NAME_MAX = 64,
    OBJECT_SIDE_MAX = 512, /* larger ones are kept reduced to that */
    OBJECT_SIDE_MIN = 48,  /* smaller ones are left out: pasted they would be a blur */
};

struct object {
    char name[OBJECT_NAME_MAX]; /* "red car", without an article */
    int width, height;
    float *rgb;   /* [3,height,width] sRGB, not premultiplied */
    float *alpha; /* [height,width] */
};

struct objects;

/* Lists the stamps below `stamps` and the labelme pairs below `labelled` (either may be NULL), in
 * the order of their paths; pictures are decoded when first picked. NOT_FOUND when a folder is
 * missing. */
PF_MUST_CHECK enum pf_status objects_open(
    struct objects **ret_objects, const char *stamps, const char *labelled, struct pf_error *err);
void objects_close(struct objects *objects);
size_t objects_count(const struct objects *objects);

/* One at random, lent until objects_close(). CORRUPT and the like name the file. */
PF_MUST_CHECK enum pf_status objects_pick(struct objects *objects, struct rng *rng,
    const struct object **ret_object, struct pf_error *err);

#endif
