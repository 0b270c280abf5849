/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/edit_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static enum pf_status read_integer(const struct multipart_part *part, int64_t min, int64_t max,
    int64_t *ret_value, struct submission_failure *failure)
{
    const char *text = part->data.data;
    size_t digits = strspn(text, "0123456789");
    long long value = digits > 0 && digits < 10 && !text[digits] ? atoll(text) : -1;
    if (value < min || value > max)
        return submission_fail(failure, PROBLEM_INVALID, part->name,
            "%s is '%.40s', expected a whole number from %lld to %lld", part->name, text,
            (long long)min, (long long)max);
    *ret_value = value;
    return PF_OK;
}

/* *ret_index is the choice's place in the NULL-terminated list. */
static enum pf_status read_choice(const struct multipart_part *part, const char *const *choices,
    int *ret_index, struct submission_failure *failure)
{
    char expected[128] = "";
    for (int i = 0; choices[i]; i++) {
        if (strcmp(part->data.data, choices[i]) == 0) {
            *ret_index = i;
            return PF_OK;
        }
        size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s%s", i ? " or " : "", choices[i]);
    }
    return submission_fail(failure, PROBLEM_INVALID, part->name,
        "%s is '%.40s', this server takes %s", part->name, part->data.data, expected);
}

/* ---- OpenAI's fields ---- */

static enum pf_status take_count(
    struct edit_form *form, const struct multipart_part *part, struct submission_failure *failure)
{
    return read_integer(part, 1, EDIT_COUNT_MAX, &form->count, failure);
}

static enum pf_status take_partial_images(
    struct edit_form *form, const struct multipart_part *part, struct submission_failure *failure)
{
    return read_integer(part, 0, EDIT_PARTIAL_IMAGES_MAX, &form->partial_images, failure);
}

static enum pf_status take_stream(
    struct edit_form *form, const struct multipart_part *part, struct submission_failure *failure)
{
    static const char *const choices[] = {"false", "true", NULL};
    return read_choice(part, choices, &form->is_streaming, failure);
}

static enum pf_status take_response_format(
    struct edit_form *form, const struct multipart_part *part, struct submission_failure *failure)
{
    static const char *const choices[] = {"b64_json", "url", NULL};
    return read_choice(part, choices, &form->wants_url, failure);
}

static enum pf_status take_auto(
    struct edit_form *form, const struct multipart_part *part, struct submission_failure *failure)
{
    static const char *const choices[] = {"auto", NULL};
    int ignored;
    (void)form;
    return read_choice(part, choices, &ignored, failure);
}

static enum pf_status take_model(
    struct edit_form *form, const struct multipart_part *part, struct submission_failure *failure)
{
    const char *id = form->submission.model->id;
    if (strcmp(part->data.data, id) == 0 || strcmp(part->data.data, "promptfix") == 0)
        return PF_OK;
    return submission_fail(failure, PROBLEM_NOT_FOUND, part->name,
        "there is no model '%.100s'; this server runs '%.100s'", part->data.data, id);
}

/* The caller's name for its own user: kept with the job. */
static enum pf_status take_user(
    struct edit_form *form, const struct multipart_part *part, struct submission_failure *failure)
{
    AUTO_BUFFER struct buffer metadata = BUFFER_INIT;
    if (part->data.size > EDIT_USER_MAX)
        return submission_fail(failure, PROBLEM_INVALID, part->name,
            "%s has %zu bytes, at most %d are taken", part->name, part->data.size, EDIT_USER_MAX);
    buffer_put_text(&metadata, "{\"user\":");
    buffer_put_json_string(&metadata, part->data.data, part->data.size);
    buffer_put_text(&metadata, "}");
    if (buffer_status(&metadata, NULL) != PF_OK)
        return submission_fail(failure, PROBLEM_UNAVAILABLE, part->name, "out of memory");
    free(form->submission.metadata);
    form->submission.metadata = buffer_steal(&metadata, NULL);
    form->submission.spec.metadata = form->submission.metadata;
    return PF_OK;
}

/* Fields of OpenAI's API that are not ours under another name. */
static const struct {
    const char *name;
    enum pf_status (*take)(struct edit_form *form, const struct multipart_part *part,
        struct submission_failure *failure);
} own_fields[] = {
    {"n", take_count}, {"partial_images", take_partial_images}, {"stream", take_stream},
    {"response_format", take_response_format}, {"model", take_model}, {"user", take_user},
    {"quality", take_auto}, {"background", take_auto}, {"moderation", take_auto},
    {"size", NULL}, /* needs the image: checked at the end */
};

/* Theirs, and what it is called here. */
static const struct {
    const char *name, *native;
} aliases[] = {
    {"image[]", "image"},
    {"prompt", "instruction"},
    {"output_compression", "output_quality"},
};

/* Native fields that have another name, or no meaning, in this form. */
static const char *const hidden[] = {
    "instruction", "output_quality", "previews", "webhook_url", "metadata", "priority"};

static enum pf_status take_part(
    struct edit_form *form, const struct multipart_part *part, struct submission_failure *failure)
{
    for (size_t i = 0; i < COUNT_OF(own_fields); i++) {
        if (strcmp(part->name, own_fields[i].name) != 0)
            continue;
        if (part->is_file)
            return submission_fail(failure, PROBLEM_INVALID, part->name,
                "%s is sent as a file, expected a text field", part->name);
        return own_fields[i].take ? own_fields[i].take(form, part, failure) : PF_OK;
    }
    for (size_t i = 0; i < COUNT_OF(aliases); i++)
        if (strcmp(part->name, aliases[i].name) == 0)
            return submission_take(&form->submission, part, aliases[i].native, failure);
    for (size_t i = 0; i < COUNT_OF(hidden); i++)
        if (strcmp(part->name, hidden[i]) == 0)
            return submission_fail(failure, PROBLEM_INVALID, part->name,
                "there is no field '%s' in this operation", part->name);
    return submission_take(&form->submission, part, part->name, failure);
}

/* The result always has the input's size. */
static enum pf_status check_size(const struct edit_form *form, const struct multipart_part *part,
    struct submission_failure *failure)
{
    char own[32];
    snprintf(own, sizeof own, "%dx%d", form->submission.image.width, form->submission.image.height);
    if (strcmp(part->data.data, "auto") == 0 || strcmp(part->data.data, own) == 0)
        return PF_OK;
    return submission_fail(failure, PROBLEM_INVALID, part->name,
        "size is '%.40s'; the result has the image's size: auto or %s", part->data.data, own);
}

static enum pf_status check_whole(
    struct edit_form *form, const struct multipart *parts, struct submission_failure *failure)
{
    struct params *params = &form->submission.spec.params;
    char updates[8];
    int images = 0;
    for (size_t i = 0; i < multipart_count(parts); i++)
        images += strcmp(multipart_get(parts, i)->name, "image") == 0 ||
                  strcmp(multipart_get(parts, i)->name, "image[]") == 0;
    if (images > 1)
        return submission_fail(
            failure, PROBLEM_INVALID, "image", "one image at a time, %d are given", images);
    if (form->is_streaming && form->count > 1)
        return submission_fail(failure, PROBLEM_INVALID, "n", "a stream has one image: n is 1");
    if (form->partial_images > 0 && !form->is_streaming)
        return submission_fail(
            failure, PROBLEM_INVALID, "partial_images", "partial_images needs stream=true");
    snprintf(updates, sizeof updates, "%d", (int)form->partial_images);
    struct pf_error err = PF_ERROR_INIT;
    if (params_set_text(params, "previews", updates, &err) != PF_OK)
        return submission_fail(failure, PROBLEM_INVALID, "partial_images", "%s", err.message);
    const struct param_field *region = params_find("guidance_region");
    int is_region_given = (int)(params->set >> (region - params_fields) & 1);
    if (form->submission.spec.mask.bytes && !is_region_given &&
        params_set_text(params, region->name, "mask", &err) != PF_OK)
        return submission_fail(failure, PROBLEM_INVALID, "mask", "%s", err.message);
    return PF_OK;
}

enum pf_status edit_form_read(struct edit_form *ret_form, const struct multipart *form,
    const struct api_options *options, const struct api_model *model,
    struct submission_failure *ret_failure)
{
    *ret_failure = (struct submission_failure){.kind = PROBLEM_INVALID};
    *ret_form = (struct edit_form){.count = 1};
    submission_begin(&ret_form->submission, options, model);
    PF_TRY(submission_check_names(form, ret_failure));
    for (size_t i = 0; i < multipart_count(form); i++)
        PF_TRY(take_part(ret_form, multipart_get(form, i), ret_failure));
    PF_TRY(check_whole(ret_form, form, ret_failure));
    PF_TRY(submission_end(&ret_form->submission, ret_failure));
    for (size_t i = 0; i < multipart_count(form); i++)
        if (strcmp(multipart_get(form, i)->name, "size") == 0)
            PF_TRY(check_size(ret_form, multipart_get(form, i), ret_failure));
    return PF_OK;
}

void edit_form_finish(struct edit_form *form)
{
    submission_finish(&form->submission);
}
