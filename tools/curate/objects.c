/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/objects.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/image/resample.h"
#include "tools/curate/cutout.h"
#include "tools/curate/files.h"
#include "tools/data/ppm.h"

enum { DESCRIPTION_MAX = 65536, FILE_MAX = 64 << 20, PICKS_MAX = 64 };

struct item {
    const char *path; /* the stamp's png, or labelme's json; in one of the file lists */
    size_t shape;     /* in the json */
    struct object object;
    int is_loaded, is_unfit;
};

struct objects {
    struct files stamps, labels;
    struct item *items;
    size_t count, capacity;
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
    files_finish(&objects->stamps);
    files_finish(&objects->labels);
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
        PF_TRY(image_resample(image->rgb + c * area, image->width, image->height,
            object->rgb + c * to, object->width, object->height, err));
    PF_TRY(image_resample(
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

static enum pf_status read_stamp(const char *path, struct image *ret_image, struct pf_error *err)
{
    static const struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    PF_TRY(file_read(path, FILE_MAX, &bytes, err));
    return picture_decode(bytes.data, bytes.size, &limits, ret_image, err);
}

static int is_label(const char *path)
{
    size_t length = strlen(path);
    return length > 5 && !strcmp(path + length - 5, ".json");
}

static enum pf_status load(struct item *item, struct pf_error *err)
{
    struct image image = IMAGE_INIT;
    if (is_label(item->path))
        PF_TRY(cutout_read(item->path, item->shape, &image, err));
    else
        PF_TRY(read_stamp(item->path, &image, err));
    item->is_loaded = 1;
    item->is_unfit = !is_cut_out(&image);
    enum pf_status status = PF_OK;
    if (!item->is_unfit)
        status = set_object(&item->object, &image, err);
    image_finish(&image);
    return status;
}

static enum pf_status add_item(
    struct objects *objects, const char *path, size_t shape, const char *name, struct pf_error *err)
{
    if (objects->count == OBJECTS_MAX)
        return pf_fail(err, PF_INVALID, "more than %d objects", OBJECTS_MAX);
    if (objects->count == objects->capacity) {
        size_t capacity = objects->capacity ? 2 * objects->capacity : 256;
        struct item *items = realloc(objects->items, capacity * sizeof *items);
        if (!items)
            return pf_fail(err, PF_NOMEM, "no memory for %zu objects", capacity);
        objects->items = items;
        objects->capacity = capacity;
    }
    struct item *item = &objects->items[objects->count++];
    *item = (struct item){.path = path, .shape = shape};
    snprintf(item->object.name, sizeof item->object.name, "%s", name);
    return PF_OK;
}

static enum pf_status list_stamps(struct objects *objects, const char *folder, struct pf_error *err)
{
    static const char *const suffixes[] = {".png", NULL};
    PF_TRY(files_add(&objects->stamps, folder, suffixes, err));
    for (size_t i = 0; i < objects->stamps.count; i++) {
        char name[OBJECT_NAME_MAX];
        if (!is_stamp(objects->stamps.paths[i]))
            continue;
        read_name(objects->stamps.paths[i], name);
        if (name[0])
            PF_TRY(add_item(objects, objects->stamps.paths[i], 0, name, err));
    }
    return PF_OK;
}

static enum pf_status list_labels(struct objects *objects, const char *folder, struct pf_error *err)
{
    static const char *const suffixes[] = {".json", NULL};
    PF_TRY(files_add(&objects->labels, folder, suffixes, err));
    AUTO_FREE struct cutout *cutouts = NULL;
    size_t count = 0;
    for (size_t i = 0; i < objects->labels.count; i++) {
        size_t first = count;
        PF_TRY(cutout_list(objects->labels.paths[i], OBJECT_SIDE_MIN, &cutouts, &count, err));
        for (size_t k = first; k < count; k++)
            PF_TRY(add_item(
                objects, objects->labels.paths[i], cutouts[k].shape, cutouts[k].name, err));
    }
    return PF_OK;
}

enum pf_status objects_open(
    struct objects **ret_objects, const char *stamps, const char *labelled, struct pf_error *err)
{
    struct objects *objects = calloc(1, sizeof *objects);
    if (!objects)
        return pf_fail(err, PF_NOMEM, "no memory for objects");
    enum pf_status status = PF_OK;
    if (stamps)
        status = list_stamps(objects, stamps, err);
    if (status == PF_OK && labelled)
        status = list_labels(objects, labelled, err);
    if (status == PF_OK && objects->count == 0)
        status = pf_fail(err, PF_NOT_FOUND, "no object with a description in '%s'",
            stamps     ? stamps
            : labelled ? labelled
                       : "");
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
    return pf_fail(err, PF_NOT_FOUND, "no usable object among %zu objects", objects->count);
}
