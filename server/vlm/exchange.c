/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vlm/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/vlm/retry.h"

enum { CONNECT_TIMEOUT_MS = 10000 };

enum pf_status endpoint_init(struct endpoint *endpoint, const char *base_url, const char *key,
    int64_t timeout_ms, struct pf_error *err)
{
    struct buffer url = BUFFER_INIT, authorization = BUFFER_INIT;
    size_t size = strlen(base_url);
    while (size > 0 && base_url[size - 1] == '/')
        size--;
    buffer_put(&url, base_url, size);
    buffer_put_text(&url, "/chat/completions");
    buffer_put_format(&authorization, "Authorization: Bearer %s", key ? key : "");
    /* "Expect:" takes out the header with which libcurl would wait before a large body. */
    const char *lines[] = {"Content-Type: application/json", "Accept: application/json",
        "Expect:", key ? authorization.data : NULL};
    *endpoint = (struct endpoint){.timeout_ms = timeout_ms};
    int failed = authorization.status != PF_OK;
    for (size_t i = 0; i < sizeof lines / sizeof *lines && lines[i] && !failed; i++) {
        struct curl_slist *longer = curl_slist_append(endpoint->headers, lines[i]);
        failed = !longer;
        if (longer)
            endpoint->headers = longer;
    }
    endpoint->url = buffer_steal(&url, NULL);
    buffer_finish(&authorization);
    if (!failed && endpoint->url)
        return PF_OK;
    endpoint_finish(endpoint);
    return pf_fail(err, PF_NOMEM, "no memory for the address of the vision-language model");
}

void endpoint_finish(struct endpoint *endpoint)
{
    free(endpoint->url);
    curl_slist_free_all(endpoint->headers);
    *endpoint = (struct endpoint){NULL, NULL, 0};
}

static size_t receive(char *bytes, size_t one, size_t count, void *context)
{
    struct exchange *exchange = context;
    buffer_put(&exchange->response, bytes, one * count);
    exchange->is_too_long = exchange->response.status == PF_INVALID;
    return exchange->response.status == PF_OK ? one * count : 0;
}

static CURLcode set_options(
    CURL *easy, struct exchange *exchange, const struct endpoint *endpoint, void *context)
{
    long timeout_ms = (long)endpoint->timeout_ms;
    struct curl_slist *headers = endpoint->headers;
    if (exchange->trace_line[0]) {
        exchange->first_header = (struct curl_slist){exchange->trace_line, headers};
        headers = &exchange->first_header;
    }
    CURLcode codes[] = {
        curl_easy_setopt(easy, CURLOPT_URL, endpoint->url),
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"),
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers),
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body.size),
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body.data),
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms),
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
            timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : (long)CONNECT_TIMEOUT_MS),
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L),
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive),
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange),
        curl_easy_setopt(easy, CURLOPT_PRIVATE, context),
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] != CURLE_OK)
            return codes[i];
    return CURLE_OK;
}

enum pf_status exchange_set_trace(
    struct exchange *exchange, const char *trace, struct pf_error *err)
{
    char parent[TRACE_PARENT_SIZE];
    exchange->trace_line[0] = '\0';
    if (!*trace)
        return PF_OK;
    PF_TRY(trace_make_parent(trace, parent, err));
    snprintf(exchange->trace_line, sizeof exchange->trace_line, "traceparent: %s", parent);
    return PF_OK;
}

enum pf_status exchange_start(struct exchange *exchange, CURLM *multi,
    const struct endpoint *endpoint, struct buffer *body, void *context, struct pf_error *err)
{
    exchange_end(exchange, multi);
    exchange->body = *body;
    *body = (struct buffer)BUFFER_INIT;
    exchange->response = (struct buffer)BUFFER_INIT_MAX(CHAT_RESPONSE_BYTES_MAX);
    exchange->is_too_long = 0;
    PF_TRY(buffer_status(&exchange->body, err));
    CURL *easy = curl_easy_init();
    if (!easy || set_options(easy, exchange, endpoint, context) != CURLE_OK ||
        curl_multi_add_handle(multi, easy) != CURLM_OK) {
        curl_easy_cleanup(easy);
        return pf_fail(err, PF_NOMEM, "no memory for a request to the vision-language model");
    }
    exchange->easy = easy;
    return PF_OK;
}

void exchange_end(struct exchange *exchange, CURLM *multi)
{
    if (exchange->easy) {
        curl_multi_remove_handle(multi, exchange->easy);
        curl_easy_cleanup(exchange->easy);
        exchange->easy = NULL;
    }
    buffer_finish(&exchange->body);
    buffer_finish(&exchange->response);
}

/* ---- results ---- */

/* The transfer itself failed. */
static void read_transport(const struct exchange *exchange, const struct endpoint *endpoint,
    CURLcode code, struct exchange_result *result)
{
    result->status = PF_IO;
    result->is_passing = !exchange->is_too_long;
    if (exchange->is_too_long)
        snprintf(result->reason, sizeof result->reason, "its answer is longer than %d bytes",
            CHAT_RESPONSE_BYTES_MAX);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(result->reason, sizeof result->reason, "no answer within %lld ms",
            (long long)endpoint->timeout_ms);
    else
        snprintf(result->reason, sizeof result->reason, "%s", curl_easy_strerror(code));
}

static void read_refusal(
    const struct exchange *exchange, long http_status, struct exchange_result *result)
{
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    result->status = PF_IO;
    result->retry_after_s = retry_after_s;
    result->is_passing = retry_is_status_passing(http_status) && retry_after_s <= RETRY_AFTER_MAX_S;
    if (retry_after_s > RETRY_AFTER_MAX_S)
        snprintf(result->reason, sizeof result->reason,
            "HTTP status %ld, and to come back in %lld s", http_status, (long long)retry_after_s);
    else
        snprintf(result->reason, sizeof result->reason, "HTTP status %ld", http_status);
    if (exchange->response.size > 0)
        chat_read_error(result->detail, exchange->response.data, exchange->response.size);
}

void exchange_read(const struct exchange *exchange, const struct endpoint *endpoint, CURLcode code,
    struct buffer *ret_answer, struct exchange_result *ret_result)
{
    long http_status = 0;
    struct pf_error err = PF_ERROR_INIT;
    *ret_result = (struct exchange_result){.status = PF_OK};
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &http_status);
    if (code != CURLE_OK) {
        read_transport(exchange, endpoint, code, ret_result);
    } else if (http_status != 200) {
        read_refusal(exchange, http_status, ret_result);
    } else {
        const char *bytes = exchange->response.data ? exchange->response.data : "";
        ret_result->status = chat_read_answer(ret_answer, bytes, exchange->response.size, &err);
        ret_result->is_passing = ret_result->status != PF_OK;
        snprintf(ret_result->reason, sizeof ret_result->reason, "%.90s", err.message);
    }
}
