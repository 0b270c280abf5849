/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"
#include "tests/tools/curate/phrase_patterns.h"
#include "tools/curate/phrases.h"

#define OBJECT "red car"
enum { LEAST_TRAIN = 60, LEAST_HELD_OUT = 12, TEXTS_MAX = 20000, EACH = 60 };

struct texts {
    char *texts[TEXTS_MAX];
    size_t count;
};

/* Case, punctuation and spaces make no paraphrase. */
static char *normalise(const char *text)
{
    char *plain = calloc(1, strlen(text) + 1), *to = plain;
    for (; *text; text++)
        if (isalnum((unsigned char)*text))
            *to++ = (char)tolower((unsigned char)*text);
        else if (to > plain && to[-1] != ' ')
            *to++ = ' ';
    while (to > plain && to[-1] == ' ')
        *--to = '\0';
    return plain;
}

/* Up to EACH texts of each template, evenly spread over all it stands for. */
static void add(struct texts *texts, const char *const *templates)
{
    for (; *templates; templates++) {
        AUTO_BUFFER struct buffer template = BUFFER_INIT;
        phrase_unfold(*templates, &template);
        size_t count = phrase_count(template.data), step = 1 + (count - 1) / EACH;
        assert_true(count > 0 && count < INT_MAX);
        for (size_t i = 0; i < count; i += step) {
            AUTO_BUFFER struct buffer text = BUFFER_INIT;
            phrase_expand(template.data, i, OBJECT, &text);
            assert_null(strpbrk(text.data, "[]|$"));
            assert_true(texts->count < TEXTS_MAX);
            texts->texts[texts->count++] = normalise(text.data);
        }
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once; equal texts within a set are waste but no fault. */
static void collect(struct texts *texts, enum task task, enum phrase_set set, int with_clauses)
{
    memset(texts, 0, sizeof *texts);
    add(texts, phrases_templates(task, set, PHRASE_WHOLE));
    if (task == TASK_REMOVE)
        add(texts, phrases_templates(task, set, PHRASE_NAMED));
    if (with_clauses)
        add(texts, phrases_templates(task, set, PHRASE_CLAUSE));
    qsort(texts->texts, texts->count, sizeof *texts->texts, compare);
    size_t kept = 0;
    for (size_t i = 0; i < texts->count; i++)
        if (kept && !strcmp(texts->texts[kept - 1], texts->texts[i]))
            free(texts->texts[i]);
        else
            texts->texts[kept++] = texts->texts[i];
    texts->count = kept;
}

static void finish(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->texts[i]);
}

static struct texts train, held;

static void test_enough_of_each(void **state)
{
    (void)state;
    for (int task = 0; task < TASK_COUNT; task++) {
        collect(&train, (enum task)task, PHRASES_TRAIN, 0);
        collect(&held, (enum task)task, PHRASES_HELD_OUT, 0);
        if (train.count < LEAST_TRAIN || held.count < LEAST_HELD_OUT)
            fail_msg(
                "%s: %zu and %zu paraphrases", task_name((enum task)task), train.count, held.count);
        finish(&train);
        finish(&held);
    }
}

static struct phrase_patterns patterns[TASK_COUNT];

static int patterns_setup(void **state)
{
    (void)state;
    for (int task = 0; task < TASK_COUNT; task++)
        phrase_patterns_init(&patterns[task], (enum task)task, PHRASES_TRAIN, OBJECT);
    return 0;
}

static int patterns_teardown(void **state)
{
    (void)state;
    for (int task = 0; task < TASK_COUNT; task++)
        phrase_patterns_finish(&patterns[task]);
    return 0;
}

/* Not within a task, and not across tasks either. */
static void test_held_out_unseen(void **state)
{
    (void)state;
    for (int a = 0; a < TASK_COUNT; a++) {
        collect(&held, (enum task)a, PHRASES_HELD_OUT, 1);
        for (size_t i = 0; i < held.count; i++)
            for (int b = 0; b < TASK_COUNT; b++)
                if (phrase_patterns_match(&patterns[b], held.texts[i]))
                    fail_msg("'%s' is trained on", held.texts[i]);
        finish(&held);
    }
}

/* A text asks for its own task and no other. */
static void test_tasks_apart(void **state)
{
    (void)state;
    for (int a = 0; a < TASK_COUNT; a++) {
        collect(&train, (enum task)a, PHRASES_TRAIN, 1);
        for (size_t i = 0; i < train.count; i++)
            for (int b = 0; b < TASK_COUNT; b++)
                if (phrase_patterns_match(&patterns[b], train.texts[i]) != (a == b))
                    fail_msg("'%s' for %s: %s", train.texts[i], task_name((enum task)a),
                        task_name((enum task)b));
        finish(&train);
    }
}

static void test_lengths_vary(void **state)
{
    (void)state;
    for (int task = 0; task < TASK_COUNT; task++) {
        size_t shortest = 1000, longest = 0;
        collect(&train, (enum task)task, PHRASES_TRAIN, 0);
        for (size_t i = 0; i < train.count; i++) {
            size_t words = 1;
            for (const char *c = train.texts[i]; *c; c++)
                words += *c == ' ';
            shortest = words < shortest ? words : shortest;
            longest = words > longest ? words : longest;
        }
        if (shortest > 4 || longest <= 20)
            fail_msg("%s: from %zu to %zu words", task_name((enum task)task), shortest, longest);
        finish(&train);
    }
}

static void test_write(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    static const enum task tasks[] = {TASK_REMOVE, TASK_DEHAZE, TASK_COLORIZE};
    int named = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct rng rng, same;
        AUTO_BUFFER struct buffer text = BUFFER_INIT, again = BUFFER_INIT;
        int count = 1 + (int)(seed % 3);
        rng_init(&rng, seed, 0, 0);
        rng_init(&same, seed, 0, 0);
        assert_ok(phrases_write(tasks, count, OBJECT, PHRASES_TRAIN, &rng, &text, &err), &err);
        assert_ok(phrases_write(tasks, count, OBJECT, PHRASES_TRAIN, &same, &again, &err), &err);
        assert_string_equal(text.data, again.data);
        assert_null(strstr(text.data, "  "));
        assert_null(strstr(text.data, " ,"));
        assert_null(strstr(text.data, " ."));
        assert_true(text.data[0] != ' ' && text.data[text.size - 1] != ' ');
        char *plain = normalise(text.data);
        named += strstr(plain, OBJECT) != NULL;
        free(plain);
    }
    assert_true(named >= 285 && named < 300); /* one in ten has a typing error somewhere */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enough_of_each),
        cmocka_unit_test(test_held_out_unseen),
        cmocka_unit_test(test_tasks_apart),
        cmocka_unit_test(test_lengths_vary),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, patterns_setup, patterns_teardown);
}
