/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/data/shards.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jdoc.h"
#include "tools/data/ppm.h"
#include "tools/data/tar.h"
#include "tools/data/tasks.h"

/* A set is its mapped tar files and one index over all of them: for each sample, where its four
 * files lie. Headers are read once, when the set is opened; pictures when a sample is asked for.
 * The index is never changed after that, which is what makes reading safe from several threads. */

enum part { PART_INPUT, PART_TARGET, PART_MASK, PART_JSON, PART_COUNT };

static const char *const part_names[PART_COUNT] = {"input", "target", "mask", "json"};

struct place {
    size_t offset, size; /* size 0: the sample has no such file */
};

struct entry {
    char *key;
    size_t file;
    struct place parts[PART_COUNT];
};

struct shards {
    char **paths;
    struct file_map *maps; /* [file_count] */
    size_t file_count;
    struct entry *entries;
    size_t count, capacity;
};

void sample_finish(struct sample *sample)
{
    if (!sample)
        return;
    free(sample->key);
    free(sample->task);
    free(sample->instruction);
    free(sample->auxiliary);
    free(sample->source);
    image_finish(&sample->input);
    image_finish(&sample->target);
    free(sample->mask);
    *sample = (struct sample){0};
}

void shards_close(struct shards *shards)
{
    if (!shards)
        return;
    for (size_t i = 0; i < shards->count; i++)
        free(shards->entries[i].key);
    for (size_t i = 0; i < shards->file_count; i++) {
        file_map_close(&shards->maps[i]);
        free(shards->paths[i]);
    }
    free(shards->entries);
    free(shards->maps);
    free(shards->paths);
    free(shards);
}

size_t shards_count(const struct shards *shards)
{
    return shards->count;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum pf_status add_path(struct shards *shards, char *path, struct pf_error *err)
{
    if (!path)
        return pf_fail(err, PF_NOMEM, "no memory for a path");
    char **paths = realloc(shards->paths, (shards->file_count + 1) * sizeof *paths);
    if (!paths) {
        free(path);
        return pf_fail(err, PF_NOMEM, "no memory for %zu paths", shards->file_count + 1);
    }
    shards->paths = paths;
    paths[shards->file_count] = path;
    /* maps grow with the paths, so that shards_close() may take a half-built set */
    struct file_map *maps = realloc(shards->maps, (shards->file_count + 1) * sizeof *maps);
    if (!maps) {
        free(path);
        return pf_fail(err, PF_NOMEM, "no memory for %zu files", shards->file_count + 1);
    }
    shards->maps = maps;
    maps[shards->file_count++] = (struct file_map){0};
    return PF_OK;
}

static char *join_path(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static enum pf_status list_folder(struct shards *shards, const char *path, struct pf_error *err)
{
    DIR *folder = opendir(path);
    if (!folder)
        return pf_fail_errno(err, errno, "%s", path);
    enum pf_status status = PF_OK;
    for (struct dirent *item; status == PF_OK && (item = readdir(folder));) {
        size_t length = strlen(item->d_name);
        if (length < 5 || item->d_name[0] == '.' || strcmp(item->d_name + length - 4, ".tar") != 0)
            continue;
        if (shards->file_count == SHARDS_FILES_MAX)
            status = pf_fail(err, PF_INVALID, "%s: more than %d tar files", path, SHARDS_FILES_MAX);
        else
            status = add_path(shards, join_path(path, item->d_name), err);
    }
    closedir(folder);
    if (status == PF_OK && shards->file_count == 0)
        return pf_fail(err, PF_NOT_FOUND, "%s: no tar files", path);
    if (status == PF_OK)
        qsort(shards->paths, shards->file_count, sizeof *shards->paths, compare_paths);
    return status;
}

/* "a/000017.input.png" → key of 8 bytes, part input; -1 for a file that isn't ours. */
static int split_name(const char *name, size_t *ret_key_length)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    const char *dot = strchr(base, '.');
    if (!dot || dot == base)
        return -1;
    *ret_key_length = (size_t)(dot - name);
    for (int part = 0; part < PART_COUNT; part++) {
        size_t length = strlen(part_names[part]);
        if (!strncmp(dot + 1, part_names[part], length) &&
            (part == PART_JSON ? dot[1 + length] == '\0' : dot[1 + length] == '.'))
            return part;
    }
    return -1;
}

static enum pf_status check_entry(
    const struct shards *shards, const struct entry *entry, struct pf_error *err)
{
    for (int part = 0; part < PART_COUNT; part++)
        if (part != PART_MASK && entry->parts[part].size == 0)
            return pf_fail(err, PF_CORRUPT, "%s: sample '%s' has no %s", shards->paths[entry->file],
                entry->key, part_names[part]);
    return PF_OK;
}

static enum pf_status start_entry(
    struct shards *shards, const char *name, size_t key_length, size_t file, struct pf_error *err)
{
    if (shards->count == shards->capacity) {
        size_t capacity = shards->capacity ? 2 * shards->capacity : 1024;
        struct entry *entries = realloc(shards->entries, capacity * sizeof *entries);
        if (!entries)
            return pf_fail(err, PF_NOMEM, "no memory for an index of %zu samples", capacity);
        shards->entries = entries;
        shards->capacity = capacity;
    }
    char *key = strndup(name, key_length);
    if (!key)
        return pf_fail(err, PF_NOMEM, "no memory for a key");
    shards->entries[shards->count++] = (struct entry){.key = key, .file = file};
    return PF_OK;
}

static enum pf_status add_entry(
    struct shards *shards, size_t file, const struct tar_entry *found, struct pf_error *err)
{
    size_t key_length;
    int part = split_name(found->name, &key_length);
    if (part < 0)
        return PF_OK;
    struct entry *entry = shards->count ? &shards->entries[shards->count - 1] : NULL;
    if (!entry || entry->file != file || strlen(entry->key) != key_length ||
        strncmp(entry->key, found->name, key_length) != 0) {
        if (entry && entry->file == file)
            PF_TRY(check_entry(shards, entry, err));
        PF_TRY(start_entry(shards, found->name, key_length, file, err));
        entry = &shards->entries[shards->count - 1];
    }
    if (found->size > SHARDS_ENTRY_BYTES_MAX || entry->parts[part].size)
        return pf_fail(err, PF_CORRUPT, "%s: '%s' at %zu is %s", shards->paths[file], found->name,
            found->offset, entry->parts[part].size ? "there twice" : "too large");
    entry->parts[part] = (struct place){found->offset, found->size};
    return PF_OK;
}

static enum pf_status index_file(struct shards *shards, size_t file, struct pf_error *err)
{
    struct file_map *map = &shards->maps[file];
    PF_TRY(file_map_open(map, shards->paths[file], err));
    size_t offset = 0, first = shards->count;
    for (;;) {
        struct tar_entry found;
        int is_found;
        struct pf_error inner = PF_ERROR_INIT;
        enum pf_status status = tar_next(map->data, map->size, &offset, &found, &is_found, &inner);
        if (status != PF_OK)
            return pf_fail(err, status, "%s: %s", shards->paths[file], inner.message);
        if (!is_found)
            break;
        PF_TRY(add_entry(shards, file, &found, err));
    }
    return shards->count > first ? check_entry(shards, &shards->entries[shards->count - 1], err)
                                 : PF_OK;
}

static enum pf_status open_all(struct shards *shards, const char *path, struct pf_error *err)
{
    struct stat info;
    PF_TRY(image_library_init("promptfix", 1, err));
    if (stat(path, &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return pf_fail(err, PF_NOT_FOUND, "%s: no such file or folder", path);
        return pf_fail_errno(err, errno, "%s", path);
    }
    if (S_ISDIR(info.st_mode))
        PF_TRY(list_folder(shards, path, err));
    else
        PF_TRY(add_path(shards, strdup(path), err));
    for (size_t file = 0; file < shards->file_count; file++)
        PF_TRY(index_file(shards, file, err));
    return PF_OK;
}

enum pf_status shards_open(struct shards **ret_shards, const char *path, struct pf_error *err)
{
    struct shards *shards = calloc(1, sizeof *shards);
    if (!shards)
        return pf_fail(err, PF_NOMEM, "no memory for shards");
    enum pf_status status = open_all(shards, path, err);
    if (status != PF_OK) {
        shards_close(shards);
        return status;
    }
    *ret_shards = shards;
    return PF_OK;
}

const unsigned char *shards_file(
    const struct shards *shards, size_t index, const char *part, size_t *ret_size)
{
    const struct entry *entry = &shards->entries[index];
    for (int i = 0; i < PART_COUNT; i++)
        if (!strcmp(part, part_names[i]) && entry->parts[i].size) {
            *ret_size = entry->parts[i].size;
            return shards->maps[entry->file].data + entry->parts[i].offset;
        }
    return NULL;
}

static enum pf_status copy_text(
    const struct jdoc_value *root, const char *name, char **ret_text, struct pf_error *err)
{
    const char *text = jdoc_get_string(root, name, "");
    if (strlen(text) > SHARDS_TEXT_MAX)
        return pf_fail(
            err, PF_CORRUPT, "'%s' has %zu bytes, at most %d", name, strlen(text), SHARDS_TEXT_MAX);
    *ret_text = strdup(text);
    return *ret_text ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for '%s'", name);
}

/* Bits of the tasks that an array names: by strings, or by objects with a "task". */
static unsigned task_bits(const struct jdoc_value *array)
{
    unsigned bits = 0;
    for (const struct jdoc_value *item = array->first; item; item = item->next) {
        int task =
            task_find(item->type == JDOC_STRING ? item->string : jdoc_get_string(item, "task", ""));
        if (task >= 0)
            bits |= 1u << task;
    }
    return bits;
}

static void read_tasks(const struct jdoc_value *root, struct sample *sample)
{
    const struct jdoc_value *asked = jdoc_get(root, "asked");
    const struct jdoc_value *defects = jdoc_get(root, "degradations");
    int task = task_find(sample->task);
    sample->is_told = 1;
    if (asked && asked->type == JDOC_ARRAY && defects && defects->type == JDOC_ARRAY) {
        sample->asked = task_bits(asked);
        sample->defects = task_bits(defects);
    } else if (task >= 0) {
        sample->asked = sample->defects = 1u << task;
    } else {
        sample->is_told = 0;
    }
}

static enum pf_status read_texts(
    const unsigned char *bytes, size_t count, struct sample *sample, struct pf_error *err)
{
    struct jdoc *doc;
    PF_TRY(jdoc_parse(&doc, (const char *)bytes, count, err));
    const struct jdoc_value *root = jdoc_root(doc);
    enum pf_status status =
        root->type == JDOC_OBJECT ? PF_OK : pf_fail(err, PF_CORRUPT, "the json is no object");
    if (status == PF_OK)
        status = copy_text(root, "task", &sample->task, err);
    if (status == PF_OK)
        status = copy_text(root, "instruction", &sample->instruction, err);
    if (status == PF_OK)
        status = copy_text(root, "auxiliary", &sample->auxiliary, err);
    if (status == PF_OK)
        status = copy_text(root, "source", &sample->source, err);
    if (status == PF_OK)
        read_tasks(root, sample);
    jdoc_destroy(doc);
    return status;
}

static enum pf_status read_pictures(
    const struct shards *shards, size_t index, struct sample *sample, struct pf_error *err)
{
    static const struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    size_t size = 0;
    const unsigned char *bytes = shards_file(shards, index, "input", &size);
    PF_TRY(picture_decode(bytes, size, &limits, &sample->input, err));
    bytes = shards_file(shards, index, "target", &size);
    PF_TRY(picture_decode(bytes, size, &limits, &sample->target, err));
    int width = sample->input.width, height = sample->input.height;
    if (sample->target.width != width || sample->target.height != height)
        return pf_fail(err, PF_CORRUPT, "input has %d×%d, target %d×%d", width, height,
            sample->target.width, sample->target.height);
    bytes = shards_file(shards, index, "mask", &size);
    if (!bytes)
        return PF_OK;
    struct image mask = IMAGE_INIT;
    PF_TRY(picture_decode(bytes, size, &limits, &mask, err));
    int fits = mask.width == width && mask.height == height;
    if (!fits)
        (void)pf_fail(
            err, PF_CORRUPT, "input has %d×%d, mask %d×%d", width, height, mask.width, mask.height);
    else
        sample->mask = STEAL(mask.rgb); /* its first plane; the others are never looked at */
    image_finish(&mask);
    return fits ? PF_OK : PF_CORRUPT;
}

static enum pf_status read_sample(const struct shards *shards, size_t index, int with_pictures,
    struct sample *ret_sample, struct pf_error *err)
{
    if (index >= shards->count)
        return pf_fail(err, PF_INVALID, "sample %zu of %zu", index, shards->count);
    const struct entry *entry = &shards->entries[index];
    struct sample sample = {0};
    struct pf_error inner = PF_ERROR_INIT;
    size_t size;
    const unsigned char *json = shards_file(shards, index, "json", &size);
    sample.key = strdup(entry->key);
    enum pf_status status = sample.key ? PF_OK : pf_fail(&inner, PF_NOMEM, "no memory for a key");
    if (status == PF_OK)
        status = read_texts(json, size, &sample, &inner);
    if (status == PF_OK && with_pictures)
        status = read_pictures(shards, index, &sample, &inner);
    if (status != PF_OK) {
        sample_finish(&sample);
        return pf_fail(err, status, "%s: sample '%s': %s", shards->paths[entry->file], entry->key,
            inner.message);
    }
    *ret_sample = sample;
    return PF_OK;
}

enum pf_status shards_read(
    const struct shards *shards, size_t index, struct sample *ret_sample, struct pf_error *err)
{
    return read_sample(shards, index, 1, ret_sample, err);
}

enum pf_status shards_read_texts(
    const struct shards *shards, size_t index, struct sample *ret_sample, struct pf_error *err)
{
    return read_sample(shards, index, 0, ret_sample, err);
}
