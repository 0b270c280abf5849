/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_WEBHOOKS_DELIVERY_H
#define SERVER_WEBHOOKS_DELIVERY_H

/* One call of a webhook, as Standard Webhooks (standardwebhooks.com) has it:
 *
 *     webhook-id         msg_<job>: the same for every attempt
 *     webhook-timestamp  seconds since 1970
 *     webhook-signature  v1,<base64 of HMAC-SHA256 of "id.timestamp.body">
 *
 * No redirects, no proxy, no private address unless allowed, nothing of the answer but its status.
 */

#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    WEBHOOK_SECRET_MIN = 24, /* bytes, decoded */
    WEBHOOK_SECRET_MAX = 64,
    WEBHOOK_SIGNATURE_SIZE = 64, /* "v1," and 44 characters, with room */
};

struct webhook_secret {
    unsigned char bytes[WEBHOOK_SECRET_MAX];
    size_t size;
};

/* Reads "whsec_<base64>", as the libraries of Standard Webhooks take it; white space around it is
 * ignored. PF_INVALID. */
PF_MUST_CHECK enum pf_status webhook_secret_parse(
    struct webhook_secret *ret_secret, const char *text, struct pf_error *err);

void webhook_sign(const struct webhook_secret *secret, const char *id, int64_t timestamp_s,
    const char *body, size_t body_size, char ret_signature[WEBHOOK_SIGNATURE_SIZE]);

struct delivery {
    CURL *easy;
    struct curl_slist *headers;
    int allow_private;
    int was_private; /* refused for its address */
};

/* Prepares a call; the body is borrowed until delivery_finish(). PF_NOMEM. */
PF_MUST_CHECK enum pf_status delivery_init(struct delivery *ret_delivery, const char *url,
    const char *id, const struct webhook_secret *secret, const struct buffer *body,
    int allow_private, struct pf_error *err);
/* Adds the header traceparent of a call for `trace`, see base/trace.h; "": none. Before the call
 * begins. PF_NOMEM, PF_IO. */
PF_MUST_CHECK enum pf_status delivery_add_trace(
    struct delivery *delivery, const char *trace, struct pf_error *err);
void delivery_finish(struct delivery *delivery);

/* After it is done: 1 when it was taken (2xx). Else *ret_is_final tells that another try is useless
 * (410 Gone), and ret_reason says what happened. */
int delivery_succeeded(struct delivery *delivery, CURLcode code, int *ret_is_final,
    char *ret_reason, size_t reason_size);

#endif
