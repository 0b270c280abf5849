/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

const char *const files_pictures[] = {".png", ".jpg", ".jpeg", ".webp", ".ppm", NULL};

void files_finish(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->paths[i]);
    free(files->paths);
    *files = (struct files){0};
}

static int has_suffix(const char *name, const char *const *suffixes)
{
    size_t length = strlen(name);
    for (; *suffixes; suffixes++) {
        size_t size = strlen(*suffixes);
        if (length > size && !strcasecmp(name + length - size, *suffixes))
            return 1;
    }
    return 0;
}

static enum pf_status add_path(struct files *files, const char *path, struct pf_error *err)
{
    if (files->count == FILES_MAX)
        return pf_fail(err, PF_INVALID, "more than %d files", FILES_MAX);
    if ((files->count & (files->count - 1)) == 0) {
        size_t capacity = files->count ? 2 * files->count : 1;
        char **paths = realloc(files->paths, capacity * sizeof *paths);
        if (!paths)
            return pf_fail(err, PF_NOMEM, "no memory for %zu paths", capacity);
        files->paths = paths;
    }
    char *copy = strdup(path);
    if (!copy)
        return pf_fail(err, PF_NOMEM, "no memory for a path");
    files->paths[files->count++] = copy;
    return PF_OK;
}

static enum pf_status walk(struct files *files, const char *folder, const char *const *suffixes,
    int depth, struct pf_error *err)
{
    if (depth > FILES_DEPTH_MAX)
        return pf_fail(err, PF_INVALID, "%s: deeper than %d folders", folder, FILES_DEPTH_MAX);
    DIR *handle = opendir(folder);
    if (!handle)
        return pf_fail_errno(err, errno, "%s", folder);
    enum pf_status status = PF_OK;
    for (struct dirent *item; status == PF_OK && (item = readdir(handle));) {
        char path[FILES_PATH_MAX + 1];
        struct stat file;
        if (item->d_name[0] == '.' ||
            snprintf(path, sizeof path, "%s/%s", folder, item->d_name) > FILES_PATH_MAX ||
            lstat(path, &file) != 0)
            continue;
        if (S_ISDIR(file.st_mode))
            status = walk(files, path, suffixes, depth + 1, err);
        else if (S_ISREG(file.st_mode) && has_suffix(item->d_name, suffixes))
            status = add_path(files, path, err);
    }
    closedir(handle);
    return status;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum pf_status files_add(
    struct files *files, const char *folder, const char *const *suffixes, struct pf_error *err)
{
    PF_TRY(walk(files, folder, suffixes, 0, err));
    if (files->count == 0)
        return PF_OK;
    qsort(files->paths, files->count, sizeof *files->paths, compare);
    size_t kept = 1;
    for (size_t i = 1; i < files->count; i++) {
        if (!strcmp(files->paths[i], files->paths[kept - 1]))
            free(files->paths[i]);
        else
            files->paths[kept++] = files->paths[i];
    }
    files->count = kept;
    return PF_OK;
}
