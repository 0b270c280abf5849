/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/jdoc.h"

const char *const request_auxiliary_names[] = {"off", "auto", NULL};
const char *const request_priority_names[] = {"batch", "interactive", NULL};

/* One line being read. */
struct line {
    struct request request;
    const char *image, *output; /* the document's */
};

static enum pf_status check_text(const struct jdoc_value *member, struct pf_error *err)
{
    if (member->type != JDOC_STRING || strlen(member->string) != member->size)
        return pf_fail(err, PF_INVALID, "%s: expected a text", member->key);
    return PF_OK;
}

static enum pf_status set_text(char **text, const struct jdoc_value *member, struct pf_error *err)
{
    PF_TRY(check_text(member, err));
    char *copy = strdup(member->string);
    if (!copy)
        return pf_fail(err, PF_NOMEM, "no memory for a text");
    free(*text);
    *text = copy;
    return PF_OK;
}

static enum pf_status set_name(const char **name, const struct jdoc_value *member,
    const char *const *names, struct pf_error *err)
{
    PF_TRY(check_text(member, err));
    for (; *names; names++)
        if (strcmp(*names, member->string) == 0)
            return *name = *names, PF_OK;
    return pf_fail(
        err, PF_INVALID, "%s: '%.40s' is none of its names", member->key, member->string);
}

static enum pf_status set_metadata(
    struct request *request, const struct jdoc_value *member, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    if (member->type != JDOC_OBJECT)
        return pf_fail(err, PF_INVALID, "metadata: expected an object");
    jdoc_put(&text, member);
    PF_TRY(buffer_status(&text, err));
    free(request->metadata);
    request->metadata = buffer_steal(&text, NULL);
    return PF_OK;
}

static enum pf_status set_param(
    struct params *params, const struct jdoc_value *member, struct pf_error *err)
{
    const struct param_field *field = params_find(member->key);
    if (!field)
        return pf_fail(err, PF_INVALID, "unknown member '%.60s'", member->key);
    if (field->type == PARAM_CHOICE && member->type == JDOC_STRING)
        return params_set_text(params, member->key, member->string, err);
    if (field->type != PARAM_CHOICE && member->type == JDOC_NUMBER)
        return params_set_number(params, member->key, member->number, err);
    return pf_fail(err, PF_INVALID, "%s: expected a %s", member->key,
        field->type == PARAM_CHOICE ? "name" : "number");
}

static enum pf_status set_member(
    struct line *line, const struct jdoc_value *member, struct pf_error *err)
{
    struct request *request = &line->request;
    const char *key = member->key;
    const struct {
        const char *name;
        char **text;
    } texts[] = {{"instruction", &request->instruction},
        {"auxiliary_prompt", &request->auxiliary_prompt}, {"mask", &request->mask},
        {"webhook_url", &request->webhook_url}};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (strcmp(key, texts[i].name) == 0)
            return set_text(texts[i].text, member, err);
    if (strcmp(key, "auxiliary") == 0)
        return set_name(&request->auxiliary, member, request_auxiliary_names, err);
    if (strcmp(key, "priority") == 0)
        return set_name(&request->priority, member, request_priority_names, err);
    if (strcmp(key, "metadata") == 0)
        return set_metadata(request, member, err);
    if (strcmp(key, "image") == 0 || strcmp(key, "output") == 0) {
        PF_TRY(check_text(member, err));
        *(*key == 'i' ? &line->image : &line->output) = member->string;
        return PF_OK;
    }
    return set_param(&request->params, member, err);
}

/* `path` as seen from the manifest's folder. */
static char *resolve(const char *folder, size_t folder_size, const char *path)
{
    struct buffer full = BUFFER_INIT;
    if (*path != '/')
        buffer_put(&full, folder, folder_size);
    buffer_put_text(&full, path);
    return buffer_steal(&full, NULL);
}

static int is_below(const char *path)
{
    return *path != '/' && strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0 &&
           !strstr(path, "/../");
}

/* "./a//b" has no place in the name of a result. */
static const char *skip_dots(const char *path)
{
    while (strncmp(path, "./", 2) == 0)
        for (path += 2; *path == '/'; path++)
            ;
    return path;
}

static enum pf_status add_line(
    struct items *items, struct line *line, const char *manifest, struct pf_error *err)
{
    const char *slash = strrchr(manifest, '/');
    size_t folder_size = slash ? (size_t)(slash - manifest) + 1 : 0;
    const char *name = line->image ? strrchr(line->image, '/') : NULL;
    const struct request *request;
    if (!line->image || !*line->image)
        return pf_fail(err, PF_INVALID, "no image");
    if (*line->request.mask) {
        char *mask = resolve(manifest, folder_size, line->request.mask);
        free(line->request.mask);
        line->request.mask = mask;
    }
    AUTO_FREE char *image = resolve(manifest, folder_size, line->image);
    if (!image || !line->request.mask)
        return pf_fail(err, PF_NOMEM, "no memory for a path");
    const char *output = line->output            ? line->output
                         : is_below(line->image) ? line->image
                         : name                  ? name + 1
                                                 : line->image;
    PF_TRY(items_add_request(items, &line->request, &request, err));
    return items_add_file(items, image, skip_dots(output), request, err);
}

static enum pf_status read_line(struct items *items, const char *text, size_t size,
    const char *manifest, const struct request *defaults, struct pf_error *err)
{
    struct line line = {.image = NULL};
    struct jdoc *doc = NULL;
    if (size > MANIFEST_LINE_MAX)
        return pf_fail(err, PF_INVALID, "longer than %d bytes", MANIFEST_LINE_MAX);
    PF_TRY(jdoc_parse(&doc, text, size, err));
    enum pf_status status = request_copy(&line.request, defaults, err);
    if (status == PF_OK) {
        const struct jdoc_value *root = jdoc_root(doc);
        if (root->type != JDOC_OBJECT)
            status = pf_fail(err, PF_INVALID, "not an object");
        for (const struct jdoc_value *member = root->first; member && status == PF_OK;
             member = member->next)
            status = set_member(&line, member, err);
        if (status == PF_OK)
            status = add_line(items, &line, manifest, err);
        request_finish(&line.request);
    }
    jdoc_destroy(doc);
    return status;
}

enum pf_status manifest_read(
    struct items *items, const char *path, const struct request *defaults, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    PF_TRY(file_read(path, MANIFEST_MAX, &text, err));
    const char *at = text.data ? text.data : "", *end = at + text.size;
    for (size_t number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((newline ? newline : end) - at);
        struct pf_error why = PF_ERROR_INIT;
        size_t blank = strspn(at, " \t\r");
        if (blank < size && read_line(items, at, size, path, defaults, &why) != PF_OK)
            return pf_fail(err, why.status == PF_CORRUPT ? PF_INVALID : why.status,
                "%.200s, line %zu: %s", path, number, why.message);
        at += size + 1;
    }
    return PF_OK;
}
