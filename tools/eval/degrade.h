/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_DEGRADE_H
#define TOOLS_EVAL_DEGRADE_H

/* What spoils a clean photo. Written for the acceptance test alone: it shares no code, constants,
 * fonts or objects with the degradations a model is trained on, so what passes here was not
 * learnt by heart. Strengths are given for a shorter side of 512 pixels and scale with it. */

#include "pipeline/image/image.h"
#include "tools/eval/filter.h"
#include "tools/eval/random.h"

struct degrade {
    struct image *image;       /* clean on entry, spoilt on return */
    float *mask;               /* [height,width], 0 on entry: how far a pixel was painted over */
    struct random *random;     /* decides everything */
    const struct image *other; /* another photo: what a pasted object is covered with; or NULL */
};

/* PF_NOMEM, each. A spoilt picture is clamped, not yet rounded to 8 bits. */
PF_MUST_CHECK enum pf_status degrade_grey(struct degrade *degrade, struct pf_error *err);

/* 0.4·x² with shot and read noise. */
PF_MUST_CHECK enum pf_status degrade_light(struct degrade *degrade, struct pf_error *err);

/* J·t + A·(1-t), t = exp(-β·depth); the depth is guessed from the picture. */
PF_MUST_CHECK enum pf_status degrade_haze(struct degrade *degrade, struct pf_error *err);

/* Three layers of flakes in one wind. Mask: their opacity. */
PF_MUST_CHECK enum pf_status degrade_snow(struct degrade *degrade, struct pf_error *err);

/* Lettering: tiled, across, or a badge in a corner. Mask: its coverage. */
PF_MUST_CHECK enum pf_status degrade_mark(struct degrade *degrade, struct pf_error *err);

/* A shaded solid with its shadow. Mask: both. */
PF_MUST_CHECK enum pf_status degrade_object(struct degrade *degrade, struct pf_error *err);

/* Out of focus, or moved. */
PF_MUST_CHECK enum pf_status degrade_blur(struct degrade *degrade, struct pf_error *err);

/* The picture's scale: its shorter side over 512. */
float degrade_scale(const struct degrade *degrade);
struct filter_size degrade_size(const struct degrade *degrade);

/* Mixes `colour` (3 values) over a pixel by `opacity`. */
void degrade_cover(struct degrade *degrade, size_t pixel, const float *colour, float opacity);

#endif
