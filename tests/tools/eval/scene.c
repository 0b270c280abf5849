/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/eval/scene.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "tools/eval/canvas.h"

struct image scene_flat(int width, int height, float red, float green, float blue)
{
    struct image image;
    enum pf_status status = canvas_create(&image, width, height, NULL);
    assert(status == PF_OK);
    (void)status;
    size_t area = canvas_area(&image);
    const float colour[] = {red, green, blue};
    for (size_t i = 0; i < 3 * area; i++)
        image.rgb[i] = colour[i / area];
    return image;
}

struct image scene_create(int size)
{
    struct image image = scene_flat(size, size, 0, 0, 0);
    size_t area = canvas_area(&image);
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            size_t at = (size_t)y * (size_t)size + (size_t)x;
            int tile = x * 6 / size + 6 * (y * 6 / size);
            float across = (float)x / (float)size, down = (float)y / (float)size;
            float texture = 0.06f * sinf(1.7f * (float)x) * cosf(1.1f * (float)y);
            float dark = (x % 11 < 3 && y % 13 < 3) ? 0.08f : 1.0f;
            for (int c = 0; c < 3; c++) {
                float hue = 0.45f + 0.35f * sinf(1.3f * (float)tile + 2.1f * (float)c);
                float value = dark * (hue * (0.6f + 0.4f * across * (1 - 0.3f * down)) + texture);
                image.rgb[(size_t)c * area + at] = fminf(fmaxf(value, 0.0f), 1.0f);
            }
        }
    }
    canvas_quantize(&image);
    return image;
}
