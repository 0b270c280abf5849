/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/jdoc.h"
#include "config/config.h"

enum { PAUSE_SLICE_MS = 50, AFTER_STOP_MS = 5000 };

struct client {
    const struct client_options *options;
    CURL *curl;
    char agent[32]; /* User-Agent */
    char code[CLIENT_CODE_SIZE];
    int is_general;
    int ignores_stop;
};

enum pf_status client_library_init(struct pf_error *err)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    return code == CURLE_OK ? PF_OK : pf_fail(err, PF_INTERNAL, "%s", curl_easy_strerror(code));
}

enum pf_status client_create(
    struct client **ret_client, const struct client_options *options, struct pf_error *err)
{
    struct client *client = calloc(1, sizeof *client);
    CURL *curl = curl_easy_init();
    if (!client || !curl) {
        free(client);
        curl_easy_cleanup(curl);
        return pf_fail(err, PF_NOMEM, "no memory for a connection");
    }
    client->options = options;
    client->curl = curl;
    snprintf(client->agent, sizeof client->agent, "promptfix/%s", config_version);
    *ret_client = client;
    return PF_OK;
}

void client_destroy(struct client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    free(client);
}

void client_reply_finish(struct client_reply *reply)
{
    buffer_finish(&reply->body);
}

const char *client_failure_code(const struct client *client)
{
    return client->code;
}

int client_failure_is_general(const struct client *client)
{
    return client->is_general;
}

void client_ignore_stop(struct client *client)
{
    client->ignores_stop = 1;
}

static int is_stopped(const struct client *client)
{
    const struct client_options *options = client->options;
    return !client->ignores_stop && options->is_stopped && options->is_stopped(options->context);
}

static void note_failure(struct client *client, const char *code, int is_general)
{
    snprintf(client->code, sizeof client->code, "%s", code);
    client->is_general = is_general;
}

/* ---- one exchange ---- */

struct exchange {
    struct client *client;
    const struct client_request *request;
    struct client_reply *reply;
    struct curl_slist *headers;
    curl_mime *form;
    char *url;
    struct pf_error error; /* of what came, seen by a callback */
};

static size_t on_body(char *bytes, size_t one, size_t count, void *context)
{
    struct exchange *exchange = context;
    const struct client_request *request = exchange->request;
    long status = 0;
    (void)one;
    curl_easy_getinfo(exchange->client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (request->receive && status == 200) {
        enum pf_status received =
            request->receive(request->receive_context, bytes, count, &exchange->error);
        return received == PF_OK ? count : CURL_WRITEFUNC_ERROR;
    }
    buffer_put(&exchange->reply->body, bytes, count);
    return buffer_status(&exchange->reply->body, &exchange->error) == PF_OK ? count
                                                                            : CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *line, size_t one, size_t size, void *context)
{
    static const char replayed[] = "idempotent-replayed: true";
    struct exchange *exchange = context;
    (void)one;
    if (size >= sizeof replayed - 1 && curl_strnequal(line, replayed, sizeof replayed - 1))
        exchange->reply->is_replayed = 1;
    return size;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct exchange *exchange = context;
    (void)a, (void)b, (void)c, (void)d;
    return is_stopped(exchange->client);
}

static int add_header(struct exchange *exchange, const char *name, const char *value)
{
    struct buffer line = BUFFER_INIT;
    buffer_put_format(&line, "%s: %s", name, value);
    struct curl_slist *longer = line.data ? curl_slist_append(exchange->headers, line.data) : NULL;
    buffer_finish(&line);
    if (longer)
        exchange->headers = longer;
    return longer != NULL;
}

static int add_headers(struct exchange *exchange)
{
    const struct client_request *request = exchange->request;
    const char *key = exchange->client->options->key;
    char bearer[4200];
    int is_made = 1;
    snprintf(bearer, sizeof bearer, "Bearer %s", key);
    if (*key)
        is_made &= add_header(exchange, "Authorization", bearer);
    if (request->idempotency_key)
        is_made &= add_header(exchange, "Idempotency-Key", request->idempotency_key);
    if (request->receive)
        is_made &= add_header(exchange, "Accept", "text/event-stream");
    if (request->last_event_id && *request->last_event_id)
        is_made &= add_header(exchange, "Last-Event-ID", request->last_event_id);
    return is_made;
}

/* ---- the form; its bytes are read in place, not copied ---- */

struct form_bytes {
    const char *bytes;
    size_t size, at;
};

static size_t read_bytes(char *to, size_t one, size_t count, void *context)
{
    struct form_bytes *source = context;
    size_t left = source->size - source->at;
    size_t taken = count * one < left ? count * one : left;
    memcpy(to, source->bytes + source->at, taken);
    source->at += taken;
    return taken;
}

static int seek_bytes(void *context, curl_off_t offset, int origin)
{
    struct form_bytes *source = context;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > source->size)
        return CURL_SEEKFUNC_CANTSEEK;
    source->at = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int add_field(curl_mime *form, const struct client_field *field)
{
    curl_mimepart *part = curl_mime_addpart(form);
    if (!part || curl_mime_name(part, field->name) != CURLE_OK)
        return 0;
    if (!field->file_name)
        return curl_mime_data(part, field->bytes, field->size) == CURLE_OK;
    struct form_bytes *source = malloc(sizeof *source);
    if (!source)
        return 0;
    *source = (struct form_bytes){field->bytes, field->size, 0};
    if (curl_mime_data_cb(part, (curl_off_t)field->size, read_bytes, seek_bytes, free, source) !=
        CURLE_OK) {
        free(source);
        return 0;
    }
    return curl_mime_filename(part, field->file_name) == CURLE_OK &&
           curl_mime_type(part, "application/octet-stream") == CURLE_OK;
}

static int add_form(struct exchange *exchange)
{
    const struct client_request *request = exchange->request;
    if (!request->fields)
        return 1;
    exchange->form = curl_mime_init(exchange->client->curl);
    for (size_t i = 0; exchange->form && i < request->field_count; i++)
        if (!add_field(exchange->form, &request->fields[i]))
            return 0;
    return exchange->form != NULL;
}

/* ---- the exchange again ---- */

static void set_options(struct exchange *exchange)
{
    const struct client_options *options = exchange->client->options;
    const struct client_request *request = exchange->request;
    CURL *curl = exchange->client->curl;
    long silence_s = request->receive ? CLIENT_STREAM_SILENCE_S : CLIENT_SILENCE_S;
    curl_easy_setopt(curl, CURLOPT_URL, exchange->url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, exchange->headers);
    if (exchange->form)
        curl_easy_setopt(curl, CURLOPT_MIMEPOST, exchange->form);
    else if (strcmp(request->method, "POST") == 0)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exchange);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CLIENT_CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, silence_s);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, exchange->client->agent);
    if (exchange->client->ignores_stop)
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)AFTER_STOP_MS);
    if (*options->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
}

static enum pf_status finish_exchange(
    struct exchange *exchange, CURLcode code, const char *detail, struct pf_error *err)
{
    CURL *curl = exchange->client->curl;
    long status = 0;
    curl_off_t retry_after_s = 0;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return pf_fail(err, PF_CANCELLED, "interrupted");
    if (code == CURLE_OUT_OF_MEMORY)
        return pf_fail(err, PF_NOMEM, "no memory for a request");
    if (exchange->error.status != PF_OK)
        return pf_fail(
            err, exchange->error.status, "%s: %s", exchange->url, exchange->error.message);
    if (code != CURLE_OK)
        return pf_fail(err, PF_IO, "%s: %s", exchange->client->options->server,
            *detail ? detail : curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    exchange->reply->status = (int)status;
    exchange->reply->retry_after_ms =
        retry_after_s < INT32_MAX ? (int64_t)retry_after_s * 1000 : INT64_C(1000) * INT32_MAX;
    return PF_OK;
}

enum pf_status client_try(struct client *client, const struct client_request *request,
    struct client_reply *reply, struct pf_error *err)
{
    char detail[CURL_ERROR_SIZE] = "";
    struct exchange exchange = {.client = client, .request = request, .reply = reply};
    struct buffer url = BUFFER_INIT;
    note_failure(client, "", 0);
    client_reply_finish(reply);
    *reply = (struct client_reply)CLIENT_REPLY_INIT;
    reply->body.max_size = request->body_max ? request->body_max : CLIENT_TEXT_MAX;
    buffer_put_format(&url, "%s%s", client->options->server, request->path);
    exchange.url = buffer_steal(&url, NULL);
    curl_easy_reset(client->curl);
    enum pf_status status;
    if (exchange.url && add_headers(&exchange) && add_form(&exchange)) {
        set_options(&exchange);
        curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, detail);
        CURLcode code = curl_easy_perform(client->curl);
        status = finish_exchange(&exchange, code, detail, err);
        curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, NULL);
    } else {
        status = pf_fail(err, PF_NOMEM, "no memory for a request");
    }
    curl_mime_free(exchange.form);
    curl_slist_free_all(exchange.headers);
    free(exchange.url);
    return status;
}

/* ---- retries ---- */

enum pf_status client_pause(struct client *client, int64_t pause_ms, struct pf_error *err)
{
    int64_t until_ms = clock_monotonic_ms() + pause_ms;
    for (int64_t left_ms = pause_ms; left_ms > 0; left_ms = until_ms - clock_monotonic_ms()) {
        if (is_stopped(client)) {
            note_failure(client, "interrupted", 1);
            return pf_fail(err, PF_CANCELLED, "interrupted");
        }
        poll(NULL, 0, left_ms < PAUSE_SLICE_MS ? (int)left_ms : PAUSE_SLICE_MS);
    }
    return PF_OK;
}

/* Reads what the server says about its refusal. */
static void read_problem(
    const struct client_reply *reply, char ret_code[CLIENT_CODE_SIZE], struct buffer *ret_detail)
{
    struct jdoc *doc = NULL;
    snprintf(ret_code, CLIENT_CODE_SIZE, "http_%d", reply->status);
    if (jdoc_parse(&doc, reply->body.data ? reply->body.data : "", reply->body.size, NULL) !=
        PF_OK) {
        buffer_put_format(ret_detail, "the server answers %d", reply->status);
        return;
    }
    const struct jdoc_value *root = jdoc_root(doc);
    const struct jdoc_value *error = jdoc_get(root, "error");
    const char *code = jdoc_get_string(error, "code", NULL);
    const char *detail = jdoc_get_string(root, "detail", jdoc_get_string(error, "message", NULL));
    if (code)
        snprintf(ret_code, CLIENT_CODE_SIZE, "%.*s", CLIENT_CODE_SIZE - 1, code);
    if (detail)
        buffer_put_format(ret_detail, "%s (%d)", detail, reply->status);
    else
        buffer_put_format(ret_detail, "the server answers %d", reply->status);
    jdoc_destroy(doc);
}

/* Says why a try failed; `why` has it already when no answer came. */
static void explain(struct client *client, const struct client_reply *reply, struct pf_error *why)
{
    struct buffer detail = BUFFER_INIT;
    char code[CLIENT_CODE_SIZE];
    if (why->status != PF_OK) {
        note_failure(client, "unreachable", 1);
        return;
    }
    read_problem(reply, code, &detail);
    note_failure(client, code, retry_classify(reply->status) == RETRY_LATER);
    pf_fail(why, reply->status == 429 ? PF_BUSY : PF_IO, "%s", detail.data ? detail.data : code);
    buffer_finish(&detail);
}

static uint32_t random_number(void)
{
    uint32_t number = 0;
    return id_random(&number, sizeof number, NULL) == PF_OK ? number : 0;
}

static enum pf_status give_up(enum retry_class class, int failures, int64_t failing_ms,
    const struct pf_error *why, struct pf_error *err)
{
    enum pf_status status = class == RETRY_FEW ? PF_INTERNAL : why->status;
    if (failures == 1)
        return pf_fail(err, status, "%s", why->message);
    return pf_fail(err, status, "%s; given up after %d tries in %lld s", why->message, failures,
        (long long)(failing_ms / 1000));
}

enum pf_status client_call(struct client *client, const struct client_request *request,
    struct client_reply *reply, struct pf_error *err)
{
    const struct client_options *options = client->options;
    int64_t since_ms = clock_monotonic_ms();
    for (int failures = 1;; failures++) {
        struct pf_error why = PF_ERROR_INIT;
        enum pf_status status = client_try(client, request, reply, &why);
        enum retry_class class = retry_classify(status == PF_OK ? reply->status : 0);
        if (status == PF_OK && class == RETRY_NOT)
            return PF_OK;
        if (status != PF_OK && status != PF_IO) {
            note_failure(client, status == PF_CANCELLED ? "interrupted" : pf_status_name(status),
                status == PF_CANCELLED);
            return pf_fail(err, status, "%s", why.message);
        }
        explain(client, reply, &why);
        int64_t pause_ms = retry_pause_ms(failures, reply->retry_after_ms, random_number());
        int64_t failing_ms = clock_monotonic_ms() - since_ms;
        if (client->ignores_stop || (class == RETRY_FEW && failures == RETRY_FEW_MAX) ||
            failing_ms + pause_ms > options->retry_for_ms)
            return give_up(class, failures, failing_ms, &why, err);
        if (options->pausing)
            options->pausing(options->context, why.message, pause_ms);
        PF_TRY(client_pause(client, pause_ms, err));
    }
}

static enum pf_status status_of(int http_status)
{
    switch (http_status) {
    case 404:
    case 410:
        return PF_NOT_FOUND;
    case 409:
        return PF_CONFLICT;
    case 415:
        return PF_UNSUPPORTED;
    case 422:
        return PF_CORRUPT;
    default:
        return PF_INVALID;
    }
}

enum pf_status client_call_2xx(struct client *client, const struct client_request *request,
    struct client_reply *reply, struct pf_error *err)
{
    PF_TRY(client_call(client, request, reply, err));
    if (reply->status >= 200 && reply->status < 300)
        return PF_OK;
    struct buffer detail = BUFFER_INIT;
    char code[CLIENT_CODE_SIZE];
    read_problem(reply, code, &detail);
    note_failure(client, code, reply->status < 400 || reply->status == 401 || reply->status == 403);
    enum pf_status status =
        pf_fail(err, status_of(reply->status), "%s", detail.data ? detail.data : "no memory");
    buffer_finish(&detail);
    return status;
}
