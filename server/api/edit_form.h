/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_EDIT_FORM_H
#define SERVER_API_EDIT_FORM_H

/* The form of POST /v1/images/edits: OpenAI's fields in terms of ours. Ours ride along under their
 * own names. What OpenAI has and we don't is taken where it asks for nothing ("auto") and refused
 * else. */

#include "server/api/submission.h"

enum {
    EDIT_COUNT_MAX = 10,
    EDIT_PARTIAL_IMAGES_MAX = 3,
    EDIT_USER_MAX = 512,
};

struct edit_form {
    struct submission submission;
    int64_t count;          /* n */
    int64_t partial_images; /* while streaming */
    int is_streaming;
    int wants_url; /* response_format=url */
};

PF_MUST_CHECK enum pf_status edit_form_read(struct edit_form *ret_form,
    const struct multipart *form, const struct api_options *options, const struct api_model *model,
    struct submission_failure *ret_failure);
void edit_form_finish(struct edit_form *form);

#endif
