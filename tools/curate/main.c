/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix-curate: good photos in, training pairs out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/curate/album.h"
#include "tools/curate/import.h"
#include "tools/curate/objects.h"
#include "tools/curate/options.h"
#include "tools/curate/sheet.h"
#include "tools/curate/workers.h"
#include "tools/data/shards_write.h"

enum { EXIT_USAGE = 2, PATH_SIZE = 4096, TOLD_EVERY = 500 };

struct curation {
    const struct curate_options *options;
    struct recipe recipe;
    struct import import; /* with --pairs, instead of the recipe */
    size_t count;
    struct shards_writer *writer;
};

static enum pf_status make(void *context, size_t index, struct buffer *out, struct pf_error *err)
{
    struct curation *curation = context;
    return curation->options->pairs ? import_make(&curation->import, index, out, err)
                                    : recipe_make(&curation->recipe, index, out, err);
}

static enum pf_status take(
    void *context, size_t index, const void *bytes, size_t count, struct pf_error *err)
{
    struct curation *curation = context;
    if ((index + 1) % TOLD_EVERY == 0)
        fprintf(stderr, "%zu of %zu\n", index + 1, curation->count);
    return shards_writer_put(curation->writer, bytes, count, err);
}

static enum pf_status make_pairs(struct curation *curation, struct pf_error *err)
{
    const struct curate_options *options = curation->options;
    PF_TRY(shards_writer_open(&curation->writer, options->out, options->per_shard, err));
    struct workers workers = {.make = make,
        .take = take,
        .context = curation,
        .count = curation->count,
        .jobs = options->jobs};
    enum pf_status status = workers_run(&workers, err);
    if (status == PF_OK)
        status = shards_writer_finish(curation->writer, err);
    shards_writer_close(curation->writer);
    return status;
}

static enum pf_status open_album(
    const struct curate_options *options, struct album *album, struct pf_error *err)
{
    char cache[PATH_SIZE];
    snprintf(cache, sizeof cache, "%s/.cache", options->out);
    struct album_options wanted = {
        .folders = options->folders,
        .folder_count = options->folder_count,
        .list = options->list,
        .cache = options->cache ? options->cache : cache,
        .side = options->recipe.side,
        .jobs = options->jobs,
        .split = options->split,
        .report = options->reports ? stdout : NULL,
    };
    return album_open(&wanted, album, err);
}

static enum pf_status make_sheet(const struct curate_options *options, struct pf_error *err)
{
    return options->sheet ? sheet_write(options->out, options->sheet, err) : PF_OK;
}

static enum pf_status make_out(const struct curate_options *options, struct pf_error *err)
{
    if (mkdir(options->out, 0755) != 0 && errno != EEXIST)
        return pf_fail_errno(err, errno, "%s", options->out);
    return PF_OK;
}

static enum pf_status run_import(const struct curate_options *options, struct pf_error *err)
{
    struct curation curation = {.options = options};
    PF_TRY(import_open(&curation.import, options->pairs, err));
    curation.import.format = options->recipe.format;
    curation.import.quality = options->recipe.quality;
    curation.count = curation.import.inputs.count;
    enum pf_status status = make_pairs(&curation, err);
    if (status == PF_OK)
        status = make_sheet(options, err);
    import_finish(&curation.import);
    return status;
}

static enum pf_status run(const struct curate_options *options, struct pf_error *err)
{
    struct album album = {0};
    struct objects *objects = NULL;
    struct thesaurus *thesaurus = NULL;
    struct curation curation = {
        .options = options, .recipe = options->recipe, .count = options->count};
    PF_TRY(open_album(options, &album, err));
    fprintf(stderr, "%zu photos\n", album.count);
    enum pf_status status = PF_OK;
    if (options->stamps || options->objects)
        status = objects_open(&objects, options->stamps, options->objects, err);
    if (status == PF_OK && options->thesaurus)
        status = thesaurus_open(&thesaurus, options->thesaurus, err);
    curation.recipe.photos = album.photos;
    curation.recipe.cumulative = album.cumulative;
    curation.recipe.photo_count = album.count;
    curation.recipe.objects = objects;
    curation.recipe.thesaurus = thesaurus;
    if (status == PF_OK)
        status = make_pairs(&curation, err);
    if (status == PF_OK)
        status = make_sheet(options, err);
    thesaurus_close(thesaurus);
    objects_close(objects);
    album_finish(&album);
    return status;
}

int main(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    struct curate_options options;
    int is_help;
    if (curate_options_read(&options, argc, argv, &is_help, &err) != PF_OK) {
        fprintf(stderr, "promptfix-curate: %s\n", err.message);
        return EXIT_USAGE;
    }
    if (is_help)
        return fputs(curate_usage, stdout) < 0;
    if (make_out(&options, &err) != PF_OK ||
        (options.pairs ? run_import(&options, &err) : run(&options, &err)) != PF_OK) {
        fprintf(stderr, "promptfix-curate: %s\n", err.message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
