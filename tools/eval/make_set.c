/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/make_set.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tools/data/ppm.h"
#include "tools/eval/pairs.h"
#include "tools/eval/trial.h"

enum { TOGETHER = 3, FILE_MODE = 0644, FOLDER_MODE = 0755 };

/* In the order in which they befall a photo: what is in the air, what the camera does, what is put
 * over the picture. */
static const enum task triples[][TOGETHER] = {
    {TASK_DEHAZE, TASK_DESNOW, TASK_LOWLIGHT},
    {TASK_DEHAZE, TASK_DEBLUR, TASK_DEWATERMARK},
    {TASK_DESNOW, TASK_LOWLIGHT, TASK_DEWATERMARK},
    {TASK_DEBLUR, TASK_LOWLIGHT, TASK_COLORIZE},
    {TASK_REMOVE, TASK_DEHAZE, TASK_DEBLUR},
};

/* "remove the haze, remove the snow and brighten the dark photo" */
static char *join_instructions(const struct photo_recipe *recipe)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    for (size_t i = 0; i < recipe->task_count; i++) {
        const char *between = i + 1 < recipe->task_count ? ", " : " and ";
        buffer_put_text(&text, i > 0 ? between : "");
        buffer_put_text(&text, trials[recipe->tasks[i]].instruction);
    }
    return buffer_steal(&text, NULL);
}

static enum pf_status write_pair(
    const struct make_set_options *options, const struct photo_recipe *recipe, struct pf_error *err)
{
    struct sample sample = {0};
    PF_TRY(photo_spoil(recipe, &sample, err));
    free(sample.instruction);
    sample.instruction = join_instructions(recipe);
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    buffer_put(&name, recipe->name, photo_stem(recipe->name));
    buffer_put_format(&name, "-%s", sample.task);
    enum pf_status status = buffer_status(&name, err);
    if (status == PF_OK && !sample.instruction)
        status = pf_fail(err, PF_NOMEM, "no memory for an instruction");
    if (status == PF_OK)
        status = pairs_write(options->folder, name.data, &sample, options->format, err);
    sample_finish(&sample);
    return status;
}

static enum pf_status write_photo(const struct make_set_options *options, size_t index,
    struct photo_recipe *recipe, struct pf_error *err)
{
    recipe->name = photo_name(options->acceptance->photos->paths[index]);
    recipe->task_count = 1;
    for (int i = 0; i < TASK_COUNT; i++) {
        enum task task = (enum task)i;
        recipe->tasks = &task;
        if (options->acceptance->tasks & 1u << i)
            PF_TRY(write_pair(options, recipe, err));
    }
    recipe->tasks = triples[index % COUNT_OF(triples)];
    recipe->task_count = TOGETHER;
    return write_pair(options, recipe, err);
}

enum pf_status make_set(const struct make_set_options *options, struct pf_error *err)
{
    const struct photos *photos = options->acceptance->photos;
    int size = options->acceptance->size;
    PF_TRY(pairs_prepare(options->folder, err));
    for (size_t turn = 0; turn < photos_used(photos); turn++) {
        struct image clean = IMAGE_INIT, other = IMAGE_INIT;
        struct photo_recipe recipe = {
            .clean = &clean, .other = &other, .seed = options->acceptance->seed};
        size_t index = photos_index(photos, turn);
        enum pf_status status = photos_read(photos, index, size, &clean, &other, err);
        if (status == PF_OK)
            status = write_photo(options, index, &recipe, err);
        image_finish(&clean);
        image_finish(&other);
        PF_TRY(status);
    }
    return PF_OK;
}

static enum pf_status write_square(
    const char *folder, const char *path, int size, struct pf_error *err)
{
    struct image square = IMAGE_INIT;
    const char *name = photo_name(path);
    AUTO_BUFFER struct buffer target = BUFFER_INIT;
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    buffer_put_format(&target, "%s/%.*s.ppm", folder, (int)photo_stem(name), name);
    PF_TRY(buffer_status(&target, err));
    PF_TRY(photo_read(path, size, &square, err));
    enum pf_status status = ppm_encode(&square, NULL, &bytes, err);
    image_finish(&square);
    PF_TRY(status);
    return file_write(target.data, bytes.data, bytes.size, FILE_MODE, 0, err);
}

enum pf_status make_squares(
    const struct acceptance_options *options, const char *folder, struct pf_error *err)
{
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST) {
        int reason = errno;
        return pf_fail_errno(err, reason, "%s", folder);
    }
    for (size_t i = 0; i < options->photos->count; i++) /* all: the limit comes later */
        PF_TRY(write_square(folder, options->photos->paths[i], options->size, err));
    return PF_OK;
}
