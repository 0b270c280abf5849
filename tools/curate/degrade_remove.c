/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/image/resample.h"
#include "tools/curate/degrade.h"
#include "tools/curate/plane.h"

/* Pastes a cut-out: scaled, turned a little, its brightness moved towards that of the place where
 * it lands, its edge softened by half a pixel and more, on a shadow that is its own outline, moved
 * and blurred. All of that within the mask, which is object and shadow. */

struct paste {
    int width, height, is_flipped;
    double x, y, angle; /* of the object's centre in the picture */
    float gain, lift, feather;
    double shadow, shadow_x, shadow_y, shadow_blur;
};

struct layers {
    float *rgb, *alpha, *shadow; /* [3,H,W], [H,W], [H,W] of the picture's size */
    float *small;                /* [4,h,w] the object scaled: rgb times alpha, alpha */
};

static void free_layers(struct layers *layers)
{
    free(layers->rgb);
    free(layers->alpha);
    free(layers->shadow);
    free(layers->small);
}

static enum pf_status scale_object(const struct object *object, const struct paste *paste,
    struct layers *layers, struct pf_error *err)
{
    size_t from = (size_t)object->width * (size_t)object->height;
    size_t to = (size_t)paste->width * (size_t)paste->height;
    AUTO_FREE float *plane = NULL;
    PF_TRY(plane_create(&plane, object->width, object->height, err));
    PF_TRY(plane_create(&layers->small, paste->width, 4 * paste->height, err));
    for (size_t c = 0; c < 4; c++) {
        for (size_t i = 0; i < from; i++)
            plane[i] = c < 3 ? object->rgb[c * from + i] * object->alpha[i] : object->alpha[i];
        PF_TRY(image_resample(plane, object->width, object->height, layers->small + c * to,
            paste->width, paste->height, err));
    }
    return PF_OK;
}

/* The scaled object turned into its place. */
static enum pf_status place_object(const struct scene *scene, const struct paste *paste,
    struct layers *layers, struct pf_error *err)
{
    size_t area = (size_t)scene->width * (size_t)scene->height;
    size_t small = (size_t)paste->width * (size_t)paste->height;
    PF_TRY(plane_create(&layers->rgb, scene->width, 3 * scene->height, err));
    PF_TRY(plane_create(&layers->alpha, scene->width, scene->height, err));
    float cosine = cosf((float)paste->angle), sine = sinf((float)paste->angle);
    for (int y = 0; y < scene->height; y++)
        for (int x = 0; x < scene->width; x++) {
            size_t i = (size_t)y * (size_t)scene->width + (size_t)x;
            float dx = (float)(x - paste->x), dy = (float)(y - paste->y);
            float u = dx * cosine + dy * sine, v = dy * cosine - dx * sine;
            u = (paste->is_flipped ? -u : u) + (float)paste->width / 2;
            v += (float)paste->height / 2;
            if (u < -1.0f || v < -1.0f || u > (float)paste->width || v > (float)paste->height)
                continue;
            float alpha =
                plane_sample(layers->small + 3 * small, paste->width, paste->height, u, v);
            if (alpha < 0.004f)
                continue;
            layers->alpha[i] = fminf(alpha, 1.0f);
            for (size_t c = 0; c < 3; c++)
                layers->rgb[c * area + i] =
                    plane_sample(layers->small + c * small, paste->width, paste->height, u, v) /
                    alpha;
        }
    return PF_OK;
}

/* Inwards only: there are no colours outside the object to mix with. */
static enum pf_status soften_edge(const struct scene *scene, const struct paste *paste,
    struct layers *layers, struct pf_error *err)
{
    size_t area = (size_t)scene->width * (size_t)scene->height;
    AUTO_FREE float *soft = NULL;
    PF_TRY(plane_create(&soft, scene->width, scene->height, err));
    memcpy(soft, layers->alpha, area * sizeof *soft);
    PF_TRY(plane_blur(soft, scene->width, scene->height, (double)paste->feather, err));
    for (size_t i = 0; i < area; i++)
        layers->alpha[i] = fminf(layers->alpha[i], soft[i]);
    return PF_OK;
}

/* Mean luma under the object and of it: what light it should stand in, and what it brings. */
static void match_light(
    const struct scene *scene, const struct layers *layers, double strength, struct paste *paste)
{
    size_t area = (size_t)scene->width * (size_t)scene->height;
    double under = 0.0, own = 0.0, sum = 1e-6;
    for (size_t i = 0; i < area; i++) {
        double weight = layers->alpha[i];
        if (weight <= 0.0)
            continue;
        under += weight * (0.3 * scene->rgb[i] + 0.59 * scene->rgb[area + i] +
                              0.11 * scene->rgb[2 * area + i]);
        own += weight * (0.3 * layers->rgb[i] + 0.59 * layers->rgb[area + i] +
                            0.11 * layers->rgb[2 * area + i]);
        sum += weight;
    }
    double wanted = (under / sum + 0.05) / (own / sum + 0.05);
    paste->gain = (float)fmin(fmax(pow(wanted, strength), 0.5), 1.5);
}

static enum pf_status cast_shadow(const struct scene *scene, const struct paste *paste,
    struct layers *layers, struct pf_error *err)
{
    PF_TRY(plane_create(&layers->shadow, scene->width, scene->height, err));
    if (paste->shadow <= 0.0)
        return PF_OK;
    for (int y = 0; y < scene->height; y++)
        for (int x = 0; x < scene->width; x++)
            layers->shadow[(size_t)y * (size_t)scene->width + (size_t)x] =
                (float)paste->shadow * plane_sample(layers->alpha, scene->width, scene->height,
                                           (float)(x - paste->shadow_x),
                                           (float)(y - paste->shadow_y));
    return plane_blur(layers->shadow, scene->width, scene->height, paste->shadow_blur, err);
}

static void blend(struct scene *scene, const struct paste *paste, const struct layers *layers)
{
    size_t area = (size_t)scene->width * (size_t)scene->height;
    for (size_t i = 0; i < area; i++) {
        float shadow = layers->shadow[i], alpha = layers->alpha[i];
        if (shadow < 0.002f && alpha <= 0.0f)
            continue;
        for (size_t c = 0; c < 3; c++) {
            float *value = &scene->rgb[c * area + i];
            float ground =
                shadow < 0.002f ? *value : linear_to_srgb(srgb_to_linear(*value) * (1.0f - shadow));
            float object = plane_clamp(layers->rgb[c * area + i] * paste->gain + paste->lift);
            *value = ground + alpha * (object - ground);
        }
        float covered = alpha + (1.0f - alpha) * fminf(4.0f * shadow, 1.0f);
        scene->mask[i] = fmaxf(scene->mask[i], covered);
    }
}

static void draw_paste(const struct scene *scene, struct rng *rng, struct paste *paste)
{
    const struct object *object = scene->object;
    double side = scene->width < scene->height ? scene->width : scene->height;
    double longest = object->width > object->height ? object->width : object->height;
    double wanted = side * rng_range(rng, 0.15, 0.6);
    double scale = fmin(wanted / longest, 1.8);
    paste->width = (int)fmax(round(object->width * scale), 4.0);
    paste->height = (int)fmax(round(object->height * scale), 4.0);
    paste->is_flipped = rng_chance(rng, 0.5);
    paste->angle = rng_chance(rng, 0.5) ? rng_normal(rng) * 0.12 : 0.0;
    paste->x = rng_range(rng, 0.35 * paste->width, scene->width - 0.35 * paste->width);
    paste->y = rng_range(rng, 0.4 * paste->height, scene->height - 0.4 * paste->height);
    int has_shadow = rng_chance(rng, 0.65);
    paste->shadow = has_shadow ? rng_range(rng, 0.2, 0.65) : 0.0;
    paste->shadow_x = rng_normal(rng) * 0.08 * paste->width;
    paste->shadow_y = rng_range(rng, 0.01, 0.12) * paste->height;
    paste->shadow_blur = rng_range(rng, 0.02, 0.08) * (paste->width + paste->height) / 2 + 0.7;
    paste->feather = (float)rng_range(rng, 0.3, 0.9);
    paste->lift = (float)(rng_normal(rng) * 0.015);
}

enum pf_status degrade_remove(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err)
{
    size_t area = (size_t)scene->width * (size_t)scene->height;
    struct paste paste = {0};
    __attribute__((cleanup(free_layers))) struct layers layers = {0};
    draw_paste(scene, rng, &paste);
    double strength = rng_range(rng, 0.2, 0.8), noise = rng_chance(rng, 0.4) ? 0.008 : 0.0;
    PF_TRY(scale_object(scene->object, &paste, &layers, err));
    PF_TRY(place_object(scene, &paste, &layers, err));
    PF_TRY(soften_edge(scene, &paste, &layers, err));
    match_light(scene, &layers, strength, &paste);
    PF_TRY(cast_shadow(scene, &paste, &layers, err));
    for (size_t i = 0; i < 3 * area; i++)
        layers.rgb[i] += (float)(noise * rng_normal(rng));
    blend(scene, &paste, &layers);
    buffer_put_text(note, "\"object\":");
    buffer_put_json_string(note, scene->object->name, strlen(scene->object->name));
    buffer_put_format(note,
        ",\"width\":%d,\"height\":%d,\"x\":%.0f,\"y\":%.0f,\"gain\":%.2f,\"shadow\":%.2f",
        paste.width, paste.height, paste.x, paste.y, (double)paste.gain, paste.shadow);
    return PF_OK;
}
