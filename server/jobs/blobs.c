/* SPDX-License-Identifier: Apache-2.0 */
/* A blob gets its name only when it is whole: it is written under "ID.tmp", synced, renamed, and
 * the folder synced. So whatever has a blob's name is a whole blob, and whoever knows the name
 * after blobs_put() finds it after a power loss as well. */
#include "server/jobs/blobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

enum { BLOB_TMP_SIZE = ID_SIZE + 4 };

enum pf_status blobs_open(struct blobs *ret_blobs, const char *folder, struct pf_error *err)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return pf_fail_errno(err, errno, "can't make the spool folder '%s'", folder);
    AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return pf_fail_errno(err, errno, "can't open the spool folder '%s'", folder);
    char *name = strdup(folder);
    if (!name)
        return pf_fail(err, PF_NOMEM, "no memory for the name of the spool folder");
    *ret_blobs = (struct blobs){.folder = name, .folder_fd = fd};
    fd = -1;
    return PF_OK;
}

void blobs_close(struct blobs *blobs)
{
    if (!blobs->folder)
        return;
    close(blobs->folder_fd);
    free(blobs->folder);
    *blobs = (struct blobs){.folder_fd = -1};
}

static enum pf_status write_tmp(
    struct blobs *blobs, const char *name, const void *bytes, size_t count, struct pf_error *err)
{
    AUTO_FD int fd =
        openat(blobs->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return pf_fail_errno(err, errno, "can't make '%s' in '%s'", name, blobs->folder);
    PF_TRY(file_write_full(fd, bytes, count, err));
    if (fsync(fd) != 0)
        return pf_fail_errno(err, errno, "can't sync '%s' in '%s'", name, blobs->folder);
    return PF_OK;
}

enum pf_status blobs_put(struct blobs *blobs, const void *bytes, size_t count, char ret_id[ID_SIZE],
    struct pf_error *err)
{
    char id[ID_SIZE], tmp[BLOB_TMP_SIZE];
    PF_TRY(id_create(id, err));
    snprintf(tmp, sizeof tmp, "%s.tmp", id);
    enum pf_status status = write_tmp(blobs, tmp, bytes, count, err);
    const char *left = tmp;
    if (status == PF_OK && renameat(blobs->folder_fd, tmp, blobs->folder_fd, id) != 0)
        status = pf_fail_errno(err, errno, "can't rename '%s' in '%s'", tmp, blobs->folder);
    else if (status == PF_OK) {
        left = id;
        if (fsync(blobs->folder_fd) != 0)
            status = pf_fail_errno(err, errno, "can't sync '%s'", blobs->folder);
    }
    if (status != PF_OK) {
        unlinkat(blobs->folder_fd, left, 0);
        return status;
    }
    memcpy(ret_id, id, ID_SIZE);
    return PF_OK;
}

enum pf_status blobs_open_fd(
    struct blobs *blobs, const char *id, int *ret_fd, size_t *ret_size, struct pf_error *err)
{
    if (!id_is_valid(id))
        return pf_fail(err, PF_NOT_FOUND, "no blob '%.40s'", id);
    AUTO_FD int fd = openat(blobs->folder_fd, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return pf_fail(err, PF_NOT_FOUND, "blob %s is gone", id);
    if (fd < 0)
        return pf_fail_errno(err, errno, "can't open blob %s", id);
    struct stat info;
    if (fstat(fd, &info) != 0)
        return pf_fail_errno(err, errno, "can't look at blob %s", id);
    *ret_size = (size_t)info.st_size;
    *ret_fd = fd;
    fd = -1;
    return PF_OK;
}

enum pf_status blobs_read(
    struct blobs *blobs, const char *id, struct buffer *ret, struct pf_error *err)
{
    AUTO_FD int fd = -1;
    size_t size = 0;
    PF_TRY(blobs_open_fd(blobs, id, &fd, &size, err));
    char *to = buffer_reserve(ret, size);
    if (!to)
        return buffer_status(ret, err);
    int is_eof = 0;
    if (size > 0)
        PF_TRY(file_read_full(fd, to, size, &is_eof, err));
    if (is_eof)
        return pf_fail(err, PF_CORRUPT, "blob %s was cut short while it was read", id);
    ret->size += size;
    return PF_OK;
}

void blobs_remove(struct blobs *blobs, const char *id)
{
    if (id_is_valid(id))
        unlinkat(blobs->folder_fd, id, 0);
}

/* A blob's name, or that of one being written. */
static int is_ours(const char *name, char ret_id[ID_SIZE])
{
    size_t length = strlen(name);
    if (length < ID_SIZE - 1 || (name[ID_SIZE - 1] && strcmp(name + ID_SIZE - 1, ".tmp") != 0))
        return 0;
    memcpy(ret_id, name, ID_SIZE - 1);
    ret_id[ID_SIZE - 1] = '\0';
    return id_is_valid(ret_id);
}

enum pf_status blobs_sweep(struct blobs *blobs, int64_t min_age_ms,
    int (*is_used)(void *context, const char *id), void *context, size_t *ret_removed,
    struct pf_error *err)
{
    DIR *dir = opendir(blobs->folder);
    if (!dir)
        return pf_fail_errno(err, errno, "can't list '%s'", blobs->folder);
    size_t removed = 0;
    int64_t now_ms = clock_realtime_ms();
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char id[ID_SIZE];
        struct stat info;
        if (!is_ours(entry->d_name, id) ||
            fstatat(blobs->folder_fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        int64_t changed_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
        if (now_ms - changed_ms < min_age_ms || is_used(context, id))
            continue;
        removed += unlinkat(blobs->folder_fd, entry->d_name, 0) == 0;
    }
    closedir(dir);
    *ret_removed = removed;
    return PF_OK;
}
