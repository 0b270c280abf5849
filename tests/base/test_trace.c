/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "base/trace.h"

#define ID     "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void test_good_ones(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"00-" ID "-" PARENT "-01", ID "-01"},
        {"00-" ID "-" PARENT "-00", ID "-00"},
        {"00-" ID "-" PARENT "-ff", ID "-01"}, /* other flags are not passed on */
        {"00-" ID "-" PARENT "-02", ID "-00"},
        {"01-" ID "-" PARENT "-01", ID "-01"},
        {"cc-" ID "-" PARENT "-01-what-the-future-brings", ID "-01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char trace[TRACE_SIZE], id[TRACE_ID_SIZE];
        assert_true(trace_read(cases[i][0], trace));
        assert_string_equal(trace, cases[i][1]);
        trace_get_id(trace, id);
        assert_string_equal(id, ID);
    }
}

static void test_malformed_ones(void **state)
{
    (void)state;
    static const char *const cases[] = {NULL, "", "00", "00-" ID "-" PARENT,
        "00-" ID "-" PARENT "-", "00-" ID "-" PARENT "-1", "00-" ID "-" PARENT "-011",
        "00-" ID "-" PARENT "-01-more", "01-" ID "-" PARENT "-01.more", "ff-" ID "-" PARENT "-01",
        "0x-" ID "-" PARENT "-01", "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00-" ID "-B7AD6B7169203331-01", "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" ID "-0000000000000000-01", "00_" ID "-" PARENT "-01", "00-" ID "_" PARENT "-01",
        "00-" ID "-" PARENT "_01", " 00-" ID "-" PARENT "-01", "00-" ID "-" PARENT "-0g",
        "00-" PARENT "-" ID "-01"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char trace[TRACE_SIZE] = "x";
        assert_false(trace_read(cases[i], trace));
        assert_string_equal(trace, "");
    }
    char id[TRACE_ID_SIZE];
    trace_get_id("", id);
    assert_string_equal(id, "");
}

static void test_calls_have_parents_of_their_own(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char first[TRACE_PARENT_SIZE], second[TRACE_PARENT_SIZE], trace[TRACE_SIZE];
    assert_ok(trace_make_parent(ID "-00", first, &err), &err);
    assert_ok(trace_make_parent(ID "-00", second, &err), &err);
    assert_string_not_equal(first, second);
    assert_true(trace_read(first, trace));
    assert_string_equal(trace, ID "-00");
    assert_ok(trace_make_parent(ID "-01", first, &err), &err);
    assert_true(trace_read(first, trace));
    assert_string_equal(trace, ID "-01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_ones),
        cmocka_unit_test(test_malformed_ones),
        cmocka_unit_test(test_calls_have_parents_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
