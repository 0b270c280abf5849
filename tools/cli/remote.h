/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_REMOTE_H
#define TOOLS_CLI_REMOTE_H

/* Jobs on a server (openapi.yaml), as far as the command line needs them. Failures are those of
 * client_call_2xx(); PF_CORRUPT also when the answer isn't what the contract says. */

#include "base/id.h"
#include "tools/cli/client.h"

enum remote_status {
    REMOTE_QUEUED,
    REMOTE_RUNNING,
    REMOTE_SUCCEEDED,
    REMOTE_FAILED,
    REMOTE_CANCELLED,
};
extern const char *const remote_status_names[]; /* NULL-terminated */

enum { REMOTE_INSTRUCTION_SIZE = 128, REMOTE_MESSAGE_SIZE = 400, REMOTE_LIST_MAX = 200 };

struct remote_job {
    char id[ID_SIZE];
    enum remote_status status;
    char priority[16], format[8], created_at[32];
    char instruction[REMOTE_INSTRUCTION_SIZE]; /* cut to fit */
    int64_t queue_position;                    /* 0: not in the queue */
    int64_t attempts, step, steps;
    int64_t eta_ms;               /* -1: not known */
    int64_t width, height, bytes; /* of the result; 0: none */
    char error_code[CLIENT_CODE_SIZE], error_message[REMOTE_MESSAGE_SIZE];
};

int remote_has_ended(const struct remote_job *job);

/* From the JSON of a job object. PF_CORRUPT. */
PF_MUST_CHECK enum pf_status remote_parse(
    struct remote_job *ret_job, const char *text, size_t size, struct pf_error *err);

/* What a server takes: GET /v1/capabilities. */
struct remote_limits {
    int64_t body_bytes; /* of a request */
    int has_auxiliary;  /* auxiliary=auto */
};
PF_MUST_CHECK enum pf_status remote_get_limits(
    struct client *client, struct remote_limits *ret_limits, struct pf_error *err);

/* *ret_replayed: the key was seen before, this is that job. */
PF_MUST_CHECK enum pf_status remote_submit(struct client *client, const struct client_field *fields,
    size_t count, const char *idempotency_key, struct remote_job *ret_job, int *ret_replayed,
    struct pf_error *err);

/* The whole job object goes to `ret_text` too, unless that is NULL. */
PF_MUST_CHECK enum pf_status remote_get(struct client *client, const char *id,
    struct remote_job *ret_job, struct buffer *ret_text, struct pf_error *err);

/* Follows a job by its event stream until it has ended, through dropped connections and restarts of
 * the server; `progress` (may be NULL) is told of every change. `job` holds what is known of it and
 * is kept up to date. */
PF_MUST_CHECK enum pf_status remote_follow(struct client *client, struct remote_job *job,
    void (*progress)(void *context, const struct remote_job *job), void *context,
    struct pf_error *err);

/* Appends the result image. */
PF_MUST_CHECK enum pf_status remote_get_result(
    struct client *client, const char *id, struct buffer *ret, struct pf_error *err);

/* A job that has ended stays as it is. */
PF_MUST_CHECK enum pf_status remote_cancel(
    struct client *client, const char *id, struct remote_job *ret_job, struct pf_error *err);

/* Jobs, newest first: one page of up to `limit` (1 … REMOTE_LIST_MAX) into `ret_jobs`.
 *   status   one of remote_status_names; NULL: all
 *   after    the last id of the page before; NULL: the first page */
struct remote_page {
    const char *status, *after;
    size_t limit;
    struct buffer *text; /* gets the page as the server wrote it; NULL: not wanted */
};
PF_MUST_CHECK enum pf_status remote_list(struct client *client, const struct remote_page *page,
    struct remote_job *ret_jobs, size_t *ret_count, int *ret_has_more, struct pf_error *err);

#endif
