/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOOLS_CURATE_SCENERY_H
#define TESTS_TOOLS_CURATE_SCENERY_H

/* Pictures to test with that pass for photos: smooth noise in three colours with fine grain. */

/* Fills [3,height,width] from the seed. */
void scenery_draw(float *rgb, int width, int height, unsigned seed);

/* Writes one as a ppm file. */
void scenery_save(const char *path, int width, int height, unsigned seed);

#endif
