/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_COLOURFULNESS_H
#define TOOLS_EVAL_COLOURFULNESS_H

#include "pipeline/image/image.h"

/* How colourful people find a picture, on the scale of 8-bit values: 0 for grey, about 15 for
 * slightly, 33 for moderately, 59 for highly colourful. With rg = R-G and yb = (R+G)/2-B it is
 * |(sd rg, sd yb)| + 0.3·|(mean rg, mean yb)|.
 * Source  Hasler & Süsstrunk, "Measuring colourfulness in natural images", 2003, M̂(3) */
double colourfulness(const struct image *image);

#endif
