/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_VLM_CHAT_H
#define SERVER_VLM_CHAT_H

/* The chat-completions JSON of OpenAI's API, as llama.cpp's server, vLLM, Ollama and cloud services
 * take and give it. Pure: bytes in, bytes out. */

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    CHAT_ANSWER_TOKENS_MAX = 128, /* asked for: some more than two short sentences need */
    CHAT_ANSWER_BYTES_MAX = 4096, /* kept of what comes nevertheless */
    CHAT_RESPONSE_BYTES_MAX = 256 << 10,
    CHAT_ERROR_SIZE = 256,
};

/* Appends the request: one user message of the question's text and the image; temperature 0.
 * data_url: "data:image/jpeg;base64,…", without characters that JSON escapes. */
void chat_put_request(struct buffer *out, const char *model, const char *question,
    const char *data_url, size_t data_url_size);

/* Appends the answer's text, cut to CHAT_ANSWER_BYTES_MAX bytes of whole characters, to `ret`. A
 * content made of parts is joined. PF_CORRUPT: no chat completion, or one without any text; the
 * message says what is missing. */
PF_MUST_CHECK enum pf_status chat_read_answer(
    struct buffer *ret, const char *bytes, size_t count, struct pf_error *err);

/* What an error's body says, in the forms those servers use, as one line; "" when it says nothing
 * we understand. */
void chat_read_error(char ret_text[CHAT_ERROR_SIZE], const char *bytes, size_t count);

#endif
