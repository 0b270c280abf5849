/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/jobs/{id}/cancel and DELETE /v1/jobs/{id}. */
#include "server/api/handlers.h"

void handle_cancel_job(struct http_request *request, void *context)
{
    struct api *api = context;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_JOB struct job *job = NULL;
    if (http_check_query(request, (const char *const[]){NULL}, &err) != PF_OK)
        http_fail_error(request, NULL, &err);
    else if (jobs_cancel(api->jobs, http_owner(request), http_path_param(request, "id"), &job,
                 &err) != PF_OK)
        api_fail_jobs(request, api, &err);
    else
        api_respond_job(request, api, 200, job, 0);
}

void handle_delete_job(struct http_request *request, void *context)
{
    struct api *api = context;
    struct pf_error err = PF_ERROR_INIT;
    if (http_check_query(request, (const char *const[]){NULL}, &err) != PF_OK)
        http_fail_error(request, NULL, &err);
    else if (jobs_remove(api->jobs, http_owner(request), http_path_param(request, "id"), &err) !=
             PF_OK)
        api_fail_jobs(request, api, &err);
    else
        http_respond_empty(request, 204);
}
