/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "base/base64.h"

static void check(const void *bytes, size_t count, const char *expected)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    buffer_put_text(&out, ">");
    buffer_put_base64(&out, bytes, count);
    assert_int_equal(out.size, strlen(expected) + 1);
    assert_int_equal(base64_size(count), strlen(expected));
    assert_string_equal(out.data + 1, expected);
}

/* RFC 4648 section 10, and the digits it leaves out. */
static void test_published_examples(void **state)
{
    (void)state;
    check("", 0, "");
    check("f", 1, "Zg==");
    check("fo", 2, "Zm8=");
    check("foo", 3, "Zm9v");
    check("foob", 4, "Zm9vYg==");
    check("fooba", 5, "Zm9vYmE=");
    check("foobar", 6, "Zm9vYmFy");
    check("\0\0\0", 3, "AAAA");
    check("\xff\xff\xff", 3, "////");
    check("\xfb\xef\xbe\xff", 4, "++++/w==");
}

static void test_every_digit(void **state)
{
    (void)state;
    /* 0, 1, … 63 in six bits each. */
    unsigned char bytes[48];
    for (unsigned i = 0; i < 64; i += 4) {
        unsigned group = i << 18 | (i + 1) << 12 | (i + 2) << 6 | (i + 3);
        bytes[i / 4 * 3] = (unsigned char)(group >> 16);
        bytes[i / 4 * 3 + 1] = (unsigned char)(group >> 8);
        bytes[i / 4 * 3 + 2] = (unsigned char)group;
    }
    check(bytes, sizeof bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
}

static void test_maximum_of_the_buffer(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT_MAX(7);
    buffer_put_base64(&out, "foo", 3);
    buffer_put_base64(&out, "b", 1);
    assert_int_equal(out.size, 4);
    assert_fails(buffer_status(&out, &err), PF_INVALID, "7 bytes", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_examples),
        cmocka_unit_test(test_every_digit),
        cmocka_unit_test(test_maximum_of_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
