/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/album.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/sha256.h"
#include "tools/curate/files.h"
#include "tools/curate/photo.h"
#include "tools/curate/workers.h"

enum { LIST_MAX = 1 << 20, RULES_MAX = 1000 };

struct rule {
    int is_excluded;
    char pattern[256], tags[RECIPE_TAGS_MAX];
    double weight;
};

struct rules {
    struct rule *rules;
    size_t count;
};

void album_finish(struct album *album)
{
    for (size_t i = 0; i < album->count; i++) {
        free(album->photos[i].cached);
        free(album->photos[i].source);
    }
    free(album->photos);
    free(album->cumulative);
    *album = (struct album){0};
}

static enum pf_status read_rule(char *line, size_t number, struct rule *rule, struct pf_error *err)
{
    char *save, *word = strtok_r(line, " \t\r", &save), *pattern = strtok_r(NULL, " \t\r", &save);
    rule->weight = 1.0;
    if (!pattern || (strcmp(word, "include") != 0 && strcmp(word, "exclude") != 0))
        return pf_fail(
            err, PF_INVALID, "list, line %zu: not 'include PATTERN' or 'exclude PATTERN'", number);
    rule->is_excluded = word[0] == 'e';
    if (strlen(pattern) >= sizeof rule->pattern)
        return pf_fail(
            err, PF_INVALID, "list, line %zu: a pattern of %zu bytes", number, strlen(pattern));
    snprintf(rule->pattern, sizeof rule->pattern, "%s", pattern);
    while ((word = strtok_r(NULL, " \t\r", &save))) {
        char *end = NULL;
        if (!strncmp(word, "weight=", 7)) {
            rule->weight = strtod(word + 7, &end);
        } else if (!strncmp(word, "tags=", 5)) {
            snprintf(rule->tags, sizeof rule->tags, "%s", word + 5);
            for (char *c = rule->tags; *c; c++)
                *c = *c == '_' ? ' ' : *c;
        }
        if ((!end && !rule->tags[0]) || (end && *end) || !(rule->weight > 0.0))
            return pf_fail(err, PF_INVALID, "list, line %zu: '%s'", number, word);
    }
    return PF_OK;
}

static enum pf_status read_rules(const char *path, struct rules *rules, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    PF_TRY(file_read(path, LIST_MAX, &text, err));
    rules->rules = calloc(RULES_MAX, sizeof *rules->rules);
    if (!rules->rules)
        return pf_fail(err, PF_NOMEM, "no memory for rules");
    size_t number = 0;
    for (char *line = text.data, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        number++;
        line[strcspn(line, "#")] = '\0';
        if (line[strspn(line, " \t\r")] == '\0')
            continue;
        if (rules->count == RULES_MAX)
            return pf_fail(err, PF_INVALID, "list: more than %d rules", RULES_MAX);
        PF_TRY(read_rule(line, number, &rules->rules[rules->count], err));
        rules->count++;
    }
    return PF_OK;
}

static const struct rule *find_rule(const struct rules *rules, const char *path)
{
    for (size_t i = rules->count; i-- > 0;)
        if (fnmatch(rules->rules[i].pattern, path, 0) == 0)
            return &rules->rules[i];
    return NULL;
}

/* "lake-tahoe@2x.jpg" → "lake tahoe": letters, and nothing that looks like a camera's counter. */
static void words_of_name(const char *path, char ret_words[RECIPE_TAGS_MAX])
{
    static const char *const empty[] = {"img", "dsc", "dscn", "image", "photo", "pict", "jpg",
        "orig", "small", "large", "px", "x", "copy", "original", "hdr", "crop", "wallpaper",
        "screen", "h", "k"};
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t end = strcspn(base, "."), length = 0;
    ret_words[0] = '\0';
    for (size_t i = 0; i < end;) {
        size_t from = i;
        while (i < end && isalpha((unsigned char)base[i]))
            i++;
        size_t size = i - from;
        int is_empty = size < 3;
        for (size_t k = 0; k < COUNT_OF(empty); k++)
            is_empty =
                is_empty || (strlen(empty[k]) == size && !strncasecmp(base + from, empty[k], size));
        if (!is_empty && length + size + 2 < RECIPE_TAGS_MAX / 2) {
            if (length)
                ret_words[length++] = ' ';
            for (size_t k = 0; k < size; k++)
                ret_words[length++] = (char)tolower((unsigned char)base[from + k]);
            ret_words[length] = '\0';
        }
        i += size == 0;
    }
}

static void digest_text(const char *text, size_t count, unsigned char ret_digest[SHA256_SIZE])
{
    struct sha256 sha;
    sha256_init(&sha);
    sha256_update(&sha, text, count);
    sha256_finish(&sha, ret_digest);
}

/* By the name without folder, scale mark and suffix: the same picture in two sizes stays on one
 * side. */
static int is_valid_split(const char *path)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    uint8_t digest[SHA256_SIZE];
    digest_text(base, strcspn(base, "@."), digest);
    return digest[0] < 13; /* 13 of 256: a twentieth */
}

struct filing {
    const struct album_options *options;
    const struct files *files;
    char **cached;
};

static enum pf_status name_cached(
    const char *cache, const char *path, int side, char **ret_cached, struct pf_error *err)
{
    struct stat info;
    char text[FILES_PATH_MAX + 100], name[FILES_PATH_MAX + 100];
    uint8_t digest[SHA256_SIZE];
    if (stat(path, &info) != 0)
        return pf_fail_errno(err, errno, "%s", path);
    snprintf(text, sizeof text, "%s %lld %lld %d", path, (long long)info.st_size,
        (long long)info.st_mtime, side);
    digest_text(text, strlen(text), digest);
    int at = snprintf(name, sizeof name, "%s/", cache);
    for (int i = 0; i < 10; i++)
        at += snprintf(name + at, sizeof name - (size_t)at, "%02x", digest[i]);
    snprintf(name + at, sizeof name - (size_t)at, ".ppm");
    *ret_cached = strdup(name);
    return *ret_cached ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for a path");
}

static enum pf_status cache_one(
    void *context, size_t index, struct buffer *out, struct pf_error *err)
{
    struct filing *filing = context;
    struct photo_traits traits;
    (void)out;
    if (photo_read_traits(filing->cached[index], &traits, NULL) == PF_OK)
        return PF_OK;
    return photo_cache(
        filing->files->paths[index], filing->cached[index], filing->options->side, err);
}

static enum pf_status find_files(const struct album_options *options, const struct rules *rules,
    struct files *files, struct pf_error *err)
{
    for (size_t i = 0; i < options->folder_count; i++)
        PF_TRY(files_add(files, options->folders[i], files_pictures, err));
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++) {
        const struct rule *rule = find_rule(rules, files->paths[i]);
        int is_other = options->split != ALBUM_ALL &&
                       is_valid_split(files->paths[i]) != (options->split == ALBUM_VALID);
        if (is_other || (rule && rule->is_excluded)) {
            if (options->report && !is_other)
                fprintf(options->report, "%s: excluded by the list\n", files->paths[i]);
            free(files->paths[i]);
        } else {
            files->paths[kept++] = files->paths[i];
        }
    }
    files->count = kept;
    return kept ? PF_OK : pf_fail(err, PF_NOT_FOUND, "no pictures in the folders given");
}

static enum pf_status add_photo(const struct filing *filing, const struct rules *rules,
    size_t index, struct album *album, struct pf_error *err)
{
    const char *path = filing->files->paths[index];
    const struct rule *rule = find_rule(rules, path);
    struct photo_traits traits;
    PF_TRY(photo_read_traits(filing->cached[index], &traits, err));
    const char *objection = photo_objection(&traits, filing->options->side, rule != NULL);
    if (filing->options->report)
        fprintf(filing->options->report,
            "%s: %s (%dx%d, colours %.0f, flat %.2f, entropy %.2f, chroma %.3f)\n", path,
            objection ? objection : "taken", traits.width, traits.height, traits.colours,
            traits.flat, traits.entropy, traits.chroma);
    if (objection)
        return PF_OK;
    struct recipe_photo *photo = &album->photos[album->count];
    const char *slash = strrchr(path, '/');
    photo->source = strdup(slash ? slash + 1 : path);
    photo->cached = strdup(filing->cached[index]);
    photo->weight = rule ? rule->weight : 1.0;
    words_of_name(path, photo->tags);
    if (rule && rule->tags[0])
        snprintf(photo->tags, sizeof photo->tags, "%s", rule->tags);
    double before = album->count ? album->cumulative[album->count - 1] : 0.0;
    album->cumulative[album->count++] = before + photo->weight;
    return photo->source && photo->cached ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for a photo");
}

static enum pf_status file_album(const struct album_options *options, const struct rules *rules,
    struct filing *filing, struct album *album, struct pf_error *err)
{
    const struct files *files = filing->files;
    if (mkdir(options->cache, 0755) != 0 && errno != EEXIST)
        return pf_fail_errno(err, errno, "%s", options->cache);
    for (size_t i = 0; i < files->count; i++)
        PF_TRY(
            name_cached(options->cache, files->paths[i], options->side, &filing->cached[i], err));
    struct workers workers = {
        .make = cache_one, .context = filing, .count = files->count, .jobs = options->jobs};
    PF_TRY(workers_run(&workers, err));
    album->photos = calloc(files->count, sizeof *album->photos);
    album->cumulative = calloc(files->count, sizeof *album->cumulative);
    if (!album->photos || !album->cumulative)
        return pf_fail(err, PF_NOMEM, "no memory for %zu photos", files->count);
    for (size_t i = 0; i < files->count; i++)
        PF_TRY(add_photo(filing, rules, i, album, err));
    return album->count
               ? PF_OK
               : pf_fail(err, PF_NOT_FOUND, "none of %zu pictures is a photo", files->count);
}

enum pf_status album_open(
    const struct album_options *options, struct album *ret_album, struct pf_error *err)
{
    struct rules rules = {0};
    struct files files = {0};
    struct album album = {0};
    struct filing filing = {options, &files, NULL};
    enum pf_status status = options->list ? read_rules(options->list, &rules, err) : PF_OK;
    if (status == PF_OK)
        status = find_files(options, &rules, &files, err);
    if (status == PF_OK && !(filing.cached = calloc(files.count, sizeof *filing.cached)))
        status = pf_fail(err, PF_NOMEM, "no memory for %zu paths", files.count);
    if (status == PF_OK)
        status = file_album(options, &rules, &filing, &album, err);
    for (size_t i = 0; filing.cached && i < files.count; i++)
        free(filing.cached[i]);
    free(filing.cached);
    files_finish(&files);
    free(rules.rules);
    if (status == PF_OK)
        *ret_album = album;
    else
        album_finish(&album);
    return status;
}
