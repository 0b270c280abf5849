/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_SUBMISSION_H
#define SERVER_API_SUBMISSION_H

/* From a form to a checked job: every field is known, typed and in range, or the one at fault is
 * named. This is the border: nothing behind it checks again. */

#include "server/api/api.h"
#include "server/http/multipart.h"
#include "server/http/problem.h"

struct submission {
    struct jobs_spec spec; /* points into the form and into this */
    char *metadata;        /* owned: compact, on one line */
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

/* Appends the JSON text (valid) without its white space. */
void submission_put_compact_json(struct buffer *out, const char *json, size_t count);

#endif
