/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/buffer.h"
#include "base/cleanup.h"

static void test_puts_append_and_terminate(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
    buffer_put(&buffer, NULL, 0);
    assert_null(buffer.data);
    buffer_put_text(&buffer, "ab");
    buffer_put(&buffer, "c\0d", 3);
    buffer_put_format(&buffer, "%d%s", 12, "");
    buffer_put_format(&buffer, "%s", "");
    assert_int_equal(buffer.size, 7);
    assert_memory_equal(buffer.data, "abc\0d12", 8);
    for (int i = 0; i < 10000; i++)
        buffer_put_format(&buffer, "%04d", i);
    assert_ok(buffer_status(&buffer, &err), &err);
    assert_int_equal(buffer.size, 40007);
    assert_string_equal(buffer.data + 40003, "9999");
    buffer_clear(&buffer);
    assert_int_equal(buffer.size, 0);
    assert_string_equal(buffer.data, "");
    assert_true(buffer.capacity > 40007);
}

static void test_maximum_is_sharp_and_sticky(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT_MAX(100);
    for (int i = 0; i < 100; i++)
        buffer_put(&buffer, "x", 1);
    assert_ok(buffer_status(&buffer, &err), &err);
    assert_int_equal(buffer.capacity, 101);
    buffer_put(&buffer, "y", 1);
    assert_int_equal(buffer.size, 100);
    assert_fails(buffer_status(&buffer, &err), PF_INVALID, "maximum of 100 bytes", &err);
    assert_null(buffer_reserve(&buffer, 0));
    buffer_put_text(&buffer, "");
    assert_int_equal(buffer_status(&buffer, NULL), PF_INVALID);
    assert_null(buffer_steal(&buffer, NULL));
    assert_int_equal(buffer_status(&buffer, NULL), PF_INVALID);
    assert_null(buffer.data);
    buffer_clear(&buffer);
    buffer_put_text(&buffer, "again");
    assert_ok(buffer_status(&buffer, &err), &err);
    assert_string_equal(buffer.data, "again");
    assert_int_equal(buffer.max_size, 100);
}

static void test_sizes_do_not_overflow(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    for (size_t off = 0; off < 4; off++) {
        AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
        buffer_put_text(&buffer, "12");
        assert_null(buffer_reserve(&buffer, SIZE_MAX - off));
        assert_fails(buffer_status(&buffer, &err), PF_NOMEM, "after 2 bytes", &err);
        assert_string_equal(buffer.data, "12");
    }
    AUTO_BUFFER struct buffer limited = BUFFER_INIT_MAX(SIZE_MAX);
    buffer_put_text(&limited, "12");
    assert_null(buffer_reserve(&limited, SIZE_MAX - 2));
    assert_int_equal(buffer_status(&limited, NULL), PF_NOMEM);
}

static void test_reserve_then_steal(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT;
    char *room = buffer_reserve(&buffer, 1000);
    assert_non_null(room);
    memset(room, 'r', 1000);
    buffer.size += 3;
    size_t size = 0;
    AUTO_FREE char *bytes = buffer_steal(&buffer, &size);
    assert_int_equal(size, 3);
    assert_string_equal(bytes, "rrr");
    assert_null(buffer.data);
    AUTO_FREE char *empty = buffer_steal(&buffer, &size);
    assert_string_equal(empty, "");
    assert_int_equal(size, 0);
    buffer_finish(&buffer);
}

static void check_string(const char *text, size_t count, const char *expected)
{
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
    buffer_put_json_string(&buffer, text, count);
    assert_string_equal(buffer.data, expected);
}

static void test_json_strings(void **state)
{
    (void)state;
    check_string("", 0, "\"\"");
    check_string("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    check_string("\n\r\t\b\0\x1f\x7f", 7, "\"\\n\\r\\t\\u0008\\u0000\\u001f\x7f\"");
    check_string("\xc3\xa4\xf0\x9f\x98\x80", 6, "\"\xc3\xa4\xf0\x9f\x98\x80\"");
    check_string("a\xff z", 4, "\"a\xef\xbf\xbd z\"");
    check_string("\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    check_string("\xc3\xa4", 1, "\"\xef\xbf\xbd\"");
}

static void check_number(double value, const char *expected)
{
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
    buffer_put_json_number(&buffer, value);
    assert_string_equal(buffer.data, expected);
}

static void test_json_numbers(void **state)
{
    (void)state;
    check_number(0, "0");
    check_number(-0.0, "-0");
    check_number(6.5, "6.5");
    check_number(0.1, "0.1");
    check_number(1.0 / 3, "0.3333333333333333");
    check_number(0.1 + 0.2, "0.30000000000000004");
    check_number(9007199254740991.0, "9007199254740991");
    check_number(1e300, "1e+300");
    check_number(5e-324, "5e-324");
    check_number(DBL_MAX, "1.7976931348623157e+308");
    check_number(-DBL_MAX, "-1.7976931348623157e+308");
    check_number(NAN, "null");
    check_number(-INFINITY, "null");
}

static void test_json_numbers_read_back_equal(void **state)
{
    (void)state;
    uint64_t bits = 0x9E3779B97F4A7C15u;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
        buffer_put_json_number(&buffer, value);
        double back = strtod(buffer.data, NULL);
        assert_memory_equal(&back, &value, sizeof value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_puts_append_and_terminate),
        cmocka_unit_test(test_maximum_is_sharp_and_sticky),
        cmocka_unit_test(test_sizes_do_not_overflow),
        cmocka_unit_test(test_reserve_then_steal),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_json_numbers),
        cmocka_unit_test(test_json_numbers_read_back_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
