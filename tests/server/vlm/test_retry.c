/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cleanup.h"
#include "server/vlm/retry.h"
#include "tests/test.h"

static void test_statuses(void **state)
{
    (void)state;
    static const long passing[] = {408, 409, 425, 429, 500, 502, 503, 504, 529};
    static const long lasting[] = {201, 302, 400, 401, 403, 404, 413, 415, 422, 501, 505};
    for (size_t i = 0; i < COUNT_OF(passing); i++)
        assert_true(retry_is_status_passing(passing[i]));
    for (size_t i = 0; i < COUNT_OF(lasting); i++)
        assert_false(retry_is_status_passing(lasting[i]));
}

static void test_delays(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(1, 0, 0), 250);
    assert_in_range(retry_delay_ms(1, 0, 65535), 495, 500);
    assert_int_equal(retry_delay_ms(2, 0, 0), 500);
    assert_int_equal(retry_delay_ms(4, 0, 0), 2000);
    assert_int_equal(retry_delay_ms(7, 0, 0), 15000);
    assert_int_equal(retry_delay_ms(1000000000, 0, 0), 15000);
    assert_in_range(retry_delay_ms(20, 0, 65535), 29990, 30000);
    assert_int_equal(retry_delay_ms(1, 7, 65535), 7000);
    assert_int_equal(retry_delay_ms(9, 1, 0), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
