/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/jobs/queue.h"
#include "tests/test.h"

enum { ITEMS = 64 };

struct fixture {
    struct queue queue;
    struct queue_item items[ITEMS];
    char names[ITEMS]; /* one letter for each item */
    size_t count;
};

/* Queues one job for each letter; the letter's case is its class (upper: interactive). The owner is
 * the letter, so "AAb" is two interactive jobs of A and a batch job of A's other self, b. */
static void put(struct fixture *f, const char *letters, const char *owner)
{
    for (const char *c = letters; *c; c++) {
        struct job job = {.sequence = (int64_t)f->count + 1, .created_ms = (int64_t)f->count};
        snprintf(job.owner, sizeof job.owner, "%s", owner);
        job.priority = *c >= 'a' ? JOB_BATCH : JOB_INTERACTIVE;
        struct queue_item *item = &f->items[f->count];
        f->names[f->count++] = *c;
        assert_int_equal(queue_prepare(&f->queue, item, &job, NULL), PF_OK);
        queue_put(&f->queue, item);
    }
}

/* Starts the next job, at once stopped again unless `keep`; its letter. */
static char run_one(struct fixture *f, int64_t now_ms, int keep)
{
    struct queue_item *item = queue_pick(&f->queue, now_ms);
    if (!item)
        return '-';
    queue_start(&f->queue, item);
    if (!keep)
        queue_stop(&f->queue, item);
    return f->names[item - f->items];
}

static void assert_order(struct fixture *f, int64_t now_ms, int keep, const char *expected)
{
    char order[ITEMS + 1] = "";
    for (size_t i = 0; i < strlen(expected); i++)
        order[i] = run_one(f, now_ms, keep);
    assert_string_equal(order, expected);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    queue_init(&f->queue, 1000);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->count; i++)
        queue_release(&f->queue, &f->items[i]);
    queue_finish(&f->queue);
    free(f);
    return 0;
}

static void test_oldest_first(void **state)
{
    struct fixture *f = *state;
    put(f, "ABCD", "x");
    assert_order(f, 0, 0, "ABCD-");
}

static void test_interactive_first(void **state)
{
    struct fixture *f = *state;
    put(f, "abC", "x");
    put(f, "D", "y");
    assert_order(f, 0, 0, "CDab-");
}

static void test_fair_between_owners(void **state)
{
    struct fixture *f = *state;
    put(f, "ABCDEF", "x");
    put(f, "MN", "y");
    put(f, "Z", "z");
    assert_order(f, 0, 0, "AMZBNCDEF-");
}

static void test_a_late_owner_waits_for_no_backlog(void **state)
{
    struct fixture *f = *state;
    put(f, "ABCDEF", "x");
    assert_order(f, 0, 0, "AB");
    put(f, "M", "y");
    assert_order(f, 0, 0, "MC");
    /* One job at a time gives no right to be first each time. */
    put(f, "NO", "y");
    assert_order(f, 0, 0, "NDOEF-");
}

static void test_fewest_running(void **state)
{
    struct fixture *f = *state;
    put(f, "ABCD", "x");
    put(f, "MN", "y");
    struct queue_item *first = queue_pick(&f->queue, 0);
    queue_start(&f->queue, first); /* A runs on */
    assert_order(f, 0, 0, "MN");   /* y has none running, whatever its turn */
    queue_stop(&f->queue, first);
    assert_order(f, 0, 0, "BCD-");
}

static void test_ageing(void **state)
{
    struct fixture *f = *state;
    put(f, "abc", "x");
    put(f, "DEFGHIJKL", "y");
    /* Not aged: batch jobs wait for the last interactive one. */
    assert_order(f, 999, 0, "DEFG");
    /* Aged: one in QUEUE_AGED_SHARE picks. */
    assert_order(f, 2000, 0, "aHIJbKLc-");
}

static void test_put_back_keeps_its_place(void **state)
{
    struct fixture *f = *state;
    put(f, "ABC", "x");
    struct queue_item *item = queue_pick(&f->queue, 0);
    queue_start(&f->queue, item);
    queue_stop(&f->queue, item);
    queue_put(&f->queue, item);
    assert_order(f, 0, 0, "ABC-");
}

static void test_remove(void **state)
{
    struct fixture *f = *state;
    put(f, "ABCD", "x");
    queue_remove(&f->queue, &f->items[1]);
    queue_remove(&f->queue, &f->items[1]);
    queue_remove(&f->queue, &f->items[3]);
    assert_order(f, 0, 0, "AC-");
    assert_int_equal(f->queue.count[JOB_INTERACTIVE], 0);
}

/* Positions say in which order jobs then really run, as long as nothing ages. */
static void test_positions_are_the_order(void **state)
{
    struct fixture *f = *state;
    put(f, "ABab", "x");
    put(f, "CDEFcd", "y");
    put(f, "GHIe", "z");
    run_one(f, 0, 0);
    for (int64_t left = 13; left > 0; left--) {
        struct queue_item *next = queue_pick(&f->queue, 0);
        assert_int_equal(queue_position(&f->queue, next), 1);
        int64_t seen = 0;
        for (size_t i = 0; i < f->count; i++) {
            int64_t position = queue_position(&f->queue, &f->items[i]);
            assert_true(position <= left);
            assert_false(position > 0 && (seen & INT64_C(1) << position));
            seen |= INT64_C(1) << position;
        }
        run_one(f, 0, 0);
    }
    assert_int_equal(queue_position(&f->queue, &f->items[0]), 0);
}

static void test_counts(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(queue_oldest_ms(&f->queue), 0);
    put(f, "A", "x");
    put(f, "Bcd", "y");
    assert_int_equal(queue_count_owner(&f->queue, "y"), 3);
    assert_int_equal(queue_count_owner(&f->queue, "nobody"), 0);
    run_one(f, 0, 0);
    assert_int_equal(queue_oldest_ms(&f->queue), 1);
}

static void test_ageing_changes(void **state)
{
    struct fixture *f = *state;
    put(f, "ABCDEFa", "x");
    assert_order(f, 500, 0, "ABCD"); /* nothing has waited a second */
    f->queue.ageing_ms = 400;
    assert_order(f, 500, 0, "aEF-");
}

static void test_max_running(void **state)
{
    struct fixture *f = *state;
    f->queue.max_running = 2;
    put(f, "ABCDe", "x");
    assert_order(f, 0, 1, "AB-"); /* its third one waits though nobody else is there */
    put(f, "Pq", "y");
    assert_order(f, 0, 1, "Pq-"); /* others run past it, batch jobs too */
    assert_int_equal(queue_position(&f->queue, &f->items[2]), 1);
    queue_stop(&f->queue, &f->items[0]);
    assert_order(f, 0, 1, "C-");
    queue_stop(&f->queue, &f->items[1]);
    queue_stop(&f->queue, &f->items[2]);
    assert_order(f, 0, 1, "De-");
}

static void test_expected_ones_count(void **state)
{
    struct fixture *f = *state;
    put(f, "A", "x");
    assert_int_equal(queue_expect(&f->queue, "x", 3, NULL), PF_OK);
    assert_int_equal(queue_expect(&f->queue, "y", 1, NULL), PF_OK);
    assert_int_equal(queue_count_owner(&f->queue, "x"), 4);
    assert_int_equal(queue_count_owner(&f->queue, "y"), 1);
    assert_int_equal(queue_expect(&f->queue, "x", -3, NULL), PF_OK);
    assert_int_equal(queue_expect(&f->queue, "y", -1, NULL), PF_OK);
    assert_int_equal(queue_count_owner(&f->queue, "x"), 1);
    assert_int_equal(queue_count_owner(&f->queue, "y"), 0);
}

static void test_idle_owners_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct queue_item item;
    for (int i = 0; i < QUEUE_OWNERS_MAX + 10; i++) {
        struct job job = {.sequence = 1};
        snprintf(job.owner, sizeof job.owner, "o%d", i);
        assert_int_equal(queue_prepare(&f->queue, &item, &job, NULL), PF_OK);
        queue_release(&f->queue, &item);
    }
    assert_true(f->queue.owner_count <= QUEUE_OWNERS_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_oldest_first),
        TEST(test_interactive_first),
        TEST(test_fair_between_owners),
        TEST(test_a_late_owner_waits_for_no_backlog),
        TEST(test_fewest_running),
        TEST(test_ageing),
        TEST(test_put_back_keeps_its_place),
        TEST(test_remove),
        TEST(test_positions_are_the_order),
        TEST(test_counts),
        TEST(test_ageing_changes),
        TEST(test_max_running),
        TEST(test_expected_ones_count),
        TEST(test_idle_owners_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
