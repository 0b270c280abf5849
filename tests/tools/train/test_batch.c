/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/batch.h"

#include <math.h>
#include <string.h>

#include "tests/pipeline/fixture.h"
#include "tests/test.h"
#include "tests/tools/train/pairs.h"

struct source {
    struct trainee trainee; /* for its tokenizer */
    struct shards *shards;
    struct batch_options options;
    struct pf_error err;
};

static void source_init(struct source *source)
{
    memset(source, 0, sizeof *source);
    pairs_open_trainee(&source->trainee, fixture_model("tiny"), STAGE_VAE, &source->err);
    assert_ok(shards_open(&source->shards, pairs_folder(8), &source->err), &source->err);
    source->options = (struct batch_options){.shards = source->shards,
        .tokenizer = source->trainee.tokenizer,
        .positions = source->trainee.sizes.clip.positions,
        .rows = 4,
        .size = 32,
        .seed = 9};
}

static void source_finish(struct source *source)
{
    shards_close(source->shards);
    trainee_close(&source->trainee);
}

static struct batch *make(struct source *source, int64_t step)
{
    struct batch *batch;
    assert_ok(batch_make(&source->options, step, &batch, &source->err), &source->err);
    return batch;
}

static void assert_same(const struct batch *a, const struct batch *b)
{
    size_t pixels = (size_t)(a->rows * 3 * a->size * a->size) * sizeof(float);
    size_t ids = (size_t)(a->rows * a->positions) * sizeof(int64_t);
    assert_memory_equal(a->input, b->input, pixels);
    assert_memory_equal(a->target, b->target, pixels);
    assert_memory_equal(a->instruction, b->instruction, ids);
    assert_memory_equal(a->auxiliary, b->auxiliary, ids);
    assert_memory_equal(a->has_image, b->has_image, (size_t)a->rows * sizeof(float));
}

static void test_a_function_of_the_step(void **state)
{
    (void)state;
    struct source source;
    source_init(&source);
    struct batch *a = make(&source, 5), *b = make(&source, 5), *c = make(&source, 6);
    assert_same(a, b);
    assert_true(memcmp(a->input, c->input, 4 * 32 * 32 * sizeof(float)) != 0);
    batch_destroy(a);
    batch_destroy(b);
    batch_destroy(c);
    source_finish(&source);
}

/* Input and target are cut alike: the input is the target × 0.4, rounded to 8 bits. */
static void test_pairs_stay_pairs(void **state)
{
    (void)state;
    struct source source;
    source_init(&source);
    for (int shrink = 0; shrink <= 1; shrink++) {
        source.options.shrink = shrink;
        struct batch *batch = make(&source, 1);
        for (int64_t i = 0; i < batch->rows * 3 * 32 * 32; i++) {
            double target = (double)batch->target[i] / 2 + 0.5;
            double input = (double)batch->input[i] / 2 + 0.5;
            assert_true(target >= 0 && target <= 1);
            assert_true(fabs(input - 0.4 * target) < 1.0 / 250);
        }
        batch_destroy(batch);
    }
    source_finish(&source);
}

/* The target of the tasks named lies beyond the good picture; the input is where it was. */
static void test_overshoot(void **state)
{
    (void)state;
    struct source source;
    source_init(&source);
    struct batch *plain = make(&source, 1);
    source.options.overshoot[TASK_DEHAZE] = 1; /* none of the pairs asks for it */
    struct batch *other = make(&source, 1);
    source.options.overshoot[TASK_LOWLIGHT] = 0.5;
    struct batch *beyond = make(&source, 1);
    assert_same(plain, other);
    for (int64_t i = 0; i < plain->rows * 3 * 32 * 32; i++) {
        double expected = 1.5 * (double)plain->target[i] - 0.5 * (double)plain->input[i];
        assert_true(beyond->input[i] == plain->input[i]);
        assert_true(fabs((double)beyond->target[i] - expected) < 1e-5);
    }
    batch_destroy(plain);
    batch_destroy(other);
    batch_destroy(beyond);
    source_finish(&source);
}

static void test_dropouts(void **state)
{
    (void)state;
    struct source source;
    source_init(&source);
    source.options.rows = 200;
    source.options.drop_image = 0.25;
    source.options.drop_instruction = 1;
    struct batch *batch = make(&source, 2);
    double kept = 0;
    for (int64_t row = 0; row < batch->rows; row++) {
        kept += (double)batch->has_image[row];
        /* "": start, then ends alone */
        assert_true(batch->instruction[row * batch->positions + 1] ==
                    batch->instruction[row * batch->positions + 2]);
        assert_true(batch->auxiliary[row * batch->positions + 1] !=
                    batch->auxiliary[row * batch->positions + 2]);
        assert_string_equal(batch->tasks[row], "lowlight");
    }
    assert_true(kept > 125 && kept < 175);
    batch_destroy(batch);
    source_finish(&source);
}

/* Where the other pair's task is another one there is nothing to do. */
static void test_swapped_texts_change_nothing(void **state)
{
    (void)state;
    struct source source;
    source_init(&source);
    shards_close(source.shards);
    assert_ok(shards_open(&source.shards, pairs_folder(16), &source.err), &source.err);
    source.options.shards = source.shards;
    source.options.rows = 100;
    source.options.swap = 0.5;
    struct batch *batch = make(&source, 2);
    size_t pixels = 3 * 32 * 32;
    int swapped = 0, tasks[2] = {0, 0};
    for (int64_t row = 0; row < batch->rows; row++) {
        const float *input = batch->input + (size_t)row * pixels;
        swapped += memcmp(input, batch->target + (size_t)row * pixels, pixels * sizeof *input) == 0;
        int is_other = strcmp(batch->tasks[row], "dehaze") == 0;
        tasks[is_other]++;
        /* "c d" is shorter than "a b N" */
        const int64_t *ids = batch->instruction + row * batch->positions;
        assert_int_equal(is_other, ids[3] == ids[4]);
    }
    assert_true(swapped > 10 && swapped < 40); /* half of the rows, half of those another task */
    assert_true(tasks[0] > 30 && tasks[1] > 30);
    batch_destroy(batch);
    source_finish(&source);
}

/* Words that ask for what is wrong with a picture, though its own ask for something else. */
static void test_words_that_fit_are_not_swapped(void **state)
{
    (void)state;
    static const char *const jsons[] = {
        ("{\"task\":\"dehaze\",\"instruction\":\"c d\",\"asked\":[\"dehaze\"],"
         "\"degradations\":[{\"task\":\"lowlight\"}]}"),
        ("{\"task\":\"lowlight\",\"instruction\":\"a b 1\",\"asked\":[\"lowlight\"],"
         "\"degradations\":[{\"task\":\"lowlight\"}]}"),
        "{\"task\":\"other\",\"instruction\":\"a b 2\"}",
    };
    struct source source;
    source_init(&source);
    shards_close(source.shards);
    assert_ok(
        shards_open(&source.shards, pairs_folder_of("told", jsons, 3), &source.err), &source.err);
    source.options.shards = source.shards;
    source.options.rows = 60;
    source.options.swap = 1;
    struct batch *batch = make(&source, 2);
    size_t pixels = 3 * 32 * 32;
    int unchanged = 0;
    for (int64_t row = 0; row < batch->rows; row++) {
        const float *input = batch->input + (size_t)row * pixels;
        if (memcmp(input, batch->target + (size_t)row * pixels, pixels * sizeof *input) != 0)
            continue;
        unchanged++;
        assert_string_equal(batch->tasks[row], "dehaze");
    }
    assert_true(unchanged > 4); /* two thirds are dark, a third of the words is of haze */
    batch_destroy(batch);
    source_finish(&source);
}

static void test_feed_gives_the_same(void **state)
{
    (void)state;
    struct source source;
    struct batch_feed *feed;
    source_init(&source);
    assert_ok(batch_feed_create(&feed, &source.options, 10, &source.err), &source.err);
    for (int64_t step = 10; step < 16; step++) {
        struct batch *wanted = make(&source, step), *got;
        assert_ok(batch_feed_next(feed, &got, &source.err), &source.err);
        assert_same(wanted, got);
        batch_destroy(wanted);
        batch_destroy(got);
    }
    batch_feed_destroy(feed); /* with batches in line */
    source_finish(&source);
}

static void test_too_small(void **state)
{
    (void)state;
    struct source source;
    struct batch_feed *feed;
    struct batch *batch;
    source_init(&source);
    source.options.size = 128;
    assert_ok(batch_feed_create(&feed, &source.options, 0, &source.err), &source.err);
    assert_fails(batch_feed_next(feed, &batch, &source.err), PF_INVALID, "64×64", &source.err);
    assert_fails(batch_feed_next(feed, &batch, &source.err), PF_INVALID, "64×64", &source.err);
    batch_feed_destroy(feed);
    source_finish(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_function_of_the_step),
        cmocka_unit_test(test_pairs_stay_pairs),
        cmocka_unit_test(test_overshoot),
        cmocka_unit_test(test_dropouts),
        cmocka_unit_test(test_swapped_texts_change_nothing),
        cmocka_unit_test(test_words_that_fit_are_not_swapped),
        cmocka_unit_test(test_feed_gives_the_same),
        cmocka_unit_test(test_too_small),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
