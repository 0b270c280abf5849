/* SPDX-License-Identifier: Apache-2.0 */
/* The address is checked where it can't change any more: when libcurl opens the socket, after the
 * name was looked up. A name that is public now and private in a moment gains nothing. */
#include "server/webhooks/delivery.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "base/trace.h"
#include "server/webhooks/address.h"

enum {
    CONNECT_TIMEOUT_S = 5,
    TIMEOUT_S = 15,
    ANSWER_BYTES_MAX = 65536,
    HTTP_GONE = 410,
};

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum pf_status webhook_secret_parse(
    struct webhook_secret *ret_secret, const char *text, struct pf_error *err)
{
    static const char prefix[] = "whsec_";
    struct webhook_secret secret = {.size = 0};
    unsigned bits = 0, bit_count = 0;
    text += strspn(text, " \t\r\n");
    size_t size = strcspn(text, " \t\r\n");
    int is_good = strncmp(text, prefix, sizeof prefix - 1) == 0 &&
                  !text[size + strspn(text + size, " \t\r\n")];
    for (size_t i = sizeof prefix - 1; is_good && i < size && text[i] != '='; i++) {
        int value = base64_value(text[i]);
        is_good = value >= 0 && secret.size < WEBHOOK_SECRET_MAX;
        bits = bits << 6 | (unsigned)(value & 63);
        bit_count += 6;
        if (is_good && bit_count >= 8) {
            bit_count -= 8;
            secret.bytes[secret.size++] = (unsigned char)(bits >> bit_count);
        }
    }
    if (!is_good || secret.size < WEBHOOK_SECRET_MIN)
        return pf_fail(err, PF_INVALID,
            "webhook secret: expected whsec_ and the base64 of %d to %d random bytes",
            WEBHOOK_SECRET_MIN, WEBHOOK_SECRET_MAX);
    *ret_secret = secret;
    return PF_OK;
}

void webhook_sign(const struct webhook_secret *secret, const char *id, int64_t timestamp_s,
    const char *body, size_t body_size, char ret_signature[WEBHOOK_SIGNATURE_SIZE])
{
    unsigned char mac[SHA256_SIZE];
    struct buffer signed_text = BUFFER_INIT, text = BUFFER_INIT;
    buffer_put_format(&signed_text, "%s.%lld.", id, (long long)timestamp_s);
    buffer_put(&signed_text, body, body_size);
    ret_signature[0] = 0;
    if (signed_text.status == PF_OK) {
        sha256_hmac(secret->bytes, secret->size, signed_text.data, signed_text.size, mac);
        buffer_put_text(&text, "v1,");
        buffer_put_base64(&text, mac, sizeof mac);
    }
    if (text.status == PF_OK && text.size > 0 && text.size < WEBHOOK_SIGNATURE_SIZE)
        memcpy(ret_signature, text.data, text.size + 1);
    buffer_finish(&signed_text);
    buffer_finish(&text);
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct delivery *delivery = context;
    if (purpose == CURLSOCKTYPE_IPCXN && !delivery->allow_private &&
        !address_is_public(&address->addr)) {
        delivery->was_private = 1;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t ignore_body(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

static int add_header(struct delivery *delivery, const char *fmt, ...) PF_PRINTF(2, 3);
static int add_header(struct delivery *delivery, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct curl_slist *longer = curl_slist_append(delivery->headers, text);
    if (longer)
        delivery->headers = longer;
    return longer != NULL;
}

static void set_options(struct delivery *delivery, const char *url, const struct buffer *body)
{
    CURL *easy = delivery->easy;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, (long)ANSWER_BYTES_MAX);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "promptfix");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, delivery->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body->data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore_body);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, delivery);
}

enum pf_status delivery_init(struct delivery *ret_delivery, const char *url, const char *id,
    const struct webhook_secret *secret, const struct buffer *body, int allow_private,
    struct pf_error *err)
{
    char signature[WEBHOOK_SIGNATURE_SIZE];
    long long now_s = clock_realtime_ms() / 1000;
    *ret_delivery = (struct delivery){.allow_private = allow_private, .easy = curl_easy_init()};
    webhook_sign(secret, id, now_s, body->data, body->size, signature);
    if (!ret_delivery->easy || !signature[0] ||
        !add_header(ret_delivery, "Content-Type: application/json") ||
        !add_header(ret_delivery, "Expect:") || !add_header(ret_delivery, "webhook-id: %s", id) ||
        !add_header(ret_delivery, "webhook-timestamp: %lld", now_s) ||
        !add_header(ret_delivery, "webhook-signature: %s", signature)) {
        delivery_finish(ret_delivery);
        return pf_fail(err, PF_NOMEM, "webhook: out of memory");
    }
    set_options(ret_delivery, url, body);
    return PF_OK;
}

enum pf_status delivery_add_trace(
    struct delivery *delivery, const char *trace, struct pf_error *err)
{
    char parent[TRACE_PARENT_SIZE];
    if (!*trace)
        return PF_OK;
    PF_TRY(trace_make_parent(trace, parent, err));
    /* Behind the others: libcurl has the list's head already. */
    return add_header(delivery, "traceparent: %s", parent)
               ? PF_OK
               : pf_fail(err, PF_NOMEM, "webhook: out of memory");
}

void delivery_finish(struct delivery *delivery)
{
    curl_easy_cleanup(delivery->easy);
    curl_slist_free_all(delivery->headers);
    *delivery = (struct delivery){.easy = NULL};
}

int delivery_succeeded(struct delivery *delivery, CURLcode code, int *ret_is_final,
    char *ret_reason, size_t reason_size)
{
    long status = 0;
    curl_easy_getinfo(delivery->easy, CURLINFO_RESPONSE_CODE, &status);
    *ret_is_final = 0;
    if (delivery->was_private)
        snprintf(ret_reason, reason_size, "its address is not one of the public network");
    else if (code != CURLE_OK)
        snprintf(ret_reason, reason_size, "%s", curl_easy_strerror(code));
    else
        snprintf(ret_reason, reason_size, "it answered %ld", status);
    *ret_is_final = code == CURLE_OK && status == HTTP_GONE;
    return code == CURLE_OK && status >= 200 && status < 300;
}
