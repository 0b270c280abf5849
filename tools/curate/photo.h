/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_PHOTO_H
#define TOOLS_CURATE_PHOTO_H

/* One photo, reduced once and kept as a ppm: decoding a large jpeg takes a hundred times as long as
 * cutting a crop. What was measured of it stands in the ppm's comment. */

#include "base/error.h"
#include "base/file.h"
#include "pipeline/image/image.h"
#include "tools/curate/rng.h"

enum { PHOTO_SIDE_KEPT = 768, PHOTO_FILE_MAX = 256 << 20 };

/* Measured on the reduced picture; what tells photos from drawings. */
struct photo_traits {
    int width, height; /* of the file; 0 when it can't be decoded */
    double colours;    /* distinct colours of 5 bits a channel, per 1000 pixels */
    double flat;       /* share of pixels equal to their right and lower neighbour */
    double entropy;    /* of the gradients' histogram, bits */
    double chroma;     /* mean of max-min over the channels: 0 for a grey picture */
};

void photo_measure(const struct image *image, struct photo_traits *ret_traits);

/* Why this is no photo ("few colours", …), or NULL when it is one. `side` is the least of the
 * shorter side; with `is_known` nothing but sizes is looked at. */
const char *photo_objection(const struct photo_traits *traits, int side, int is_known);

/* Decodes `path`, reduces it to PHOTO_SIDE_KEPT for its shorter side and writes `cached`. A file
 * that is damaged or smaller than `side` leaves a mark there, and is no error. IO, NOMEM. */
PF_MUST_CHECK enum pf_status photo_cache(
    const char *path, const char *cached, int side, struct pf_error *err);

/* Reads the traits of a cached photo. NOT_FOUND when it isn't cached. */
PF_MUST_CHECK enum pf_status photo_read_traits(
    const char *cached, struct photo_traits *ret_traits, struct pf_error *err);

/* Cuts a square of side² at a random scale and place out of a cached photo, flipped half the time.
 * `ret_rgb` [3,side,side]. */
PF_MUST_CHECK enum pf_status photo_crop(
    const char *cached, int side, struct rng *rng, float *ret_rgb, struct pf_error *err);

#endif
