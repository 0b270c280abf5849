/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_LETTERING_H
#define TOOLS_EVAL_LETTERING_H

/* A stroke font: capitals, digits and a few signs, drawn at any size and angle without a font
 * library. */

#include "tools/eval/filter.h"

struct lettering {
    const char *text; /* A-Z 0-9 . - and blanks; anything else is a blank */
    float x, y;       /* left end of the baseline, in pixels */
    float height;     /* of the capitals */
    float angle;      /* anticlockwise */
    float thickness;  /* of a stroke, as a share of the height */
};

/* Coverage of the letters, joined into `plane`. */
void lettering_draw(float *plane, struct filter_size size, const struct lettering *lettering);

/* Length of the text in pixels. */
float lettering_width(const char *text, float height);

#endif
