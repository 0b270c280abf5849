/* SPDX-License-Identifier: Apache-2.0 */
/* A thing that wasn't there: a solid of revolution (vase, ball, bottle, …), lit from one side,
 * covered with a patch of another photo or a glaze, and standing on its own soft shadow. No model
 * can have seen these outlines in training, since nobody but this file draws them. */
#include <math.h>

#include "base/cleanup.h"
#include "tools/eval/canvas.h"
#include "tools/eval/degrade.h"

enum { PROFILE_POINTS = 13 };

/* Half widths from top to bottom, as shares of the largest half width the object may have. */
struct solid {
    float slimness; /* height over width */
    float profile[PROFILE_POINTS];
};

static const struct solid solids[] = {
    /* ball */ {
        1.0f, {0, .553f, .745f, .866f, .943f, .986f, 1, .986f, .943f, .866f, .745f, .553f, 0}},
    /* vase */ {1.5f, {.5f, .44f, .36f, .34f, .45f, .68f, .87f, .97f, 1, .93f, .78f, .6f, .5f}},
    /* bottle */ {2.7f, {.3f, .3f, .28f, .28f, .32f, .6f, .92f, 1, 1, 1, 1, .99f, .93f}},
    /* cup */ {1.1f, {1, .99f, .98f, .96f, .94f, .92f, .9f, .87f, .84f, .8f, .75f, .68f, .55f}},
    /* balloon */ {1.3f, {0, .5f, .76f, .9f, .98f, 1, .97f, .9f, .78f, .62f, .42f, .2f, .07f}},
    /* skittle */ {2.4f, {0, .36f, .46f, .42f, .36f, .42f, .58f, .78f, .93f, 1, .96f, .84f, .68f}},
};

/* One object on its place, in pixels. */
struct placed {
    const struct solid *solid;
    float x, top;           /* axis; upper end */
    float width, height;    /* half width; full height */
    float light_x, light_y; /* towards the light, z is the rest of a unit vector */
    float colour[3], brightness, gloss;
    int texture_x, texture_y;
    const struct image *texture; /* or NULL: a glaze of `colour` */
};

/* Beyond the ends the outline goes on straight. */
static float square_at(const struct solid *solid, int point)
{
    const float *profile = solid->profile;
    int last = PROFILE_POINTS - 1;
    if (point < 0)
        return 2 * profile[0] * profile[0] - profile[1] * profile[1];
    if (point > last)
        return 2 * profile[last] * profile[last] - profile[last - 1] * profile[last - 1];
    return profile[point] * profile[point];
}

/* Catmull-Rom over the squares, which are what is smooth where an outline closes: a ball's are a
 * parabola. */
static float profile_at(const struct solid *solid, float down)
{
    float at = fminf(fmaxf(down, 0.0f), 1.0f) * (PROFILE_POINTS - 1);
    int below = at < PROFILE_POINTS - 2 ? (int)at : PROFILE_POINTS - 2;
    float t = at - (float)below, p[4];
    for (int i = 0; i < 4; i++)
        p[i] = square_at(solid, below + i - 1);
    float square = p[1] + 0.5f * t *
                              (p[2] - p[0] +
                                  t * (2 * p[0] - 5 * p[1] + 4 * p[2] - p[3] +
                                          t * (3 * (p[1] - p[2]) + p[3] - p[0])));
    return sqrtf(fmaxf(square, 0.0f));
}

/* There and back again, so that a texture has no seam. */
static int mirror(int at, int count)
{
    int period = 2 * count;
    at = (at % period + period) % period;
    return at < count ? at : period - 1 - at;
}

/* What the surface is like at across in [-1,1] of its width and down in [0,1] of its height. */
static void surface_colour(
    const struct placed *object, float across, float down, float ret_colour[3])
{
    const struct image *texture = object->texture;
    for (size_t c = 0; c < 3; c++)
        ret_colour[c] = object->colour[c];
    if (!texture)
        return;
    float turn = asinf(across) / 1.57079633f;
    int x = object->texture_x + (int)(turn * object->width * 1.5f);
    int y = object->texture_y + (int)(down * object->height);
    x = mirror(x, texture->width);
    y = mirror(y, texture->height);
    size_t at = (size_t)y * (size_t)texture->width + (size_t)x;
    for (size_t c = 0; c < 3; c++)
        ret_colour[c] = 0.35f * ret_colour[c] + 0.65f * texture->rgb[c * canvas_area(texture) + at];
}

/* Lambert with a soft terminator, ambient light, and a highlight. */
static void shade(const struct placed *object, float across, float down, float colour[3])
{
    float slope =
        (profile_at(object->solid, down + 0.02f) - profile_at(object->solid, down - 0.02f)) *
        object->width / (0.04f * object->height);
    float normal_z = sqrtf(fmaxf(0.0f, 1 - across * across)), length = hypotf(1, slope);
    float light_z =
        sqrtf(1 - object->light_x * object->light_x - object->light_y * object->light_y);
    float facing =
        (across * object->light_x + slope * object->light_y + normal_z * light_z) / length;
    float diffuse = powf(fmaxf(0.0f, 0.5f + 0.5f * facing), 1.5f);
    float half = fmaxf(0.0f, facing);
    float highlight = object->gloss * powf(half, 40);
    for (size_t c = 0; c < 3; c++)
        colour[c] =
            fminf(1.0f, colour[c] * object->brightness * (0.3f + 0.85f * diffuse) + highlight);
}

static void draw_solid(struct degrade *degrade, const struct placed *object)
{
    int width = degrade->image->width;
    for (int y = 0; y < degrade->image->height; y++) {
        float down = ((float)y + 0.5f - object->top) / object->height;
        float rim = fminf(down, 1 - down) * object->height + 0.5f; /* ends are cut flat */
        if (rim <= 0)
            continue;
        float half = object->width * profile_at(object->solid, down);
        for (int x = 0; x < width; x++) {
            float aside = (float)x + 0.5f - object->x;
            float cover = fminf(fmaxf(half - fabsf(aside) + 0.5f, 0.0f), fminf(rim, 1.0f));
            if (cover <= 0)
                continue;
            size_t pixel = (size_t)y * (size_t)width + (size_t)x;
            float across = fminf(fmaxf(aside / fmaxf(half, 0.5f), -1.0f), 1.0f), colour[3];
            surface_colour(object, across, fminf(fmaxf(down, 0.0f), 1.0f), colour);
            shade(object, across, down, colour);
            cover = fminf(cover, 1.0f);
            degrade_cover(degrade, pixel, colour, cover);
            degrade->mask[pixel] = fmaxf(degrade->mask[pixel], cover);
        }
    }
}

/* A dark ellipse at the foot, pulled away from the light, narrow and dark where it touches. */
static enum pf_status draw_shadow(
    struct degrade *degrade, const struct placed *object, struct pf_error *err)
{
    static const float black[] = {0, 0, 0};
    const float visible = 0.08f; /* fades below count as a part of the region */
    size_t area = canvas_area(degrade->image);
    AUTO_FREE float *shadow = NULL;
    PF_TRY(canvas_plane(&shadow, area, err));
    float strength = random_range(degrade->random, 0.5f, 0.75f);
    float foot = object->width * fmaxf(0.5f, object->solid->profile[PROFILE_POINTS - 1]);
    float pull = -object->light_x * object->height * 0.9f, flat = 0.3f;
    float y0 = object->top + object->height - foot * flat * 0.4f;
    for (int y = 0; y < degrade->image->height; y++) {
        for (int x = 0; x < degrade->image->width; x++) {
            float dx = (float)x + 0.5f - object->x, dy = ((float)y + 0.5f - y0) / flat;
            float along = fminf(fmaxf(pull == 0 ? 0 : dx / pull, 0.0f), 1.0f);
            float reach = foot * (1 + 0.3f * along);
            float away = hypotf(dx - along * pull, dy + along * fabsf(pull) * 0.3f);
            float fade = 1 - 0.5f * along;
            shadow[(ptrdiff_t)y * degrade->image->width + x] = away < reach ? strength * fade : 0;
        }
    }
    PF_TRY(filter_gaussian(shadow, degrade_size(degrade), object->width * 0.12f, err));
    for (size_t i = 0; i < area; i++) {
        degrade_cover(degrade, i, black, shadow[i]);
        degrade->mask[i] = fmaxf(degrade->mask[i], fminf(1.0f, shadow[i] / visible));
    }
    return PF_OK;
}

/* As bright as the picture around it, so that it isn't told by its exposure alone. */
static float fitting_brightness(const struct degrade *degrade)
{
    double sum = 0;
    size_t count = 3 * canvas_area(degrade->image);
    for (size_t i = 0; i < count; i++)
        sum += (double)degrade->image->rgb[i];
    return fminf(1.5f, 0.7f + 1.1f * (float)(sum / (double)count));
}

static void place_solid(struct degrade *degrade, struct placed *ret)
{
    struct random *random = degrade->random;
    float width = (float)degrade->image->width, height = (float)degrade->image->height;
    float hue = random_range(random, 0, 6.28318531f), paleness = random_range(random, 0.1f, 0.3f);
    *ret = (struct placed){.solid = &solids[random_below(random, COUNT_OF(solids))]};
    ret->height = 512 * degrade_scale(degrade) * random_range(random, 0.2f, 0.34f) *
                  powf(ret->solid->slimness, 0.35f);
    ret->width = ret->height / ret->solid->slimness / 2;
    ret->x = random_range(random, 2 * ret->width, width - 2 * ret->width);
    ret->top = height * random_range(random, 0.62f, 0.94f) - ret->height;
    ret->light_x = (random_below(random, 2) ? 1.0f : -1.0f) * random_range(random, 0.3f, 0.7f);
    ret->light_y = random_range(random, 0.3f, 0.6f);
    ret->gloss = random_range(random, 0.0f, 0.35f);
    ret->brightness = fitting_brightness(degrade);
    for (int c = 0; c < 3; c++)
        ret->colour[c] = 0.45f + paleness + 0.3f * cosf(hue + 2.0944f * (float)c);
    if (degrade->other && random_below(random, 2)) {
        ret->texture = degrade->other;
        ret->texture_x = random_below(random, degrade->other->width);
        ret->texture_y = random_below(random, degrade->other->height);
    }
}

enum pf_status degrade_object(struct degrade *degrade, struct pf_error *err)
{
    struct placed object;
    place_solid(degrade, &object);
    PF_TRY(draw_shadow(degrade, &object, err));
    draw_solid(degrade, &object);
    return PF_OK;
}
