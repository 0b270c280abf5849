/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_EDITS_H
#define SERVER_API_EDITS_H

/* What the two answers of POST /v1/images/edits share. */

#include "server/api/api.h"
#include "server/http/request.h"

/* The jobs of one edit that its caller still waits for: cancelled when it leaves, since nobody else
 * knows their ids, unless an Idempotency-Key lets it come back for them. */
struct edit_jobs {
    struct api *api;
    struct http_server *http;
    char owner[JOB_OWNER_SIZE];
    int64_t count;
    char (*ids)[ID_SIZE]; /* owned */
    int may_come_back;
};

void edit_jobs_finish(struct edit_jobs *jobs, int is_over);

/* OpenAI's kind of error for a job that failed or was cancelled: an HTTP problem and its text. */
enum problem_kind edit_problem_of_job(const struct job *job, const char **ret_message);

/* Answers when all have ended; takes `jobs`, also on failure. */
void edit_respond_whole(struct http_request *request, struct edit_jobs *jobs, int wants_url);

/* Answers with the stream of one job; takes `jobs`, also on failure. */
void edit_respond_stream(struct http_request *request, struct edit_jobs *jobs);

#endif
