/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/weights/checkpoint_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/id.h"
#include "pipeline/weights/writer.h"

enum { PENDING_MAX = 1 << 20, FILE_MODE = 0644 };

static enum pf_status flush(struct checkpoint_writer *writer, struct pf_error *err)
{
    size_t count = writer->pending_size;
    writer->pending_size = 0;
    return count ? file_write_full(writer->fd, writer->pending, count, err) : PF_OK;
}

enum pf_status writer_out(
    struct checkpoint_writer *writer, const void *bytes, size_t count, struct pf_error *err)
{
    writer->position += count;
    if (count > PENDING_MAX / 2 || writer->pending_size + count > PENDING_MAX)
        PF_TRY(flush(writer, err)); /* what goes out directly must not overtake what waits */
    if (count > PENDING_MAX / 2)
        return file_write_full(writer->fd, bytes, count, err);
    if (count)
        memcpy(writer->pending + writer->pending_size, bytes, count);
    writer->pending_size += count;
    return PF_OK;
}

uint64_t writer_array_size(const struct array *array)
{
    return (uint64_t)array->element_count * dtype_size(array->dtype);
}

static enum pf_status open_temporary(
    struct checkpoint_writer *writer, const char *path, struct pf_error *err)
{
    char id[ID_SIZE];
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    PF_TRY(id_create(id, err));
    buffer_put_format(&name, "%s.%s", path, id);
    PF_TRY(buffer_status(&name, err));
    writer->path = strdup(path);
    writer->pending = malloc(PENDING_MAX);
    if (!writer->path || !writer->pending)
        return pf_fail(err, PF_NOMEM, "no memory to write '%s'", path);
    writer->fd = open(name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (writer->fd < 0)
        return errno == ENOENT ? pf_fail(err, PF_NOT_FOUND, "%s: no such folder", path)
                               : pf_fail_errno(err, errno, "%s", path);
    writer->temporary = buffer_steal(&name, NULL);
    return PF_OK;
}

enum pf_status checkpoint_writer_create(struct checkpoint_writer **ret_writer, const char *path,
    enum checkpoint_format format, struct pf_error *err)
{
    struct checkpoint_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return pf_fail(err, PF_NOMEM, "no memory to write '%s'", path);
    writer->fd = -1;
    writer->format = format == CHECKPOINT_SAFETENSORS ? &writer_safetensors : &writer_torch_zip;
    array_table_init(&writer->table);
    enum pf_status status = open_temporary(writer, path, err);
    if (status != PF_OK) {
        checkpoint_writer_destroy(writer);
        return status;
    }
    *ret_writer = writer;
    return PF_OK;
}

void checkpoint_writer_destroy(struct checkpoint_writer *writer)
{
    if (!writer)
        return;
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->temporary)
        unlink(writer->temporary);
    array_table_finish(&writer->table);
    free(writer->temporary);
    free(writer->path);
    free(writer->pending);
    free(writer->entries);
    free(writer->crc32);
    free(writer);
}

enum pf_status checkpoint_writer_add(struct checkpoint_writer *writer, const char *name,
    enum dtype dtype, const int64_t *dims, int dim_count, struct pf_error *err)
{
    struct array array = {.dtype = dtype, .dim_count = dim_count};
    int64_t size;
    if (writer->begun)
        return pf_fail(
            err, PF_INVALID, "tensor '%.*s' is added after the first data", ARRAY_NAME_SHOWN, name);
    if (dim_count < 0 || dim_count > ARRAY_DIMS_MAX)
        return pf_fail(err, PF_INVALID, "tensor '%.*s' has %d dimensions, at most %d are written",
            ARRAY_NAME_SHOWN, name, dim_count, ARRAY_DIMS_MAX);
    memcpy(array.dims, dims, (size_t)dim_count * sizeof *dims);
    if (array_count_elements(name, dims, dim_count, &array.element_count, NULL) != PF_OK ||
        __builtin_mul_overflow(array.element_count, (int64_t)dtype_size(dtype), &size))
        return pf_fail(
            err, PF_INVALID, "tensor '%.*s' has an impossible shape", ARRAY_NAME_SHOWN, name);
    return array_table_add(&writer->table, &array, name, strlen(name), err);
}

enum pf_status checkpoint_writer_add_metadata(
    struct checkpoint_writer *writer, const char *key, const char *value, struct pf_error *err)
{
    if (writer->begun)
        return pf_fail(err, PF_INVALID, "metadata '%.*s' is added after the first data",
            ARRAY_NAME_SHOWN, key);
    if (!writer->format->has_metadata)
        return pf_fail(err, PF_UNSUPPORTED, "metadata '%.*s': a PyTorch zip has no place for it",
            ARRAY_NAME_SHOWN, key);
    return array_table_add_metadata(&writer->table, key, value, err);
}

/* Enters the array at writer->index, and all following ones while they are empty. */
static enum pf_status enter_arrays(struct checkpoint_writer *writer, struct pf_error *err)
{
    while (writer->index < writer->table.count) {
        writer->left = writer_array_size(&writer->table.arrays[writer->index]);
        if (writer->format->array_begin)
            PF_TRY(writer->format->array_begin(writer, err));
        if (writer->left > 0)
            return PF_OK;
        if (writer->format->array_end)
            PF_TRY(writer->format->array_end(writer, err));
        writer->index++;
    }
    return PF_OK;
}

static enum pf_status begin_once(struct checkpoint_writer *writer, struct pf_error *err)
{
    if (writer->begun)
        return PF_OK;
    writer->begun = 1;
    PF_TRY(writer->format->begin(writer, err));
    return enter_arrays(writer, err);
}

enum pf_status checkpoint_writer_put(
    struct checkpoint_writer *writer, const void *bytes, size_t count, struct pf_error *err)
{
    const unsigned char *from = bytes;
    PF_TRY(begin_once(writer, err));
    while (count > 0) {
        if (writer->index == writer->table.count)
            return pf_fail(err, PF_INVALID, "%zu bytes beyond the last of %zu tensors", count,
                writer->table.count);
        size_t piece = count < writer->left ? count : (size_t)writer->left;
        if (writer->format->array_bytes)
            writer->format->array_bytes(writer, from, piece);
        PF_TRY(writer_out(writer, from, piece, err));
        from += piece;
        count -= piece;
        writer->left -= piece;
        if (writer->left == 0) {
            if (writer->format->array_end)
                PF_TRY(writer->format->array_end(writer, err));
            writer->index++;
            PF_TRY(enter_arrays(writer, err));
        }
    }
    return PF_OK;
}

static enum pf_status sync_folder(const char *path, struct pf_error *err)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!folder)
        return pf_fail(err, PF_NOMEM, "no memory to write '%s'", path);
    AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return pf_fail_errno(err, errno, "%s", folder);
    return PF_OK;
}

enum pf_status checkpoint_writer_finish(
    struct checkpoint_writer *writer, int durable, struct pf_error *err)
{
    PF_TRY(begin_once(writer, err));
    if (writer->index < writer->table.count)
        return pf_fail(err, PF_INVALID, "tensor '%.*s' lacks %llu bytes", ARRAY_NAME_SHOWN,
            writer->table.arrays[writer->index].name, (unsigned long long)writer->left);
    if (writer->format->end)
        PF_TRY(writer->format->end(writer, err));
    PF_TRY(flush(writer, err));
    if (durable && fsync(writer->fd) != 0)
        return pf_fail_errno(err, errno, "%s", writer->path);
    int closing = writer->fd;
    writer->fd = -1;
    if (close(closing) != 0 || rename(writer->temporary, writer->path) != 0)
        return pf_fail_errno(err, errno, "%s", writer->path);
    free(writer->temporary);
    writer->temporary = NULL;
    return durable ? sync_folder(writer->path, err) : PF_OK;
}
