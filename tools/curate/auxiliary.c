/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/auxiliary.h"

#include <math.h>

static const char *const defects_said[TASK_COUNT][4] = {
    [TASK_COLORIZE] = {"missing colour, the image is black and white", "the image is grayscale",
        "a black and white image without colors", "the colors are missing"},
    [TASK_LOWLIGHT] = {"low light and noise", "the image is too dark and noisy",
        "very dark, underexposed image", "poor lighting with visible noise"},
    [TASK_DEHAZE] = {"haze with low contrast", "the image is hazy and washed out",
        "fog reduces the visibility", "a hazy image with low contrast"},
    [TASK_DESNOW] = {"falling snow covers the scene", "snowflakes all over the image",
        "snow in front of the scene", "the view is obscured by snow"},
    [TASK_DEBLUR] = {"the image is blurry", "blur, edges are not sharp",
        "motion blur or out of focus", "a blurry image lacking details"},
    [TASK_DEWATERMARK] = {"a watermark covers the image", "text overlaid on the picture",
        "visible watermark", "a semi-transparent mark over the photo"},
    [TASK_REMOVE] = {"an object that does not belong to the scene",
        "an unwanted object in the image", "a distracting object in the foreground",
        "a foreign object in the picture"},
};

static const char *describe_light(double luma)
{
    return luma < 0.2 ? "dark" : luma < 0.35 ? "dim" : luma < 0.6 ? "evenly lit" : "bright";
}

/* The hue that most of the saturated pixels have, or NULL. */
static const char *describe_colour(const float *rgb, size_t area)
{
    static const char *const hues[] = {"red", "orange", "yellow", "green", "green", "turquoise",
        "blue", "blue", "blue", "purple", "pink", "red"};
    double weight[12] = {0}, total = 0.0;
    for (size_t i = 0; i < area; i += 7) {
        float r = rgb[i], g = rgb[area + i], b = rgb[2 * area + i];
        float high = fmaxf(r, fmaxf(g, b)), chroma = high - fminf(r, fminf(g, b));
        if (chroma < 0.15f)
            continue;
        float hue = high <= r   ? (g - b) / chroma
                    : high <= g ? 2.0f + (b - r) / chroma
                                : 4.0f + (r - g) / chroma;
        int bin = (int)(2.0f * (hue < 0.0f ? hue + 6.0f : hue));
        weight[bin % 12] += (double)chroma;
        total += (double)chroma;
    }
    int best = 0;
    for (int i = 1; i < 12; i++)
        if (weight[i] > weight[best])
            best = i;
    return total > 0.02 * (double)area / 7.0 ? hues[best] : NULL;
}

enum pf_status auxiliary_write(const enum task *defects, int count, const char *tags,
    const float *clean, size_t area, struct rng *rng, struct buffer *out, struct pf_error *err)
{
    if (rng_chance(rng, 0.25))
        return PF_OK;
    int knows_colour = 1;
    for (int i = 0; i < count; i++) {
        buffer_put_format(out, "%s%s", i ? ", " : "", defects_said[defects[i]][rng_below(rng, 4)]);
        knows_colour = knows_colour && defects[i] != TASK_COLORIZE;
    }
    if (count == 0)
        buffer_put_text(
            out, rng_chance(rng, 0.5) ? "no visible defects" : "the image quality is good");
    double luma = 0.0;
    for (size_t i = 0; i < area; i++)
        luma += 0.299 * clean[i] + 0.587 * clean[area + i] + 0.114 * clean[2 * area + i];
    const char *light = describe_light(luma / (double)area), *colour = describe_colour(clean, area);
    /* nobody reads colours off a grey picture */
    if (!knows_colour)
        colour = NULL;
    buffer_put_format(out, ". %s %s scene", light[0] == 'e' ? "an" : "a", light);
    if (*tags)
        buffer_put_format(out, " with %s", tags);
    if (colour && rng_chance(rng, 0.7))
        buffer_put_format(out, "%s mostly %s", *tags ? "," : ",", colour);
    return buffer_status(out, err);
}
