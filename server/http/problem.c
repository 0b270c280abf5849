/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/problem.h"

#include <string.h>

static const struct {
    int status;
    const char *code;
    const char *title;
    const char *openai_type;
} kinds[PROBLEM_KIND_COUNT] = {
    [PROBLEM_INVALID] = {400, "invalid_request", "Invalid request", "invalid_request_error"},
    [PROBLEM_UNAUTHORIZED] = {401, "invalid_api_key", "API key missing or wrong",
        "authentication_error"},
    [PROBLEM_FORBIDDEN] = {403, "forbidden", "Not allowed", "permission_error"},
    [PROBLEM_NOT_FOUND] = {404, "not_found", "Not found", "invalid_request_error"},
    [PROBLEM_METHOD] = {405, "method_not_allowed", "Method not allowed", "invalid_request_error"},
    [PROBLEM_TIMEOUT] = {408, "request_timeout", "Request came too slowly",
        "invalid_request_error"},
    [PROBLEM_CONFLICT] = {409, "conflict", "Not possible in this state", "invalid_request_error"},
    [PROBLEM_EXPIRED] = {410, "expired", "Expired", "invalid_request_error"},
    [PROBLEM_TOO_LARGE] = {413, "too_large", "Request too large", "invalid_request_error"},
    [PROBLEM_UNSUPPORTED_MEDIA] = {415, "unsupported_media_type", "Unsupported media type",
        "invalid_request_error"},
    [PROBLEM_EXPECTATION] = {417, "expectation_failed", "Unknown expectation",
        "invalid_request_error"},
    [PROBLEM_UNPROCESSABLE] = {422, "unprocessable", "Can't be processed", "invalid_request_error"},
    [PROBLEM_HEADERS_TOO_LARGE] = {431, "headers_too_large", "Request headers too large",
        "invalid_request_error"},
    [PROBLEM_QUEUE_FULL] = {429, "queue_full", "Queue full", "rate_limit_error"},
    [PROBLEM_RATE_LIMITED] = {429, "rate_limited", "Too many requests", "rate_limit_error"},
    [PROBLEM_INTERNAL] = {500, "internal", "Internal error", "server_error"},
    [PROBLEM_UNAVAILABLE] = {503, "unavailable", "Service unavailable", "server_error"},
};

int problem_http_status(enum problem_kind kind)
{
    return kinds[kind].status;
}

const char *problem_code(enum problem_kind kind)
{
    return kinds[kind].code;
}

enum problem_kind problem_of_status(enum pf_status status)
{
    switch (status) {
    case PF_INVALID:
        return PROBLEM_INVALID;
    case PF_NOT_FOUND:
        return PROBLEM_NOT_FOUND;
    case PF_CONFLICT:
    case PF_CANCELLED:
        return PROBLEM_CONFLICT;
    case PF_UNSUPPORTED:
        return PROBLEM_UNSUPPORTED_MEDIA;
    case PF_CORRUPT:
        return PROBLEM_UNPROCESSABLE;
    case PF_BUSY:
        return PROBLEM_QUEUE_FULL;
    case PF_NOMEM:
        return PROBLEM_UNAVAILABLE;
    case PF_OK:
    case PF_IO:
    case PF_INTERNAL:
        break;
    }
    return PROBLEM_INTERNAL;
}

static void put_member(struct buffer *out, const char *name, const char *text)
{
    buffer_put_format(out, ",\"%s\":", name);
    buffer_put_json_string(out, text, strlen(text));
}

/* "#/" and the name as a JSON pointer token: '~' and '/' are escaped. */
static void put_pointer(struct buffer *out, const char *param)
{
    AUTO_BUFFER struct buffer pointer = BUFFER_INIT;
    buffer_put_text(&pointer, "#/");
    for (const char *at = param; *at; at++) {
        if (*at == '~')
            buffer_put_text(&pointer, "~0");
        else if (*at == '/')
            buffer_put_text(&pointer, "~1");
        else
            buffer_put(&pointer, at, 1);
    }
    if (buffer_status(&pointer, NULL) == PF_OK)
        put_member(out, "pointer", pointer.data);
}

void problem_put_json(struct buffer *out, const struct problem *problem)
{
    const char *code = kinds[problem->kind].code;
    const char *title = kinds[problem->kind].title;
    const char *detail = problem->kind == PROBLEM_INTERNAL ? NULL : problem->detail;
    const char *message = detail ? detail : title;

    buffer_put_format(out, "{\"type\":\"urn:promptfix:problem:%s\",\"title\":\"%s\",\"status\":%d",
        code, title, kinds[problem->kind].status);
    put_member(out, "detail", message);
    if (problem->instance)
        put_member(out, "instance", problem->instance);
    if (problem->request_id)
        put_member(out, "request_id", problem->request_id);
    if (problem->param) {
        buffer_put_text(out, ",\"errors\":[{\"detail\":");
        buffer_put_json_string(out, message, strlen(message));
        put_pointer(out, problem->param);
        buffer_put_text(out, "}]");
    }
    buffer_put_text(out, ",\"error\":{\"message\":");
    buffer_put_json_string(out, message, strlen(message));
    put_member(out, "type", kinds[problem->kind].openai_type);
    if (problem->param)
        put_member(out, "param", problem->param);
    else
        buffer_put_text(out, ",\"param\":null");
    put_member(out, "code", code);
    buffer_put_text(out, "}}");
}
