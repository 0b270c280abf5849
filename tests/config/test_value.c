/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "config/value.h"

static void test_integers(void **state)
{
    (void)state;
    int64_t value = 7;
    assert_true(value_parse_integer("0", &value) && value == 0);
    assert_true(value_parse_integer("-12", &value) && value == -12);
    assert_true(value_parse_integer("999999999999999999", &value));
    assert_true(value == INT64_C(999999999999999999));
    static const char *const bad[] = {
        "", "-", "+1", " 1", "1 ", "1.0", "0x10", "1e3", "--1", "9999999999999999999", "twelve"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        value = 7;
        assert_false(value_parse_integer(bad[i], &value));
        assert_true(value == 7);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    double value = 0;
    assert_true(value_parse_number("2.5", &value) && value > 2.4 && value < 2.6);
    assert_true(value_parse_number("-1e-3", &value) && value < 0);
    static const char *const bad[] = {"", "nan", "inf", "1e999", "0x1p3", "1.5x", " 1", "e"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(value_parse_number(bad[i], &value));
}

static const struct {
    const char *text;
    int64_t value; /* -1: refused */
    const char *written;
} bytes_cases[] =
    {
        {"0", 0, "0"},
        {"1", 1, "1"},
        {"4096", 4096, "4KiB"},
        {"32MiB", 33554432, "32MiB"},
        {"2GiB", INT64_C(2147483648), "2GiB"},
        {"10kB", 10000, "10000"},
        {"10MB", 10000000, "10000000"},
        {"1500", 1500, "1500"},
        {"32 MiB", -1, NULL},
        {"32mib", -1, NULL},
        {"1.5GiB", -1, NULL},
        {"-1", -1, NULL},
        {"MiB", -1, NULL},
        {"999999999999999999GiB", -1, NULL},
},
  duration_cases[] = {
      {"0", 0, "0"},
      {"0s", 0, "0"},
      {"250ms", 250, "250ms"},
      {"15s", 15000, "15s"},
      {"300s", 300000, "5min"},
      {"24h", 86400000, "24h"},
      {"48h", 172800000, "2d"},
      {"90min", 5400000, "90min"},
      {"1", -1, NULL},
      {"1m", -1, NULL},
      {"1.5h", -1, NULL},
      {"1h30min", -1, NULL},
      {"999999999999999999d", -1, NULL},
};

static void test_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bytes_cases); i++) {
        int64_t value = -1;
        assert_int_equal(value_parse_bytes(bytes_cases[i].text, &value), bytes_cases[i].value >= 0);
        assert_true(value == bytes_cases[i].value);
        if (value < 0)
            continue;
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        value_put_bytes(&text, value);
        assert_string_equal(text.data, bytes_cases[i].written);
    }
}

static void test_durations(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(duration_cases); i++) {
        int64_t value = -1;
        assert_int_equal(
            value_parse_duration(duration_cases[i].text, &value), duration_cases[i].value >= 0);
        assert_true(value == duration_cases[i].value);
        if (value < 0)
            continue;
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        value_put_duration(&text, value);
        assert_string_equal(text.data, duration_cases[i].written);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
