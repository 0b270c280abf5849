/* SPDX-License-Identifier: Apache-2.0 */
/* Counts pairs anew for every merge: a few thousand distinct words make that milliseconds, and no
 * index of pairs has to be kept right. */
#include "tools/train/learn_merges.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/text/text_clean.h"
#include "pipeline/text/text_split.h"

enum { SYMBOL_SIZE = LEARN_WORD_BYTES_MAX + 8, HASH_START = 1 << 12 };

struct word {
    char text[LEARN_WORD_BYTES_MAX + 1];
    int64_t count;
    int symbols[LEARN_WORD_BYTES_MAX];
    int symbol_count;
};

struct pair {
    int left, right;
    int64_t count;
};

struct learn_merges {
    struct word *words;
    size_t word_count, word_capacity;
    size_t *table; /* open addressing: index + 1 of a word */
    size_t table_size;
    char (*symbols)[SYMBOL_SIZE]; /* their strings */
    int symbol_count;
    struct pair *pairs; /* open addressing, count 0: free */
    size_t pair_size;
};

enum pf_status learn_merges_create(struct learn_merges **ret_learn, struct pf_error *err)
{
    struct learn_merges *learn = calloc(1, sizeof *learn);
    if (!learn)
        return pf_fail(err, PF_NOMEM, "a learner of merges");
    *ret_learn = learn;
    return PF_OK;
}

void learn_merges_destroy(struct learn_merges *learn)
{
    if (!learn)
        return;
    free(learn->words);
    free(learn->table);
    free(learn->symbols);
    free(learn->pairs);
    free(learn);
}

static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

static size_t *slot_of(const struct learn_merges *learn, const char *text)
{
    size_t at = (size_t)hash_text(text) & (learn->table_size - 1);
    while (learn->table[at] && strcmp(learn->words[learn->table[at] - 1].text, text) != 0)
        at = (at + 1) & (learn->table_size - 1);
    return &learn->table[at];
}

static enum pf_status grow(struct learn_merges *learn, struct pf_error *err)
{
    size_t capacity = learn->word_capacity ? 2 * learn->word_capacity : HASH_START;
    if (capacity > LEARN_WORDS_MAX)
        return pf_fail(err, PF_INVALID, "more than %d different words", (int)LEARN_WORDS_MAX);
    struct word *words = realloc(learn->words, capacity * sizeof *words);
    if (words)
        learn->words = words;
    size_t *table = calloc(2 * capacity, sizeof *table);
    if (!words || !table) {
        free(table);
        return pf_fail(err, PF_NOMEM, "a table of %zu words", capacity);
    }
    free(learn->table);
    learn->table = table;
    learn->table_size = 2 * capacity;
    learn->word_capacity = capacity;
    for (size_t i = 0; i < learn->word_count; i++)
        *slot_of(learn, learn->words[i].text) = i + 1;
    return PF_OK;
}

static int teaches(struct text_word word)
{
    if (word.size > LEARN_WORD_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < word.size; i++)
        if (word.bytes[i] < 0x21 || word.bytes[i] > 0x7E)
            return 0;
    return 1;
}

static enum pf_status count_word(
    struct learn_merges *learn, struct text_word word, struct pf_error *err)
{
    char text[LEARN_WORD_BYTES_MAX + 1] = "";
    if (!teaches(word))
        return PF_OK;
    memcpy(text, word.bytes, word.size);
    if (learn->word_count == learn->word_capacity)
        PF_TRY(grow(learn, err));
    size_t *slot = slot_of(learn, text);
    if (*slot == 0) {
        struct word *added = &learn->words[learn->word_count++];
        *added = (struct word){.count = 0};
        memcpy(added->text, text, sizeof text);
        *slot = learn->word_count;
    }
    learn->words[*slot - 1].count++;
    return PF_OK;
}

enum pf_status learn_merges_add(struct learn_merges *learn, const char *text, struct pf_error *err)
{
    AUTO_BUFFER struct buffer clean = BUFFER_INIT;
    struct text_word word;
    PF_TRY(text_clean(text, strlen(text), &clean, err));
    for (size_t at = 0; text_split_next(clean.data, clean.size, &at, &word);)
        PF_TRY(count_word(learn, word, err));
    return PF_OK;
}

/* The symbol of that string, added when it is new. */
static int symbol_of(struct learn_merges *learn, const char *text)
{
    for (int i = 0; i < learn->symbol_count; i++)
        if (strcmp(learn->symbols[i], text) == 0)
            return i;
    snprintf(learn->symbols[learn->symbol_count], SYMBOL_SIZE, "%s", text);
    return learn->symbol_count++;
}

/* Every word as its characters, the last with the suffix. */
static void split_words(struct learn_merges *learn)
{
    for (size_t w = 0; w < learn->word_count; w++) {
        struct word *word = &learn->words[w];
        word->symbol_count = (int)strlen(word->text);
        for (int i = 0; i < word->symbol_count; i++) {
            char symbol[SYMBOL_SIZE];
            snprintf(symbol, sizeof symbol, "%c%s", word->text[i],
                i + 1 == word->symbol_count ? "</w>" : "");
            word->symbols[i] = symbol_of(learn, symbol);
        }
    }
}

static struct pair *pair_slot(struct learn_merges *learn, int left, int right)
{
    uint64_t key = (uint64_t)left << 32 | (uint32_t)right;
    size_t at = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (learn->pair_size - 1);
    while (learn->pairs[at].count &&
           (learn->pairs[at].left != left || learn->pairs[at].right != right))
        at = (at + 1) & (learn->pair_size - 1);
    return &learn->pairs[at];
}

static int comes_first(const struct learn_merges *learn, const struct pair *a, const struct pair *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    int order = strcmp(learn->symbols[a->left], learn->symbols[b->left]);
    return order ? order < 0 : strcmp(learn->symbols[a->right], learn->symbols[b->right]) < 0;
}

/* The most frequent pair; count 0 when no word has two symbols. */
static struct pair best_pair(struct learn_merges *learn)
{
    memset(learn->pairs, 0, learn->pair_size * sizeof *learn->pairs);
    struct pair best = {0, 0, 0};
    for (size_t w = 0; w < learn->word_count; w++) {
        const struct word *word = &learn->words[w];
        for (int i = 0; i + 1 < word->symbol_count; i++) {
            struct pair *pair = pair_slot(learn, word->symbols[i], word->symbols[i + 1]);
            pair->left = word->symbols[i];
            pair->right = word->symbols[i + 1];
            pair->count += word->count;
        }
    }
    for (size_t i = 0; i < learn->pair_size; i++)
        if (learn->pairs[i].count && (!best.count || comes_first(learn, &learn->pairs[i], &best)))
            best = learn->pairs[i];
    return best;
}

static void apply(struct learn_merges *learn, const struct pair *pair, int merged)
{
    for (size_t w = 0; w < learn->word_count; w++) {
        struct word *word = &learn->words[w];
        int kept = 0;
        for (int i = 0; i < word->symbol_count; i++) {
            int joins = i + 1 < word->symbol_count && word->symbols[i] == pair->left &&
                        word->symbols[i + 1] == pair->right;
            word->symbols[kept++] = joins ? merged : word->symbols[i];
            i += joins;
        }
        word->symbol_count = kept;
    }
}

enum pf_status learn_merges_finish(
    struct learn_merges *learn, int count, struct buffer *ret, struct pf_error *err)
{
    size_t letters = learn->word_count * LEARN_WORD_BYTES_MAX;
    for (learn->pair_size = HASH_START; learn->pair_size < 2 * letters;)
        learn->pair_size *= 2;
    learn->symbols = calloc((size_t)count + 2 * 256, sizeof *learn->symbols);
    learn->pairs = calloc(learn->pair_size, sizeof *learn->pairs);
    if (!learn->symbols || !learn->pairs)
        return pf_fail(err, PF_NOMEM, "pairs of %zu words", learn->word_count);
    split_words(learn);
    for (int made = 0; made < count; made++) {
        struct pair best = best_pair(learn);
        if (best.count == 0)
            return pf_fail(
                err, PF_INVALID, "the texts give %d merges, %d are asked for", made, count);
        char symbol[SYMBOL_SIZE];
        const char *left = learn->symbols[best.left], *right = learn->symbols[best.right];
        buffer_put_format(ret, "%s %s\n", left, right);
        snprintf(symbol, sizeof symbol, "%.*s%s", LEARN_WORD_BYTES_MAX, left, right);
        apply(learn, &best, symbol_of(learn, symbol));
    }
    return buffer_status(ret, err);
}
