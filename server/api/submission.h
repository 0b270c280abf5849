/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_SUBMISSION_H
#define SERVER_API_SUBMISSION_H

/* From a form to a checked job: every field is known, typed and in range, or the one at fault is
 * named. This is the border: nothing behind it checks again. */

#include "pipeline/image/image.h"
#include "server/api/api.h"
#include "server/http/multipart.h"
#include "server/http/problem.h"

struct submission {
    struct jobs_spec spec; /* points into the form and into this */
    char *metadata;        /* owned: compact, on one line */
    struct image_info image, mask;
    const struct api_options *options;
    const struct api_model *model;
};

#define SUBMISSION_INIT                                                                            \
    {                                                                                              \
        .metadata = NULL                                                                           \
    }

struct submission_failure {
    enum problem_kind kind;
    char param[MULTIPART_NAME_MAX + 1]; /* the field at fault; "" when it is none */
    struct pf_error error;
};

/* `form` must outlive the submission. On failure `ret_failure` is filled. */
PF_MUST_CHECK enum pf_status submission_read(struct submission *submission,
    const struct multipart *form, const struct api_options *options, const struct api_model *model,
    struct submission_failure *ret_failure);
void submission_finish(struct submission *submission);

/* The same in steps, for forms whose fields have other names. */
void submission_begin(struct submission *submission, const struct api_options *options,
    const struct api_model *model);
/* Takes a part as the field `name` of POST /v1/jobs; a failure's param is the part's own name. */
PF_MUST_CHECK enum pf_status submission_take(struct submission *submission,
    const struct multipart_part *part, const char *name, struct submission_failure *failure);
/* Sets one text field; `text` must outlive the submission. PF_NOT_FOUND: there is no such field. */
PF_MUST_CHECK enum pf_status submission_set_text(
    struct submission *submission, const char *name, const char *text, struct pf_error *err);
/* Checks what only all fields together tell, and fills in the defaults. */
PF_MUST_CHECK enum pf_status submission_end(
    struct submission *submission, struct submission_failure *failure);

/* PF_INVALID when a name comes twice; it is the failure's param. */
PF_MUST_CHECK enum pf_status submission_check_names(
    const struct multipart *form, struct submission_failure *failure);

/* Records a failure; returns its status. */
enum pf_status submission_fail(struct submission_failure *failure, enum problem_kind kind,
    const char *param, const char *fmt, ...) PF_PRINTF(4, 5);

/* Appends the JSON text (valid) without its white space. */
void submission_put_compact_json(struct buffer *out, const char *json, size_t count);

#endif
