/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "tests/test.h"

#include "base/clock.h"

static void check_format(int64_t realtime_ms, const char *expected)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(realtime_ms, text);
    assert_string_equal(text, expected);
}

static void test_formats(void **state)
{
    (void)state;
    check_format(0, "1970-01-01T00:00:00.000Z");
    check_format(1795431909123, "2026-11-23T11:05:09.123Z");
    check_format(1709164800007, "2024-02-29T00:00:00.007Z");
    check_format(-1, "1969-12-31T23:59:59.999Z");
    check_format(-1000, "1969-12-31T23:59:59.000Z");
    check_format(253402300799999, "9999-12-31T23:59:59.999Z");
    check_format(INT64_MAX, "292278994-08-17T07:12:55.807Z");
}

static void test_monotonic_does_not_go_back(void **state)
{
    (void)state;
    int64_t last_us = clock_monotonic_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now_us = clock_monotonic_us();
        assert_true(now_us >= last_us);
        last_us = now_us;
    }
    int64_t ms = clock_monotonic_ms();
    assert_true(ms >= last_us / 1000 && ms <= clock_monotonic_us() / 1000);
}

static void test_realtime_is_unix_time(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL);
    int64_t seconds = clock_realtime_ms() / 1000;
    /* time() may read a coarser clock that lags behind by a tick. */
    assert_true(seconds >= before - 1 && seconds <= (int64_t)time(NULL) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_monotonic_does_not_go_back),
        cmocka_unit_test(test_realtime_is_unix_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
