/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "pipeline/text/text_clean.h"

static void check_bytes(const char *text, size_t count, const char *expected, size_t expected_count)
{
    AUTO_BUFFER struct buffer clean = BUFFER_INIT;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(text_clean(text, count, &clean, &err), &err);
    assert_int_equal(clean.size, expected_count);
    if (expected_count > 0)
        assert_memory_equal(clean.data, expected, expected_count);
}

static void check(const char *text, const char *expected)
{
    check_bytes(text, strlen(text), expected, strlen(expected));
}

static void test_spaces(void **state)
{
    (void)state;
    check("", "");
    check(" \t\r\n ", "");
    check("   tabs\tand\nnew   lines  ", "tabs and new lines");
    check("\xe3\x80\x80wide\xe2\x80\x83\xc2\xa0space\xc2\x85", "wide space");
    /* Separators 1C-1F are trimmed, as strip() does, and kept inside, as \s doesn't match them. */
    check("\x1c a\x1d\x1e b \x1f", "a\x1d\x1e b");
    check("&nbsp;x&#32;&#10;y&nbsp;", "x y");
}

static void test_references_are_opened_twice(void **state)
{
    (void)state;
    check("&lt;B&gt;", "<b>");
    check("&amp;lt;B&amp;gt;", "<b>");
    check("&amp;amp;lt;", "&lt;");
}

static void test_lower_case(void **state)
{
    (void)state;
    check("COLORIZE \xc3\x89T\xc3\x89", "colorize \xc3\xa9t\xc3\xa9");
    check("\xc4\xb0stanbul", "i\xcc\x87stanbul");
    check("\xce\x9f\xce\x94\xce\x9f\xce\xa3!", "\xce\xbf\xce\xb4\xce\xbf\xcf\x82!");
    /* Unchanged, although ftfy would straighten it. */
    check("I\xe2\x80\x99ll", "i\xe2\x80\x99ll");
}

static void test_control_characters_stay(void **state)
{
    (void)state;
    check_bytes("A\0\x01\x7f", 4, "a\0\x01\x7f", 4);
    check_bytes("\0", 1, "\0", 1);
}

static void test_not_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"ab\xff", "byte 0xff at offset 2"},
        {"\xc3", "offset 0"},
        {"a\xc0\x80", "offset 1"},
        {"x\xed\xa0\x80", "byte 0xed at offset 1"},
        {"\xf4\x90\x80\x80", "offset 0"},
        {"\xe2\x82\xac\x80", "byte 0x80 at offset 3"},
    };
    struct pf_error err = PF_ERROR_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO_BUFFER struct buffer clean = BUFFER_INIT;
        assert_fails(text_clean(bad[i].text, strlen(bad[i].text), &clean, &err), PF_INVALID,
            bad[i].part, &err);
        assert_int_equal(clean.size, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_references_are_opened_twice),
        cmocka_unit_test(test_lower_case),
        cmocka_unit_test(test_control_characters_stay),
        cmocka_unit_test(test_not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
