/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/photo.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "tools/cli/picture.h"
#include "tools/data/ppm.h"
#include "tools/eval/canvas.h"
#include "tools/eval/trial.h"

static int is_picture(const char *name)
{
    static const char *const endings[] = {"png", "jpg", "jpeg", "webp", "ppm", "safetensors"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && dot > name && i < COUNT_OF(endings); i++)
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return 1;
    return 0;
}

static enum pf_status add_path(
    struct photos *photos, const char *folder, const char *name, struct pf_error *err)
{
    if (photos->count == PHOTOS_MAX)
        return pf_fail(err, PF_INVALID, "%s: more than %d photos", folder, PHOTOS_MAX);
    char **paths = realloc(photos->paths, (photos->count + 1) * sizeof *paths);
    if (!paths)
        return pf_fail(err, PF_NOMEM, "no memory for %zu paths", photos->count + 1);
    photos->paths = paths;
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    buffer_put_format(&path, "%s/%s", folder, name);
    PF_TRY(buffer_status(&path, err));
    paths[photos->count++] = buffer_steal(&path, NULL);
    return PF_OK;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum pf_status photos_add(struct photos *photos, const char *folder, struct pf_error *err)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        int reason = errno;
        return pf_fail_errno(err, reason, "%s", folder);
    }
    size_t first = photos->count;
    enum pf_status status = PF_OK;
    for (const struct dirent *entry; status == PF_OK && (entry = readdir(dir));)
        if (is_picture(entry->d_name))
            status = add_path(photos, folder, entry->d_name, err);
    closedir(dir);
    if (status == PF_OK && photos->count > first)
        qsort(photos->paths + first, photos->count - first, sizeof *photos->paths, compare_paths);
    return status;
}

size_t photos_used(const struct photos *photos)
{
    return photos->limit > 0 && photos->limit < photos->count ? photos->limit : photos->count;
}

size_t photos_index(const struct photos *photos, size_t turn)
{
    return turn * photos->count / photos_used(photos);
}

enum pf_status photos_read(const struct photos *photos, size_t index, int size,
    struct image *ret_clean, struct image *ret_other, struct pf_error *err)
{
    PF_TRY(photo_read(photos->paths[index], size, ret_clean, err));
    return photo_read(photos->paths[(index + 1) % photos->count], size, ret_other, err);
}

void photos_finish(struct photos *photos)
{
    for (size_t i = 0; i < photos->count; i++)
        free(photos->paths[i]);
    free(photos->paths);
    *photos = (struct photos){0};
}

const char *photo_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

size_t photo_stem(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot > name ? (size_t)(dot - name) : strlen(name);
}

enum pf_status photo_read_whole(const char *path, struct image *ret_image, struct pf_error *err)
{
    static const struct image_limits limits = {200 * 1000 * 1000, 32767};
    if (picture_is_tensor(path))
        return picture_read(path, &limits, ret_image, err);
    struct file_map map;
    PF_TRY(file_map_open(&map, path, err));
    struct pf_error inner = PF_ERROR_INIT;
    enum pf_status status = picture_decode(map.data, map.size, &limits, ret_image, &inner);
    file_map_close(&map);
    return status == PF_OK ? PF_OK : pf_fail(err, status, "%s: %s", path, inner.message);
}

enum pf_status photo_read(const char *path, int size, struct image *ret_image, struct pf_error *err)
{
    struct image image = IMAGE_INIT;
    PF_TRY(photo_read_whole(path, &image, err));
    enum pf_status status = canvas_square(ret_image, &image, size, err);
    image_finish(&image);
    return status;
}

/* The name that seeds a recipe, "Dune lowlight desnow": the kind of file doesn't matter. */
static enum pf_status put_defects(struct buffer *seed_name, struct buffer *task_name_text,
    struct buffer *defects, const struct photo_recipe *recipe, struct pf_error *err)
{
    buffer_put(seed_name, recipe->name, photo_stem(recipe->name));
    for (size_t i = 0; i < recipe->task_count; i++) {
        enum task task = recipe->tasks[i];
        buffer_put_format(seed_name, " %s", task_name(task));
        buffer_put_format(task_name_text, "%s%s", i > 0 ? "+" : "", task_name(task));
        buffer_put_format(defects, "%s%s", i > 0 ? " " : "", trials[task].defect);
    }
    PF_TRY(buffer_status(seed_name, err));
    PF_TRY(buffer_status(task_name_text, err));
    return buffer_status(defects, err);
}

static enum pf_status spoil(const struct photo_recipe *recipe, struct sample *sample,
    struct random random, struct pf_error *err)
{
    size_t area = canvas_area(recipe->clean);
    AUTO_FREE float *layer = NULL;
    PF_TRY(canvas_plane(&layer, area, err));
    PF_TRY(canvas_plane(&sample->mask, area, err));
    int has_region = 0;
    for (size_t i = 0; i < recipe->task_count; i++) {
        const struct trial *trial = &trials[recipe->tasks[i]];
        struct degrade degrade = {&sample->input, layer, &random, recipe->other};
        memset(layer, 0, area * sizeof *layer);
        PF_TRY(trial->degrade(&degrade, err));
        has_region |= trial->is_local;
        for (size_t k = 0; trial->is_local && k < area; k++)
            sample->mask[k] = fmaxf(sample->mask[k], layer[k]);
    }
    canvas_quantize(&sample->input);
    if (!has_region) {
        free(sample->mask);
        sample->mask = NULL;
    }
    return PF_OK;
}

static enum pf_status fill_sample(
    const struct photo_recipe *recipe, struct sample *sample, struct pf_error *err)
{
    AUTO_BUFFER struct buffer seed_name = BUFFER_INIT;
    AUTO_BUFFER struct buffer tasks = BUFFER_INIT;
    AUTO_BUFFER struct buffer defects = BUFFER_INIT;
    PF_TRY(put_defects(&seed_name, &tasks, &defects, recipe, err));
    PF_TRY(canvas_copy(&sample->input, recipe->clean, err));
    PF_TRY(canvas_copy(&sample->target, recipe->clean, err));
    PF_TRY(spoil(recipe, sample, random_of(recipe->seed, seed_name.data), err));
    sample->task = buffer_steal(&tasks, NULL);
    sample->auxiliary = buffer_steal(&defects, NULL);
    sample->key = strdup(recipe->name);
    sample->source = strdup(recipe->name);
    sample->instruction = strdup("");
    if (!sample->key || !sample->source || !sample->instruction)
        return pf_fail(err, PF_NOMEM, "no memory for a sample of %s", recipe->name);
    return PF_OK;
}

enum pf_status photo_spoil(
    const struct photo_recipe *recipe, struct sample *ret_sample, struct pf_error *err)
{
    struct sample sample = {0};
    enum pf_status status = fill_sample(recipe, &sample, err);
    if (status != PF_OK) {
        sample_finish(&sample);
        return status;
    }
    *ret_sample = sample;
    return PF_OK;
}
