/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/make_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/eval/pairs.h"
#include "tools/eval/trial.h"

enum { TOGETHER = 3 };

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
    const struct photo_recipe *recipe, const char *folder, struct pf_error *err)
{
    struct sample sample = {0};
    PF_TRY(photo_spoil(recipe, &sample, err));
    free(sample.instruction);
    sample.instruction = join_instructions(recipe);
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    const char *dot = strrchr(recipe->name, '.');
    int stem = dot ? (int)(dot - recipe->name) : (int)strlen(recipe->name);
    buffer_put_format(&name, "%.*s-%s", stem, recipe->name, sample.task);
    enum pf_status status = buffer_status(&name, err);
    if (status == PF_OK && !sample.instruction)
        status = pf_fail(err, PF_NOMEM, "no memory for an instruction");
    if (status == PF_OK)
        status = pairs_write(folder, name.data, &sample, err);
    sample_finish(&sample);
    return status;
}

static enum pf_status write_photo(const struct acceptance_options *options, size_t index,
    struct photo_recipe *recipe, const char *folder, struct pf_error *err)
{
    recipe->name = photo_name(options->photos->paths[index]);
    recipe->task_count = 1;
    for (int i = 0; i < TASK_COUNT; i++) {
        enum task task = (enum task)i;
        recipe->tasks = &task;
        if (options->tasks & 1u << i)
            PF_TRY(write_pair(recipe, folder, err));
    }
    recipe->tasks = triples[index % COUNT_OF(triples)];
    recipe->task_count = TOGETHER;
    return write_pair(recipe, folder, err);
}

enum pf_status make_set(
    const struct acceptance_options *options, const char *folder, struct pf_error *err)
{
    const struct photos *photos = options->photos;
    PF_TRY(pairs_prepare(folder, err));
    for (size_t i = 0; i < photos->count; i++) {
        struct image clean = IMAGE_INIT, other = IMAGE_INIT;
        struct photo_recipe recipe = {.clean = &clean, .other = &other, .seed = options->seed};
        enum pf_status status = photo_read(photos->paths[i], options->size, &clean, err);
        if (status == PF_OK)
            status = photo_read(photos->paths[(i + 1) % photos->count], options->size, &other, err);
        if (status == PF_OK)
            status = write_photo(options, i, &recipe, folder, err);
        image_finish(&clean);
        image_finish(&other);
        PF_TRY(status);
    }
    return PF_OK;
}
