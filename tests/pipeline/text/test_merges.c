/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "pipeline/text/merges.h"

static const char small_table[] = "#version: 0.2\na b\nb c\nab c\na bc\n";

/* The same text, packed by gzip -9. */
static const unsigned char small_gzip[48] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
    0x03, 0x53, 0x2e, 0x4b, 0x2d, 0x2a, 0xce, 0xcc, 0xcf, 0xb3, 0x52, 0x30, 0xd0, 0x33, 0xe2, 0x4a,
    0x54, 0x48, 0xe2, 0x4a, 0x52, 0x48, 0xe6, 0x4a, 0x04, 0x13, 0x0a, 0x49, 0xc9, 0x5c, 0x00, 0x4b,
    0x85, 0xed, 0xf7, 0x20, 0x00, 0x00, 0x00};

static void check_fails(
    const char *text, size_t merge_count, enum pf_status status, const char *part)
{
    struct merges *merges = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_fails(merges_create(&merges, text, strlen(text), merge_count, &err), status, part, &err);
    assert_null(merges);
}

static void test_byte_symbols(void **state)
{
    (void)state;
    struct merges *merges = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(merges_create(&merges, "", 0, 0, &err), &err);
    /* CLIP's order: the printable characters of Latin-1, then the other bytes. */
    assert_int_equal(merges_byte_symbol(merges, '!', 0), 0);
    assert_int_equal(merges_byte_symbol(merges, '!', 1), 256);
    assert_int_equal(merges_byte_symbol(merges, '~', 0), 93);
    assert_int_equal(merges_byte_symbol(merges, 0xA1, 0), 94);
    assert_int_equal(merges_byte_symbol(merges, 0xAE, 0), 106);
    assert_int_equal(merges_byte_symbol(merges, 0xFF, 0), 187);
    assert_int_equal(merges_byte_symbol(merges, 0, 0), 188);
    assert_int_equal(merges_byte_symbol(merges, ' ', 0), 220);
    assert_int_equal(merges_byte_symbol(merges, 0x7F, 0), 221);
    assert_int_equal(merges_byte_symbol(merges, 0xAD, 1), 511);
    int seen[512] = {0};
    for (int byte = 0; byte < 256; byte++)
        for (int last = 0; last < 2; last++) {
            uint32_t symbol = merges_byte_symbol(merges, (unsigned char)byte, last);
            assert_true(symbol < 512 && !seen[symbol]);
            seen[symbol] = 1;
            assert_int_equal(merges_id(merges, symbol), symbol);
        }
    merges_destroy(merges);
    merges_destroy(NULL);
}

static void check_small(const char *text, size_t count)
{
    struct merges *merges = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(merges_create(&merges, text, count, 4, &err), &err);
    uint32_t a = merges_byte_symbol(merges, 'a', 0), b = merges_byte_symbol(merges, 'b', 0),
             c = merges_byte_symbol(merges, 'c', 0);
    struct merge merge, other;
    assert_true(merges_find(merges, a, b, &merge));
    assert_int_equal(merge.rank, 0);
    assert_int_equal(merge.symbol, 512);
    assert_true(merges_find(merges, 512, c, &merge));
    assert_int_equal(merge.rank, 2);
    assert_true(merges_find(merges, a, 513, &other));
    assert_int_equal(other.rank, 3);
    assert_int_equal(other.symbol, merge.symbol); /* "abc" both times */
    assert_int_equal(merges_id(merges, merge.symbol), 515);
    assert_false(merges_find(merges, b, a, &merge));
    assert_false(merges_find(merges, a, c, &merge));
    merges_destroy(merges);
}

static void test_reads_a_table(void **state)
{
    (void)state;
    check_small(small_table, strlen(small_table));
    check_small("a b\nb c\nab c\na bc", 17); /* neither version nor last newline */
    check_small("#version: 0.2\r\na b\r\nb c\r\nab c\r\na bc\r\nx y\r\n", 44);
    /* What lies behind the merges we take isn't looked at. */
    check_small("a b\nb c\nab c\na bc\n\xff nonsense\n", 29);
}

static void test_word_ends_and_other_bytes(void **state)
{
    (void)state;
    static const char text[] = "e r</w>\n\xc4\xa0 x\n"; /* U+0120 stands for the space */
    struct merges *merges = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(merges_create(&merges, text, strlen(text), 2, &err), &err);
    struct merge merge;
    assert_true(merges_find(
        merges, merges_byte_symbol(merges, 'e', 0), merges_byte_symbol(merges, 'r', 1), &merge));
    assert_false(merges_find(
        merges, merges_byte_symbol(merges, 'e', 0), merges_byte_symbol(merges, 'r', 0), &merge));
    assert_true(merges_find(
        merges, merges_byte_symbol(merges, ' ', 0), merges_byte_symbol(merges, 'x', 0), &merge));
    assert_int_equal(merge.symbol, 513);
    merges_destroy(merges);
}

static void test_bad_tables(void **state)
{
    (void)state;
    check_fails("a b\nb c\n", 5, PF_INVALID, "has 2 merges, a vocabulary of 519 needs 5");
    check_fails("", 1, PF_INVALID, "has 0 merges");
    check_fails("#version: 0.2\n", 1, PF_INVALID, "has 0 merges");
    check_fails("#version: 0.2\na b\n\nb c\n", 3, PF_CORRUPT, "line 3: expected two parts");
    check_fails("ab\n", 1, PF_CORRUPT, "line 1: expected two parts");
    check_fails("a b c\n", 1, PF_CORRUPT, "line 1: expected two parts");
    check_fails(" a\n", 1, PF_CORRUPT, "line 1: expected two parts");
    check_fails("a \n", 1, PF_CORRUPT, "line 1: expected two parts");
    check_fails("a b\nbc d\n", 2, PF_CORRUPT, "line 2: 'bc' is neither a byte nor");
    check_fails("a b\nd bc\n", 2, PF_CORRUPT, "line 2: 'bc' is neither a byte nor");
    check_fails("a \xff\n", 1, PF_CORRUPT, "line 1: not UTF-8");
    check_fails("a b\nc d\na b\n", 3, PF_CORRUPT, "line 3: the pair of merge 1 a second time");
    check_fails("a b\n", (size_t)MERGES_COUNT_MAX + 1, PF_INVALID, "1048577 merges");
}

static void test_gzip(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct pf_error err = PF_ERROR_INIT;
    assert_true(merges_is_gzip(small_gzip, sizeof small_gzip));
    assert_false(merges_is_gzip(small_table, sizeof small_table));
    assert_false(merges_is_gzip("\x1f", 1));
    if (!TEST_HAS_ZLIB) {
        assert_fails(merges_gunzip(small_gzip, sizeof small_gzip, 1000, &out, &err), PF_UNSUPPORTED,
            "gunzip", &err);
        return;
    }
    assert_ok(merges_gunzip(small_gzip, sizeof small_gzip, 32, &out, &err), &err);
    assert_int_equal(out.size, 32);
    assert_memory_equal(out.data, small_table, 32);
    assert_fails(merges_gunzip(small_gzip, sizeof small_gzip, 31, &out, &err), PF_CORRUPT,
        "more than 31 bytes", &err);
    assert_fails(merges_gunzip(small_gzip, 20, 1000, &out, &err), PF_CORRUPT, "cut short", &err);
    unsigned char broken[sizeof small_gzip + 2];
    memcpy(broken, small_gzip, sizeof small_gzip);
    memcpy(broken + sizeof small_gzip, "xy", 2);
    assert_fails(merges_gunzip(broken, sizeof broken, 1000, &out, &err), PF_CORRUPT,
        "followed by 2 bytes", &err);
    broken[41] ^= 1; /* of the checksum */
    assert_fails(
        merges_gunzip(broken, sizeof small_gzip, 1000, &out, &err), PF_CORRUPT, "broken", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_symbols),
        cmocka_unit_test(test_reads_a_table),
        cmocka_unit_test(test_word_ends_and_other_bytes),
        cmocka_unit_test(test_bad_tables),
        cmocka_unit_test(test_gzip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
