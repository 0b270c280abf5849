/* SPDX-License-Identifier: Apache-2.0 */
#include "base/params.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/jdoc.h"

/* Order of the enums in params.h. */
static const char *const sampler_choices[] = {"euler_ancestral", "euler", "ddim", "dpmpp_2m", NULL};
static const char *const guidance_choices[] = {"off", "decoder", "latent", NULL};
static const char *const region_choices[] = {"none", "mask", "auto", NULL};
static const char *const format_choices[] = {"png", "jpeg", "webp", NULL};

#define SEED_MAX 9007199254740991.0 /* 2^53-1 */

#define INTEGER(member, least, most, value, text)                                                  \
    {                                                                                              \
        .name = #member, .type = PARAM_INTEGER, .offset = offsetof(struct params, member),         \
        .min = (least), .max = (most), .default_value = (value), .doc = (text)                     \
    }
#define NUMBER(member, least, most, value, text)                                                   \
    {                                                                                              \
        .name = #member, .type = PARAM_NUMBER, .offset = offsetof(struct params, member),          \
        .min = (least), .max = (most), .default_value = (value), .doc = (text)                     \
    }
#define CHOICE(member, names, value, text)                                                         \
    {                                                                                              \
        .name = #member, .type = PARAM_CHOICE, .offset = offsetof(struct params, member),          \
        .max = (double)COUNT_OF(names) - 2, .default_value = (value), .choices = (names),          \
        .doc = (text)                                                                              \
    }

const struct param_field params_fields[] = {
    INTEGER(steps, 1, 1000, 20,
        "Sampling steps: more take longer and refine more; removing objects profits from 50."),
    INTEGER(seed, 0, SEED_MAX, 2024,
        "Seed of the noise: the same seed, input and settings give the same image on the same "
        "device."),
    NUMBER(text_scale, 0, 50, 6.5,
        "How strongly the instruction guides the result; higher follows it more literally."),
    NUMBER(image_scale, 0, 50, 1.25,
        "How strongly the input image guides the result; higher stays closer to it."),
    CHOICE(sampler, sampler_choices, SAMPLER_EULER_ANCESTRAL,
        "Sampling method; euler_ancestral draws new noise at every step, the others only at the "
        "start."),
    CHOICE(guidance, guidance_choices, GUIDANCE_DECODER,
        "High-frequency guidance, which keeps fine detail of the input: decoder adapts the "
        "decoder's LoRA at every step, latent moves the latent itself, off does neither."),
    CHOICE(guidance_region, region_choices, GUIDANCE_REGION_NONE,
        "Pixels left out of high-frequency guidance: none, those a mask image marks white, or "
        "those the model is about to change (auto)."),
    NUMBER(guidance_rate, 0, 1000, 0,
        "Learning rate of high-frequency guidance; 0 takes the mode's own default."),
    INTEGER(guidance_updates, 1, 50, 1,
        "Gradient updates of high-frequency guidance per sampling step."),
    INTEGER(resolution, 64, 4096, 640,
        "Length in pixels of the image's shorter side inside the model; the result has the "
        "input's size."),
    CHOICE(output_format, format_choices, IMAGE_FORMAT_PNG, "File format of the result."),
    INTEGER(output_quality, 1, 100, 90, "Quality of a jpeg or webp result; png is lossless."),
    INTEGER(previews, 0, 10, 0,
        "Preview images sent while sampling, spread evenly over the steps; 0 sends none."),
    INTEGER(previews_decoded, 0, 10, 0,
        "How many of the last previews are decoded like the result, which takes its time each, "
        "instead "
        "of being estimated; at most as many as there are previews."),
};
const size_t params_field_count = COUNT_OF(params_fields);

static_assert(COUNT_OF(params_fields) <= 64, "a field without a bit in params.set");

static void store(struct params *params, const struct param_field *field, double value)
{
    char *member = (char *)params + field->offset;
    if (field->type == PARAM_NUMBER) {
        memcpy(member, &value, sizeof value);
        return;
    }
    int64_t integer = (int64_t)value; /* at most 2^53-1: exact */
    memcpy(member, &integer, sizeof integer);
}

static uint64_t field_bit(const struct param_field *field)
{
    return UINT64_C(1) << (field - params_fields);
}

static void set(struct params *params, const struct param_field *field, double value)
{
    store(params, field, value);
    params->set |= field_bit(field);
}

void params_init(struct params *params)
{
    *params = (struct params){0};
    for (size_t i = 0; i < params_field_count; i++)
        store(params, &params_fields[i], params_fields[i].default_value);
}

const struct param_field *params_find(const char *name)
{
    for (size_t i = 0; i < params_field_count; i++)
        if (strcmp(params_fields[i].name, name) == 0)
            return &params_fields[i];
    return NULL;
}

double params_get(const struct params *params, const struct param_field *field)
{
    const char *member = (const char *)params + field->offset;
    if (field->type == PARAM_NUMBER) {
        double number;
        memcpy(&number, member, sizeof number);
        return number;
    }
    int64_t integer;
    memcpy(&integer, member, sizeof integer);
    return (double)integer;
}

const char *params_choice_name(const struct params *params, const struct param_field *field)
{
    assert(field->type == PARAM_CHOICE);
    return field->choices[(size_t)params_get(params, field)];
}

/* `quote` is "'" around text that came as text, "" around a JSON value. */
static enum pf_status fail_value(
    const struct param_field *field, const char *value, const char *quote, struct pf_error *err)
{
    AUTO_BUFFER struct buffer expected = BUFFER_INIT;
    if (field->type == PARAM_CHOICE) {
        buffer_put_text(&expected, "one of ");
        for (size_t i = 0; field->choices[i]; i++)
            buffer_put_format(&expected, "%s%s", i > 0 ? ", " : "", field->choices[i]);
    } else {
        buffer_put_text(&expected, field->type == PARAM_INTEGER ? "an integer" : "a number");
        buffer_put_format(&expected, " from %.17g to %.17g", field->min, field->max);
    }
    PF_TRY(buffer_status(&expected, err));
    return pf_fail(err, PF_INVALID, "%s: %s%.*s%s is not %s", field->name, quote,
        PARAMS_VALUE_SHOWN, value, quote, expected.data);
}

static enum pf_status fail_number(
    const struct param_field *field, double value, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    if (isfinite(value))
        buffer_put_json_number(&text, value);
    else
        buffer_put_format(&text, "%f", value);
    PF_TRY(buffer_status(&text, err));
    return fail_value(field, text.data, "'", err);
}

/* -?digits for integers; for numbers also a fraction and an exponent, with a digit before or behind
 * the point. strtod() alone would take hexadecimals, infinities, a plus sign and leading space. */
static int is_numeral(const char *text, int with_fraction)
{
    static const char decimal[] = "0123456789";
    text += *text == '-';
    size_t digits = strspn(text, decimal);
    text += digits;
    if (with_fraction && *text == '.') {
        size_t fraction = strspn(text + 1, decimal);
        text += 1 + fraction;
        digits += fraction;
    }
    if (digits == 0)
        return 0;
    if (with_fraction && (*text == 'e' || *text == 'E')) {
        text++;
        text += *text == '-' || *text == '+';
        size_t exponent = strspn(text, decimal);
        if (exponent == 0)
            return 0;
        text += exponent;
    }
    return *text == '\0';
}

static int is_in_range(const struct param_field *field, double value)
{
    return value >= field->min && value <= field->max; /* false for NaN */
}

/* An integer beyond 2^53 rounds to a double that is out of range, too. */
static int parse_number(const struct param_field *field, const char *text, double *ret_value)
{
    if (!is_numeral(text, field->type == PARAM_NUMBER))
        return 0;
    double value = strtod(text, NULL);
    if (!is_in_range(field, value))
        return 0;
    *ret_value = value == 0 ? 0 : value; /* -0 */
    return 1;
}

static int parse_choice(const struct param_field *field, const char *text, double *ret_value)
{
    for (size_t i = 0; field->choices[i]; i++) {
        if (strcmp(field->choices[i], text) == 0) {
            *ret_value = (double)i;
            return 1;
        }
    }
    return 0;
}

static enum pf_status fail_unknown(enum pf_status status, const char *name, struct pf_error *err)
{
    return pf_fail(err, status, "%.*s: no such parameter", PARAMS_VALUE_SHOWN, name);
}

enum pf_status params_set_text(
    struct params *params, const char *name, const char *value, struct pf_error *err)
{
    const struct param_field *field = params_find(name);
    if (!field)
        return fail_unknown(PF_NOT_FOUND, name, err);
    double parsed = 0;
    int ok = field->type == PARAM_CHOICE ? parse_choice(field, value, &parsed)
                                         : parse_number(field, value, &parsed);
    if (!ok)
        return fail_value(field, value, "'", err);
    set(params, field, parsed);
    return PF_OK;
}

enum pf_status params_set_number(
    struct params *params, const char *name, double value, struct pf_error *err)
{
    const struct param_field *field = params_find(name);
    if (!field)
        return fail_unknown(PF_NOT_FOUND, name, err);
    int ok = is_in_range(field, value) && (field->type == PARAM_NUMBER || value == floor(value));
    if (!ok)
        return fail_number(field, value, err);
    set(params, field, value == 0 ? 0 : value);
    return PF_OK;
}

void params_apply_defaults(struct params *params, const struct params *from)
{
    for (size_t i = 0; i < params_field_count; i++) {
        const struct param_field *field = &params_fields[i];
        if (from->set & ~params->set & field_bit(field))
            store(params, field, params_get(from, field));
    }
}

void params_put_json(struct buffer *out, const struct params *params)
{
    for (size_t i = 0; i < params_field_count; i++) {
        const struct param_field *field = &params_fields[i];
        double value = params_get(params, field);
        buffer_put_format(out, "%s\"%s\":", i > 0 ? "," : "{", field->name);
        if (field->type == PARAM_CHOICE)
            buffer_put_format(out, "\"%s\"", params_choice_name(params, field));
        else if (field->type == PARAM_INTEGER)
            buffer_put_format(out, "%" PRId64, (int64_t)value);
        else
            buffer_put_json_number(out, value);
    }
    buffer_put_text(out, "}");
}

static enum pf_status set_member(
    struct params *params, const struct jdoc_value *member, struct pf_error *err)
{
    static const char *const type_names[] = {
        [JDOC_NULL] = "null",
        [JDOC_FALSE] = "false",
        [JDOC_TRUE] = "true",
        [JDOC_ARRAY] = "an array",
        [JDOC_OBJECT] = "an object",
    };
    const struct param_field *field = params_find(member->key);
    if (!field || strlen(member->key) != member->key_size)
        return fail_unknown(PF_INVALID, member->key, err);
    int wants_string = field->type == PARAM_CHOICE;
    if (member->type == JDOC_STRING) {
        if (!wants_string || strlen(member->string) != member->size)
            return fail_value(field, member->string, "\"", err);
        return params_set_text(params, field->name, member->string, err);
    }
    if (member->type == JDOC_NUMBER && !wants_string)
        return params_set_number(params, field->name, member->number, err);
    if (member->type == JDOC_NUMBER)
        return fail_number(field, member->number, err);
    return fail_value(field, type_names[member->type], "", err);
}

enum pf_status params_set_json(
    struct params *params, const char *text, size_t count, struct pf_error *err)
{
    struct jdoc *doc;
    PF_TRY(jdoc_parse(&doc, text, count, err));
    struct params result = *params;
    enum pf_status status = PF_OK;
    const struct jdoc_value *root = jdoc_root(doc);
    if (root->type != JDOC_OBJECT)
        status = pf_fail(err, PF_INVALID, "parameters: not a JSON object");
    else
        for (const struct jdoc_value *member = root->first; member && status == PF_OK;
             member = member->next)
            status = set_member(&result, member, err);
    jdoc_destroy(doc);
    if (status == PF_OK)
        *params = result;
    return status;
}
