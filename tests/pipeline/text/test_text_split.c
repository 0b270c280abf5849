/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "base/buffer.h"
#include "pipeline/text/text_split.h"

/* Words of `text` joined by '_'. */
static void check_bytes(const char *text, size_t count, const char *expected)
{
    AUTO_BUFFER struct buffer words = BUFFER_INIT;
    struct text_word word;
    for (size_t at = 0; text_split_next(text, count, &at, &word);) {
        assert_true(word.size > 0);
        if (words.size > 0)
            buffer_put_text(&words, "_");
        buffer_put(&words, word.bytes, word.size);
    }
    assert_string_equal(words.data ? words.data : "", expected);
}

static void check(const char *text, const char *expected)
{
    check_bytes(text, strlen(text), expected);
}

static void test_classes(void **state)
{
    (void)state;
    check("", "");
    check("  ", "");
    check("remove the haze.", "remove_the_haze_.");
    check("a1b22 3.14", "a_1_b_2_2_3_._1_4");
    check("!!(50%)", "!!(_5_0_%)");
    check("\xe5\x8e\xbb\xe9\x99\xa4\xe3\x80\x82x", "\xe5\x8e\xbb\xe9\x99\xa4_\xe3\x80\x82_x");
    check("caf\xc3\xa9\xf0\x9f\x98\x80\xf0\x9f\x8c\x88",
        "caf\xc3\xa9_\xf0\x9f\x98\x80\xf0\x9f\x8c\x88");
    check("e\xcc\x81t", "e_\xcc\x81_t"); /* a combining mark is no letter */
    check("\xc2\xbd\xe2\x85\xbb", "\xc2\xbd_\xe2\x85\xbb");
}

static void test_contractions(void **state)
{
    (void)state;
    check(
        "don't it's we've they're i'll i'm he'd", "don_'t_it_'s_we_'ve_they_'re_i_'ll_i_'m_he_'d");
    check("'single'", "'s_ingle_'");
    check("''s --'s", "''_s_--'_s"); /* the run of others takes the apostrophe */
    check("'l 'v 'x", "'_l_'_v_'_x");
    check("it'\xc5\xbf", "it_'\xc5\xbf"); /* long s is an s, ignoring case */
    check("'", "'");
}

static void test_specials(void **state)
{
    (void)state;
    check("<|startoftext|>x<|endoftext|>", "<|startoftext|>_x_<|endoftext|>");
    check("!<|endoftext|>", "!<|_endoftext_|>");
    check("<|endoftext| >", "<|_endoftext_|_>");
    check("<|startoftext", "<|_startoftext");
}

static void test_ends_at_count(void **state)
{
    (void)state;
    check_bytes("abcdef", 3, "abc");
    check_bytes("it's", 3, "it_'");
    check_bytes("<|endoftext|>", 12, "<|_endoftext_|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_contractions),
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_ends_at_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
