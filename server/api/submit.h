/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_SUBMIT_H
#define SERVER_API_SUBMIT_H

/* What every operation that submits jobs shares. */

#include "server/api/api.h"
#include "server/api/submission.h"
#include "server/http/request.h"

/* Whether jobs can be taken now. 0: answered with 503; or, while the model is still loading,
 * deferred: `again` is then called with the same request a moment later, until give_up_ms
 * (clock_monotonic_ms()). The model's own defaults are part of a job, so none is taken before. */
int submit_is_open(struct http_request *request, struct api *api, int64_t give_up_ms,
    void (*again)(struct http_request *request, struct api *api, int64_t give_up_ms));

/* The Idempotency-Key header; NULL without. 0: answered with 400. */
int submit_read_key(struct http_request *request, const char **ret_key);

/* Answers a form that was refused, and a failure of jobs_submit(). */
void submit_fail_form(struct http_request *request, const struct submission_failure *failure);
void submit_fail(struct http_request *request, struct api *api, const struct pf_error *error);

/* Cancels a job soon, from a thread that must not block. Best effort: without memory the job runs.
 */
void submit_cancel_later(
    struct api *api, struct http_server *http, const char *owner, const char *job);

#endif
