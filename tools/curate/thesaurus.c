/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/thesaurus.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

enum { BYTES_MAX = 1 << 28, WORD_MAX = 20, SYNONYMS_MAX = 512 };

struct entry {
    const char *word;  /* ends with its line's bar, or in a lookup with a zero */
    const char *lines; /* of its meanings */
    int count;
};

struct thesaurus {
    struct buffer text;
    struct entry *entries; /* sorted by word */
    size_t count;
};

static const char *const plain_words[] = {"a", "all", "an", "and", "any", "are", "as", "at", "be",
    "but", "by", "can", "could", "for", "from", "had", "has", "have", "i", "if", "in", "is", "it",
    "me", "my", "no", "not", "of", "on", "one", "or", "please", "so", "than", "that", "the", "then",
    "there", "this", "to", "too", "two", "very", "was", "what", "when", "which", "while", "with",
    "would", "you"};

/* What a word may be the changed form of: ending, and what stands there in the thesaurus. */
static const char *const endings[][2] = {{"", ""}, {"s", ""}, {"es", ""}, {"ing", ""}, {"ing", "e"},
    {"ed", ""}, {"ed", "e"}, {"er", ""}, {"ly", ""}};

static int compare_plain(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

static int compare_entries(const void *a, const void *b)
{
    const char *left = ((const struct entry *)a)->word, *right = ((const struct entry *)b)->word;
    size_t left_size = strcspn(left, "|\n"), right_size = strcspn(right, "|\n");
    int order = memcmp(left, right, left_size < right_size ? left_size : right_size);
    return order ? order : (left_size > right_size) - (left_size < right_size);
}

static const char *next_line(const char *at)
{
    at += strcspn(at, "\n");
    return *at ? at + 1 : at;
}

/* Counts the entries, and fills `entries` unless it is NULL. The first line names the encoding. */
static size_t list_entries(const char *text, struct entry *entries)
{
    size_t found = 0;
    for (const char *at = next_line(text); *at; at = next_line(at)) {
        const char *bar = at + strcspn(at, "|\n");
        if (*at == '(' || *bar != '|')
            continue;
        if (entries)
            entries[found] = (struct entry){at, next_line(at), atoi(bar + 1)};
        found++;
    }
    return found;
}

enum pf_status thesaurus_open(
    struct thesaurus **ret_thesaurus, const char *path, struct pf_error *err)
{
    struct thesaurus *t = calloc(1, sizeof *t);
    if (!t)
        return pf_fail(err, PF_NOMEM, "no memory for the thesaurus");
    enum pf_status status = file_read(path, BYTES_MAX, &t->text, err);
    if (status == PF_OK && (!t->text.data || !(t->count = list_entries(t->text.data, NULL))))
        status = pf_fail(err, PF_CORRUPT, "%s: no thesaurus in MyThes' format", path);
    if (status == PF_OK && !(t->entries = calloc(t->count, sizeof *t->entries)))
        status = pf_fail(err, PF_NOMEM, "no memory for the thesaurus");
    if (status != PF_OK) {
        thesaurus_close(t);
        return status;
    }
    list_entries(t->text.data, t->entries);
    qsort(t->entries, t->count, sizeof *t->entries, compare_entries);
    *ret_thesaurus = t;
    return PF_OK;
}

void thesaurus_close(struct thesaurus *thesaurus)
{
    if (!thesaurus)
        return;
    buffer_finish(&thesaurus->text);
    free(thesaurus->entries);
    free(thesaurus);
}

/* A word's synonyms as they stand in the text. More general words and opposites aren't. */
static int list_synonyms(const struct entry *entry, const char *ret_synonyms[SYNONYMS_MAX])
{
    int found = 0;
    const char *line = entry->lines;
    for (int i = 0; i < entry->count; i++, line = next_line(line)) {
        const char *at = line + strcspn(line, "|\n");
        while (*at == '|' && found < SYNONYMS_MAX) {
            const char *word = at + 1;
            size_t length = strcspn(word, "|\n("), whole = strcspn(word, "|\n");
            at = word + whole;
            int is_other =
                !strncmp(word + length, "(generic", 8) || !strncmp(word + length, "(antonym", 8);
            if (length > 0 && length < WORD_MAX && !is_other)
                ret_synonyms[found++] = word;
        }
    }
    return found;
}

static int find_synonyms(
    const struct thesaurus *thesaurus, const char *word, const char *ret_synonyms[SYNONYMS_MAX])
{
    size_t length = strlen(word);
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        size_t ending = strlen(endings[i][0]);
        if (length <= ending || strcmp(word + length - ending, endings[i][0]) != 0)
            continue;
        char stem[WORD_MAX + 2];
        memcpy(stem, word, length - ending);
        strcpy(stem + length - ending, endings[i][1]);
        struct entry key = {stem, NULL, 0};
        const struct entry *entry = bsearch(&key, thesaurus->entries, thesaurus->count,
            sizeof *thesaurus->entries, compare_entries);
        int count = entry ? list_synonyms(entry, ret_synonyms) : 0;
        if (count)
            return count;
    }
    return 0;
}

static void put_word(const struct thesaurus *thesaurus, struct rng *rng, double rate,
    const char *word, size_t length, struct buffer *out)
{
    char lower[WORD_MAX + 1];
    const char *synonyms[SYNONYMS_MAX];
    int count = 0;
    if (length <= WORD_MAX && rng_chance(rng, rate)) {
        for (size_t i = 0; i < length; i++)
            lower[i] = (char)tolower((unsigned char)word[i]);
        lower[length] = '\0';
        if (!bsearch(lower, plain_words, COUNT_OF(plain_words), sizeof *plain_words, compare_plain))
            count = find_synonyms(thesaurus, lower, synonyms);
    }
    if (count) {
        word = synonyms[rng_below(rng, count)];
        length = strcspn(word, "|\n(");
        while (length > 0 && word[length - 1] == ' ')
            length--;
    }
    buffer_put(out, word, length);
}

enum pf_status thesaurus_vary(
    const struct thesaurus *thesaurus, struct rng *rng, struct buffer *text, struct pf_error *err)
{
    static const double rates[] = {0, 0.15, 0.3, 0.5};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'-";
    double rate = rates[rng_below(rng, COUNT_OF(rates))];
    if (!text->size)
        return PF_OK;
    AUTO_BUFFER struct buffer varied = BUFFER_INIT;
    for (const char *at = text->data; *at;) {
        size_t length = strspn(at, letters), between = strcspn(at + length, letters);
        put_word(thesaurus, rng, rate, at, length, &varied);
        buffer_put(&varied, at + length, between);
        at += length + between;
    }
    PF_TRY(buffer_status(&varied, err));
    buffer_clear(text);
    buffer_put(text, varied.data, varied.size);
    return buffer_status(text, err);
}
