/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/recipe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/curate/auxiliary.h"
#include "tools/curate/crop.h"
#include "tools/curate/degrade.h"
#include "tools/curate/photo.h"
#include "tools/curate/plane.h"

/* A pair is a chain of degradations and a choice of which to undo. Input: the whole chain; target:
 * the chain without those that the instruction asks for. Each degradation draws from a stream of
 * its own, so that what stays looks the same in both.
 *
 *     all asked for      target is clean
 *     one of several     the others stay in the target: the words steer
 *     wrong words        nothing of the chain is asked for: target is the input
 *     idle               no chain; the words ask for something: target is the input
 *
 * The chain's order is that of the world: the object stands in the scene, haze and snow before the
 * lens, the lens blurs, the sensor lacks light, the film lacks colour, the mark comes last. */

static const enum task chain_order[TASK_COUNT] = {TASK_REMOVE, TASK_DEHAZE, TASK_DESNOW,
    TASK_DEBLUR, TASK_LOWLIGHT, TASK_COLORIZE, TASK_DEWATERMARK};

enum stream { STREAM_PLAN = 100, STREAM_CROP, STREAM_TEXT, STREAM_AUXILIARY, STREAM_OBJECT };

enum { CROP_TRIES = 6 };

struct plan {
    const struct recipe_photo *photo;
    int fits[TASK_COUNT];                     /* what the crop can teach */
    enum task chain[RECIPE_DEGRADATIONS_MAX]; /* in the chain's order */
    int chain_count;
    enum task asked[RECIPE_DEGRADATIONS_MAX];
    int asked_count;
    const struct object *object;
};

struct work {
    float *clean, *input, *target, *mask, *mask_target;
};

static void free_work(struct work *work)
{
    free(work->clean);
    free(work->input);
    free(work->target);
    free(work->mask);
    free(work->mask_target);
}

static int holds(const enum task *tasks, int count, enum task task)
{
    for (int i = 0; i < count; i++)
        if (tasks[i] == task)
            return 1;
    return 0;
}

static const struct recipe_photo *draw_photo(const struct recipe *recipe, struct rng *rng)
{
    double at = rng_unit(rng) * recipe->cumulative[recipe->photo_count - 1];
    size_t low = 0, high = recipe->photo_count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (recipe->cumulative[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return &recipe->photos[low];
}

/* One that fits the crop; TASK_COUNT when none of positive weight does. */
static enum task draw_task(const struct plan *plan, const double *shares, struct rng *rng)
{
    double weights[TASK_COUNT], sum = 0.0;
    for (int i = 0; i < TASK_COUNT; i++)
        sum += weights[i] = plan->fits[i] ? shares[i] : 0.0;
    return sum > 0.0 ? (enum task)rng_weighted(rng, weights, TASK_COUNT) : TASK_COUNT;
}

/* Which degradations, besides the first: any others that fit, evenly. */
static void draw_chain(enum task first, int count, struct plan *plan, struct rng *rng)
{
    enum task drawn[RECIPE_DEGRADATIONS_MAX] = {first};
    double even[TASK_COUNT];
    for (int i = 0; i < TASK_COUNT; i++)
        even[i] = i != (int)first;
    int have = 1;
    while (have < count) {
        enum task task = draw_task(plan, even, rng);
        if (task == TASK_COUNT)
            break;
        drawn[have++] = task;
        even[task] = 0.0;
    }
    for (int i = 0; i < TASK_COUNT; i++)
        if (holds(drawn, have, chain_order[i]))
            plan->chain[plan->chain_count++] = chain_order[i];
}

/* A task that the chain doesn't hold: its words find nothing to do. Pasting is left out: "remove
 * the thing" could always mean something that is there. */
static enum task draw_absent(const struct recipe *recipe, const struct plan *plan, struct rng *rng)
{
    double weights[TASK_COUNT];
    for (int i = 0; i < TASK_COUNT; i++)
        weights[i] = i != TASK_REMOVE && !holds(plan->chain, plan->chain_count, (enum task)i) &&
                     recipe->shares[i] > 0.0;
    enum task task = draw_task(plan, weights, rng);
    return task == TASK_COUNT ? plan->chain_count ? plan->chain[0] : TASK_DEHAZE : task;
}

static void draw_asked(
    const struct recipe *recipe, enum task first, struct plan *plan, struct rng *rng)
{
    double kind = rng_unit(rng), combined = rng_unit(rng);
    int count = combined >= recipe->combine ? 1 : combined < 0.35 * recipe->combine ? 3 : 2;
    if (kind < recipe->idle) {
        plan->asked[plan->asked_count++] = draw_absent(recipe, plan, rng);
        return;
    }
    if (kind < recipe->idle + recipe->wrong) {
        draw_chain(first, 1, plan, rng);
        plan->asked[plan->asked_count++] = draw_absent(recipe, plan, rng);
        return;
    }
    draw_chain(first, count, plan, rng);
    if (plan->chain_count > 1 && rng_chance(rng, 0.4)) {
        plan->asked[plan->asked_count++] = first;
        return;
    }
    for (int i = 0; i < plan->chain_count; i++)
        plan->asked[plan->asked_count++] = plan->chain[i];
}

/* A photo and a crop that can teach the task, which is drawn first, so that tasks come as often as
 * asked however few crops suit them; the last try is taken as it is, for what it can teach. */
static enum pf_status draw_crop(const struct recipe *recipe, size_t index, enum task *first,
    struct plan *plan, float *clean, struct pf_error *err)
{
    struct rng rng;
    rng_init(&rng, recipe->seed, index, STREAM_CROP);
    for (int i = 0; i < CROP_TRIES; i++) {
        struct crop_traits traits;
        plan->photo = draw_photo(recipe, &rng);
        PF_TRY(photo_crop(plan->photo->cached, recipe->side, &rng, clean, err));
        PF_TRY(crop_measure(clean, recipe->side, &traits, err));
        for (int task = 0; task < TASK_COUNT; task++)
            plan->fits[task] =
                crop_teaches(&traits, (enum task)task) && (task != TASK_REMOVE || recipe->objects);
        if (!crop_is_empty(&traits) && plan->fits[*first])
            return PF_OK;
    }
    if (!plan->fits[*first])
        *first = draw_task(plan, recipe->shares, &rng);
    if (*first == TASK_COUNT)
        return pf_fail(err, PF_NOT_FOUND, "no photo suits any of the tasks (sample %zu)", index);
    return PF_OK;
}

static enum pf_status draw_plan(const struct recipe *recipe, size_t index, struct plan *plan,
    float *clean, struct pf_error *err)
{
    struct rng rng;
    double shares[TASK_COUNT];
    rng_init(&rng, recipe->seed, index, STREAM_PLAN);
    memcpy(shares, recipe->shares, sizeof shares);
    if (!recipe->objects)
        shares[TASK_REMOVE] = 0.0;
    enum task first = (enum task)rng_weighted(&rng, shares, TASK_COUNT);
    PF_TRY(draw_crop(recipe, index, &first, plan, clean, err));
    draw_asked(recipe, first, plan, &rng);
    if (!holds(plan->chain, plan->chain_count, TASK_REMOVE))
        return PF_OK;
    rng_init(&rng, recipe->seed, index, STREAM_OBJECT);
    return objects_pick(recipe->objects, &rng, &plan->object, err);
}

/* Runs the chain, without the tasks of `undone`. `note` may be NULL. */
static enum pf_status run_chain(const struct recipe *recipe, size_t index, const struct plan *plan,
    const enum task *undone, int undone_count, struct scene *scene, struct buffer *note,
    struct pf_error *err)
{
    AUTO_BUFFER struct buffer unused = BUFFER_INIT;
    size_t bytes = 3 * (size_t)scene->width * (size_t)scene->height * sizeof *scene->rgb;
    memcpy(scene->rgb, scene->clean, bytes);
    for (int i = 0; i < plan->chain_count; i++) {
        enum task task = plan->chain[i];
        struct rng rng;
        if (holds(undone, undone_count, task))
            continue;
        rng_init(&rng, recipe->seed, index, task);
        if (note)
            buffer_put_format(note, "%s{\"task\":\"%s\",", i ? "," : "", task_name(task));
        PF_TRY(degrade(task, scene, &rng, note ? note : &unused, err));
        if (note)
            buffer_put_text(note, "}");
    }
    return PF_OK;
}

/* The region to be changed: what the marks covered, and wherever else the pictures differ (a later
 * blur carries a mark beyond its edge). NULL when a task asked for concerns the whole picture. */
static int make_mask(const struct recipe *recipe, const struct plan *plan, struct work *work)
{
    size_t area = (size_t)recipe->side * (size_t)recipe->side;
    for (int i = 0; i < plan->asked_count; i++)
        if (!degrade_is_regional(plan->asked[i]) ||
            !holds(plan->chain, plan->chain_count, plan->asked[i]))
            return 0;
    for (size_t i = 0; i < area; i++) {
        float most = 0.0f;
        for (size_t c = 0; c < 3; c++)
            most = fmaxf(most, fabsf(work->input[c * area + i] - work->target[c * area + i]));
        /* what differs visibly is in; what a mark covered without changing it is out */
        if (most > 0.5f / 255.0f)
            work->mask[i] = fmaxf(work->mask[i], fminf(most * 4.0f, 1.0f));
        else
            work->mask[i] = 0.0f;
    }
    return 1;
}

static enum pf_status write_texts(const struct recipe *recipe, size_t index,
    const struct plan *plan, const float *clean, struct buffer *instruction,
    struct buffer *auxiliary, struct pf_error *err)
{
    struct rng rng;
    rng_init(&rng, recipe->seed, index, STREAM_TEXT);
    const char *name = plan->object && rng_chance(&rng, 0.75) ? plan->object->name : NULL;
    PF_TRY(phrases_write(
        plan->asked, plan->asked_count, name, recipe->phrases, &rng, instruction, err));
    if (recipe->thesaurus)
        PF_TRY(thesaurus_vary(recipe->thesaurus, &rng, instruction, err));
    rng_init(&rng, recipe->seed, index, STREAM_AUXILIARY);
    return auxiliary_write(plan->chain, plan->chain_count, plan->photo->tags, clean,
        (size_t)recipe->side * (size_t)recipe->side, &rng, auxiliary, err);
}

static void put_member(struct buffer *out, const char *name, const char *text, size_t count)
{
    buffer_put_format(out, "\"%s\":", name);
    buffer_put_json_string(out, text ? text : "", count);
    buffer_put_text(out, ",");
}

static enum pf_status write_json(const struct recipe *recipe, size_t index, const struct plan *plan,
    const char *key, const float *clean, const struct buffer *note, struct buffer *out,
    struct pf_error *err)
{
    AUTO_BUFFER struct buffer instruction = BUFFER_INIT, auxiliary = BUFFER_INIT;
    PF_TRY(write_texts(recipe, index, plan, clean, &instruction, &auxiliary, err));
    const char *task = plan->asked_count > 1 ? "combined" : task_name(plan->asked[0]);
    buffer_put_text(out, "{");
    put_member(out, "key", key, strlen(key));
    put_member(out, "task", task, strlen(task));
    put_member(out, "instruction", instruction.data, instruction.size);
    put_member(out, "auxiliary", auxiliary.data, auxiliary.size);
    put_member(out, "source", plan->photo->source, strlen(plan->photo->source));
    buffer_put_text(out, "\"asked\":[");
    for (int i = 0; i < plan->asked_count; i++)
        buffer_put_format(out, "%s\"%s\"", i ? "," : "", task_name(plan->asked[i]));
    buffer_put_text(out, "],\"degradations\":[");
    buffer_put(out, note->data, note->size);
    buffer_put_format(out, "],\"seed\":%" PRIu64 ",\"index\":%zu}", recipe->seed, index);
    return buffer_status(out, err);
}

static enum pf_status create_work(struct work *work, int side, struct pf_error *err)
{
    PF_TRY(plane_create(&work->clean, side, 3 * side, err));
    PF_TRY(plane_create(&work->input, side, 3 * side, err));
    PF_TRY(plane_create(&work->target, side, 3 * side, err));
    PF_TRY(plane_create(&work->mask, side, side, err));
    return plane_create(&work->mask_target, side, side, err);
}

enum pf_status recipe_make(
    const struct recipe *recipe, size_t index, struct buffer *out, struct pf_error *err)
{
    struct plan plan = {0};
    int side = recipe->side;
    __attribute__((cleanup(free_work))) struct work work = {0};
    AUTO_BUFFER struct buffer note = BUFFER_INIT, json = BUFFER_INIT;
    PF_TRY(create_work(&work, side, err));
    PF_TRY(draw_plan(recipe, index, &plan, work.clean, err));
    struct scene scene = {side, side, work.clean, work.input, work.mask, plan.object};
    PF_TRY(run_chain(recipe, index, &plan, NULL, 0, &scene, &note, err));
    struct scene goal = {side, side, work.clean, work.target, work.mask_target, plan.object};
    PF_TRY(run_chain(recipe, index, &plan, plan.asked, plan.asked_count, &goal, NULL, err));

    char key[32];
    snprintf(key, sizeof key, "%06zu", index);
    int has_mask = make_mask(recipe, &plan, &work);
    PF_TRY(write_json(recipe, index, &plan, key, work.clean, &note, &json, err));
    struct image input = {side, side, work.input, NULL}, target = {side, side, work.target, NULL};
    return sample_pack(out, key, &input, &target, has_mask ? work.mask : NULL, json.data,
        recipe->format, recipe->quality, err);
}
