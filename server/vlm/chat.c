/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vlm/chat.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define AUTO_JSON __attribute__((cleanup(release_json)))

static void release_json(json_t **json)
{
    json_decref(*json);
}

void chat_put_request(struct buffer *out, const char *model, const char *question,
    const char *data_url, size_t data_url_size)
{
    buffer_put_text(out, "{\"model\":");
    buffer_put_json_string(out, model, strlen(model));
    buffer_put_text(
        out, ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":");
    buffer_put_json_string(out, question, strlen(question));
    buffer_put_text(out, "},{\"type\":\"image_url\",\"image_url\":{\"url\":\"");
    buffer_put(out, data_url, data_url_size);
    buffer_put_format(out, "\"}}]}],\"max_tokens\":%d,\"temperature\":0,\"stream\":false}",
        CHAT_ANSWER_TOKENS_MAX);
}

/* Appends as much of a text as CHAT_ANSWER_BYTES_MAX leaves room for, in whole characters. */
static void put_bounded(struct buffer *out, size_t start, const json_t *text)
{
    const char *bytes = json_string_value(text);
    size_t size = json_string_length(text);
    size_t room = CHAT_ANSWER_BYTES_MAX - (out->size - start);
    if (size > room) {
        size = room;
        while (size > 0 && ((unsigned char)bytes[size] & 0xC0) == 0x80)
            size--;
    }
    buffer_put(out, bytes, size);
}

static int has_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] > ' ')
            return 1;
    return 0;
}

enum pf_status chat_read_answer(
    struct buffer *ret, const char *bytes, size_t count, struct pf_error *err)
{
    json_error_t why;
    AUTO_JSON json_t *root = json_loadb(bytes, count, 0, &why);
    if (!root)
        return pf_fail(err, PF_CORRUPT, "not JSON: %.100s", why.text);
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    const json_t *message = json_object_get(choice, "message");
    if (!json_is_object(message))
        return pf_fail(err, PF_CORRUPT, "no choices[0].message");
    const json_t *content = json_object_get(message, "content");
    size_t start = ret->size;
    if (json_is_string(content))
        put_bounded(ret, start, content);
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *text = json_object_get(json_array_get(content, i), "text");
        if (json_is_string(text))
            put_bounded(ret, start, text);
    }
    PF_TRY(buffer_status(ret, err));
    if (has_text(ret->data ? ret->data + start : "", ret->size - start))
        return PF_OK;
    ret->size = start;
    const char *reason = json_string_value(json_object_get(choice, "finish_reason"));
    return pf_fail(
        err, PF_CORRUPT, "an answer without text (finish_reason %.32s)", reason ? reason : "null");
}

void chat_read_error(char ret_text[CHAT_ERROR_SIZE], const char *bytes, size_t count)
{
    AUTO_JSON json_t *root = json_loadb(bytes, count, 0, NULL);
    const json_t *error = json_object_get(root, "error");
    const json_t *found[] = {json_object_get(error, "message"), error,
        json_object_get(root, "message"), json_object_get(root, "detail")};
    ret_text[0] = '\0';
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        if (!json_is_string(found[i]))
            continue;
        /* pf_fail() makes one line of it, cut between characters. */
        struct pf_error line = PF_ERROR_INIT;
        (void)!pf_fail(&line, PF_IO, "%.200s", json_string_value(found[i]));
        snprintf(ret_text, CHAT_ERROR_SIZE, "%.250s", line.message);
        return;
    }
}
