/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses: 't', the rest is a text for a fixed table; any other byte n, the rest is
 * a merges table (plain or gzip'd) of n merges, and then encodes its own bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "pipeline/text/tokenizer.h"

enum { CONTEXT = 77, BYTES_AND_SPECIALS = 514, FIXED_MERGES = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void encode(const struct tokenizer *tokenizer, const char *text, size_t count)
{
    int64_t ids[CONTEXT], again[CONTEXT], last = (int64_t)tokenizer_vocabulary_size(tokenizer) - 1;
    size_t token_count = 0;
    enum pf_status status =
        tokenizer_encode(tokenizer, text, count, CONTEXT, ids, &token_count, NULL);
    require((status == PF_OK) == (count <= TOKENIZER_TEXT_MAX && utf8_is_valid(text, count, NULL)));
    if (status != PF_OK)
        return;
    require(ids[0] == last - 1 && ids[CONTEXT - 1] == last);
    for (size_t i = 0; i < CONTEXT; i++)
        require(ids[i] >= 0 && ids[i] <= last && (i <= token_count || ids[i] == last));
    require(tokenizer_encode(tokenizer, text, count, CONTEXT, again, NULL, NULL) == PF_OK);
    require(memcmp(ids, again, sizeof ids) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char table[] = "a a\nh a\nz e</w>\nha ze</w>\naa aa\n";
    if (size == 0)
        return 0;
    const char *rest = (const char *)data + 1;
    size_t count = size - 1;
    int is_text = data[0] == 't';
    const char *merges = is_text ? table : rest;
    size_t merges_count = is_text ? strlen(table) : count;
    size_t vocabulary = BYTES_AND_SPECIALS + (is_text ? FIXED_MERGES : data[0]);
    struct tokenizer *tokenizer = NULL;
    struct pf_error err = PF_ERROR_INIT;
    enum pf_status status = tokenizer_create(&tokenizer, merges, merges_count, vocabulary, &err);
    require((status == PF_OK) == (tokenizer != NULL) && (status == PF_OK || err.message[0]));
    if (status == PF_OK)
        encode(tokenizer, rest, count);
    require(!is_text || status == PF_OK);
    tokenizer_destroy(tokenizer);
    return 0;
}
