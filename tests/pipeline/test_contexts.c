/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/contexts.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"

static int count_operation(void *context)
{
    ++*(int *)context;
    return 0;
}

/* The context of two texts, and how many tensor operations it took to have it. */
static const struct unet_context *get(
    struct contexts *contexts, const char *instruction, const char *auxiliary, int *ret_operations)
{
    const struct unet_context *context = NULL;
    struct pf_error err = PF_ERROR_INIT;
    *ret_operations = 0;
    tensor_set_interrupt(count_operation, ret_operations);
    assert_ok(contexts_get(contexts, instruction, auxiliary, &context, &err), &err);
    tensor_set_interrupt(NULL, NULL);
    return context;
}

static struct contexts fresh(void)
{
    struct contexts contexts;
    contexts_init(&contexts, fixture_tiny->tokenizer, fixture_tiny->clip, fixture_tiny->unet);
    return contexts;
}

static void test_computed_once(void **state)
{
    (void)state;
    struct contexts contexts = fresh();
    int operations = 0;
    const struct unet_context *first = get(&contexts, "remove the haze", "a street", &operations);
    assert_true(operations > 0);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(get(&contexts, "remove the haze", "a street", &operations), first);
        assert_int_equal(operations, 0);
    }
    for (int i = 0; i < 4; i++)
        contexts_put(&contexts, first);
    assert_ptr_equal(get(&contexts, "remove the haze", "a street", &operations), first);
    assert_int_equal(operations, 0); /* also after its last user */
    contexts_put(&contexts, first);
    contexts_put(&contexts, NULL);
    contexts_finish(&contexts);
}

static void test_both_texts_make_the_key(void **state)
{
    (void)state;
    struct contexts contexts = fresh();
    int operations = 0;
    const struct unet_context *all[] = {get(&contexts, "haze", "blur", &operations),
        get(&contexts, "blur", "haze", &operations), get(&contexts, "haze", "", &operations),
        get(&contexts, "", "haze", &operations), get(&contexts, "", "", &operations)};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        for (size_t k = 0; k < i; k++)
            assert_ptr_not_equal(all[i], all[k]);
        contexts_put(&contexts, all[i]);
    }
    contexts_finish(&contexts);
}

/* Those nobody holds go, the least recently used ones first; those in use stay. */
static void test_idle_ones_are_bounded(void **state)
{
    (void)state;
    enum { TEXTS = CONTEXTS_IDLE_MAX + 4 };
    struct contexts contexts = fresh();
    int operations = 0;
    const struct unet_context *held = get(&contexts, "held", "", &operations);
    for (int i = 0; i < TEXTS; i++) {
        char text[16];
        snprintf(text, sizeof text, "text %d", i);
        contexts_put(&contexts, get(&contexts, text, "", &operations));
        assert_true(operations > 0);
        contexts_put(&contexts, get(&contexts, "text 0", "", &operations));
        assert_int_equal(operations, 0); /* used all the time */
    }
    contexts_put(&contexts, get(&contexts, "text 1", "", &operations));
    assert_true(operations > 0);
    char last[16];
    snprintf(last, sizeof last, "text %d", TEXTS - 1);
    contexts_put(&contexts, get(&contexts, last, "", &operations));
    assert_int_equal(operations, 0);
    assert_ptr_equal(get(&contexts, "held", "", &operations), held);
    assert_int_equal(operations, 0);
    contexts_put(&contexts, held);
    contexts_put(&contexts, held);
    contexts_finish(&contexts);
}

static void test_failures_leave_nothing(void **state)
{
    (void)state;
    struct contexts contexts = fresh();
    struct pf_error err = PF_ERROR_INIT;
    const struct unet_context *context = NULL;
    assert_fails(contexts_get(&contexts, "\xff", "", &context, &err), PF_INVALID, "UTF-8", &err);
    assert_fails(contexts_get(&contexts, "", "\xff", &context, &err), PF_INVALID, "UTF-8", &err);
    assert_null(context);
    assert_null(contexts.entries);
    contexts_finish(&contexts);
}

/* Runs of one text share its context, and give it back. */
static void test_runs_share(void **state)
{
    (void)state;
    struct image input = fixture_image(64, 64, 1);
    struct run_request request = fixture_request(&input);
    struct run *runs[2];
    const struct unet_context *seen[2];
    struct pf_error err = PF_ERROR_INIT;
    for (int i = 0; i < 2; i++) {
        SCOPE(s, &err);
        struct run_rows rows;
        runs[i] = fixture_begin(fixture_tiny, &request);
        assert_ok(run_wants(runs[i], &s, &rows, &err), &err);
        assert_int_equal(rows.count, 3);
        assert_ptr_equal(rows.contexts[0], rows.contexts[2]);
        assert_ptr_equal(rows.contexts[1], fixture_tiny->null_context);
        seen[i] = rows.contexts[0];
    }
    assert_ptr_equal(seen[0], seen[1]);
    run_destroy(runs[0]);
    run_destroy(runs[1]);
    image_finish(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_computed_once),
        cmocka_unit_test(test_both_texts_make_the_key),
        cmocka_unit_test(test_idle_ones_are_bounded),
        cmocka_unit_test(test_failures_leave_nothing),
        cmocka_unit_test(test_runs_share),
    };
    return cmocka_run_group_tests_name("contexts", tests, fixture_open_tiny, fixture_close_tiny);
}
