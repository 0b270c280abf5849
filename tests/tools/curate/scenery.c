/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/curate/scenery.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "tests/test.h"
#include "tools/curate/plane.h"
#include "tools/data/ppm.h"

void scenery_draw(float *rgb, int width, int height, unsigned seed)
{
    size_t area = (size_t)width * (size_t)height;
    for (size_t c = 0; c < 3; c++) {
        struct rng rng;
        rng_init(&rng, seed, c, 7);
        plane_noise(rgb + c * area, width, height, width / 3.0, 6, &rng);
        for (size_t i = 0; i < area; i++)
            rgb[c * area + i] = plane_clamp(
                (rgb[c * area + i] - 0.5f) * 1.8f + 0.4f + 0.03f * (float)rng_normal(&rng));
    }
}

void scenery_save(const char *path, int width, int height, unsigned seed)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    AUTO_FREE float *rgb = malloc(3 * (size_t)width * (size_t)height * sizeof *rgb);
    assert_non_null(rgb);
    scenery_draw(rgb, width, height, seed);
    struct image image = {width, height, rgb, NULL};
    assert_ok(ppm_encode(&image, NULL, &file, &err), &err);
    assert_ok(file_write(path, file.data, file.size, 0600, 0, &err), &err);
}
