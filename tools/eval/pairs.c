/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jdoc.h"
#include "tools/eval/photo.h"

struct pairs {
    struct shards *shards; /* one of the two */
    struct photos inputs;
    char *folder;
};

static int is_folder(const char *path)
{
    struct stat stat_of;
    return stat(path, &stat_of) == 0 && S_ISDIR(stat_of.st_mode);
}

/* "FOLDER/part/stem.ending", a part or ending of "" left out; NULL without memory. */
static char *join(const char *folder, const char *part, const char *name, const char *ending)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    int stem = (int)(*ending ? photo_stem(name) : strlen(name));
    buffer_put_format(&path, "%s%s%s", folder, *part ? "/" : "", part);
    buffer_put_format(&path, "%s%.*s%s", *name ? "/" : "", stem, name, ending);
    return buffer_steal(&path, NULL);
}

enum pf_status pairs_open(struct pairs **ret_pairs, const char *path, struct pf_error *err)
{
    struct pairs *pairs = calloc(1, sizeof *pairs);
    AUTO_FREE char *inputs = join(path, "input", "", "");
    if (!pairs || !inputs || !(pairs->folder = strdup(path))) {
        pairs_close(pairs);
        return pf_fail(err, PF_NOMEM, "no memory for a set of pairs");
    }
    enum pf_status status = is_folder(inputs) ? photos_add(&pairs->inputs, inputs, err)
                                              : shards_open(&pairs->shards, path, err);
    if (status != PF_OK) {
        pairs_close(pairs);
        return status;
    }
    *ret_pairs = pairs;
    return PF_OK;
}

void pairs_close(struct pairs *pairs)
{
    if (!pairs)
        return;
    shards_close(pairs->shards);
    photos_finish(&pairs->inputs);
    free(pairs->folder);
    free(pairs);
}

size_t pairs_count(const struct pairs *pairs)
{
    return pairs->shards ? shards_count(pairs->shards) : pairs->inputs.count;
}

/* The file FOLDER/part/STEM.* of whatever kind of picture; NULL when there is none. */
static char *find_part(const struct pairs *pairs, const char *part, const char *name)
{
    static const char *const endings[] = {
        ".png", ".jpg", ".jpeg", ".webp", ".ppm", ".PNG", ".JPG", ".JPEG", ".safetensors"};
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        char *path = join(pairs->folder, part, name, endings[i]);
        if (path && access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static enum pf_status read_text(
    const char *path, char **ret_text, int *ret_found, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    *ret_found = path && access(path, F_OK) == 0;
    if (!*ret_found)
        return PF_OK;
    PF_TRY(file_read(path, PAIRS_TEXT_FILE_MAX, &text, err));
    while (text.size > 0 && strchr(" \t\r\n", text.data[text.size - 1]))
        text.data[--text.size] = '\0';
    char *copy = strdup(text.size > 0 ? text.data : "");
    if (!copy)
        return pf_fail(err, PF_NOMEM, "no memory for %s", path);
    *ret_text = copy;
    return PF_OK;
}

static enum pf_status take_json(
    struct sample *sample, const char *path, const char *text, size_t count, struct pf_error *err)
{
    struct jdoc *doc;
    struct pf_error inner = PF_ERROR_INIT;
    if (jdoc_parse(&doc, text, count, &inner) != PF_OK)
        return pf_fail(err, inner.status, "%s: %s", path, inner.message);
    const struct jdoc_value *root = jdoc_root(doc);
    sample->instruction = strdup(jdoc_get_string(root, "instruction", ""));
    sample->auxiliary = strdup(jdoc_get_string(root, "auxiliary", ""));
    sample->task = strdup(jdoc_get_string(root, "task", ""));
    int is_object = root->type == JDOC_OBJECT;
    jdoc_destroy(doc);
    return is_object ? PF_OK : pf_fail(err, PF_CORRUPT, "%s: no JSON object", path);
}

static enum pf_status read_instruction(
    const struct pairs *pairs, const char *name, struct sample *sample, struct pf_error *err)
{
    AUTO_FREE char *json = join(pairs->folder, "instruction", name, ".json");
    AUTO_FREE char *own = join(pairs->folder, "instruction", name, ".txt");
    AUTO_FREE char *common = join(pairs->folder, "", "instruction.txt", "");
    AUTO_FREE char *text = NULL;
    int found = 0;
    PF_TRY(read_text(json, &text, &found, err));
    if (found)
        return take_json(sample, json, text, strlen(text), err);
    PF_TRY(read_text(own, &sample->instruction, &found, err));
    if (!found)
        PF_TRY(read_text(common, &sample->instruction, &found, err));
    return found ? PF_OK : pf_fail(err, PF_INVALID, "%s: no instruction", name);
}

static enum pf_status read_picture(
    const char *path, const char *name, struct image *ret_image, struct pf_error *err)
{
    if (!path)
        return pf_fail(err, PF_INVALID, "%s: no target", name);
    return photo_read_whole(path, ret_image, err);
}

static enum pf_status fill_missing(struct sample *sample, const char *name, struct pf_error *err)
{
    char **const texts[] = {
        &sample->instruction, &sample->auxiliary, &sample->task, &sample->source};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!*texts[i])
            *texts[i] = strdup("");
    sample->key = strdup(name);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!*texts[i] || !sample->key)
            return pf_fail(err, PF_NOMEM, "no memory for the texts of %s", name);
    return PF_OK;
}

static enum pf_status read_texts(
    const struct pairs *pairs, size_t index, struct sample *sample, struct pf_error *err)
{
    size_t size;
    if (!pairs->shards) {
        const char *name = photo_name(pairs->inputs.paths[index]);
        PF_TRY(read_instruction(pairs, name, sample, err));
        return fill_missing(sample, name, err);
    }
    const char *json = (const char *)shards_file(pairs->shards, index, "json", &size);
    if (!json)
        return pf_fail(err, PF_CORRUPT, "pair %zu: no json", index);
    PF_TRY(take_json(sample, "json", json, size, err));
    return fill_missing(sample, "", err);
}

enum pf_status pairs_read_texts(
    const struct pairs *pairs, size_t index, struct sample *ret_sample, struct pf_error *err)
{
    struct sample sample = {0};
    enum pf_status status = read_texts(pairs, index, &sample, err);
    if (status != PF_OK) {
        sample_finish(&sample);
        return status;
    }
    *ret_sample = sample;
    return PF_OK;
}

static int has_size_of(const struct image *image, const struct image *other)
{
    return image->width == other->width && image->height == other->height;
}

static enum pf_status read_sample(
    const struct pairs *pairs, const char *path, struct sample *sample, struct pf_error *err)
{
    const char *name = photo_name(path);
    AUTO_FREE char *target = find_part(pairs, "target", name);
    AUTO_FREE char *mask = find_part(pairs, "mask", name);
    struct image mask_image = IMAGE_INIT;
    PF_TRY(read_picture(path, name, &sample->input, err));
    PF_TRY(read_picture(target, name, &sample->target, err));
    if (!has_size_of(&sample->input, &sample->target))
        return pf_fail(err, PF_INVALID, "%s: input %d×%d, target %d×%d", name, sample->input.width,
            sample->input.height, sample->target.width, sample->target.height);
    if (mask) {
        PF_TRY(read_picture(mask, name, &mask_image, err));
        int fits = has_size_of(&sample->input, &mask_image);
        sample->mask = mask_image.rgb; /* its first plane: masks are grey */
        mask_image.rgb = NULL;
        image_finish(&mask_image);
        if (!fits)
            return pf_fail(err, PF_INVALID, "%s: the mask has another size", name);
    }
    PF_TRY(read_instruction(pairs, name, sample, err));
    return fill_missing(sample, name, err);
}

enum pf_status pairs_read(
    const struct pairs *pairs, size_t index, struct sample *ret_sample, struct pf_error *err)
{
    if (pairs->shards)
        return shards_read(pairs->shards, index, ret_sample, err);
    struct sample sample = {0};
    enum pf_status status = read_sample(pairs, pairs->inputs.paths[index], &sample, err);
    if (status != PF_OK) {
        sample_finish(&sample);
        return status;
    }
    *ret_sample = sample;
    return PF_OK;
}
