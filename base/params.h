/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PARAMS_H
#define BASE_PARAMS_H

/* The parameters of one job, in one table: HTTP form fields, command-line flags, worker frames,
 * --help and GET /v1/capabilities all read it, so a name, range or default is stated once. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum sampler_kind { SAMPLER_EULER_ANCESTRAL, SAMPLER_EULER, SAMPLER_DDIM, SAMPLER_DPMPP_2M };
enum guidance_mode { GUIDANCE_OFF, GUIDANCE_DECODER, GUIDANCE_LATENT };
enum guidance_region { GUIDANCE_REGION_NONE, GUIDANCE_REGION_MASK, GUIDANCE_REGION_AUTO };
enum image_format { IMAGE_FORMAT_PNG, IMAGE_FORMAT_JPEG, IMAGE_FORMAT_WEBP };

struct params {
    int64_t steps;            /* sampling steps */
    int64_t seed;             /* of the noise; 0 … 2^53-1, so that JSON keeps it exact */
    double text_scale;        /* s_T */
    double image_scale;       /* s_I */
    int64_t sampler;          /* enum sampler_kind */
    int64_t guidance;         /* enum guidance_mode: high-frequency guidance */
    int64_t guidance_region;  /* enum guidance_region */
    double guidance_rate;     /* learning rate: of the decoder's LoRA, or of the latent */
    int64_t guidance_updates; /* gradient updates per sampling step (k) */
    int64_t resolution;       /* pixels of the shorter side inside the model */
    int64_t output_format;    /* enum image_format */
    int64_t output_quality;   /* 1 … 100, jpeg and webp */
    int64_t previews;         /* preview events, spread over the steps */
    int64_t previews_decoded; /* so many of the last ones by the decoder; at most `previews` */
    uint64_t set;             /* bit i: params_fields[i] was given by the caller, not a default */
};

enum param_type { PARAM_INTEGER, PARAM_NUMBER, PARAM_CHOICE };

struct param_field {
    const char *name; /* as in the HTTP API; flags write '-' for '_' */
    enum param_type type;
    size_t offset; /* of the member in struct params */
    double min, max;
    double default_value;       /* PARAM_CHOICE: index into choices */
    const char *const *choices; /* PARAM_CHOICE: names, NULL-terminated; else NULL */
    const char *doc;            /* one sentence, for help and documentation */
};

/* Bytes of a caller's name or value that an error message repeats. */
enum { PARAMS_VALUE_SHOWN = 80 };

extern const struct param_field params_fields[];
extern const size_t params_field_count;

/* All defaults, nothing marked as set. guidance_rate's default 0 means "the mode's own default"
 * (documented in docs/guidance.md). */
void params_init(struct params *params);

/* The field of that name, or NULL. */
const struct param_field *params_find(const char *name);

/* Sets one field from text, strictly: the whole text must be the value, in range, decimal, without
 * spaces or a plus sign. PF_INVALID names the field, the value and what was expected ("steps: '0'
 * is not an integer from 1 to 1000"); PF_NOT_FOUND when there is no such field. */
PF_MUST_CHECK enum pf_status params_set_text(
    struct params *params, const char *name, const char *value, struct pf_error *err);

/* The same from a number (a JSON value, checkpoint metadata); an integer field refuses a fraction,
 * a choice takes its index. */
PF_MUST_CHECK enum pf_status params_set_number(
    struct params *params, const char *name, double value, struct pf_error *err);

/* A field's value: the number, or a choice's index; and a choice's name. */
double params_get(const struct params *params, const struct param_field *field);
const char *params_choice_name(const struct params *params, const struct param_field *field);

/* Copies into `params` every field that is set in `from` and not in `params` (a model's recommended
 * defaults under a caller's values), without marking it as set. */
void params_apply_defaults(struct params *params, const struct params *from);

struct buffer;

/* Writes all fields as one JSON object: {"steps":20,…,"sampler":"euler_ancestral",…}. */
void params_put_json(struct buffer *out, const struct params *params);

/* Sets every member of a JSON object (text of `count` bytes, by jdoc), all or none: unknown members
 * and wrong types are PF_INVALID and named (a choice wants its name, the others a number);
 * PF_CORRUPT when it isn't JSON. */
PF_MUST_CHECK enum pf_status params_set_json(
    struct params *params, const char *text, size_t count, struct pf_error *err);

#endif
