/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/cutout.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/jdoc.h"
#include "tools/curate/files.h"
#include "tools/data/ppm.h"

enum { FINE = 4, FILE_MAX = 64 << 20 }; /* FINE² points a pixel make the edge smooth */

struct polygon {
    double *x, *y;
    size_t count;
    double left, top, right, bottom;
};

static void polygon_finish(struct polygon *polygon)
{
    free(polygon->x);
    free(polygon->y);
}

static enum pf_status parse(const char *json_path, struct jdoc **ret_doc, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct pf_error inner = PF_ERROR_INIT;
    PF_TRY(file_read(json_path, CUTOUT_JSON_MAX, &text, err));
    enum pf_status status = jdoc_parse(ret_doc, text.data ? text.data : "", text.size, &inner);
    return status == PF_OK ? PF_OK : pf_fail(err, status, "%s: %s", json_path, inner.message);
}

/* The shape's points; 0 of them when it is no polygon. NOMEM. */
static enum pf_status read_polygon(
    const struct jdoc_value *shape, struct polygon *polygon, struct pf_error *err)
{
    const struct jdoc_value *points = jdoc_get(shape, "points");
    *polygon = (struct polygon){
        .left = INFINITY, .top = INFINITY, .right = -INFINITY, .bottom = -INFINITY};
    if (!points || points->type != JDOC_ARRAY || points->size < 3 ||
        points->size > CUTOUT_POINTS_MAX ||
        strcmp(jdoc_get_string(shape, "shape_type", "polygon"), "polygon") != 0)
        return PF_OK;
    polygon->x = malloc(points->size * sizeof *polygon->x);
    polygon->y = malloc(points->size * sizeof *polygon->y);
    if (!polygon->x || !polygon->y)
        return pf_fail(err, PF_NOMEM, "no memory for %zu points", points->size);
    for (const struct jdoc_value *point = points->first; point; point = point->next) {
        if (point->type != JDOC_ARRAY || point->size != 2 || point->first->type != JDOC_NUMBER ||
            point->first->next->type != JDOC_NUMBER) {
            polygon->count = 0;
            return PF_OK;
        }
        double x = point->first->number, y = point->first->next->number;
        polygon->x[polygon->count] = x;
        polygon->y[polygon->count++] = y;
        polygon->left = fmin(polygon->left, x);
        polygon->right = fmax(polygon->right, x);
        polygon->top = fmin(polygon->top, y);
        polygon->bottom = fmax(polygon->bottom, y);
    }
    return PF_OK;
}

static int is_word(const char *label)
{
    size_t length = strlen(label);
    if (length < 2 || length >= CUTOUT_NAME_MAX)
        return 0;
    for (; *label; label++)
        if (!isalpha((unsigned char)*label) && *label != ' ')
            return 0;
    return 1;
}

static enum pf_status add_shape(const struct jdoc_value *shape, size_t index, int side,
    struct cutout **cutouts, size_t *count, struct pf_error *err)
{
    struct polygon polygon;
    const char *label = jdoc_get_string(shape, "label", "");
    enum pf_status status = read_polygon(shape, &polygon, err);
    int fits = polygon.count && polygon.right - polygon.left >= side &&
               polygon.bottom - polygon.top >= side && is_word(label);
    polygon_finish(&polygon);
    if (status != PF_OK || !fits)
        return status;
    struct cutout *grown = realloc(*cutouts, (*count + 1) * sizeof *grown);
    if (!grown)
        return pf_fail(err, PF_NOMEM, "no memory for %zu cut-outs", *count + 1);
    *cutouts = grown;
    snprintf(grown[*count].name, CUTOUT_NAME_MAX, "%s", label);
    grown[(*count)++].shape = index;
    return PF_OK;
}

enum pf_status cutout_list(
    const char *json_path, int side, struct cutout **cutouts, size_t *count, struct pf_error *err)
{
    struct jdoc *doc;
    PF_TRY(parse(json_path, &doc, err));
    const struct jdoc_value *shapes = jdoc_get(jdoc_root(doc), "shapes");
    enum pf_status status = PF_OK;
    size_t index = 0;
    if (shapes && shapes->type == JDOC_ARRAY)
        for (const struct jdoc_value *shape = shapes->first; shape && status == PF_OK;
             shape = shape->next)
            status = add_shape(shape, index++, side, cutouts, count, err);
    jdoc_destroy(doc);
    return status;
}

static int is_inside(const struct polygon *polygon, double x, double y)
{
    int inside = 0;
    for (size_t i = 0, j = polygon->count - 1; i < polygon->count; j = i++)
        if ((polygon->y[i] > y) != (polygon->y[j] > y) &&
            x < (polygon->x[j] - polygon->x[i]) * (y - polygon->y[i]) /
                        (polygon->y[j] - polygon->y[i]) +
                    polygon->x[i])
            inside = !inside;
    return inside;
}

static enum pf_status cut(const struct image *photo, const struct polygon *polygon,
    struct image *ret_image, struct pf_error *err)
{
    int left = (int)fmax(floor(polygon->left), 0), top = (int)fmax(floor(polygon->top), 0);
    int width = (int)fmin(ceil(polygon->right), photo->width) - left;
    int height = (int)fmin(ceil(polygon->bottom), photo->height) - top;
    if (width < 1 || height < 1)
        return pf_fail(
            err, PF_CORRUPT, "a polygon outside its photo of %d×%d", photo->width, photo->height);
    size_t area = (size_t)width * (size_t)height,
           from = (size_t)photo->width * (size_t)photo->height;
    *ret_image =
        (struct image){width, height, malloc(3 * area * sizeof *ret_image->rgb), malloc(area)};
    if (!ret_image->rgb || !ret_image->alpha)
        return pf_fail(err, PF_NOMEM, "no memory for a cut-out of %d×%d", width, height);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            size_t to = (size_t)y * (size_t)width + (size_t)x;
            size_t at = (size_t)(top + y) * (size_t)photo->width + (size_t)(left + x);
            int hits = 0;
            for (int k = 0; k < FINE * FINE; k++)
                hits += is_inside(
                    polygon, left + x + (k % FINE + 0.5) / FINE, top + y + (k / FINE + 0.5) / FINE);
            ret_image->alpha[to] = (uint8_t)(255 * hits / (FINE * FINE));
            for (size_t c = 0; c < 3; c++)
                ret_image->rgb[c * area + to] = photo->rgb[c * from + at];
        }
    return PF_OK;
}

/* The photo lies beside the json; "imagePath" may lead elsewhere on the author's machine. */
static enum pf_status read_photo(
    const char *json_path, const char *image_path, struct image *ret_photo, struct pf_error *err)
{
    static const struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    char path[FILES_PATH_MAX + 1];
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    const char *folder = strrchr(json_path, '/'), *name = strrchr(image_path, '/');
    snprintf(path, sizeof path, "%.*s%s", folder ? (int)(folder - json_path) + 1 : 0, json_path,
        name ? name + 1 : image_path);
    PF_TRY(file_read(path, FILE_MAX, &bytes, err));
    return picture_decode(bytes.data, bytes.size, &limits, ret_photo, err);
}

enum pf_status cutout_read(
    const char *json_path, size_t shape, struct image *ret_image, struct pf_error *err)
{
    struct jdoc *doc;
    struct polygon polygon = {0};
    struct image photo = IMAGE_INIT, image = IMAGE_INIT;
    PF_TRY(parse(json_path, &doc, err));
    const struct jdoc_value *shapes = jdoc_get(jdoc_root(doc), "shapes");
    const struct jdoc_value *wanted = shapes ? shapes->first : NULL;
    while (wanted && shape--)
        wanted = wanted->next;
    enum pf_status status = read_polygon(wanted, &polygon, err);
    if (status == PF_OK && !polygon.count)
        status = pf_fail(err, PF_CORRUPT, "%s: no such polygon", json_path);
    if (status == PF_OK)
        status =
            read_photo(json_path, jdoc_get_string(jdoc_root(doc), "imagePath", ""), &photo, err);
    if (status == PF_OK)
        status = cut(&photo, &polygon, &image, err);
    if (status == PF_OK)
        *ret_image = image;
    else
        image_finish(&image);
    image_finish(&photo);
    polygon_finish(&polygon);
    jdoc_destroy(doc);
    return status;
}
