/* SPDX-License-Identifier: Apache-2.0 */
/* The heap against the definition, on random tables and words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/buffer.h"
#include "pipeline/text/bpe.h"

enum { WORD_MAX = 60, TABLE_MERGES = 40, STRING_MAX = 40, ROUNDS = 60, WORDS = 200 };

static uint32_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % bound;
}

/* A table over a, b and the word end in which the same string is often made twice. */
static size_t random_table(struct buffer *out)
{
    static char strings[TABLE_MERGES + 4][STRING_MAX];
    static uint32_t pairs[TABLE_MERGES][2];
    static const char *const bytes[] = {"a", "b", "a</w>", "b</w>"};
    uint32_t string_count = 4;
    size_t merge_count = 0;
    for (size_t i = 0; i < 4; i++)
        strcpy(strings[i], bytes[i]);
    for (int attempt = 0; attempt < 400 && merge_count < TABLE_MERGES; attempt++) {
        uint32_t left = random_below(string_count), right = random_below(string_count);
        int known = strlen(strings[left]) + strlen(strings[right]) >= STRING_MAX ||
                    strchr(strings[left], '<') != NULL;
        for (size_t i = 0; i < merge_count && !known; i++)
            known = !strcmp(strings[pairs[i][0]], strings[left]) &&
                    !strcmp(strings[pairs[i][1]], strings[right]);
        if (known)
            continue;
        buffer_put_format(out, "%s %s\n", strings[left], strings[right]);
        pairs[merge_count][0] = left;
        pairs[merge_count++][1] = right;
        char *made = strings[string_count++];
        size_t left_size = strlen(strings[left]);
        memcpy(made, strings[left], left_size);
        memcpy(made + left_size, strings[right], strlen(strings[right]) + 1);
    }
    return merge_count;
}

/* One pass after another, as the definition says. */
static size_t split_simply(
    const struct merges *merges, const char *word, size_t size, uint32_t symbols[WORD_MAX])
{
    size_t count = size;
    for (size_t i = 0; i < size; i++)
        symbols[i] = merges_byte_symbol(merges, (unsigned char)word[i], i + 1 == size);
    for (;;) {
        struct merge best = {UINT32_MAX, 0}, merge;
        for (size_t i = 0; i + 1 < count; i++)
            if (merges_find(merges, symbols[i], symbols[i + 1], &merge) && merge.rank < best.rank)
                best = merge;
        if (best.rank == UINT32_MAX)
            return count;
        size_t out = 0;
        for (size_t i = 0; i < count; out++) {
            int merges_here = i + 1 < count &&
                              merges_find(merges, symbols[i], symbols[i + 1], &merge) &&
                              merge.rank == best.rank;
            symbols[out] = merges_here ? best.symbol : symbols[i];
            i += merges_here ? 2 : 1;
        }
        count = out;
    }
}

static void test_equals_the_definition(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct bpe bpe;
    assert_ok(bpe_init(&bpe, WORD_MAX, &err), &err);
    for (random_state = 1; random_state <= ROUNDS;) {
        uint32_t round = random_state;
        AUTO_BUFFER struct buffer table = BUFFER_INIT;
        size_t merge_count = random_table(&table);
        struct merges *merges = NULL;
        assert_ok(merges_create(&merges, table.data, table.size, merge_count, &err), &err);
        for (int i = 0; i < WORDS; i++) {
            char word[WORD_MAX];
            uint32_t expected[WORD_MAX];
            size_t size = 1 + random_below(WORD_MAX);
            for (size_t j = 0; j < size; j++)
                word[j] = "ab"[random_below(2)];
            size_t count = split_simply(merges, word, size, expected);
            assert_int_equal(bpe_split(&bpe, merges, word, size), count);
            assert_memory_equal(bpe.symbols, expected, count * sizeof *expected);
        }
        merges_destroy(merges);
        random_state = round + 1;
    }
    bpe_finish(&bpe);
}

/* A pair of lower rank that comes up within a pass waits for its end: "xyz x" (rank 3) may not eat
 * the x that the pass of "x yz" (rank 4) still needs. */
static void test_a_pass_is_finished_first(void **state)
{
    (void)state;
    static const char table[] = "y z\nx y\nxy z\nxyz x\nx yz\n";
    struct pf_error err = PF_ERROR_INIT;
    struct merges *merges = NULL;
    struct bpe bpe;
    assert_ok(merges_create(&merges, table, strlen(table), 5, &err), &err);
    assert_ok(bpe_init(&bpe, 7, &err), &err);
    assert_int_equal(bpe_split(&bpe, merges, "xyzxyzq", 7), 3);
    assert_int_equal(merges_id(merges, bpe.symbols[0]), 516);
    assert_int_equal(merges_id(merges, bpe.symbols[1]), 516);
    assert_int_equal(bpe.symbols[2], merges_byte_symbol(merges, 'q', 1));
    assert_int_equal(bpe_split(&bpe, merges, "q", 1), 1);
    bpe_finish(&bpe);
    bpe_finish(&bpe); /* of a zeroed one */
    merges_destroy(merges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_the_definition),
        cmocka_unit_test(test_a_pass_is_finished_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
