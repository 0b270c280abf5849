/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_CLIENT_H
#define TOOLS_CLI_CLIENT_H

/* HTTP to a promptfix server: one connection, kept open between requests, with retries. A client
 * belongs to one thread. Links libcurl. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tools/cli/retry.h"

struct client;

enum {
    CLIENT_CONNECT_MS = 10000,
    CLIENT_SILENCE_S = 180,       /* no byte either way; a submission waits that long for a model */
    CLIENT_STREAM_SILENCE_S = 90, /* the server pings event streams more often */
    CLIENT_TEXT_MAX = 16 << 20,   /* an answer in JSON */
    CLIENT_RESULT_MAX = 1 << 30,  /* a result image */
    CLIENT_CODE_SIZE = 48,
};

struct client_options {
    const char *server;   /* "http://host:8080", without a slash at its end */
    const char *key;      /* API key; "": none */
    const char *ca_file;  /* certificates to trust; "": the system's */
    int64_t retry_for_ms; /* a request that goes on failing is given up after so long */
    /* Whether to stop now; asked often. NULL: never. */
    int (*is_stopped)(void *context);
    /* Told before each pause. NULL: not told. */
    void (*pausing)(void *context, const char *why, int64_t pause_ms);
    void *context;
};

/* The options are borrowed. PF_NOMEM. client_library_init() comes first, once. */
PF_MUST_CHECK enum pf_status client_library_init(struct pf_error *err);
PF_MUST_CHECK enum pf_status client_create(
    struct client **ret_client, const struct client_options *options, struct pf_error *err);
void client_destroy(struct client *client);

/* One field of a form. With `file_name` it is sent as a file. Everything is borrowed. */
struct client_field {
    const char *name;
    const void *bytes;
    size_t size;
    const char *file_name;
};

struct client_request {
    const char *method;                /* "GET", "POST", "DELETE" */
    const char *path;                  /* with its query: "/v1/jobs?limit=5" */
    const struct client_field *fields; /* of a form; NULL: no body */
    size_t field_count;
    const char *idempotency_key; /* NULL: none */
    size_t body_max;             /* 0: CLIENT_TEXT_MAX */

    /* An event stream: the body of a 200 goes to `receive` as it comes. */
    enum pf_status (*receive)(void *context, const char *bytes, size_t count, struct pf_error *err);
    void *receive_context;
    const char *last_event_id; /* "": none */
};

struct client_reply {
    int status;
    int is_replayed;        /* Idempotent-Replayed */
    int64_t retry_after_ms; /* 0: not said */
    struct buffer body;
};
#define CLIENT_REPLY_INIT                                                                          \
    {                                                                                              \
        0, 0, 0, BUFFER_INIT                                                                       \
    }
void client_reply_finish(struct client_reply *reply);

/* One try. PF_OK: an answer came, whatever its status. PF_IO: none, or not all of it; PF_CANCELLED:
 * stopped; PF_INVALID: longer than body_max; what `receive` fails with. */
PF_MUST_CHECK enum pf_status client_try(struct client *client, const struct client_request *request,
    struct client_reply *reply, struct pf_error *err);

/* Tries until there is an answer that isn't worth another try, or retry_for_ms is over: then PF_IO
 * (out of reach) or PF_BUSY (full). Retry-After is kept. */
PF_MUST_CHECK enum pf_status client_call(struct client *client,
    const struct client_request *request, struct client_reply *reply, struct pf_error *err);

/* client_call(), and an answer other than 2xx is a failure: PF_NOT_FOUND (404, 410), PF_CONFLICT
 * (409), PF_UNSUPPORTED (415), PF_CORRUPT (422), PF_INTERNAL (5xx), PF_INVALID, with what the
 * server said. */
PF_MUST_CHECK enum pf_status client_call_2xx(struct client *client,
    const struct client_request *request, struct client_reply *reply, struct pf_error *err);

/* Waits, unless stopped: PF_CANCELLED. */
PF_MUST_CHECK enum pf_status client_pause(
    struct client *client, int64_t pause_ms, struct pf_error *err);

/* Of the last failed call: the server's code ("queue_full"), or "unreachable", "interrupted"; and
 * whether every other request would fail as well (out of reach, wrong key, no such service). */
const char *client_failure_code(const struct client *client);
int client_failure_is_general(const struct client *client);

/* From now on is_stopped() isn't asked, and nothing is tried twice: for what is still to be said
 * after an interrupt. */
void client_ignore_stop(struct client *client);

#endif
