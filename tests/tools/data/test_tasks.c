/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/data/tasks.h"

#include <string.h>

#include "tests/test.h"

static void test_names(void **state)
{
    (void)state;
    for (int task = 0; task < TASK_COUNT; task++)
        assert_int_equal(task_find(task_name((enum task)task)), task);
    assert_int_equal(task_find("combined"), -1);
    assert_int_equal(task_find(""), -1);
}

static void test_weights(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    double weights[TASK_COUNT] = {9, 9, 9, 9, 9, 9, 9};
    assert_ok(tasks_read_weights("tasks", "deblur:0.5,colorize", 2, weights, &err), &err);
    for (int task = 0; task < TASK_COUNT; task++)
        assert_true(weights[task] == (task == TASK_DEBLUR ? 0.5 : task == TASK_COLORIZE));
    assert_ok(tasks_read_weights("tasks", "", 2, weights, &err), &err);
    assert_true(weights[TASK_DEBLUR] == 0);
}

static void test_errors(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"colourize", "--tasks: no task 'colourize'"},
        {"dehaze:x", "--tasks: 'x' is not a number from 0 to 2"},
        {"dehaze:", "--tasks: '' is not a number from 0 to 2"},
        {"dehaze:2.5", "--tasks: '2.5' is not a number from 0 to 2"},
        {"dehaze:-1", "--tasks: '-1' is not a number from 0 to 2"},
        {"dehaze:nan", "--tasks: 'nan' is not a number from 0 to 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pf_error err = PF_ERROR_INIT;
        double weights[TASK_COUNT] = {7};
        assert_int_equal(tasks_read_weights("tasks", cases[i][0], 2, weights, &err), PF_INVALID);
        assert_string_equal(err.message, cases[i][1]);
        assert_true(weights[0] == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
