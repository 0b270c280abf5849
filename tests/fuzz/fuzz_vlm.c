/* SPDX-License-Identifier: Apache-2.0 */
/* What a vision-language model's server answers: whatever it is, the prompt made of it is bounded,
 * valid UTF-8 on one line, and so is the text of an error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "server/vlm/chat.h"
#include "server/vlm/prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const char *text, size_t size, size_t max)
{
    if (size > max || !utf8_is_valid(text, size, NULL))
        abort();
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ')
            abort();
}

static void check_prompt(const char *plain)
{
    static const char other[] = "A dog runs on the beach. It wears a red collar, and the sun sets.";
    const char *const pairs[][2] = {{plain, other}, {other, plain}, {plain, plain}, {plain, NULL}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        AUTO_BUFFER struct buffer prompt = BUFFER_INIT;
        vlm_put_prompt(&prompt, pairs[i][0], pairs[i][1]);
        check_line(prompt.data, prompt.size, VLM_PROMPT_BYTES_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUFFER struct buffer answer = BUFFER_INIT;
    AUTO_BUFFER struct buffer plain = BUFFER_INIT;
    char error[CHAT_ERROR_SIZE];
    chat_read_error(error, (const char *)data, size);
    check_line(error, strlen(error), CHAT_ERROR_SIZE - 1);
    if (chat_read_answer(&answer, (const char *)data, size, NULL) != PF_OK)
        return 0;
    if (answer.size == 0 || answer.size > CHAT_ANSWER_BYTES_MAX)
        abort();
    vlm_put_plain(&plain, answer.data);
    check_line(plain.data ? plain.data : "", plain.size, answer.size);
    check_prompt(plain.data ? plain.data : "");
    return 0;
}
