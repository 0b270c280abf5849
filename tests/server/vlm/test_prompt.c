/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "server/vlm/prompt.h"
#include "tests/test.h"

static void assert_plain(const char *answer, const char *expected)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    buffer_put_text(&out, "before|");
    vlm_put_plain(&out, answer);
    assert_string_equal(out.data + 7, expected);
}

static void test_plain(void **state)
{
    (void)state;
    assert_plain("It is hazy.", "It is hazy.");
    assert_plain("  It\tis \r\n\n hazy.\x7f ", "It is hazy.");
    assert_plain("**Haze**, `noise` and\n# snow", "Haze, noise and snow");
    assert_plain("\"A dog.\"", "A dog.");
    assert_plain("\"A\" or \"B\"", "A\" or \"B"); /* no attempt to understand */
    assert_plain("\"", "\"");
    assert_plain("\n<think>\nlet me see\n</think>\n\nA dog.", "A dog.");
    assert_plain("<think>never ends", "");
    assert_plain("", "");
    assert_plain("* * *", "");
    assert_plain("Neblig: \xc3\xbc\xe2\x82\xac", "Neblig: \xc3\xbc\xe2\x82\xac");
}

static void assert_cut(const char *text, size_t max, const char *expected)
{
    size_t size = vlm_cut_size(text, strlen(text), max);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void test_cut(void **state)
{
    (void)state;
    assert_cut("A dog.", 6, "A dog.");
    assert_cut("A dog runs. A cat sits. A bird flies.", 30, "A dog runs. A cat sits.");
    assert_cut("A dog runs. A cat sits.", 22, "A dog runs.");
    assert_cut("Yes. A very long sentence without any end", 30, "Yes. A very long sentence");
    assert_cut("haze, noise, blur", 12, "haze, noise");
    assert_cut("haze - noise", 8, "haze");
    assert_cut("abcdefghij", 4, "abcd");
    assert_cut("\xc3\xa4\xc3\xb6\xc3\xbc", 3, "\xc3\xa4");
    assert_cut("\xe2\x82\xac", 2, "");
    assert_cut("a b", 0, "");
}

static void assert_prompt(const char *defect, const char *semantic, const char *expected)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    vlm_put_prompt(&out, defect, semantic);
    assert_string_equal(out.data ? out.data : "", expected);
}

static void test_prompt(void **state)
{
    (void)state;
    assert_prompt("It is hazy.", "A dog.", "It is hazy. A dog.");
    assert_prompt("Heavy haze", "A dog", "Heavy haze. A dog");
    assert_prompt("Hazy?", "A dog.", "Hazy? A dog.");
    assert_prompt(NULL, "A dog.", "A dog.");
    assert_prompt("Haze.", "", "Haze.");
    assert_prompt("", NULL, "");
}

static void fill(char *text, size_t size, const char *sentence)
{
    for (size_t i = 0; i < size; i++)
        text[i] = sentence[i % strlen(sentence)];
    text[size] = '\0';
}

/* Whatever their lengths: bounded, valid, defect first, both there. */
static void test_prompt_bounds(void **state)
{
    (void)state;
    static const char *const defects[] = {"It is dim. ", "x", "\xe9\x9b\xbe", "haze noise "};
    static const char *const semantics[] = {"A dog runs. ", "y", "\xe7\x8a\xac"};
    char defect[1001], semantic[1001];
    for (size_t d = 0; d < COUNT_OF(defects); d++)
        for (size_t s = 0; s < COUNT_OF(semantics); s++)
            for (size_t size = 0; size < 1000 * 1000; size += 997) {
                fill(defect, size % 1000 / strlen(defects[d]) * strlen(defects[d]), defects[d]);
                fill(semantic, size / 1000 / strlen(semantics[s]) * strlen(semantics[s]),
                    semantics[s]);
                AUTO_BUFFER struct buffer out = BUFFER_INIT;
                vlm_put_prompt(&out, defect, semantic);
                assert_true(out.size <= VLM_PROMPT_BYTES_MAX);
                if (out.size == 0)
                    continue;
                assert_true(utf8_is_valid(out.data, out.size, NULL));
                assert_int_equal(out.data[0], *defect ? defect[0] : semantic[0]);
                if (*defect && *semantic)
                    assert_non_null(strstr(out.data, semantics[s][0] == 'A'   ? " A"
                                                     : semantics[s][0] == 'y' ? " y"
                                                                              : semantics[s]));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_prompt),
        cmocka_unit_test(test_prompt_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
