/* SPDX-License-Identifier: Apache-2.0 */
/* The acceptance test's wordings against every sentence that training data can be given. */
#include "tests/test.h"
#include "tests/tools/curate/phrase_patterns.h"
#include "tools/eval/trial.h"

static int is_in_training(enum task task, const char *sentence)
{
    struct phrase_patterns patterns;
    phrase_patterns_init(&patterns, task, PHRASES_TRAIN, "object");
    int found = phrase_patterns_match(&patterns, sentence);
    phrase_patterns_finish(&patterns);
    return found;
}

static void test_wordings_are_held_out(void **state)
{
    (void)state;
    for (int task = 0; task < TASK_COUNT; task++) {
        for (size_t i = 0; i < TRIAL_PARAPHRASES; i++) {
            const char *sentence = trials[task].paraphrases[i];
            if (is_in_training((enum task)task, sentence))
                fail_msg("%s: \"%s\" is trained on", task_name((enum task)task), sentence);
        }
    }
}

static void test_plain_instructions_are_known(void **state)
{
    (void)state;
    for (int task = 0; task < TASK_COUNT; task++)
        if (!is_in_training((enum task)task, trials[task].instruction))
            fail_msg("%s: \"%s\" is never trained on", task_name((enum task)task),
                trials[task].instruction);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wordings_are_held_out),
        cmocka_unit_test(test_plain_instructions_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
