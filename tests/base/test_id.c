/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "base/id.h"

static void test_ids_are_valid_and_differ(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char ids[200][ID_SIZE];
    int digit_seen[256] = {0};
    for (int i = 0; i < 200; i++) {
        assert_ok(id_create(ids[i], &err), &err);
        assert_int_equal(strlen(ids[i]), 32);
        assert_true(id_is_valid(ids[i]));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(ids[i], ids[j]);
        for (const char *digit = ids[i]; *digit; digit++)
            digit_seen[(unsigned char)*digit] = 1;
    }
    for (const char *digit = "0123456789abcdef"; *digit; digit++)
        assert_true(digit_seen[(unsigned char)*digit]);
}

static void test_other_texts_are_refused(void **state)
{
    (void)state;
    assert_true(id_is_valid("0123456789abcdef0123456789abcdef"));
    assert_false(id_is_valid(""));
    assert_false(id_is_valid("0123456789abcdef0123456789abcde"));
    assert_false(id_is_valid("0123456789abcdef0123456789abcdef0"));
    assert_false(id_is_valid("0123456789ABCDEF0123456789abcdef"));
    assert_false(id_is_valid("../../../../../../../etc/passwd0"));
    assert_false(id_is_valid("0123456789abcdef0123456789abcdef/"));
}

static void test_random_fills_everything(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    unsigned char bytes[1001] = {0};
    size_t changed = 0;
    for (int round = 0; round < 8; round++) {
        unsigned char fresh[sizeof bytes] = {0};
        assert_ok(id_random(fresh, sizeof fresh - 1, &err), &err);
        assert_int_equal(fresh[sizeof fresh - 1], 0);
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] |= fresh[i];
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        changed += bytes[i] != 0;
    assert_int_equal(changed, sizeof bytes - 1);
    assert_ok(id_random(NULL, 0, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_are_valid_and_differ),
        cmocka_unit_test(test_other_texts_are_refused),
        cmocka_unit_test(test_random_fills_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
