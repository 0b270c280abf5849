/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/objects.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/image/resample.h"
#include "tools/curate/files.h"
#include "tools/data/ppm.h"

enum { DESCRIPTION_MAX = 65536, FILE_MAX = 64 << 20, PICKS_MAX = 64 };

struct item {
    const char *path; /* of the stamp's png, in objects->files */
    struct object object;
    int is_loaded, is_unfit;
};

struct objects {
    struct files files;
    struct item *items;
    size_t count;
};

static void object_finish(struct object *object)
{
    free(object->rgb);
    free(object->alpha);
}

void objects_close(struct objects *objects)
{
    if (!objects)
        return;
    for (size_t i = 0; i < objects->count; i++)
        object_finish(&objects->items[i].object);
    free(objects->items);
    files_finish(&objects->files);
    free(objects);
}

size_t objects_count(const struct objects *objects)
{
    return objects->count;
}

/* Signs, letters and flat drawings are no objects in a photo. */
static int is_stamp(const char *path)
{
    static const char *const unfit[] = {"/symbols/", "/cartoon/", "/flags/", "/alphabets/",
        "/space/", "/naturalforces/", "/halloween/", "/hanukkah/", "_mirror", "_flip"};
    for (size_t i = 0; i < COUNT_OF(unfit); i++)
        if (strstr(path, unfit[i]))
            return 0;
    return 1;
}

/* "A red car. It…" → "red car": the first sentence without its article, lower case unless it is a
 * name, at most a few words. Empty when it is no plain description. */
static void make_name(const char *text, char ret_name[OBJECT_NAME_MAX])
{
    static const char *const articles[] = {"A ", "An ", "The ", "Some ", "a ", "an ", "the "};
    for (size_t i = 0; i < COUNT_OF(articles); i++)
        if (!strncmp(text, articles[i], strlen(articles[i]))) {
            text += strlen(articles[i]);
            break;
        }
    size_t length = strcspn(text, ".,;:!?\n\r(");
    int words = 1;
    for (size_t i = 0; i < length; i++)
        words += text[i] == ' ';
    ret_name[0] = '\0';
    if (length == 0 || length >= OBJECT_NAME_MAX || words > 4)
        return;
    memcpy(ret_name, text, length);
    ret_name[length] = '\0';
    for (char *c = ret_name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

static void read_name(const char *picture, char ret_name[OBJECT_NAME_MAX])
{
    char path[FILES_PATH_MAX + 1];
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    const char *dot = strrchr(picture, '.');
    snprintf(path, sizeof path, "%.*s.txt", (int)(dot - picture), picture);
    ret_name[0] = '\0';
    if (file_read(path, DESCRIPTION_MAX, &text, NULL) == PF_OK && text.size)
        make_name(text.data, ret_name);
}

static enum pf_status shrink_plane(const float *from, int width, int height, float *to,
    int to_width, int to_height, struct pf_error *err)
{
    return image_resample(from, width, height, to, to_width, to_height, err);
}

/* Takes the picture's planes, reduced when it is larger than OBJECT_SIDE_MAX. */
static enum pf_status set_object(
    struct object *object, const struct image *image, struct pf_error *err)
{
    size_t area = (size_t)image->width * (size_t)image->height;
    int longest = image->width > image->height ? image->width : image->height;
    double scale = longest > OBJECT_SIDE_MAX ? (double)OBJECT_SIDE_MAX / longest : 1.0;
    object->width = (int)(image->width * scale);
    object->height = (int)(image->height * scale);
    size_t to = (size_t)object->width * (size_t)object->height;
    AUTO_FREE float *alpha = malloc(area * sizeof *alpha);
    object->rgb = malloc(3 * to * sizeof *object->rgb);
    object->alpha = malloc(to * sizeof *object->alpha);
    if (!alpha || !object->rgb || !object->alpha)
        return pf_fail(err, PF_NOMEM, "no memory for an object of %zu pixels", to);
    for (size_t i = 0; i < area; i++)
        alpha[i] = (float)image->alpha[i] / 255.0f;
    for (size_t c = 0; c < 3; c++)
        PF_TRY(shrink_plane(image->rgb + c * area, image->width, image->height,
            object->rgb + c * to, object->width, object->height, err));
    PF_TRY(shrink_plane(
        alpha, image->width, image->height, object->alpha, object->width, object->height, err));
    for (size_t i = 0; i < to; i++)
        object->alpha[i] = object->alpha[i] < 0.0f   ? 0.0f
                           : object->alpha[i] > 1.0f ? 1.0f
                                                     : object->alpha[i];
    return PF_OK;
}

/* A cut-out has both: what is to be seen and what isn't. */
static int is_cut_out(const struct image *image)
{
    if (!image->alpha || image->width < OBJECT_SIDE_MIN || image->height < OBJECT_SIDE_MIN)
        return 0;
    size_t area = (size_t)image->width * (size_t)image->height, seen = 0;
    for (size_t i = 0; i < area; i++)
        seen += image->alpha[i] > 127;
    return seen > area / 8 && seen < area - area / 50;
}

static enum pf_status load(struct item *item, struct pf_error *err)
{
    static const struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct image image = IMAGE_INIT;
    PF_TRY(file_read(item->path, FILE_MAX, &bytes, err));
    PF_TRY(picture_decode(bytes.data, bytes.size, &limits, &image, err));
    item->is_loaded = 1;
    item->is_unfit = !is_cut_out(&image);
    enum pf_status status = PF_OK;
    if (!item->is_unfit)
        status = set_object(&item->object, &image, err);
    image_finish(&image);
    return status;
}

enum pf_status objects_open(
    struct objects **ret_objects, const char *stamps, const char *labelled, struct pf_error *err)
{
    static const char *const suffixes[] = {".png", NULL};
    struct objects *objects = calloc(1, sizeof *objects);
    if (!objects)
        return pf_fail(err, PF_NOMEM, "no memory for objects");
    enum pf_status status = PF_OK;
    (void)labelled;
    if (stamps)
        status = files_add(&objects->files, stamps, suffixes, err);
    objects->items = calloc(objects->files.count + 1, sizeof *objects->items);
    if (status == PF_OK && !objects->items)
        status = pf_fail(err, PF_NOMEM, "no memory for %zu objects", objects->files.count);
    for (size_t i = 0; status == PF_OK && i < objects->files.count; i++) {
        struct item *item = &objects->items[objects->count];
        if (!is_stamp(objects->files.paths[i]))
            continue;
        item->path = objects->files.paths[i];
        read_name(item->path, item->object.name);
        objects->count += item->object.name[0] != '\0';
    }
    if (status != PF_OK) {
        objects_close(objects);
        return status;
    }
    *ret_objects = objects;
    return PF_OK;
}

enum pf_status objects_pick(struct objects *objects, struct rng *rng,
    const struct object **ret_object, struct pf_error *err)
{
    for (int pick = 0; objects->count && pick < PICKS_MAX; pick++) {
        struct item *item = &objects->items[rng_below(rng, (int)objects->count)];
        if (!item->is_loaded)
            PF_TRY(load(item, err));
        if (!item->is_unfit) {
            *ret_object = &item->object;
            return PF_OK;
        }
    }
    return pf_fail(err, PF_NOT_FOUND, "no usable object among %zu stamps", objects->count);
}
