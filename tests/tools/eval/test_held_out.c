/* SPDX-License-Identifier: Apache-2.0 */
/* The acceptance test's wordings against every sentence that training data can be given. */
#include <ctype.h>
#include <string.h>

#include "tests/test.h"
#include "tools/curate/phrases.h"
#include "tools/eval/trial.h"

enum { SENTENCE_MAX = 512 };

/* Lower case without the marks at the end: what is left after that is another wording. */
static void normalize(const char *text, char ret[SENTENCE_MAX])
{
    size_t count = strlen(text);
    assert_true(count < SENTENCE_MAX);
    while (count > 0 && strchr(" .!?", text[count - 1]))
        count--;
    for (size_t i = 0; i < count; i++)
        ret[i] = (char)tolower((unsigned char)text[i]);
    ret[count] = '\0';
}

static int is_same(const char *a, const char *b)
{
    char left[SENTENCE_MAX], right[SENTENCE_MAX];
    normalize(a, left);
    normalize(b, right);
    return strcmp(left, right) == 0;
}

/* How many expansions of the task's training templates are `sentence`. */
static size_t count_in_training(enum task task, const char *sentence)
{
    size_t found = 0, all = 0;
    struct buffer text = BUFFER_INIT;
    for (int kind = 0; kind < PHRASE_KINDS; kind++) {
        const char *const *templates =
            phrases_templates(task, PHRASES_TRAIN, (enum phrase_kind)kind);
        for (size_t i = 0; templates && templates[i]; i++) {
            for (size_t k = 0; k < phrase_count(templates[i]); k++, all++) {
                buffer_clear(&text);
                phrase_expand(templates[i], k, "object", &text);
                found += (size_t)is_same(text.data, sentence);
            }
        }
    }
    assert_true(all >= 60);
    buffer_finish(&text);
    return found;
}

static void test_wordings_are_held_out(void **state)
{
    (void)state;
    for (int task = 0; task < TASK_COUNT; task++) {
        for (size_t i = 0; i < TRIAL_PARAPHRASES; i++) {
            const char *sentence = trials[task].paraphrases[i];
            if (count_in_training((enum task)task, sentence) > 0)
                fail_msg("%s: \"%s\" is trained on", task_name((enum task)task), sentence);
        }
    }
}

static void test_plain_instructions_are_known(void **state)
{
    (void)state;
    for (int task = 0; task < TASK_COUNT; task++)
        if (count_in_training((enum task)task, trials[task].instruction) == 0)
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
