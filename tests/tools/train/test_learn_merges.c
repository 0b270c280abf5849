/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/learn_merges.h"

#include <string.h>

#include "base/buffer.h"
#include "pipeline/text/tokenizer.h"
#include "tests/test.h"

static enum pf_status learn(
    const char *const *texts, size_t count, int merges, struct buffer *ret, struct pf_error *err)
{
    struct learn_merges *learner;
    assert_ok(learn_merges_create(&learner, err), err);
    for (size_t i = 0; i < count; i++)
        assert_ok(learn_merges_add(learner, texts[i], err), err);
    enum pf_status status = learn_merges_finish(learner, merges, ret, err);
    learn_merges_destroy(learner);
    return status;
}

/* Pairs by hand: "w er</w>"… of low ×5, lower ×2: l-o ×7, then lo-w</w> ×5, then e-r</w>, w-er</w>.
 */
static void test_most_frequent_first(void **state)
{
    (void)state;
    static const char *const texts[] = {"Low low LOW", "low low lower lower"};
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer table = BUFFER_INIT;
    assert_ok(learn(texts, 2, 4, &table, &err), &err);
    assert_string_equal(table.data, "l o\nlo w</w>\ne r</w>\nlo w\n");
}

static void test_the_tokenizer_takes_it(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "remove the haze, please", "remove the snow", "ünïcode words"};
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer table = BUFFER_INIT;
    struct tokenizer *tokenizer;
    enum { MERGES = 20, POSITIONS = 16 };
    int64_t ids[POSITIONS];
    size_t count;
    assert_ok(learn(texts, 3, MERGES, &table, &err), &err);
    assert_ok(tokenizer_create(&tokenizer, table.data, table.size, 514 + MERGES, &err), &err);
    assert_ok(tokenizer_encode(tokenizer, "remove the", 10, POSITIONS, ids, &count, &err), &err);
    assert_true(count <= 3); /* whole words, or nearly */
    assert_ok(tokenizer_encode(tokenizer, "ü", 2, POSITIONS, ids, &count, &err), &err);
    assert_int_equal(count, 2); /* its bytes */
    tokenizer_destroy(tokenizer);
}

static void test_too_few_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"ab"};
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer table = BUFFER_INIT;
    assert_fails(learn(texts, 1, 2, &table, &err), PF_INVALID, "give 1 merges", &err);
}

static void test_many_words(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct learn_merges *learner;
    AUTO_BUFFER struct buffer table = BUFFER_INIT;
    assert_ok(learn_merges_create(&learner, &err), &err);
    for (int i = 0; i < 10000; i++) {
        char text[8];
        for (int c = 0, n = i; c < 4; c++, n /= 10)
            text[c] = (char)('a' + n % 10);
        text[4] = '\0';
        assert_ok(learn_merges_add(learner, text, &err), &err);
    }
    assert_ok(learn_merges_finish(learner, 50, &table, &err), &err);
    learn_merges_destroy(learner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_most_frequent_first),
        cmocka_unit_test(test_the_tokenizer_takes_it),
        cmocka_unit_test(test_too_few_texts),
        cmocka_unit_test(test_many_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
