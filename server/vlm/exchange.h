/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_VLM_EXCHANGE_H
#define SERVER_VLM_EXCHANGE_H

/* One question sent over HTTP: an easy handle of libcurl in the multi handle of the caller's
 * thread. Redirects are not followed: the picture and the key go where the operator said, or
 * nowhere. */

#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/trace.h"
#include "server/vlm/chat.h"

/* Where questions go; made once. */
struct endpoint {
    char *url;                  /* of chat completions */
    struct curl_slist *headers; /* with the key */
    int64_t timeout_ms;         /* of one attempt, from connecting to the last byte */
};

/* base_url: "http://host/v1", with or without a slash at its end. key: NULL for none. PF_NOMEM. */
PF_MUST_CHECK enum pf_status endpoint_init(struct endpoint *endpoint, const char *base_url,
    const char *key, int64_t timeout_ms, struct pf_error *err);
void endpoint_finish(struct endpoint *endpoint);

struct exchange {
    CURL *easy; /* NULL: none under way */
    struct buffer body, response;
    int is_too_long; /* the response passed CHAT_RESPONSE_BYTES_MAX */
    char trace_line[sizeof "traceparent: " + TRACE_PARENT_SIZE];
    struct curl_slist first_header; /* the trace's, in front of the endpoint's */
};

#define EXCHANGE_INIT                                                                              \
    {                                                                                              \
        .body = BUFFER_INIT, .response = BUFFER_INIT                                               \
    }

/* Gives the request that is started next a traceparent, see base/trace.h; "": none. PF_IO. */
PF_MUST_CHECK enum pf_status exchange_set_trace(
    struct exchange *exchange, const char *trace, struct pf_error *err);

/* Starts it: `body` is taken. `context` comes back as CURLINFO_PRIVATE. PF_NOMEM. */
PF_MUST_CHECK enum pf_status exchange_start(struct exchange *exchange, CURLM *multi,
    const struct endpoint *endpoint, struct buffer *body, void *context, struct pf_error *err);

/* Ends it, finished or not; fine when none is under way. */
void exchange_end(struct exchange *exchange, CURLM *multi);

struct exchange_result {
    enum pf_status status;        /* PF_OK: an answer */
    int is_passing;               /* worth another attempt */
    int64_t retry_after_s;        /* 0: the server didn't say */
    char reason[96];              /* for the job: tells nothing of where the model is */
    char detail[CHAT_ERROR_SIZE]; /* for the log; "" none */
};

/* What came of a finished exchange: the answer is appended to `ret_answer`. */
void exchange_read(const struct exchange *exchange, const struct endpoint *endpoint, CURLcode code,
    struct buffer *ret_answer, struct exchange_result *ret_result);

#endif
