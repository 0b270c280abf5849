/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "tests/test.h"

#include "base/utf8.h"

static void test_first_error_wins(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    assert_int_equal(pf_fail(&err, PF_CORRUPT, "tensor '%s' ends at %d", "x", 120), PF_CORRUPT);
    assert_int_equal(pf_fail(&err, PF_IO, "later"), PF_CORRUPT);
    assert_int_equal(err.status, PF_CORRUPT);
    assert_string_equal(err.message, "tensor 'x' ends at 120");
    assert_int_equal(pf_fail(NULL, PF_BUSY, "nobody listens"), PF_BUSY);
}

static void test_errno_is_appended(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    assert_fails(pf_fail_errno(&err, ENOENT, "open %s", "a.png"), PF_IO,
        "open a.png: No such file or directory", &err);
    assert_fails(pf_fail_errno(&err, ENOMEM, "map"), PF_NOMEM, "map: ", &err);
    char name[2 * PF_ERROR_MESSAGE_MAX];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_fails(pf_fail_errno(&err, EACCES, "%s", name), PF_IO, "n: Permission denied", &err);
}

static void test_message_is_one_valid_line(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    assert_fails(pf_fail(&err, PF_INVALID, "a\nb\x1b[0m\xff\xc3(\xc3\xa4"), PF_INVALID,
        "a b [0m?\?(\xc3\xa4", &err);
    assert_fails(pf_fail(&err, PF_INVALID, "c1 \xc2\x9b end"), PF_INVALID, "c1    end", &err);
    /* A cut through a character of two bytes, whatever the parity of the cut. */
    for (int shift = 0; shift < 2; shift++) {
        char text[2 * PF_ERROR_MESSAGE_MAX] = "-";
        while (strlen(text) + 3 < sizeof text)
            strcat(text, "\xc3\xa4");
        assert_int_equal(pf_fail(&err, PF_IO, "%s", text + shift), PF_IO);
        assert_int_equal(strlen(err.message), PF_ERROR_MESSAGE_MAX - 1);
        assert_true(utf8_is_valid(err.message, strlen(err.message), NULL));
        err = (struct pf_error)PF_ERROR_INIT;
    }
}

static void test_names_read_back(void **state)
{
    (void)state;
    for (int status = PF_OK; status <= PF_INTERNAL; status++) {
        const char *name = pf_status_name((enum pf_status)status);
        assert_non_null(name);
        assert_int_equal(pf_status_from_name(name), status);
    }
    assert_string_equal(pf_status_name(PF_NOT_FOUND), "not_found");
    assert_int_equal(pf_status_from_name("Ok"), PF_INTERNAL);
    assert_int_equal(pf_status_from_name(""), PF_INTERNAL);
}

static enum pf_status try_twice(int *ret_calls, struct pf_error *err)
{
    ++*ret_calls;
    PF_TRY(pf_fail(err, PF_BUSY, "full"));
    ++*ret_calls;
    return PF_OK;
}

static void test_try_returns_at_once(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    int calls = 0;
    assert_fails(try_twice(&calls, &err), PF_BUSY, "full", &err);
    assert_int_equal(calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_error_wins),
        cmocka_unit_test(test_errno_is_appended),
        cmocka_unit_test(test_message_is_one_valid_line),
        cmocka_unit_test(test_names_read_back),
        cmocka_unit_test(test_try_returns_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
