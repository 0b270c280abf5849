/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a table needs a map from strings to symbols (`struct names`, dropped afterwards);
 * encoding needs one from pairs of symbols to merges. Both are open-addressing hash tables of a
 * power of two slots, at most half full.
 *
 * The file writes each byte as one printable character: the 188 printable ones of Latin-1 stand for
 * themselves, the others for U+0100 upwards in their order. The vocabulary lists the bytes in that
 * order too: first the 188, then the rest. */
#include "pipeline/text/merges.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

enum { BYTE_COUNT = 256, WORD_END_SIZE = 4, BYTE_NAME_MAX = 2 + WORD_END_SIZE };

static const char word_end[] = "</w>";

struct pair_slot {
    uint64_t key;     /* left << 32 | right */
    uint32_t rank_up; /* rank + 1; 0 in an empty slot */
    uint32_t symbol;
};

struct merges {
    struct pair_slot *pairs;
    size_t pair_mask; /* slots - 1 */
    uint32_t *ids;    /* [symbols] */
    uint32_t byte_symbols[BYTE_COUNT];
};

struct name {
    const char *text; /* borrowed from the table or from names.arena */
    size_t size;
    uint32_t symbol;
};

struct names {
    struct name *slots;
    size_t mask;
    char *arena; /* the strings of bytes and merges, end to end */
    size_t arena_size;
};

/* The table as it is read. */
struct reader {
    const char *at, *end;
    size_t line; /* of the last line read, from 1 */
};

static uint64_t hash_bytes(const char *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

static uint64_t hash_pair(uint64_t key)
{
    key *= UINT64_C(0x9e3779b97f4a7c15);
    return key ^ key >> 32;
}

static size_t slots_for(size_t entries)
{
    size_t slots = 16;
    while (slots < 2 * entries)
        slots *= 2;
    return slots;
}

/* The slot that holds this string, or the empty one where it belongs. */
static struct name *names_slot(const struct names *names, const char *text, size_t size)
{
    size_t at = (size_t)hash_bytes(text, size) & names->mask;
    while (names->slots[at].text &&
           (names->slots[at].size != size || memcmp(names->slots[at].text, text, size) != 0))
        at = (at + 1) & names->mask;
    return &names->slots[at];
}

/* Gives the string left + right a symbol: `symbol`, or the one that it already has. */
static uint32_t names_add(
    struct names *names, const struct name *left, const struct name *right, uint32_t symbol)
{
    char *text = names->arena + names->arena_size;
    memcpy(text, left->text, left->size);
    memcpy(text + left->size, right->text, right->size);
    size_t size = left->size + right->size;
    struct name *slot = names_slot(names, text, size);
    if (slot->text)
        return slot->symbol;
    names->arena_size += size;
    *slot = (struct name){text, size, symbol};
    return symbol;
}

static int byte_is_printable(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

static void add_bytes(struct merges *merges, struct names *names)
{
    uint32_t next = 0, replaced = 0;
    for (int printable = 1; printable >= 0; printable--)
        for (unsigned byte = 0; byte < BYTE_COUNT; byte++) {
            if (byte_is_printable(byte) != printable)
                continue;
            char bytes[4];
            size_t size = utf8_encode(printable ? byte : 0x100 + replaced++, bytes);
            struct name name = {bytes, size, 0}, none = {"", 0, 0},
                        end = {word_end, WORD_END_SIZE, 0};
            merges->byte_symbols[byte] = names_add(names, &name, &none, next);
            names_add(names, &name, &end, next + BYTE_COUNT);
            next++;
        }
}

static int reader_next(struct reader *reader, const char **ret_line, size_t *ret_size)
{
    if (reader->at == reader->end)
        return 0;
    size_t left = (size_t)(reader->end - reader->at);
    const char *newline = memchr(reader->at, '\n', left);
    size_t size = newline ? (size_t)(newline - reader->at) : left;
    *ret_line = reader->at;
    *ret_size = size > 0 && reader->at[size - 1] == '\r' ? size - 1 : size;
    reader->at += newline ? size + 1 : size;
    reader->line++;
    return 1;
}

static enum pf_status find_part(const struct names *names, const struct reader *reader,
    const char *text, size_t size, const struct name **ret_name, struct pf_error *err)
{
    enum { SHOWN_MAX = 60 };
    *ret_name = names_slot(names, text, size);
    if ((*ret_name)->text)
        return PF_OK;
    if (!utf8_is_valid(text, size, NULL))
        return pf_fail(err, PF_CORRUPT, "merges table, line %zu: not UTF-8", reader->line);
    return pf_fail(err, PF_CORRUPT,
        "merges table, line %zu: '%.*s' is neither a byte nor made by an earlier line",
        reader->line, (int)(size < SHOWN_MAX ? size : SHOWN_MAX), text);
}

static struct pair_slot *pair_slot(const struct merges *merges, uint32_t left, uint32_t right)
{
    uint64_t key = (uint64_t)left << 32 | right;
    size_t at = (size_t)hash_pair(key) & merges->pair_mask;
    while (merges->pairs[at].rank_up && merges->pairs[at].key != key)
        at = (at + 1) & merges->pair_mask;
    return &merges->pairs[at];
}

static enum pf_status add_line(struct merges *merges, struct names *names,
    const struct reader *reader, const char *line, size_t size, uint32_t rank, struct pf_error *err)
{
    const char *space = memchr(line, ' ', size);
    size_t left_size = space ? (size_t)(space - line) : 0;
    size_t right_size = space ? size - left_size - 1 : 0;
    if (left_size == 0 || right_size == 0 || memchr(space + 1, ' ', right_size))
        return pf_fail(err, PF_CORRUPT, "merges table, line %zu: expected two parts and one space",
            reader->line);
    const struct name *left, *right;
    PF_TRY(find_part(names, reader, line, left_size, &left, err));
    PF_TRY(find_part(names, reader, space + 1, right_size, &right, err));
    struct pair_slot *slot = pair_slot(merges, left->symbol, right->symbol);
    if (slot->rank_up)
        return pf_fail(err, PF_CORRUPT,
            "merges table, line %zu: the pair of merge %u a second time", reader->line,
            (unsigned)slot->rank_up);
    uint32_t own = MERGES_BYTE_SYMBOLS + rank;
    slot->key = (uint64_t)left->symbol << 32 | right->symbol;
    slot->rank_up = rank + 1;
    slot->symbol = names_add(names, left, right, own);
    merges->ids[slot->symbol] = own;
    return PF_OK;
}

static enum pf_status read_table(struct merges *merges, struct names *names, const char *text,
    size_t count, size_t merge_count, struct pf_error *err)
{
    struct reader reader = {text, text + count, 0};
    const char *line;
    size_t size;
    static const char version[] = "#version";
    if (count >= sizeof version - 1 && memcmp(text, version, sizeof version - 1) == 0)
        reader_next(&reader, &line, &size);
    for (size_t rank = 0; rank < merge_count; rank++) {
        if (!reader_next(&reader, &line, &size))
            return pf_fail(err, PF_INVALID,
                "merges table has %zu merges, a vocabulary of %zu needs %zu", rank,
                merge_count + MERGES_BYTE_SYMBOLS + 2, merge_count);
        PF_TRY(add_line(merges, names, &reader, line, size, (uint32_t)rank, err));
    }
    return PF_OK;
}

static enum pf_status allocate(struct merges *merges, struct names *names, size_t text_size,
    size_t merge_count, struct pf_error *err)
{
    size_t symbols = MERGES_BYTE_SYMBOLS + merge_count;
    size_t pair_slots = slots_for(merge_count), name_slots = slots_for(symbols);
    /* A merge's string is no longer than its line; a byte's fits BYTE_NAME_MAX. */
    size_t arena_max = MERGES_BYTE_SYMBOLS * BYTE_NAME_MAX + text_size;
    merges->pairs = calloc(pair_slots, sizeof *merges->pairs);
    merges->pair_mask = pair_slots - 1;
    merges->ids = malloc(symbols * sizeof *merges->ids);
    names->slots = calloc(name_slots, sizeof *names->slots);
    names->mask = name_slots - 1;
    names->arena = malloc(arena_max);
    if (!merges->pairs || !merges->ids || !names->slots || !names->arena)
        return pf_fail(err, PF_NOMEM, "no memory for a merges table of %zu merges", merge_count);
    for (size_t i = 0; i < symbols; i++)
        merges->ids[i] = (uint32_t)i;
    return PF_OK;
}

enum pf_status merges_create(struct merges **ret_merges, const char *text, size_t count,
    size_t merge_count, struct pf_error *err)
{
    if (count > MERGES_SIZE_MAX || merge_count > MERGES_COUNT_MAX)
        return pf_fail(err, PF_INVALID,
            "merges table of %zu bytes for %zu merges, at most %d bytes and %d merges are taken",
            count, merge_count, (int)MERGES_SIZE_MAX, (int)MERGES_COUNT_MAX);
    struct merges *merges = calloc(1, sizeof *merges);
    if (!merges)
        return pf_fail(err, PF_NOMEM, "no memory for a merges table");
    struct names names = {0};
    enum pf_status status = allocate(merges, &names, count, merge_count, err);
    if (status == PF_OK) {
        add_bytes(merges, &names);
        status = read_table(merges, &names, text, count, merge_count, err);
    }
    free(names.slots);
    free(names.arena);
    if (status != PF_OK) {
        merges_destroy(merges);
        return status;
    }
    *ret_merges = merges;
    return PF_OK;
}

void merges_destroy(struct merges *merges)
{
    if (!merges)
        return;
    free(merges->pairs);
    free(merges->ids);
    free(merges);
}

uint32_t merges_byte_symbol(const struct merges *merges, unsigned char byte, int is_last)
{
    return merges->byte_symbols[byte] + (is_last ? BYTE_COUNT : 0);
}

int merges_find(const struct merges *merges, uint32_t left, uint32_t right, struct merge *ret_merge)
{
    const struct pair_slot *slot = pair_slot(merges, left, right);
    if (!slot->rank_up)
        return 0;
    *ret_merge = (struct merge){slot->rank_up - 1, slot->symbol};
    return 1;
}

uint32_t merges_id(const struct merges *merges, uint32_t symbol)
{
    return merges->ids[symbol];
}

int merges_is_gzip(const void *bytes, size_t count)
{
    return count >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
}
