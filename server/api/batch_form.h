/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_BATCH_FORM_H
#define SERVER_API_BATCH_FORM_H

/* The form of POST /v1/batches: any number of parts `image`, the fields of a job for all of them,
 * and a part `manifest` with what is different for each: a JSON array with one object for each
 * image, in their order, whose members are the same fields (metadata as an object), and optionally
 * `file`, which must then be that image's file name. */

#include "base/jdoc.h"
#include "server/api/submission.h"

struct batch_form {
    struct jobs_spec *specs; /* [count] */
    size_t count;
    /* What the specs point into. */
    struct submission *items; /* [count] */
    struct submission shared;
    struct jdoc *manifest;
};

/* On failure the form is finished with batch_form_finish() too. `form` outlives it. */
PF_MUST_CHECK enum pf_status batch_form_read(struct batch_form *ret_form,
    const struct multipart *form, const struct api_options *options, const struct api_model *model,
    struct submission_failure *ret_failure);
void batch_form_finish(struct batch_form *form);

#endif
