/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOOLS_EVAL_SCENE_H
#define TESTS_TOOLS_EVAL_SCENE_H

#include "pipeline/image/image.h"

/* A picture with what photos have: flat colours, shading, fine texture, edges, and something dark
 * everywhere. Square; image_finish() it. */
struct image scene_create(int size);

/* All pixels of one colour. */
struct image scene_flat(int width, int height, float red, float green, float blue);

#endif
