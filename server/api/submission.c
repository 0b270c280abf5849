/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/submission.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jdoc.h"
#include "base/utf8.h"
#include "server/webhooks/webhooks.h"

void submission_finish(struct submission *submission)
{
    free(submission->metadata);
    submission->metadata = NULL;
}

/* ---- single fields ---- */

static enum pf_status read_text(
    const char **ret_text, const char *name, const char *text, struct pf_error *err)
{
    size_t characters = 0;
    if (utf8_is_valid(text, strlen(text), &characters) &&
        characters > API_INSTRUCTION_CHARACTERS_MAX)
        return pf_fail(err, PF_INVALID, "%s has %zu characters, at most %d are taken", name,
            characters, API_INSTRUCTION_CHARACTERS_MAX);
    *ret_text = text;
    return PF_OK;
}

static enum pf_status set_instruction(
    struct submission *submission, const char *text, struct pf_error *err)
{
    return read_text(&submission->spec.instruction, "instruction", text, err);
}

static enum pf_status set_auxiliary_prompt(
    struct submission *submission, const char *text, struct pf_error *err)
{
    return read_text(&submission->spec.auxiliary_prompt, "auxiliary_prompt", text, err);
}

static enum pf_status set_auxiliary(
    struct submission *submission, const char *text, struct pf_error *err)
{
    PF_TRY(job_auxiliary_parse(text, &submission->spec.auxiliary, err));
    if (submission->spec.auxiliary != JOB_AUXILIARY_AUTO)
        return PF_OK;
    if (!submission->options->takes_auto)
        return pf_fail(err, PF_INVALID,
            "auxiliary 'auto' needs a vision-language model, and this server has none");
    if (!submission->model->has_auxiliary)
        return pf_fail(err, PF_INVALID,
            "auxiliary 'auto' needs a model that takes an auxiliary prompt; '%.64s' doesn't",
            submission->model->id);
    return PF_OK;
}

static enum pf_status set_priority(
    struct submission *submission, const char *text, struct pf_error *err)
{
    return job_priority_parse(text, &submission->spec.priority, err);
}

static enum pf_status set_webhook(
    struct submission *submission, const char *text, struct pf_error *err)
{
    struct pf_error why = PF_ERROR_INIT;
    if (!submission->options->webhooks)
        return pf_fail(err, PF_INVALID, "webhook_url: webhooks are not enabled on this server");
    if (webhooks_check_url(submission->options->webhooks, text, &why) != PF_OK)
        return pf_fail(err, PF_INVALID, "webhook_url: %.400s", why.message);
    submission->spec.webhook_url = text;
    return PF_OK;
}

void submission_put_compact_json(struct buffer *out, const char *json, size_t count)
{
    int in_string = 0;
    size_t start = 0;
    for (size_t i = 0; i < count; i++) {
        if (in_string && json[i] == '\\') {
            i++;
        } else if (json[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && strchr(" \t\r\n", json[i])) {
            buffer_put(out, json + start, i - start);
            start = i + 1;
        }
    }
    buffer_put(out, json + start, count - start);
}

static enum pf_status set_metadata(
    struct submission *submission, const char *text, struct pf_error *err)
{
    size_t size = strlen(text);
    if (size > API_METADATA_BYTES_MAX)
        return pf_fail(err, PF_INVALID, "metadata has %zu bytes, at most %d are taken", size,
            API_METADATA_BYTES_MAX);
    struct jdoc *doc = NULL;
    struct pf_error why = PF_ERROR_INIT;
    if (jdoc_parse(&doc, text, size, &why) != PF_OK)
        return pf_fail(err, why.status == PF_NOMEM ? PF_NOMEM : PF_INVALID,
            "metadata is not JSON: %.300s", why.message);
    int is_object = jdoc_root(doc)->type == JDOC_OBJECT;
    jdoc_destroy(doc);
    if (!is_object)
        return pf_fail(err, PF_INVALID, "metadata is JSON, but no object");
    AUTO_BUFFER struct buffer compact = BUFFER_INIT;
    submission_put_compact_json(&compact, text, size);
    PF_TRY(buffer_status(&compact, err));
    free(submission->metadata);
    submission->metadata = buffer_steal(&compact, NULL);
    submission->spec.metadata = submission->metadata;
    return PF_OK;
}

static const struct {
    const char *name;
    enum pf_status (*set)(struct submission *submission, const char *text, struct pf_error *err);
} text_fields[] = {
    {"instruction", set_instruction},
    {"auxiliary", set_auxiliary},
    {"auxiliary_prompt", set_auxiliary_prompt},
    {"priority", set_priority},
    {"webhook_url", set_webhook},
    {"metadata", set_metadata},
};

enum pf_status submission_set_text(
    struct submission *submission, const char *name, const char *text, struct pf_error *err)
{
    for (size_t i = 0; i < COUNT_OF(text_fields); i++)
        if (strcmp(name, text_fields[i].name) == 0)
            return text_fields[i].set(submission, text, err);
    return params_set_text(&submission->spec.params, name, text, err);
}

static enum pf_status read_text_part(struct submission *submission,
    const struct multipart_part *part, const char *name, struct pf_error *err)
{
    if (part->is_file)
        return pf_fail(err, PF_INVALID, "%s is sent as a file, expected a text field", part->name);
    return submission_set_text(submission, name, part->data.data, err);
}

/* ---- images ---- */

static enum pf_status read_image_part(const struct submission *submission,
    const struct multipart_part *part, struct jobs_image *ret_image, struct image_info *ret_info,
    struct submission_failure *failure)
{
    struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    limits.max_pixels = submission->options->max_pixels;
    if (!part->is_file)
        return submission_fail(failure, PROBLEM_INVALID, part->name,
            "%s is sent as text, expected a file", part->name);
    if (part->data.size == 0)
        return submission_fail(
            failure, PROBLEM_INVALID, part->name, "%s is an empty file", part->name);
    struct pf_error why = PF_ERROR_INIT;
    enum pf_status status = image_probe(part->data.data, part->data.size, &limits, ret_info, &why);
    if (status != PF_OK)
        return submission_fail(failure,
            status == PF_UNSUPPORTED ? PROBLEM_UNSUPPORTED_MEDIA
            : status == PF_NOMEM     ? PROBLEM_UNAVAILABLE
                                     : PROBLEM_UNPROCESSABLE,
            part->name, "%s: %.400s", part->name, why.message);
    *ret_image = (struct jobs_image){.bytes = part->data.data, .size = part->data.size};
    return PF_OK;
}

/* ---- the whole ---- */

enum pf_status submission_fail(struct submission_failure *failure, enum problem_kind kind,
    const char *param, const char *fmt, ...)
{
    failure->kind = kind;
    snprintf(failure->param, sizeof failure->param, "%s", param);
    failure->error.status = PF_INVALID;
    va_list args;
    va_start(args, fmt);
    vsnprintf(failure->error.message, sizeof failure->error.message, fmt, args);
    va_end(args);
    return PF_INVALID;
}

void submission_begin(
    struct submission *submission, const struct api_options *options, const struct api_model *model)
{
    *submission = (struct submission){.options = options, .model = model};
    submission->spec = (struct jobs_spec){
        .owner = "",
        .priority = JOB_INTERACTIVE,
        .instruction = "",
        .auxiliary = JOB_AUXILIARY_OFF,
        .model = model->id,
    };
    params_init(&submission->spec.params);
}

enum pf_status submission_take(struct submission *submission, const struct multipart_part *part,
    const char *name, struct submission_failure *failure)
{
    struct jobs_spec *spec = &submission->spec;
    if (strcmp(name, "image") == 0)
        return read_image_part(submission, part, &spec->image, &submission->image, failure);
    if (strcmp(name, "mask") == 0)
        return read_image_part(submission, part, &spec->mask, &submission->mask, failure);
    struct pf_error err = PF_ERROR_INIT;
    enum pf_status status = read_text_part(submission, part, name, &err);
    if (status == PF_OK)
        return PF_OK;
    if (status == PF_NOT_FOUND)
        return submission_fail(
            failure, PROBLEM_INVALID, part->name, "there is no field '%s'", part->name);
    return submission_fail(failure, status == PF_NOMEM ? PROBLEM_UNAVAILABLE : PROBLEM_INVALID,
        part->name, "%s", err.message);
}

enum pf_status submission_check_names(
    const struct multipart *form, struct submission_failure *failure)
{
    for (size_t i = 0; i < multipart_count(form); i++)
        for (size_t before = 0; before < i; before++)
            if (strcmp(multipart_get(form, before)->name, multipart_get(form, i)->name) == 0)
                return submission_fail(failure, PROBLEM_INVALID, multipart_get(form, i)->name,
                    "the field '%s' is given twice", multipart_get(form, i)->name);
    return PF_OK;
}

/* What the model can't do is said now, not after the job has waited. */
static enum pf_status check_model(
    const struct submission *submission, struct submission_failure *failure)
{
    const struct jobs_spec *spec = &submission->spec;
    const struct api_model *model = submission->model;
    const struct param_field *guidance = params_find("guidance");
    int is_given = (int)(spec->params.set >> (guidance - params_fields) & 1);
    if (spec->auxiliary_prompt && *spec->auxiliary_prompt && !model->has_auxiliary)
        return submission_fail(failure, PROBLEM_INVALID, "auxiliary_prompt",
            "auxiliary_prompt: the model '%.64s' takes none", model->id);
    if (is_given && spec->params.guidance == GUIDANCE_DECODER && !model->has_lora_skips)
        return submission_fail(failure, PROBLEM_INVALID, guidance->name,
            "guidance 'decoder' needs a decoder with LoRA; the model '%.64s' has none", model->id);
    return PF_OK;
}

/* Sizes that fit neither the model nor the format of the result. */
static enum pf_status check_sizes(
    const struct submission *submission, struct submission_failure *failure)
{
    const struct params *params = &submission->spec.params;
    const struct image_info *image = &submission->image;
    int side_max = image_side_max((enum image_format)params->output_format);
    struct pf_error why = PF_ERROR_INIT;
    struct image_fit fit;
    if (image->width > side_max || image->height > side_max)
        return submission_fail(failure, PROBLEM_INVALID, "output_format",
            "output_format %s holds at most %d pixels a side, the image has %dx%d",
            params_choice_name(params, params_find("output_format")), side_max, image->width,
            image->height);
    if (submission->model->multiple > 0 &&
        image_fit_plan(image->width, image->height, (int)params->resolution,
            submission->model->multiple, IMAGE_MODEL_SIDE_MAX, &fit, &why) != PF_OK)
        return submission_fail(failure, PROBLEM_UNPROCESSABLE, "image", "%s", why.message);
    return PF_OK;
}

enum pf_status submission_end(struct submission *submission, struct submission_failure *failure)
{
    struct jobs_spec *spec = &submission->spec;
    const struct image_info *image = &submission->image, *mask = &submission->mask;
    if (!spec->image.bytes)
        return submission_fail(
            failure, PROBLEM_INVALID, "image", "image is missing: the file to fix");
    int is_blind = spec->auxiliary == JOB_AUXILIARY_AUTO ||
                   (spec->auxiliary_prompt && *spec->auxiliary_prompt);
    if (!*spec->instruction && !is_blind)
        return submission_fail(failure, PROBLEM_INVALID, "instruction",
            "instruction is missing: say what to do, or give an auxiliary_prompt or auxiliary "
            "'auto'");
    if (spec->params.guidance_region == GUIDANCE_REGION_MASK && !spec->mask.bytes)
        return submission_fail(
            failure, PROBLEM_INVALID, "mask", "guidance_region 'mask' needs a mask");
    if (spec->mask.bytes && (image->width != mask->width || image->height != mask->height))
        return submission_fail(failure, PROBLEM_INVALID, "mask",
            "mask has %dx%d pixels, the image %dx%d: they must be equal", mask->width, mask->height,
            image->width, image->height);
    params_apply_defaults(&spec->params, &submission->model->defaults);
    if (spec->params.previews_decoded > spec->params.previews)
        return submission_fail(failure, PROBLEM_INVALID, "previews_decoded",
            "previews_decoded is %lld, at most the number of previews (%lld)",
            (long long)spec->params.previews_decoded, (long long)spec->params.previews);
    PF_TRY(check_model(submission, failure));
    return check_sizes(submission, failure);
}

enum pf_status submission_read(struct submission *submission, const struct multipart *form,
    const struct api_options *options, const struct api_model *model,
    struct submission_failure *ret_failure)
{
    *ret_failure = (struct submission_failure){.kind = PROBLEM_INVALID};
    submission_begin(submission, options, model);
    PF_TRY(submission_check_names(form, ret_failure));
    for (size_t i = 0; i < multipart_count(form); i++) {
        const struct multipart_part *part = multipart_get(form, i);
        PF_TRY(submission_take(submission, part, part->name, ret_failure));
    }
    return submission_end(submission, ret_failure);
}
