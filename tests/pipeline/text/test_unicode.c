/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/text/unicode.h"

static void test_classes(void **state)
{
    (void)state;
    static const uint32_t letters[] = {'A', 'z', 0xAA, 0xE9, 0x130, 0x2B0, 0x5D0, 0x4E00, 0x9FFF,
        0xAC00, 0xD7A3, 0x1D49C, 0x20000};
    static const uint32_t numbers[] = {'0', '9', 0xB2, 0xBD, 0x663, 0x217B, 0x3007, 0x1D7CE};
    static const uint32_t spaces[] = {9, 0xA, 0xB, 0xC, 0xD, ' ', 0x85, 0xA0, 0x1680, 0x2003,
        0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
    static const uint32_t others[] = {0, 0x1C, '!', '_', 0x7F, 0xAD, 0x301, 0x200B, 0x20AC, 0xE000,
        0xFEFF, 0xFFFD, 0x1F600, 0x10FFFF};
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        assert_true(unicode_is_letter(letters[i]) && !unicode_is_number(letters[i]) &&
                    !unicode_is_space(letters[i]));
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_true(unicode_is_number(numbers[i]) && !unicode_is_letter(numbers[i]) &&
                    !unicode_is_space(numbers[i]));
    for (size_t i = 0; i < COUNT_OF(spaces); i++)
        assert_true(unicode_is_space(spaces[i]) && !unicode_is_letter(spaces[i]) &&
                    !unicode_is_number(spaces[i]));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(unicode_is_letter(others[i]) || unicode_is_number(others[i]) ||
                     unicode_is_space(others[i]));
}

static uint32_t lower_one(uint32_t code_point)
{
    uint32_t lower[2] = {0, 0};
    assert_int_equal(unicode_lower(&code_point, 1, 0, lower), 1);
    return lower[0];
}

static void test_lower(void **state)
{
    (void)state;
    static const uint32_t pairs[][2] = {{'A', 'a'}, {'Z', 'z'}, {'a', 'a'}, {'[', '['},
        {0xC9, 0xE9}, {0xD7, 0xD7}, {0x100, 0x101}, {0x101, 0x101}, {0x139, 0x13A}, {0x178, 0xFF},
        {0x1E9E, 0xDF}, {0x212A, 'k'}, {0x410, 0x430}, {0x10A0, 0x2D00}, {0x13A0, 0xAB70},
        {0x23A, 0x2C65}, {0x10400, 0x10428}, {0x1E921, 0x1E943}, {0x4E00, 0x4E00},
        {0x10FFFF, 0x10FFFF}};
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        assert_int_equal(lower_one(pairs[i][0]), pairs[i][1]);
    uint32_t dotted = 0x130, lower[2];
    assert_int_equal(unicode_lower(&dotted, 1, 0, lower), 2);
    assert_int_equal(lower[0], 'i');
    assert_int_equal(lower[1], 0x307);
}

static uint32_t lower_sigma(const uint32_t *text, size_t count, size_t at)
{
    uint32_t lower[2];
    assert_int_equal(text[at], 0x3A3);
    assert_int_equal(unicode_lower(text, count, at, lower), 1);
    return lower[0];
}

static void test_final_sigma(void **state)
{
    (void)state;
    enum { SIGMA = 0x3A3, SMALL = 0x3C3, FINAL = 0x3C2 };
    const uint32_t word[] = {SIGMA, 'A', SIGMA, 'A', SIGMA};
    assert_int_equal(lower_sigma(word, 5, 0), SMALL);
    assert_int_equal(lower_sigma(word, 5, 2), SMALL);
    assert_int_equal(lower_sigma(word, 5, 4), FINAL);
    const uint32_t alone[] = {' ', SIGMA, ' '};
    assert_int_equal(lower_sigma(alone, 3, 1), SMALL);
    /* Combining marks, apostrophe and full stop are looked past. */
    const uint32_t marks[] = {'A', 0x301, SIGMA, '.', '\'', ' ', 'B'};
    assert_int_equal(lower_sigma(marks, 7, 2), FINAL);
    const uint32_t goes_on[] = {'A', 0x301, SIGMA, '.', 'B'};
    assert_int_equal(lower_sigma(goes_on, 5, 2), SMALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_lower),
        cmocka_unit_test(test_final_sigma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
