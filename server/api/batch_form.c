/* SPDX-License-Identifier: Apache-2.0 */
/* Every item starts as a copy of what is shared and takes its manifest's members on top. */
#include "server/api/batch_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "server/jobs/batch.h"

static int is_image(const struct multipart_part *part)
{
    return strcmp(part->name, "image") == 0;
}

static enum pf_status parse_manifest(
    struct batch_form *form, const struct multipart_part *part, struct submission_failure *failure)
{
    struct pf_error why = PF_ERROR_INIT;
    if (jdoc_parse(&form->manifest, part->data.data, part->data.size, &why) != PF_OK)
        return submission_fail(
            failure, PROBLEM_INVALID, part->name, "manifest is not JSON: %.300s", why.message);
    if (jdoc_root(form->manifest)->type != JDOC_ARRAY)
        return submission_fail(
            failure, PROBLEM_INVALID, part->name, "manifest is JSON, but no array");
    return PF_OK;
}

static enum pf_status take_shared(
    struct batch_form *form, const struct multipart_part *part, struct submission_failure *failure)
{
    static const char *const refused[] = {"mask", "priority"};
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        if (strcmp(part->name, refused[i]) == 0)
            return submission_fail(failure, PROBLEM_INVALID, part->name,
                "there is no field '%s' in this operation", part->name);
    if (strcmp(part->name, "manifest") == 0)
        return parse_manifest(form, part, failure);
    return submission_take(&form->shared, part, part->name, failure);
}

/* The shared fields, and how many images there are. */
static enum pf_status read_shared(
    struct batch_form *form, const struct multipart *parts, struct submission_failure *failure)
{
    for (size_t i = 0; i < multipart_count(parts); i++) {
        const struct multipart_part *part = multipart_get(parts, i);
        if (is_image(part)) {
            form->count++;
            continue;
        }
        for (size_t before = 0; before < i; before++)
            if (strcmp(multipart_get(parts, before)->name, part->name) == 0)
                return submission_fail(failure, PROBLEM_INVALID, part->name,
                    "the field '%s' is given twice", part->name);
        PF_TRY(take_shared(form, part, failure));
    }
    if (form->count == 0 || form->count > BATCH_JOBS_MAX)
        return submission_fail(failure, PROBLEM_INVALID, "image",
            "a batch has 1 to %d images, not %zu", BATCH_JOBS_MAX, form->count);
    if (form->manifest && jdoc_root(form->manifest)->size != form->count)
        return submission_fail(failure, PROBLEM_INVALID, "manifest",
            "manifest has %zu items for %zu images", jdoc_root(form->manifest)->size, form->count);
    return PF_OK;
}

/* ---- the manifest ---- */

static enum pf_status set_metadata(
    struct submission *item, const struct jdoc_value *member, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    jdoc_put(&text, member);
    PF_TRY(buffer_status(&text, err));
    return submission_set_text(item, "metadata", text.data, err);
}

static enum pf_status set_member(struct submission *item, const struct multipart_part *part,
    const struct jdoc_value *member, struct pf_error *err)
{
    if (strcmp(member->key, "priority") == 0)
        return PF_NOT_FOUND;
    if (strcmp(member->key, "metadata") == 0)
        return set_metadata(item, member, err);
    if (member->type == JDOC_NUMBER)
        return params_set_number(&item->spec.params, member->key, member->number, err);
    if (member->type != JDOC_STRING || strlen(member->string) != member->size)
        return pf_fail(err, PF_INVALID, "expected a text or a number");
    if (strcmp(member->key, "file") == 0)
        return strcmp(member->string, part->file_name) == 0
                   ? PF_OK
                   : pf_fail(err, PF_INVALID, "it says '%.100s', but the image is '%.100s'",
                         member->string, part->file_name);
    const struct param_field *field = params_find(member->key);
    if (field && field->type != PARAM_CHOICE)
        return pf_fail(err, PF_INVALID, "expected a number");
    return submission_set_text(item, member->key, member->string, err);
}

static enum pf_status take_item(struct submission *item, size_t index,
    const struct multipart_part *part, const struct jdoc_value *object,
    struct submission_failure *failure)
{
    if (object->type != JDOC_OBJECT)
        return submission_fail(
            failure, PROBLEM_INVALID, "manifest", "manifest[%zu] is no object", index);
    for (const struct jdoc_value *member = object->first; member; member = member->next) {
        struct pf_error err = PF_ERROR_INIT;
        enum pf_status status = set_member(item, part, member, &err);
        if (status == PF_NOT_FOUND)
            return submission_fail(failure, PROBLEM_INVALID, "manifest",
                "manifest[%zu]: there is no field '%.64s'", index, member->key);
        if (status != PF_OK)
            return submission_fail(failure,
                status == PF_NOMEM ? PROBLEM_UNAVAILABLE : PROBLEM_INVALID, "manifest",
                "manifest[%zu].%.64s: %.350s", index, member->key, err.message);
    }
    return PF_OK;
}

/* ---- the whole ---- */

static enum pf_status read_items(
    struct batch_form *form, const struct multipart *parts, struct submission_failure *failure)
{
    const struct jdoc_value *object = form->manifest ? jdoc_root(form->manifest)->first : NULL;
    size_t index = 0;
    for (size_t i = 0; i < multipart_count(parts); i++) {
        const struct multipart_part *part = multipart_get(parts, i);
        if (!is_image(part))
            continue;
        struct submission *item = &form->items[index];
        *item = form->shared;
        item->metadata = NULL; /* the shared one keeps its own */
        PF_TRY(submission_take(item, part, "image", failure));
        if (object)
            PF_TRY(take_item(item, index, part, object, failure));
        PF_TRY(submission_end(item, failure));
        form->specs[index++] = item->spec;
        object = object ? object->next : NULL;
    }
    return PF_OK;
}

enum pf_status batch_form_read(struct batch_form *ret_form, const struct multipart *form,
    const struct api_options *options, const struct api_model *model,
    struct submission_failure *ret_failure)
{
    *ret_failure = (struct submission_failure){.kind = PROBLEM_INVALID};
    *ret_form = (struct batch_form){.specs = NULL};
    submission_begin(&ret_form->shared, options, model);
    ret_form->shared.spec.priority = JOB_BATCH;
    PF_TRY(read_shared(ret_form, form, ret_failure));
    ret_form->specs = calloc(ret_form->count, sizeof *ret_form->specs);
    ret_form->items = calloc(ret_form->count, sizeof *ret_form->items);
    if (!ret_form->specs || !ret_form->items)
        return submission_fail(ret_failure, PROBLEM_UNAVAILABLE, "", "out of memory");
    return read_items(ret_form, form, ret_failure);
}

void batch_form_finish(struct batch_form *form)
{
    for (size_t i = 0; form->items && i < form->count; i++)
        submission_finish(&form->items[i]);
    free(form->items);
    free(form->specs);
    submission_finish(&form->shared);
    jdoc_destroy(form->manifest);
    *form = (struct batch_form){.specs = NULL};
}
