/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_CUTOUT_H
#define TOOLS_CURATE_CUTOUT_H

/* Objects cut out of photos along labelme's polygons: NAME.json beside the photo it names. */

#include <stddef.h>

#include "base/error.h"
#include "pipeline/image/image.h"

enum { CUTOUT_JSON_MAX = 32 << 20, CUTOUT_POINTS_MAX = 4096, CUTOUT_NAME_MAX = 64 };

struct cutout {
    char name[CUTOUT_NAME_MAX]; /* the label */
    size_t shape;               /* its index in the file's "shapes" */
};

/* Appends the file's usable shapes (polygons of at least `side` pixels each way, with a label that
 * is a word) to `*cutouts`, realloc'd. A JSON that isn't labelme's adds none. CORRUPT, IO, NOMEM.
 */
PF_MUST_CHECK enum pf_status cutout_list(
    const char *json_path, int side, struct cutout **cutouts, size_t *count, struct pf_error *err);

/* Cuts one out: the polygon's bounding box, alpha 255 inside it with a smooth edge. */
PF_MUST_CHECK enum pf_status cutout_read(
    const char *json_path, size_t shape, struct image *ret_image, struct pf_error *err);

#endif
