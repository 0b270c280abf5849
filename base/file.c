/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/id.h"

enum {
    READ_CHUNK = 64 << 10,
    IO_MAX = 1 << 30, /* one read() or write() moves less than 2 GiB on Linux */
};

static enum pf_status fail_path(struct pf_error *err, int errno_value, const char *path)
{
    if (errno_value == ENOENT)
        return pf_fail(err, PF_NOT_FOUND, "%s: no such file", path);
    return pf_fail_errno(err, errno_value, "%s", path);
}

enum pf_status file_map_open(struct file_map *ret_map, const char *path, struct pf_error *err)
{
    /* O_NONBLOCK so that a named pipe is refused below instead of waited for. */
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail_path(err, errno, path);
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fail_path(err, errno, path);
    if (!S_ISREG(info.st_mode))
        return pf_fail(err, PF_INVALID, "%s: not a regular file", path);
    if ((uintmax_t)info.st_size > SIZE_MAX)
        return pf_fail(err, PF_NOMEM, "%s: larger than the address space", path);
    size_t size = (size_t)info.st_size;
    if (size == 0) {
        *ret_map = (struct file_map){NULL, 0};
        return PF_OK;
    }
    /* Doubles the read-ahead of page faults. Not MADV_SEQUENTIAL: under memory pressure that drops
     * pages behind the reader first, and mapped weights are read again at every step. */
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        return fail_path(err, errno, path);
    *ret_map = (struct file_map){data, size};
    return PF_OK;
}

void file_map_close(struct file_map *map)
{
    if (map->data)
        munmap((void *)map->data, map->size);
    *map = (struct file_map){NULL, 0};
}

void file_map_prefetch(const struct file_map *map, size_t offset, size_t count)
{
    if (offset >= map->size)
        return;
    if (count > map->size - offset)
        count = map->size - offset;
    size_t into_page = offset % (size_t)sysconf(_SC_PAGESIZE);
    madvise((void *)(map->data + offset - into_page), count + into_page, MADV_WILLNEED);
}

/* With `allowed` used up it asks for one byte more, to tell a file that just fits from a longer
 * one. */
static enum pf_status read_some(int fd, const char *path, size_t allowed, struct buffer *ret,
    size_t *ret_got, struct pf_error *err)
{
    size_t chunk = allowed < READ_CHUNK ? allowed : READ_CHUNK;
    char beyond;
    char *to = chunk > 0 ? buffer_reserve(ret, chunk) : &beyond;
    if (!to)
        return buffer_status(ret, err);
    ssize_t got;
    do
        got = read(fd, to, chunk > 0 ? chunk : 1);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return fail_path(err, errno, path);
    *ret_got = (size_t)got;
    return PF_OK;
}

static enum pf_status read_all(
    int fd, const char *path, size_t max_size, struct buffer *ret, struct pf_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fail_path(err, errno, path);
    if (S_ISREG(info.st_mode)) {
        if ((uintmax_t)info.st_size > max_size)
            return pf_fail(err, PF_INVALID, "%s: %jd bytes, the maximum is %zu", path,
                (intmax_t)info.st_size, max_size);
        buffer_reserve(ret, (size_t)info.st_size);
    }
    for (size_t total = 0;;) {
        size_t got = 0;
        PF_TRY(read_some(fd, path, max_size - total, ret, &got, err));
        if (got == 0)
            return buffer_status(ret, err);
        if (total == max_size)
            return pf_fail(
                err, PF_INVALID, "%s: more than the maximum of %zu bytes", path, max_size);
        ret->size += got;
        total += got;
    }
}

enum pf_status file_read(
    const char *path, size_t max_size, struct buffer *ret, struct pf_error *err)
{
    PF_TRY(buffer_status(ret, err));
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_path(err, errno, path);
    size_t size_before = ret->size;
    if (ret->max_size && ret->max_size - ret->size < max_size)
        max_size = ret->max_size - ret->size;
    enum pf_status status = read_all(fd, path, max_size, ret, err);
    if (status != PF_OK)
        ret->size = size_before;
    if (ret->data)
        ret->data[ret->size] = '\0';
    return status;
}

/* A rename is durable once its folder is. */
static enum pf_status sync_parent(const char *path, struct pf_error *err)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!parent)
        return pf_fail_errno(err, ENOMEM, "%s", path);
    AUTO_FD int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return pf_fail_errno(err, errno, "%s", parent);
    return PF_OK;
}

static enum pf_status write_temporary(const char *path, const void *bytes, size_t count,
    unsigned mode, int durable, struct pf_error *err)
{
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return fail_path(err, errno, path);
    PF_TRY(file_write_full(fd, bytes, count, err));
    /* The umask had a say in open(). */
    if (fchmod(fd, (mode_t)mode) != 0 || (durable && fsync(fd) != 0))
        return pf_fail_errno(err, errno, "%s", path);
    int closing = fd;
    fd = -1;
    return close(closing) == 0 ? PF_OK : pf_fail_errno(err, errno, "%s", path);
}

enum pf_status file_write(const char *path, const void *bytes, size_t count, unsigned mode,
    int durable, struct pf_error *err)
{
    char id[ID_SIZE];
    PF_TRY(id_create(id, err));
    AUTO_BUFFER struct buffer temporary = BUFFER_INIT;
    buffer_put_format(&temporary, "%s.%s", path, id);
    PF_TRY(buffer_status(&temporary, err));
    enum pf_status status = write_temporary(temporary.data, bytes, count, mode, durable, err);
    if (status == PF_OK && rename(temporary.data, path) != 0)
        status = pf_fail_errno(err, errno, "%s", path);
    if (status != PF_OK) {
        unlink(temporary.data);
        return status;
    }
    return durable ? sync_parent(path, err) : PF_OK;
}

enum pf_status file_read_full(int fd, void *bytes, size_t count, int *ret_eof, struct pf_error *err)
{
    size_t total = 0;
    while (total < count) {
        size_t wanted = count - total < IO_MAX ? count - total : IO_MAX;
        ssize_t got = read(fd, (char *)bytes + total, wanted);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pf_fail_errno(err, errno, "read");
        if (got == 0 && total > 0)
            return pf_fail(err, PF_CORRUPT, "stream ends after %zu of %zu bytes", total, count);
        if (got == 0) {
            *ret_eof = 1;
            return PF_OK;
        }
        total += (size_t)got;
    }
    *ret_eof = 0;
    return PF_OK;
}

enum pf_status file_write_full(int fd, const void *bytes, size_t count, struct pf_error *err)
{
    for (size_t total = 0; total < count;) {
        size_t wanted = count - total < IO_MAX ? count - total : IO_MAX;
        ssize_t put = write(fd, (const char *)bytes + total, wanted);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return pf_fail_errno(err, errno, "write");
        total += (size_t)put;
    }
    return PF_OK;
}
