/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_HANDLERS_H
#define SERVER_API_HANDLERS_H

/* The handlers of the route table, and what they share. `context` is the struct api. */

#include "server/api/api.h"
#include "server/http/request.h"

/* jobs_create.c */
void handle_create_job(struct http_request *request, void *context);
/* jobs_read.c */
void handle_get_job(struct http_request *request, void *context);
void handle_list_jobs(struct http_request *request, void *context);
void handle_get_result(struct http_request *request, void *context);
/* jobs_end.c */
void handle_cancel_job(struct http_request *request, void *context);
void handle_delete_job(struct http_request *request, void *context);
/* events.c */
void handle_get_events(struct http_request *request, void *context);
/* models.c */
void handle_list_models(struct http_request *request, void *context);
void handle_get_model(struct http_request *request, void *context);
void handle_get_capabilities(struct http_request *request, void *context);
/* health.c */
void handle_live(struct http_request *request, void *context);
void handle_ready(struct http_request *request, void *context);
/* page.c */
void handle_get_page(struct http_request *request, void *context);
void handle_get_page_file(struct http_request *request, void *context);
/* images_edits.c */
void handle_edit_image(struct http_request *request, void *context);
/* batches.c */
void handle_create_batch(struct http_request *request, void *context);
void handle_get_batch(struct http_request *request, void *context);
void handle_cancel_batch(struct http_request *request, void *context);
void handle_get_batch_events(struct http_request *request, void *context);
/* metrics.c */
void handle_get_metrics(struct http_request *request, void *context);
/* contract.c */
void handle_get_docs(struct http_request *request, void *context);
void handle_get_openapi(struct http_request *request, void *context);

/* Reads ?include=image. 0 after having answered 400. */
int api_read_include(struct http_request *request, int *ret_include_image);

/* Answers with a job; include_image adds the result's bytes once it has succeeded. */
void api_respond_job(struct http_request *request, struct api *api, int status,
    const struct job *job, int include_image);

/* Appends the job object. The image comes from disk: not on the HTTP thread when include_image. */
PF_MUST_CHECK enum pf_status api_put_job(struct buffer *out, struct api *api, const struct job *job,
    int include_image, struct pf_error *err);

/* Appends the result's bytes as base64. Reads from disk. PF_CONFLICT: not succeeded; PF_NOT_FOUND:
 * expired. */
PF_MUST_CHECK enum pf_status api_put_result(
    struct buffer *out, struct api *api, const struct job *job, struct pf_error *err);

/* Answers with the stream of a job's events above after_id; 0: all there are. */
void api_respond_events(struct http_request *request, struct api *api, const char *job,
    int64_t after_id, int include_image);

/* Answers a failure to get what only a job that is there and not expired has: 410 when it is
 * expired, else as api_fail_jobs(). */
void api_fail_result(
    struct http_request *request, struct api *api, const char *job, const struct pf_error *error);

/* Answers a failure of the job service. */
void api_fail_jobs(struct http_request *request, struct api *api, const struct pf_error *error);

#endif
