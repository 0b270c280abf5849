/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jdoc.h"
#include "tools/data/ppm.h"
#include "tools/data/shards.h"

enum { PICTURE_FILE_MAX = 256 << 20, NAME_MAX_BYTES = 255 };

struct pair {
    struct image input, target, mask;
    char *instruction, *auxiliary, *task;
};

static void pair_finish(struct pair *pair)
{
    image_finish(&pair->input);
    image_finish(&pair->target);
    image_finish(&pair->mask);
    free(pair->instruction);
    free(pair->auxiliary);
    free(pair->task);
}

enum pf_status import_open(struct import *ret_import, const char *folder, struct pf_error *err)
{
    char path[FILES_PATH_MAX + 1];
    struct import import = {.folder = folder, .quality = 98};
    if (snprintf(path, sizeof path, "%s/input", folder) > FILES_PATH_MAX)
        return pf_fail(err, PF_INVALID, "a path of over %d bytes", FILES_PATH_MAX);
    if (access(path, R_OK) != 0)
        return pf_fail(err, PF_NOT_FOUND, "%s: no such folder", path);
    enum pf_status status = files_add(&import.inputs, path, files_pictures, err);
    if (status == PF_OK && import.inputs.count == 0)
        status = pf_fail(err, PF_NOT_FOUND, "%s: no pictures", path);
    if (status == PF_OK)
        *ret_import = import;
    else
        import_finish(&import);
    return status;
}

void import_finish(struct import *import)
{
    files_finish(&import->inputs);
}

/* The file's name without folder and ending. */
static void name_of(const char *path, char ret_name[NAME_MAX_BYTES + 1])
{
    const char *base = strrchr(path, '/') + 1, *dot = strrchr(base, '.');
    snprintf(ret_name, NAME_MAX_BYTES + 1, "%.*s", (int)(dot - base), base);
}

/* FOLDER/PART/NAME with the first of the endings that is there; 0 when none is. */
static int find_file(const char *folder, const char *part, const char *name,
    const char *const *suffixes, char ret_path[FILES_PATH_MAX + 1])
{
    for (; *suffixes; suffixes++) {
        int size =
            snprintf(ret_path, FILES_PATH_MAX + 1, "%s/%s/%s%s", folder, part, name, *suffixes);
        if (size <= FILES_PATH_MAX && access(ret_path, R_OK) == 0)
            return 1;
    }
    return 0;
}

static enum pf_status read_picture(const char *path, struct image *ret_image, struct pf_error *err)
{
    static const struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct pf_error inner = PF_ERROR_INIT;
    PF_TRY(file_read(path, PICTURE_FILE_MAX, &bytes, err));
    enum pf_status status =
        picture_decode(bytes.data ? bytes.data : "", bytes.size, &limits, ret_image, &inner);
    return status == PF_OK ? PF_OK : pf_fail(err, status, "%s: %s", path, inner.message);
}

static enum pf_status read_pictures(const struct import *import, const char *input,
    const char *name, struct pair *pair, struct pf_error *err)
{
    char path[FILES_PATH_MAX + 1];
    PF_TRY(read_picture(input, &pair->input, err));
    if (!find_file(import->folder, "target", name, files_pictures, path))
        return pf_fail(err, PF_INVALID, "'%s' has no target", name);
    PF_TRY(read_picture(path, &pair->target, err));
    if (find_file(import->folder, "mask", name, files_pictures, path))
        PF_TRY(read_picture(path, &pair->mask, err));
    const struct image *others[] = {&pair->target, &pair->mask};
    for (int i = 0; i < 2; i++)
        if (others[i]->rgb &&
            (others[i]->width != pair->input.width || others[i]->height != pair->input.height))
            return pf_fail(err, PF_INVALID, "'%s': input has %d×%d, %s %d×%d", name,
                pair->input.width, pair->input.height, i ? "mask" : "target", others[i]->width,
                others[i]->height);
    return PF_OK;
}

static enum pf_status keep(const char *text, char **ret_text, struct pf_error *err)
{
    if (strlen(text) > SHARDS_TEXT_MAX)
        return pf_fail(
            err, PF_INVALID, "a text of %zu bytes, at most %d", strlen(text), SHARDS_TEXT_MAX);
    *ret_text = strdup(text);
    return *ret_text ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for a text");
}

static enum pf_status read_json(const struct buffer *text, struct pair *pair, struct pf_error *err)
{
    struct jdoc *doc;
    PF_TRY(jdoc_parse(&doc, text->data ? text->data : "", text->size, err));
    const struct jdoc_value *root = jdoc_root(doc);
    enum pf_status status = keep(jdoc_get_string(root, "instruction", ""), &pair->instruction, err);
    if (status == PF_OK)
        status = keep(jdoc_get_string(root, "auxiliary", ""), &pair->auxiliary, err);
    if (status == PF_OK)
        status = keep(jdoc_get_string(root, "task", ""), &pair->task, err);
    jdoc_destroy(doc);
    return status;
}

static enum pf_status read_texts(
    const struct import *import, const char *name, struct pair *pair, struct pf_error *err)
{
    static const char *const json[] = {".json", NULL}, *const plain[] = {".txt", NULL};
    char path[FILES_PATH_MAX + 1];
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    if (find_file(import->folder, "instruction", name, json, path)) {
        PF_TRY(file_read(path, IMPORT_TEXT_FILE_MAX, &text, err));
        return read_json(&text, pair, err);
    }
    if (!find_file(import->folder, "instruction", name, plain, path) &&
        !find_file(import->folder, ".", "instruction", plain, path))
        return pf_fail(err, PF_INVALID, "'%s' has no instruction", name);
    PF_TRY(file_read(path, IMPORT_TEXT_FILE_MAX, &text, err));
    char *words = text.data ? text.data : (char[]){""};
    words[strcspn(words, "\r\n")] = '\0';
    PF_TRY(keep(words, &pair->instruction, err));
    PF_TRY(keep("", &pair->auxiliary, err));
    return keep("", &pair->task, err);
}

static void put_member(struct buffer *out, const char *name, const char *text)
{
    buffer_put_format(out, "%s\"%s\":", out->size > 1 ? "," : "", name);
    buffer_put_json_string(out, text, strlen(text));
}

enum pf_status import_make(
    const struct import *import, size_t index, struct buffer *out, struct pf_error *err)
{
    char name[NAME_MAX_BYTES + 1], key[32];
    __attribute__((cleanup(pair_finish))) struct pair pair = {0};
    AUTO_BUFFER struct buffer json = BUFFER_INIT;
    const char *input = import->inputs.paths[index];
    name_of(input, name);
    PF_TRY(read_pictures(import, input, name, &pair, err));
    PF_TRY(read_texts(import, name, &pair, err));
    snprintf(key, sizeof key, "%06zu", index);
    buffer_put_text(&json, "{");
    put_member(&json, "key", key);
    put_member(&json, "task", pair.task);
    put_member(&json, "instruction", pair.instruction);
    put_member(&json, "auxiliary", pair.auxiliary);
    put_member(&json, "source", name);
    buffer_put_text(&json, "}");
    PF_TRY(buffer_status(&json, err));
    /* a grey mask's first plane is the mask */
    return sample_pack(out, key, &pair.input, &pair.target, pair.mask.rgb, json.data,
        import->format, import->quality, err);
}
