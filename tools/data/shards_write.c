/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/data/shards_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/data/ppm.h"
#include "tools/data/tar.h"

enum { PATH_SIZE = 4096, KEY_SIZE = 80 };

static const char *const format_names[] = {"png", "jpeg", "ppm"};
static const char *const format_suffixes[] = {"png", "jpg", "ppm"};

int picture_format_find(const char *name)
{
    for (int i = 0; i < (int)COUNT_OF(format_names); i++)
        if (!strcmp(format_names[i], name))
            return i;
    return -1;
}

static enum pf_status encode(const struct image *image, enum picture_format format, int quality,
    struct buffer *ret, struct pf_error *err)
{
    if (format == PICTURE_PPM)
        return ppm_encode(image, NULL, ret, err);
    return image_encode(
        image, format == PICTURE_PNG ? IMAGE_FORMAT_PNG : IMAGE_FORMAT_JPEG, quality, ret, err);
}

static enum pf_status put_picture(struct buffer *out, const char *key, const char *part,
    const struct image *image, enum picture_format format, int quality, struct pf_error *err)
{
    char name[KEY_SIZE + 20];
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    PF_TRY(encode(image, format, quality, &bytes, err));
    snprintf(name, sizeof name, "%s.%s.%s", key, part, format_suffixes[format]);
    return tar_put(out, name, bytes.data, bytes.size, err);
}

/* Masks are never jpegs: their edges would ring. */
static enum pf_status put_mask(struct buffer *out, const char *key, int width, int height,
    const float *mask, enum picture_format format, struct pf_error *err)
{
    size_t area = (size_t)width * (size_t)height;
    AUTO_FREE float *planes = malloc(3 * area * sizeof *planes);
    if (!planes)
        return pf_fail(err, PF_NOMEM, "no memory for a mask of %d×%d", width, height);
    for (size_t c = 0; c < 3; c++)
        memcpy(planes + c * area, mask, area * sizeof *planes);
    struct image image = {width, height, planes, NULL};
    return put_picture(
        out, key, "mask", &image, format == PICTURE_PPM ? PICTURE_PPM : PICTURE_PNG, 100, err);
}

enum pf_status sample_pack(struct buffer *out, const char *key, const struct image *input,
    const struct image *target, const float *mask, const char *json, enum picture_format format,
    int quality, struct pf_error *err)
{
    char name[KEY_SIZE + 20];
    if (strlen(key) > KEY_SIZE)
        return pf_fail(err, PF_INVALID, "a key of %zu bytes, at most %d", strlen(key), KEY_SIZE);
    PF_TRY(put_picture(out, key, "input", input, format, quality, err));
    PF_TRY(put_picture(out, key, "target", target, format, quality, err));
    if (mask)
        PF_TRY(put_mask(out, key, input->width, input->height, mask, format, err));
    snprintf(name, sizeof name, "%s.json", key);
    return tar_put(out, name, json, strlen(json), err);
}

struct shards_writer {
    char folder[PATH_SIZE];
    size_t per_shard, in_shard, shard;
    FILE *file; /* the shard under its temporary name; NULL between shards */
};

static void make_path(
    const struct shards_writer *writer, const char *suffix, char ret_path[PATH_SIZE + 32])
{
    snprintf(ret_path, PATH_SIZE + 32, "%s/%06zu.tar%s", writer->folder, writer->shard, suffix);
}

enum pf_status shards_writer_open(
    struct shards_writer **ret_writer, const char *folder, size_t per_shard, struct pf_error *err)
{
    if (strlen(folder) >= PATH_SIZE || per_shard == 0)
        return pf_fail(err, PF_INVALID, "a folder of %zu bytes, %zu samples a shard",
            strlen(folder), per_shard);
    struct shards_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return pf_fail(err, PF_NOMEM, "no memory for a writer");
    snprintf(writer->folder, sizeof writer->folder, "%s", folder);
    writer->per_shard = per_shard;
    *ret_writer = writer;
    return PF_OK;
}

static enum pf_status end_shard(struct shards_writer *writer, struct pf_error *err)
{
    char temporary[PATH_SIZE + 32], path[PATH_SIZE + 32];
    AUTO_BUFFER struct buffer end = BUFFER_INIT;
    make_path(writer, ".part", temporary);
    make_path(writer, "", path);
    tar_put_end(&end);
    PF_TRY(buffer_status(&end, err));
    int is_written = fwrite(end.data, 1, end.size, writer->file) == end.size;
    int is_closed = fclose(writer->file) == 0;
    writer->file = NULL;
    if (!is_written || !is_closed || rename(temporary, path) != 0)
        return pf_fail_errno(err, errno, "%s", path);
    writer->in_shard = 0;
    writer->shard++;
    return PF_OK;
}

enum pf_status shards_writer_put(
    struct shards_writer *writer, const void *packed, size_t count, struct pf_error *err)
{
    char path[PATH_SIZE + 32];
    make_path(writer, ".part", path);
    if (!writer->file && !(writer->file = fopen(path, "wb")))
        return pf_fail_errno(err, errno, "%s", path);
    if (fwrite(packed, 1, count, writer->file) != count)
        return pf_fail_errno(err, errno, "%s", path);
    return ++writer->in_shard == writer->per_shard ? end_shard(writer, err) : PF_OK;
}

enum pf_status shards_writer_finish(struct shards_writer *writer, struct pf_error *err)
{
    return writer->file ? end_shard(writer, err) : PF_OK;
}

void shards_writer_close(struct shards_writer *writer)
{
    if (!writer)
        return;
    if (writer->file) {
        char path[PATH_SIZE + 32];
        make_path(writer, ".part", path);
        fclose(writer->file);
        remove(path);
    }
    free(writer);
}
