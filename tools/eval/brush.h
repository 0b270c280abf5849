/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_BRUSH_H
#define TOOLS_EVAL_BRUSH_H

/* Anti-aliased strokes on a coverage plane [height,width] in [0,1]. */

#include "tools/eval/filter.h"

/* From (x0,y0) to (x1,y1) in pixels, the same point for a dot. */
struct brush_stroke {
    float x0, y0, x1, y1;
    float radius;
    float softness; /* width of the edge in pixels, 1 for a sharp one */
    float opacity;
};

/* Strokes of one thing (a letter): where two meet, the stronger counts. */
void brush_join(float *plane, struct filter_size size, const struct brush_stroke *stroke);

/* Strokes of many things in front of each other: their opacities add up as layers do. */
void brush_layer(float *plane, struct filter_size size, const struct brush_stroke *stroke);

#endif
