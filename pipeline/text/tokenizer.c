/* SPDX-License-Identifier: Apache-2.0 */
/* Text → text_clean() → words of text_split_next() → symbols of bpe_split() → ids. The tokenizer is
 * immutable and each call has its own scratch memory, so threads share one without a lock. Nothing
 * is cached: a text takes microseconds, and its encoding by the model is cached further up. */
#include "pipeline/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/text/bpe.h"
#include "pipeline/text/merges.h"
#include "pipeline/text/text_clean.h"
#include "pipeline/text/text_split.h"

enum { SPECIAL_COUNT = 2, CLEAN_TEXT_MAX = 2 * TOKENIZER_TEXT_MAX };

struct tokenizer {
    struct merges *merges;
    size_t vocabulary_size;
};

/* Where the ids of one text go. */
struct id_writer {
    int64_t *ids; /* [capacity] */
    size_t capacity;
    size_t count; /* all that were put, also those that didn't fit */
};

enum pf_status tokenizer_create(struct tokenizer **ret_tokenizer, const void *merges, size_t count,
    size_t vocabulary_size, struct pf_error *err)
{
    AUTO_BUFFER struct buffer unpacked = BUFFER_INIT;
    const char *text = count > 0 ? merges : "";
    if (merges_is_gzip(merges, count)) {
        PF_TRY(merges_gunzip(merges, count, MERGES_SIZE_MAX, &unpacked, err));
        text = unpacked.data ? unpacked.data : "";
        count = unpacked.size;
    }
    if (vocabulary_size < MERGES_BYTE_SYMBOLS + SPECIAL_COUNT)
        return pf_fail(err, PF_INVALID, "vocabulary of %zu tokens, bytes and specials alone are %d",
            vocabulary_size, MERGES_BYTE_SYMBOLS + SPECIAL_COUNT);
    struct tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (!tokenizer)
        return pf_fail(err, PF_NOMEM, "no memory for a tokenizer");
    tokenizer->vocabulary_size = vocabulary_size;
    enum pf_status status = merges_create(&tokenizer->merges, text, count,
        vocabulary_size - MERGES_BYTE_SYMBOLS - SPECIAL_COUNT, err);
    if (status != PF_OK) {
        tokenizer_destroy(tokenizer);
        return status;
    }
    *ret_tokenizer = tokenizer;
    return PF_OK;
}

enum pf_status tokenizer_create_from_file(struct tokenizer **ret_tokenizer, const char *path,
    size_t vocabulary_size, struct pf_error *err)
{
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    PF_TRY(file_read(path, MERGES_SIZE_MAX, &file, err));
    return tokenizer_create(
        ret_tokenizer, file.data ? file.data : "", file.size, vocabulary_size, err);
}

void tokenizer_destroy(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    merges_destroy(tokenizer->merges);
    free(tokenizer);
}

size_t tokenizer_vocabulary_size(const struct tokenizer *tokenizer)
{
    return tokenizer->vocabulary_size;
}

static void put_id(struct id_writer *writer, size_t id)
{
    if (writer->count < writer->capacity)
        writer->ids[writer->count] = (int64_t)id;
    writer->count++;
}

static int word_is(struct text_word word, const char *text)
{
    return word.size == strlen(text) && memcmp(word.bytes, text, word.size) == 0;
}

static void put_words(const struct tokenizer *tokenizer, struct bpe *bpe,
    const struct buffer *clean, struct id_writer *writer)
{
    struct text_word word;
    for (size_t at = 0; text_split_next(clean->data, clean->size, &at, &word);) {
        if (word_is(word, TEXT_SPLIT_START)) {
            put_id(writer, tokenizer->vocabulary_size - 2);
        } else if (word_is(word, TEXT_SPLIT_END)) {
            put_id(writer, tokenizer->vocabulary_size - 1);
        } else {
            size_t count = bpe_split(bpe, tokenizer->merges, word.bytes, word.size);
            for (size_t i = 0; i < count; i++)
                put_id(writer, merges_id(tokenizer->merges, bpe->symbols[i]));
        }
    }
}

enum pf_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t count,
    size_t context_length, int64_t *ret_ids, size_t *ret_token_count, struct pf_error *err)
{
    if (count > TOKENIZER_TEXT_MAX)
        return pf_fail(err, PF_INVALID, "text of %zu bytes, at most %d are taken", count,
            (int)TOKENIZER_TEXT_MAX);
    if (context_length < SPECIAL_COUNT)
        return pf_fail(err, PF_INVALID, "context of %zu tokens, start and end alone are %d",
            context_length, (int)SPECIAL_COUNT);
    AUTO_BUFFER struct buffer clean = BUFFER_INIT_MAX(CLEAN_TEXT_MAX);
    PF_TRY(text_clean(text, count, &clean, err));
    struct bpe bpe;
    PF_TRY(bpe_init(&bpe, clean.size, err));
    struct id_writer writer = {ret_ids + 1, context_length - SPECIAL_COUNT, 0};
    put_words(tokenizer, &bpe, &clean, &writer);
    bpe_finish(&bpe);

    size_t kept = writer.count < writer.capacity ? writer.count : writer.capacity;
    ret_ids[0] = (int64_t)tokenizer->vocabulary_size - 2;
    for (size_t i = 1 + kept; i < context_length; i++)
        ret_ids[i] = (int64_t)tokenizer->vocabulary_size - 1;
    if (ret_token_count)
        *ret_token_count = writer.count;
    return PF_OK;
}
