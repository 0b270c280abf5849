/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "base/utf8.h"

static void test_every_code_point_reads_back(void **state)
{
    (void)state;
    for (uint32_t written = 0; written <= 0x10FFFF; written++) {
        char bytes[4];
        size_t size = utf8_encode(written, bytes);
        size_t expected = written < 0x80 ? 1 : written < 0x800 ? 2 : written < 0x10000 ? 3 : 4;
        uint32_t read = 0;
        size_t taken = utf8_decode(bytes, size, &read);
        int is_surrogate = written >= 0xD800 && written <= 0xDFFF;
        if (size != expected || read != (is_surrogate ? UTF8_INVALID : written) ||
            taken != (is_surrogate ? 1 : size))
            fail_msg("U+%04X: %zu bytes, read as U+%04X from %zu", written, size, read, taken);
        if (size > 1) {
            assert_int_equal(utf8_decode(bytes, size - 1, &read), 1);
            assert_int_equal(read, UTF8_INVALID);
        }
    }
}

static void test_invalid_sequences(void **state)
{
    (void)state;
    static const char *const texts[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
        "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "\xc3(",
        "\xe2\x82(", "\xf0\x9f\x98(", "\xc3\xc3", "\xe2", "\xe2\x82", "\xf0\x9f\x98"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint32_t code_point = 0;
        assert_int_equal(utf8_decode(texts[i], strlen(texts[i]), &code_point), 1);
        assert_int_equal(code_point, UTF8_INVALID);
        size_t characters = 77;
        assert_false(utf8_is_valid(texts[i], strlen(texts[i]), &characters));
        assert_int_equal(characters, 77);
    }
}

static void test_counts_characters(void **state)
{
    (void)state;
    size_t characters = 77;
    assert_true(utf8_is_valid("", 0, &characters));
    assert_int_equal(characters, 0);
    assert_true(utf8_is_valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\0", 11, &characters));
    assert_int_equal(characters, 5);
    assert_true(utf8_is_valid("abc", 3, NULL));
    assert_false(utf8_is_valid("abc\xc3\xa4", 4, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point_reads_back),
        cmocka_unit_test(test_invalid_sequences),
        cmocka_unit_test(test_counts_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
