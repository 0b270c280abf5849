/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/items.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"

enum { SNIFF_SIZE = 12 };

/* ---- requests ---- */

enum pf_status request_copy(
    struct request *ret_copy, const struct request *request, struct pf_error *err)
{
    struct request copy = *request;
    copy.instruction = strdup(request->instruction);
    copy.auxiliary_prompt = strdup(request->auxiliary_prompt);
    copy.mask = strdup(request->mask);
    copy.metadata = strdup(request->metadata);
    copy.webhook_url = strdup(request->webhook_url);
    if (!copy.instruction || !copy.auxiliary_prompt || !copy.mask || !copy.metadata ||
        !copy.webhook_url) {
        request_finish(&copy);
        return pf_fail(err, PF_NOMEM, "no memory for a request");
    }
    *ret_copy = copy;
    return PF_OK;
}

void request_finish(struct request *request)
{
    free(request->instruction);
    free(request->auxiliary_prompt);
    free(request->mask);
    free(request->metadata);
    free(request->webhook_url);
}

/* Room for one more. */
static int grow(void **list, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return 1;
    size_t more = *capacity ? 2 * *capacity : 64;
    void *longer = realloc(*list, more * size);
    if (!longer)
        return 0;
    *list = longer;
    *capacity = more;
    return 1;
}

enum pf_status items_add_request(struct items *items, const struct request *request,
    const struct request **ret_request, struct pf_error *err)
{
    void *list = items->requests;
    struct request *copy = malloc(sizeof *copy);
    int has_room =
        grow(&list, items->request_count, &items->request_capacity, sizeof *items->requests);
    items->requests = list;
    if (!copy || !has_room || request_copy(copy, request, err) != PF_OK) {
        free(copy);
        return pf_fail(err, PF_NOMEM, "no memory for a request");
    }
    items->requests[items->request_count++] = copy;
    *ret_request = copy;
    return PF_OK;
}

void items_finish(struct items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        free(items->list[i].source);
        free(items->list[i].output);
    }
    for (size_t i = 0; i < items->request_count; i++) {
        request_finish(items->requests[i]);
        free(items->requests[i]);
    }
    free(items->list);
    free(items->requests);
}

/* ---- formats and names ---- */

int items_sniff(const unsigned char *bytes, size_t count, enum image_format *ret_format)
{
    if (count >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        *ret_format = IMAGE_FORMAT_PNG;
    else if (count >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
        *ret_format = IMAGE_FORMAT_JPEG;
    else if (count >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0)
        *ret_format = IMAGE_FORMAT_WEBP;
    else
        return 0;
    return 1;
}

/* 0 when it can't be read. */
static int sniff_file(const char *path, int *ret_is_image, enum image_format *ret_format)
{
    unsigned char bytes[SNIFF_SIZE];
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t count = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    *ret_is_image = count > 0 && items_sniff(bytes, (size_t)count, ret_format);
    return count >= 0;
}

/* The first ending is the one a name gets that has none of them. */
static const char *const endings[][3] = {
    [IMAGE_FORMAT_PNG] = {".png", NULL},
    [IMAGE_FORMAT_JPEG] = {".jpg", ".jpeg", NULL},
    [IMAGE_FORMAT_WEBP] = {".webp", NULL},
};

static int ends_in(const char *path, const char *ending)
{
    size_t size = strlen(path), ending_size = strlen(ending);
    return size > ending_size && strcasecmp(path + size - ending_size, ending) == 0;
}

/* The length of `path` without the ending of any format. */
static size_t stem_size(const char *path)
{
    for (size_t format = 0; format < COUNT_OF(endings); format++)
        for (const char *const *ending = endings[format]; *ending; ending++)
            if (ends_in(path, *ending))
                return strlen(path) - strlen(*ending);
    return strlen(path);
}

static char *name_output(const char *path, enum image_format format)
{
    for (const char *const *ending = endings[format]; *ending; ending++)
        if (ends_in(path, *ending))
            return strdup(path);
    struct buffer name = BUFFER_INIT;
    buffer_put(&name, path, stem_size(path));
    buffer_put_text(&name, endings[format][0]);
    return buffer_steal(&name, NULL);
}

/* ---- the list ---- */

static enum pf_status add(struct items *items, const struct item *item, struct pf_error *err)
{
    void *list = items->list;
    if (items->count == ITEMS_MAX)
        return pf_fail(err, PF_INVALID, "more than %d images", ITEMS_MAX);
    int has_room = grow(&list, items->count, &items->capacity, sizeof *items->list);
    items->list = list;
    if (!has_room || !item->source || !item->output) {
        free(item->source);
        free(item->output);
        return pf_fail(err, PF_NOMEM, "no memory for %zu images", items->count);
    }
    items->list[items->count++] = *item;
    return PF_OK;
}

static enum image_format result_format(const struct request *request, enum image_format source)
{
    uint64_t bit = UINT64_C(1) << (params_find("output_format") - params_fields);
    return request->params.set & bit ? (enum image_format)request->params.output_format : source;
}

static enum pf_status add_image(struct items *items, const char *path, const char *output,
    const struct request *request, int is_named, struct pf_error *err)
{
    enum image_format format = IMAGE_FORMAT_PNG;
    struct item item = {.request = request};
    /* One that can't be read is kept: it fails by itself, with the reason in the report. */
    int is_read = sniff_file(path, &item.is_image, &format);
    if (is_read && !item.is_image && !is_named) {
        items->ignored_count++;
        return PF_OK;
    }
    item.format = result_format(request, format);
    item.source = strdup(path);
    item.output = item.is_image ? name_output(output, item.format) : strdup(output);
    return add(items, &item, err);
}

static int leads_out(const char *path)
{
    if (*path == '/' || !*path)
        return 1;
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || !at[2]))
            return 1;
    }
    return 0;
}

enum pf_status items_add_file(struct items *items, const char *path, const char *output,
    const struct request *request, struct pf_error *err)
{
    struct stat info;
    if (leads_out(output))
        return pf_fail(err, PF_INVALID, "output '%.200s' leads out of the output folder", output);
    if (stat(path, &info) != 0)
        return errno == ENOENT ? pf_fail(err, PF_NOT_FOUND, "%s: no such file", path)
                               : pf_fail_errno(err, errno, "%s", path);
    if (!S_ISREG(info.st_mode))
        return pf_fail(err, PF_INVALID, "%s: not a regular file", path);
    return add_image(items, path, output, request, 1, err);
}

/* ---- folders ---- */

struct walk {
    struct items *items;
    const struct request *request;
    size_t root_size; /* of the path, up to what is mirrored */
    struct stat out;  /* st_ino 0: there is none yet */
    char path[ITEMS_PATH_MAX];
};

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum pf_status walk_folder(struct walk *walk, int depth, struct pf_error *err);

static enum pf_status walk_entry(struct walk *walk, int depth, struct pf_error *err)
{
    struct stat link, info;
    if (lstat(walk->path, &link) != 0 || stat(walk->path, &info) != 0)
        return errno == ENOENT ? PF_OK /* gone, or a link to nothing */
                               : pf_fail_errno(err, errno, "%s", walk->path);
    if (S_ISREG(info.st_mode))
        return add_image(
            walk->items, walk->path, walk->path + walk->root_size, walk->request, 0, err);
    int is_out = info.st_dev == walk->out.st_dev && info.st_ino == walk->out.st_ino;
    if (!S_ISDIR(info.st_mode) || S_ISLNK(link.st_mode) || is_out)
        return PF_OK;
    return walk_folder(walk, depth + 1, err);
}

static enum pf_status walk_folder(struct walk *walk, int depth, struct pf_error *err)
{
    struct dirent **entries = NULL;
    size_t size = strlen(walk->path);
    enum pf_status status = PF_OK;
    if (depth > ITEMS_DEPTH_MAX)
        return pf_fail(
            err, PF_INVALID, "%.300s: more than %d folders deep", walk->path, ITEMS_DEPTH_MAX);
    int count = scandir(walk->path, &entries, is_shown, by_bytes);
    if (count < 0)
        return pf_fail_errno(err, errno, "%s", walk->path);
    for (int i = 0; i < count; i++) {
        const char *slash = size > 0 && walk->path[size - 1] == '/' ? "" : "/";
        int used = snprintf(
            walk->path + size, sizeof walk->path - size, "%s%s", slash, entries[i]->d_name);
        if (status == PF_OK && (size_t)used >= sizeof walk->path - size)
            status = pf_fail(err, PF_INVALID, "%.300s…: the path is too long", walk->path);
        if (status == PF_OK)
            status = walk_entry(walk, depth, err);
        walk->path[size] = 0;
        free(entries[i]);
    }
    free(entries);
    return status;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

enum pf_status items_add_path(
    struct items *items, const char *path, const struct request *request, struct pf_error *err)
{
    struct stat info;
    struct walk walk = {.items = items, .request = request};
    if (stat(path, &info) != 0)
        return errno == ENOENT ? pf_fail(err, PF_NOT_FOUND, "%s: no such file or folder", path)
                               : pf_fail_errno(err, errno, "%s", path);
    if (!S_ISDIR(info.st_mode))
        return items_add_file(items, path, base_name(path), request, err);
    if (stat(items->out, &walk.out) != 0)
        walk.out = (struct stat){.st_ino = 0};
    if (walk.out.st_ino != 0 && walk.out.st_dev == info.st_dev && walk.out.st_ino == info.st_ino)
        return pf_fail(err, PF_INVALID,
            "%s is the output folder too: results would overwrite the images", path);
    if (snprintf(walk.path, sizeof walk.path, "%s", path) >= (int)sizeof walk.path)
        return pf_fail(err, PF_INVALID, "%.300s…: the path is too long", path);
    size_t size = strlen(walk.path);
    walk.root_size = size + (size > 0 && walk.path[size - 1] != '/');
    return walk_folder(&walk, 0, err);
}

/* ---- checks ---- */

static int by_output(const void *a, const void *b)
{
    return strcmp(
        (*(const struct item *const *)a)->output, (*(const struct item *const *)b)->output);
}

static enum pf_status check_not_source(
    const struct items *items, const struct item *item, struct pf_error *err)
{
    struct stat source, output;
    struct buffer path = BUFFER_INIT;
    buffer_put_format(&path, "%s/%s", items->out, item->output);
    int is_same = path.data && stat(path.data, &output) == 0 && stat(item->source, &source) == 0 &&
                  source.st_dev == output.st_dev && source.st_ino == output.st_ino;
    buffer_finish(&path);
    return is_same ? pf_fail(err, PF_INVALID, "%s: its result would overwrite it", item->source)
                   : PF_OK;
}

enum pf_status items_check(const struct items *items, struct pf_error *err)
{
    AUTO_FREE const struct item **sorted = malloc((items->count + 1) * sizeof *sorted);
    if (!sorted)
        return pf_fail(err, PF_NOMEM, "no memory for %zu images", items->count);
    for (size_t i = 0; i < items->count; i++)
        sorted[i] = &items->list[i];
    qsort(sorted, items->count, sizeof *sorted, by_output);
    for (size_t i = 1; i < items->count; i++)
        if (strcmp(sorted[i - 1]->output, sorted[i]->output) == 0)
            return pf_fail(err, PF_INVALID, "the results of %.150s and %.150s would both be %.150s",
                sorted[i - 1]->source, sorted[i]->source, sorted[i]->output);
    for (size_t i = 0; i < items->count; i++)
        PF_TRY(check_not_source(items, &items->list[i], err));
    return PF_OK;
}
