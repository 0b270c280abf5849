/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vlm/prompt.h"

#include <string.h>

#include "base/utf8.h"

/* ---- one answer ---- */

/* Reasoning models of some servers write their thoughts in front. */
static const char *skip_thoughts(const char *text)
{
    static const char begin[] = "<think>", end[] = "</think>";
    text += strspn(text, " \t\r\n");
    if (strncmp(text, begin, sizeof begin - 1) != 0)
        return text;
    const char *close = strstr(text, end);
    return close ? close + sizeof end - 1 : text + strlen(text);
}

static int is_mark(char c)
{
    return c == '*' || c == '`' || c == '#';
}

static int is_space(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

void vlm_put_plain(struct buffer *out, const char *answer)
{
    size_t start = out->size;
    int is_gap = 0;
    for (const char *c = skip_thoughts(answer); *c; c++) {
        if (is_space(*c)) {
            is_gap = 1;
        } else if (!is_mark(*c)) {
            if (is_gap && out->size > start)
                buffer_put(out, " ", 1);
            buffer_put(out, c, 1);
            is_gap = 0;
        }
    }
    size_t size = out->size - start;
    if (out->status == PF_OK && size >= 2 && out->data[start] == '"' &&
        out->data[out->size - 1] == '"') {
        memmove(out->data + start, out->data + start + 1, size - 2);
        out->size -= 2;
        out->data[out->size] = '\0';
    }
}

/* ---- cutting ---- */

static int is_sentence_end(char c)
{
    return c == '.' || c == '!' || c == '?';
}

size_t vlm_cut_size(const char *text, size_t size, size_t max)
{
    if (size <= max)
        return size;
    size_t character = max, word = 0, sentence = 0;
    while (character > 0 && ((unsigned char)text[character] & 0xC0) == 0x80)
        character--;
    for (size_t i = 1; i <= max; i++) {
        if (text[i] != ' ')
            continue;
        word = i;
        if (is_sentence_end(text[i - 1]))
            sentence = i;
    }
    /* A first sentence of a word or two says too little to stand for the text. */
    size_t cut = sentence >= max / 3 ? sentence : word ? word : character;
    while (cut > 0 && cut == word && strchr(" ,;:-", text[cut - 1]))
        word = --cut;
    return cut;
}

static size_t size_of(const char *text)
{
    return text ? strlen(text) : 0;
}

void vlm_put_prompt(struct buffer *out, const char *defect, const char *semantic)
{
    size_t defect_size = size_of(defect), semantic_size = size_of(semantic);
    size_t joint = defect_size && semantic_size ? 2 : 0; /* ". " */
    size_t room = VLM_PROMPT_BYTES_MAX - joint;
    size_t defect_max = semantic_size < room ? room - semantic_size : 0;
    if (defect_max < VLM_DEFECT_BYTES_MIN)
        defect_max = VLM_DEFECT_BYTES_MIN;
    defect_size = defect_size ? vlm_cut_size(defect, defect_size, defect_max) : 0;
    buffer_put(out, defect, defect_size);
    if (defect_size && semantic_size)
        buffer_put_text(out, is_sentence_end(defect[defect_size - 1]) ? " " : ". ");
    if (semantic_size)
        buffer_put(out, semantic, vlm_cut_size(semantic, semantic_size, room - defect_size));
}
