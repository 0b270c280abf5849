/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/curate/degrade.h"
#include "tools/curate/plane.h"
#include "tools/curate/text_mark.h"

/* A mark is drawn once as a plane of coverage (text, or a logo of simple shapes, or both), then
 * laid over the picture: turned, once or tiled, in one colour and opacity, with an outline of the
 * opposite brightness now and then. */

static const char *const words[] = {"SAMPLE", "Preview", "PROOF", "Copyright", "DRAFT",
    "stock photo", "do not copy", "Demo", "CONFIDENTIAL", "watermark", "Studio", "Photography",
    "images", "gallery", "Trial version", "Unregistered", "For review only", "all rights reserved",
    "Archive", "PixelBank", "fotolab", "Lumen", "Northlight", "Sunny Day", "Oak & Pine", "SHUTTER",
    "editorial", "NOT FOR SALE", "imagebox", "Free Trial", "Atelier", "Blue Harbor"};
static const char *const names[] = {"Anna", "M. Weber", "J. Smith", "Li Wei", "Kovacs", "Rossi",
    "Tanaka", "Olsen", "Garcia", "Novak", "Dubois", "Haddad", "Sofia B.", "K. Mori", "Ivanova"};

static void make_text(char *ret_text, size_t size, struct rng *rng)
{
    const char *word = words[rng_below(rng, (int)COUNT_OF(words))];
    const char *name = names[rng_below(rng, (int)COUNT_OF(names))];
    int year = 1998 + rng_below(rng, 28), number = rng_below(rng, 1000000);
    switch (rng_below(rng, 8)) {
    case 0:
        snprintf(ret_text, size, "%s %s", name, word[0] == 'a' ? "photo" : "Photography");
        break;
    case 1:
        snprintf(ret_text, size, "\302\251 %d %s", year, name);
        break;
    case 2:
        snprintf(ret_text, size, "www.%.3s%d.com", name, number % 1000);
        break;
    case 3:
        snprintf(ret_text, size, "%s %06d", word[0] == '&' ? "ID" : "No.", number);
        break;
    case 4:
        snprintf(ret_text, size, "@%.4s_%d", name, year);
        break;
    default:
        snprintf(ret_text, size, "%s", word);
    }
    for (char *c = ret_text; *c; c++) /* Pango reads markup */
        if (*c == '&' || *c == '<')
            *c = '+';
}

/* Distance-like functions of a few logos on [-1,1]²; inside where positive. */
static double logo(int kind, double x, double y)
{
    double r = hypot(x, y), a = atan2(y, x);
    switch (kind) {
    case 0:
        return fmin(0.95 - r, r - 0.78);
    case 1:
        return fmax(fmin(0.95 - r, r - 0.82), 0.45 - r);
    case 2:
        return 0.62 + 0.3 * cos(5.0 * a) - r;
    case 3:
        return fmin(0.9 - fmax(fabs(x), fabs(y)), fmax(fabs(x), fabs(y)) - 0.76);
    case 4: {
        double body = fmin(0.55 - fabs(y - 0.1), 0.9 - fabs(x));
        double lens = fabs(hypot(x, y - 0.1) - 0.33) - 0.07;
        return fmin(body, lens);
    }
    default:
        return fmax(fmin(0.13 - fabs(x - y), 0.9 - r), fmin(0.13 - fabs(x + y), 0.9 - r));
    }
}

static enum pf_status draw_logo(
    int kind, int side, float **ret_plane, int *ret_side, struct pf_error *err)
{
    PF_TRY(plane_create(ret_plane, side, side, err));
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            double inside = logo(kind, (2.0 * x + 1.0) / side - 1.0, (2.0 * y + 1.0) / side - 1.0);
            (*ret_plane)[(size_t)y * (size_t)side + (size_t)x] =
                plane_clamp((float)(inside * side / 2.0 + 0.5));
        }
    *ret_side = side;
    return PF_OK;
}

struct mark {
    float *plane;
    int width, height;
};

struct layout {
    int is_tiled, is_outlined;
    double x, y, angle, gap_x, gap_y;
    float opacity, colour[3], outline;
};

static enum pf_status draw_mark(const struct scene *scene, int is_tiled, struct rng *rng,
    struct mark *ret_mark, struct buffer *note, struct pf_error *err)
{
    double side = scene->width < scene->height ? scene->width : scene->height;
    if (rng_chance(rng, 0.25)) {
        int kind = rng_below(rng, 6);
        double size = side * (is_tiled ? rng_range(rng, 0.12, 0.25) : rng_range(rng, 0.2, 0.6));
        buffer_put_format(note, "\"logo\":%d,", kind);
        PF_TRY(draw_logo(kind, (int)size, &ret_mark->plane, &ret_mark->width, err));
        ret_mark->height = ret_mark->width;
        return PF_OK;
    }
    char text[64];
    make_text(text, sizeof text, rng);
    int font = rng_below(rng, TEXT_MARK_FONTS);
    double width = side * (is_tiled ? rng_range(rng, 0.25, 0.55) : rng_range(rng, 0.4, 1.0));
    double size = fmin(fmax(width / ((double)strlen(text) * 0.55), 9.0), side * 0.35);
    buffer_put_text(note, "\"text\":");
    buffer_put_json_string(note, text, strlen(text));
    buffer_put_format(note, ",\"font\":%d,", font);
    return text_mark_render(
        text, font, size, &ret_mark->plane, &ret_mark->width, &ret_mark->height, err);
}

/* Coverage of a pixel by the mark as laid out. */
static float cover(const struct mark *mark, const struct layout *layout, double px, double py)
{
    double dx = px - layout->x, dy = py - layout->y;
    double u = dx * cos(layout->angle) + dy * sin(layout->angle) + mark->width / 2.0;
    double v = dy * cos(layout->angle) - dx * sin(layout->angle) + mark->height / 2.0;
    if (layout->is_tiled) {
        double step_u = mark->width + layout->gap_x, step_v = mark->height + layout->gap_y;
        double row = floor(v / step_v);
        v -= row * step_v;
        u += row * step_u * 0.37; /* rows are staggered */
        u -= floor(u / step_u) * step_u;
    }
    return plane_sample(mark->plane, mark->width, mark->height, (float)u, (float)v);
}

static void draw_layout(const struct scene *scene, const struct mark *mark, int is_tiled,
    struct rng *rng, struct layout *layout)
{
    static const double angles[] = {0.0, 0.0, -0.785, -0.52, 0.785, 0.35, -0.26, -1.571};
    double room_x = fmax(scene->width - mark->width, 0) / 2.0;
    double room_y = fmax(scene->height - mark->height, 0) / 2.0;
    layout->is_tiled = is_tiled;
    layout->angle = rng_chance(rng, 0.75) ? angles[rng_below(rng, (int)COUNT_OF(angles))]
                                          : rng_range(rng, -0.8, 0.8);
    layout->x = scene->width / 2.0 + rng_range(rng, -1.0, 1.0) * room_x;
    layout->y = scene->height / 2.0 + rng_range(rng, -1.0, 1.0) * room_y;
    layout->gap_x = mark->width * rng_range(rng, 0.1, 0.8);
    layout->gap_y = mark->height * rng_range(rng, 0.8, 3.5);
    layout->opacity = (float)rng_range(rng, 0.25, 0.9);
    layout->is_outlined = rng_chance(rng, 0.2);
    double shade = rng_unit(rng);
    double level = shade < 0.65  ? rng_range(rng, 0.85, 1.0)
                   : shade < 0.8 ? rng_range(rng, 0.0, 0.2)
                                 : 0.5;
    for (int c = 0; c < 3; c++)
        layout->colour[c] = (float)(shade < 0.8 ? level : rng_unit(rng));
    layout->outline = layout->colour[1] > 0.5f ? 0.0f : 1.0f;
}

static enum pf_status lay(
    struct scene *scene, const struct mark *mark, const struct layout *layout, struct pf_error *err)
{
    int width = scene->width, height = scene->height;
    size_t area = (size_t)width * (size_t)height;
    AUTO_FREE float *body = NULL, *rim = NULL;
    PF_TRY(plane_create(&body, width, height, err));
    PF_TRY(plane_create(&rim, width, height, err));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            body[(size_t)y * (size_t)width + (size_t)x] = cover(mark, layout, x, y);
    if (layout->is_outlined) {
        memcpy(rim, body, area * sizeof *rim);
        PF_TRY(plane_blur(rim, width, height, 1.0, err));
    }
    for (size_t i = 0; i < area; i++) {
        float inner = body[i] * layout->opacity;
        float outer = fminf(rim[i] * 2.5f, 1.0f) * (1.0f - body[i]) * layout->opacity;
        if (inner + outer < 0.001f)
            continue;
        for (size_t c = 0; c < 3; c++) {
            float *value = &scene->rgb[c * area + i];
            *value += outer * (layout->outline - *value);
            *value += inner * (layout->colour[c] - *value);
        }
        scene->mask[i] = fmaxf(scene->mask[i], fminf((inner + outer) / layout->opacity, 1.0f));
    }
    return PF_OK;
}

enum pf_status degrade_dewatermark(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err)
{
    int is_tiled = rng_chance(rng, 0.4);
    struct mark mark = {0};
    struct layout layout;
    PF_TRY(draw_mark(scene, is_tiled, rng, &mark, note, err));
    draw_layout(scene, &mark, is_tiled, rng, &layout);
    enum pf_status status = lay(scene, &mark, &layout, err);
    free(mark.plane);
    buffer_put_format(note, "\"tiled\":%d,\"outlined\":%d,\"angle\":%.2f,\"opacity\":%.2f",
        is_tiled, layout.is_outlined, layout.angle, (double)layout.opacity);
    return status;
}
