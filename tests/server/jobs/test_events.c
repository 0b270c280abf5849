/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/jobs/events.h"
#include "tests/test.h"

static const char job_a[ID_SIZE] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char job_b[ID_SIZE] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

struct fixture {
    struct hub *hub;
    struct pf_error err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_ok(hub_create(&f->hub, 4, &f->err), &f->err);
    assert_ok(hub_open_channel(f->hub, job_a, 1, &f->err), &f->err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    hub_destroy(f->hub);
    free(f);
    return 0;
}

/* Something a wake callback signals and a test waits for. */
struct bell {
    pthread_mutex_t lock;
    pthread_cond_t rung;
    int count;
};

#define BELL_INIT                                                                                  \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                     \
    }

static void ring(void *context)
{
    struct bell *bell = context;
    pthread_mutex_lock(&bell->lock);
    bell->count++;
    pthread_cond_broadcast(&bell->rung);
    pthread_mutex_unlock(&bell->lock);
}

/* Waits until it has rung `count` times; fails after ten seconds. */
static void await(struct bell *bell, int count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 10;
    int rc = 0;
    pthread_mutex_lock(&bell->lock);
    while (bell->count < count && rc == 0)
        rc = pthread_cond_timedwait(&bell->rung, &bell->lock, &deadline);
    int got = bell->count;
    pthread_mutex_unlock(&bell->lock);
    assert_int_equal(got, count);
}

static int64_t publish(struct fixture *f, const char *job, enum event_kind kind, const char *data)
{
    int64_t id = 0;
    struct event_draft draft = {.kind = kind, .data = data, .data_size = strlen(data)};
    assert_ok(hub_publish(f->hub, job, &draft, &id, &f->err), &f->err);
    return id;
}

static struct events_reader *subscribe(
    struct fixture *f, const char *job, int64_t after_id, struct bell *bell)
{
    struct events_reader *reader = NULL;
    assert_ok(hub_subscribe(f->hub, job, after_id, ring, bell, &reader, &f->err), &f->err);
    return reader;
}

/* Reads all there is: "1 queued, 2 step, …" and how it stopped. */
static void assert_reads(struct events_reader *reader, const char *expected)
{
    static const char *const results[] = {"have", "pending", "end", "closed"};
    char text[512] = "";
    struct event *event;
    enum events_result result;
    while ((result = events_next(reader, &event)) == EVENTS_HAVE) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%lld %s, ", (long long)event->id,
            event->name);
        event_unref(event);
    }
    strcat(text, results[result]);
    assert_string_equal(text, expected);
}

static void test_replays_and_follows(void **state)
{
    struct fixture *f = *state;
    struct bell bell = BELL_INIT, late_bell = BELL_INIT;
    struct events_reader *reader = subscribe(f, job_a, 0, &bell);
    assert_reads(reader, "pending");
    assert_int_equal(publish(f, job_a, EVENT_QUEUED, "{}"), 1);
    await(&bell, 1);
    assert_reads(reader, "1 queued, pending");
    publish(f, job_a, EVENT_STARTED, "{}");
    publish(f, job_a, EVENT_STEP, "{\"step\":1}");
    await(&bell, 2);
    assert_reads(reader, "2 started, 3 step, pending");

    struct events_reader *late = subscribe(f, job_a, 1, &late_bell);
    assert_reads(late, "2 started, 3 step, pending");
    publish(f, job_a, EVENT_SUCCEEDED, "{}");
    await(&bell, 3);
    await(&late_bell, 1);
    assert_reads(reader, "4 succeeded, end");
    assert_reads(late, "4 succeeded, end");
    assert_reads(late, "end");
    events_unsubscribe(reader);
    events_unsubscribe(late);

    /* Ended, unread, still there for whoever resumes. */
    reader = subscribe(f, job_a, 3, &bell);
    assert_reads(reader, "4 succeeded, end");
    events_unsubscribe(reader);
    reader = subscribe(f, job_a, 4, &bell);
    assert_reads(reader, "end");
    events_unsubscribe(reader);
}

static void test_one_wake_for_each_pending(void **state)
{
    struct fixture *f = *state;
    struct bell bell = BELL_INIT, other = BELL_INIT;
    struct events_reader *reader = subscribe(f, job_a, 0, &bell);
    struct events_reader *marker = subscribe(f, job_a, 0, &other);
    publish(f, job_a, EVENT_QUEUED, "{}"); /* not asked yet: no wake */
    assert_reads(reader, "1 queued, pending");
    publish(f, job_a, EVENT_STARTED, "{}");
    publish(f, job_a, EVENT_STEP, "{}");
    publish(f, job_a, EVENT_STEP, "{}");
    await(&bell, 1);
    /* The wakes are in order, so after the marker's no other of the reader's can be under way. */
    assert_reads(marker, "1 queued, 2 started, 3 step, 4 step, pending");
    publish(f, job_a, EVENT_STEP, "{}");
    await(&other, 1);
    await(&bell, 1);
    events_unsubscribe(marker);
    events_unsubscribe(reader);
}

static void test_contents(void **state)
{
    struct fixture *f = *state;
    struct bell bell = BELL_INIT;
    static const char data[] = "{\"b64_json\":\"QUJD\"}";
    struct event_draft draft = {.kind = EVENT_PREVIEW,
        .data = data,
        .data_size = sizeof data - 1,
        .step = 3,
        .width = 4,
        .height = 5,
        .format = "png",
        .b64_offset = 13,
        .b64_size = 4};
    assert_ok(hub_publish(f->hub, job_a, &draft, NULL, &f->err), &f->err);
    struct events_reader *reader = subscribe(f, job_a, 0, &bell);
    struct event *event;
    assert_int_equal(events_next(reader, &event), EVENTS_HAVE);
    events_unsubscribe(reader);
    assert_string_equal(event->data, data);
    assert_int_equal(event->data_size, sizeof data - 1);
    assert_int_equal(event->preview.b64_size, 4);
    assert_memory_equal(event->preview.b64, "QUJD", 4);
    assert_int_equal(event->preview.step, 3);
    assert_string_equal(event->preview.format, "png");
    assert_false(event_is_terminal(event));
    event_unref(event);
}

static void test_slow_reader_loses_previews_only(void **state)
{
    struct fixture *f = *state;
    struct bell bell = BELL_INIT;
    struct events_reader *reader = subscribe(f, job_a, 0, &bell);
    publish(f, job_a, EVENT_QUEUED, "{}");
    publish(f, job_a, EVENT_STARTED, "{}");
    assert_reads(reader, "1 queued, 2 started, pending");
    for (int i = 0; i < 6; i++)
        publish(f, job_a, EVENT_PREVIEW, "{}");
    publish(f, job_a, EVENT_SUCCEEDED, "{}");
    assert_reads(reader, "6 preview, 7 preview, 8 preview, 9 succeeded, end");
    struct hub_stats stats;
    hub_get_stats(f->hub, &stats);
    assert_int_equal(stats.skipped, 3);
    events_unsubscribe(reader);
}

static void test_bound_of_a_channel(void **state)
{
    struct fixture *f = *state;
    struct bell bell = BELL_INIT;
    publish(f, job_a, EVENT_QUEUED, "{}");
    publish(f, job_a, EVENT_STARTED, "{}");
    for (int i = 0; i < 3 * EVENTS_CHANNEL_MAX; i++)
        publish(f, job_a, EVENT_STEP, "{}");
    int64_t last = publish(f, job_a, EVENT_FAILED, "{}");
    struct events_reader *reader = subscribe(f, job_a, 0, &bell);
    struct event *event;
    int64_t id = 0;
    size_t count = 0;
    while (events_next(reader, &event) == EVENTS_HAVE) {
        assert_true(event->id > id);
        id = event->id;
        count++;
        event_unref(event);
    }
    assert_int_equal(id, last);
    assert_true(count <= EVENTS_CHANNEL_MAX + 1);
    events_unsubscribe(reader);
    reader = subscribe(f, job_a, 0, &bell);
    assert_int_equal(events_next(reader, &event), EVENTS_HAVE);
    assert_int_equal(event->kind, EVENT_QUEUED);
    event_unref(event);
    events_unsubscribe(reader);
}

static void test_queue_positions_replace_each_other(void **state)
{
    struct fixture *f = *state;
    struct bell bell = BELL_INIT;
    for (int i = 0; i < 5; i++)
        publish(f, job_a, EVENT_QUEUED, "{}");
    publish(f, job_a, EVENT_STARTED, "{}");
    publish(f, job_a, EVENT_QUEUED, "{\"reason\":1}");
    publish(f, job_a, EVENT_STARTED, "{}");
    struct events_reader *reader = subscribe(f, job_a, 0, &bell);
    assert_reads(reader, "1 queued, 5 queued, 6 started, 7 queued, 8 started, pending");
    events_unsubscribe(reader);
}

static void test_ids_start_where_told(void **state)
{
    struct fixture *f = *state;
    assert_ok(hub_open_channel(f->hub, job_b, 1001, &f->err), &f->err);
    assert_int_equal(hub_next_id(f->hub, job_b), 1001);
    assert_int_equal(publish(f, job_b, EVENT_QUEUED, "{}"), 1001);
    assert_ok(hub_open_channel(f->hub, job_b, 5, &f->err), &f->err); /* there: nothing changes */
    assert_int_equal(publish(f, job_b, EVENT_STARTED, "{}"), 1002);
    struct hub_stats stats;
    struct bell bell = BELL_INIT;
    struct events_reader *reader = subscribe(f, job_b, 0, &bell);
    assert_reads(reader, "1001 queued, 1002 started, pending");
    hub_get_stats(f->hub, &stats);
    assert_int_equal(stats.skipped, 0); /* a gap nobody lost anything in */
    assert_int_equal(stats.channels, 2);
    assert_int_equal(stats.readers, 1);
    events_unsubscribe(reader);
}

static void test_refuses(void **state)
{
    struct fixture *f = *state;
    struct event_draft draft = {.kind = EVENT_STEP, .data = "{}", .data_size = 2};
    struct events_reader *reader = NULL;
    assert_fails(hub_publish(f->hub, job_b, &draft, NULL, &f->err), PF_NOT_FOUND, job_b, &f->err);
    assert_fails(hub_subscribe(f->hub, job_b, 0, ring, NULL, &reader, &f->err), PF_NOT_FOUND, job_b,
        &f->err);
    publish(f, job_a, EVENT_CANCELLED, "{}");
    assert_fails(hub_publish(f->hub, job_a, &draft, NULL, &f->err), PF_CONFLICT, job_a, &f->err);
}

static void test_drop_and_close(void **state)
{
    struct fixture *f = *state;
    struct bell dropped_bell = BELL_INIT, closed_bell = BELL_INIT;
    assert_ok(hub_open_channel(f->hub, job_b, 1, &f->err), &f->err);
    publish(f, job_a, EVENT_QUEUED, "{}");
    publish(f, job_b, EVENT_QUEUED, "{}");
    struct events_reader *dropped = subscribe(f, job_a, 0, &dropped_bell);
    struct events_reader *closed = subscribe(f, job_b, 0, &closed_bell);
    assert_reads(dropped, "1 queued, pending");
    assert_reads(closed, "1 queued, pending");
    hub_drop_channel(f->hub, job_a);
    hub_drop_channel(f->hub, job_a);
    await(&dropped_bell, 1);
    assert_reads(dropped, "closed");
    assert_false(hub_has_channel(f->hub, job_a));
    events_unsubscribe(dropped);

    publish(f, job_b, EVENT_STARTED, "{}");
    await(&closed_bell, 1);
    hub_close(f->hub);
    /* What is there can still be read. */
    assert_reads(closed, "2 started, closed");
    struct event_draft draft = {.kind = EVENT_STEP, .data = "{}", .data_size = 2};
    assert_fails(hub_publish(f->hub, job_b, &draft, NULL, &f->err), PF_NOT_FOUND, "", &f->err);
    events_unsubscribe(closed);
}

static void test_closing_wakes(void **state)
{
    struct fixture *f = *state;
    struct bell bell = BELL_INIT;
    struct events_reader *reader = subscribe(f, job_a, 0, &bell);
    assert_reads(reader, "pending");
    hub_close(f->hub);
    await(&bell, 1);
    assert_reads(reader, "closed");
    events_unsubscribe(reader);
}

static void test_idle_channels_are_dropped(void **state)
{
    struct fixture *f = *state;
    struct bell bell = BELL_INIT;
    char ids[8][ID_SIZE];
    struct events_reader *kept = NULL;
    for (int i = 0; i < 8; i++) {
        assert_ok(id_create(ids[i], &f->err), &f->err);
        assert_ok(hub_open_channel(f->hub, ids[i], 1, &f->err), &f->err);
        if (i == 0)
            kept = subscribe(f, ids[0], 0, &bell);
        publish(f, ids[i], EVENT_SUCCEEDED, "{}");
    }
    /* Four idle ones stay, the newest; the one being read and the unfinished one don't count. */
    assert_true(hub_has_channel(f->hub, ids[0]));
    assert_true(hub_has_channel(f->hub, job_a));
    assert_true(hub_has_readers(f->hub, ids[0]));
    assert_false(hub_has_readers(f->hub, ids[7]));
    for (int i = 1; i < 8; i++)
        assert_int_equal(hub_has_channel(f->hub, ids[i]), i >= 4);
    events_unsubscribe(kept);
    assert_true(hub_has_channel(f->hub, ids[0]));
    assert_false(hub_has_channel(f->hub, ids[4]));
    struct hub_stats stats;
    hub_get_stats(f->hub, &stats);
    assert_int_equal(stats.channels, 5);
    assert_int_equal(stats.readers, 0);
}

/* ---- under load ---- */

enum { STREAMS = 200, STEPS = 200, READER_THREADS = 4 };

struct stream {
    struct bell *bell;
    struct events_reader *reader;
    int64_t last_id;
    int is_ended;
    int is_awake; /* atomic */
};

struct reader_thread {
    struct stream streams[STREAMS / READER_THREADS];
    struct bell bell;
    int failures;
};

static void wake_stream(void *context)
{
    struct stream *stream = context;
    __atomic_store_n(&stream->is_awake, 1, __ATOMIC_RELEASE);
    ring(stream->bell);
}

static void drain_stream(struct reader_thread *thread, struct stream *stream)
{
    struct event *event;
    enum events_result result;
    while ((result = events_next(stream->reader, &event)) == EVENTS_HAVE) {
        thread->failures += event->id <= stream->last_id;
        stream->last_id = event->id;
        event_unref(event);
    }
    stream->is_ended = result == EVENTS_END;
}

static void *read_streams(void *context)
{
    struct reader_thread *thread = context;
    size_t left = STREAMS / READER_THREADS;
    int seen = 0;
    while (left > 0) {
        for (size_t i = 0; i < STREAMS / READER_THREADS; i++) {
            struct stream *stream = &thread->streams[i];
            if (stream->is_ended || !__atomic_exchange_n(&stream->is_awake, 0, __ATOMIC_ACQ_REL))
                continue;
            drain_stream(thread, stream);
            left -= (size_t)stream->is_ended;
        }
        pthread_mutex_lock(&thread->bell.lock);
        while (left > 0 && thread->bell.count == seen)
            pthread_cond_wait(&thread->bell.rung, &thread->bell.lock);
        seen = thread->bell.count;
        pthread_mutex_unlock(&thread->bell.lock);
    }
    return NULL;
}

static void test_many_streams(void **state)
{
    struct fixture *f = *state;
    struct reader_thread *threads = calloc(READER_THREADS, sizeof *threads);
    pthread_t ids[READER_THREADS];
    for (int t = 0; t < READER_THREADS; t++) {
        threads[t].bell = (struct bell)BELL_INIT;
        for (size_t i = 0; i < STREAMS / READER_THREADS; i++) {
            struct stream *stream = &threads[t].streams[i];
            stream->bell = &threads[t].bell;
            stream->is_awake = 1;
            assert_ok(
                hub_subscribe(f->hub, job_a, 0, wake_stream, stream, &stream->reader, &f->err),
                &f->err);
        }
        assert_int_equal(pthread_create(&ids[t], NULL, read_streams, &threads[t]), 0);
    }
    for (int i = 0; i < STEPS; i++)
        publish(f, job_a, EVENT_STEP, "{}");
    publish(f, job_a, EVENT_SUCCEEDED, "{}");
    for (int t = 0; t < READER_THREADS; t++) {
        pthread_join(ids[t], NULL);
        assert_int_equal(threads[t].failures, 0);
        for (size_t i = 0; i < STREAMS / READER_THREADS; i++) {
            assert_int_equal(threads[t].streams[i].last_id, STEPS + 1);
            events_unsubscribe(threads[t].streams[i].reader);
        }
    }
    free(threads);
}

/* Unsubscribing while wakes fly: afterwards the context may be gone. */
static void test_unsubscribe_races_with_wakes(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 300; i++) {
        struct bell *bell = malloc(sizeof *bell);
        *bell = (struct bell)BELL_INIT;
        struct events_reader *reader = subscribe(f, job_a, INT64_MAX / 2, bell);
        assert_reads(reader, "pending");
        publish(f, job_a, EVENT_STEP, "{}");
        if (i % 3 == 0)
            await(bell, 1);
        events_unsubscribe(reader);
        free(bell);
    }
}

/* A wake that doesn't return before it is let go: the hub's thread is kept busy with it. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int entered, open;
};

static void wait_at_gate(void *context)
{
    struct gate *gate = context;
    pthread_mutex_lock(&gate->lock);
    gate->entered = 1;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

/* A reader that waits to be woken, reads meanwhile, and asks to be woken again, is in line once. */
static void test_armed_again_while_in_line(void **state)
{
    struct fixture *f = *state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    struct bell bell = BELL_INIT;
    struct events_reader *blocker = NULL;
    assert_ok(hub_open_channel(f->hub, job_b, 1, &f->err), &f->err);
    assert_ok(hub_subscribe(f->hub, job_b, 0, wait_at_gate, &gate, &blocker, &f->err), &f->err);
    assert_reads(blocker, "pending");
    publish(f, job_b, EVENT_QUEUED, "{}");
    pthread_mutex_lock(&gate.lock);
    while (!gate.entered)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);

    struct events_reader *reader = subscribe(f, job_a, 0, &bell);
    assert_reads(reader, "pending");
    publish(f, job_a, EVENT_QUEUED, "{}");
    assert_reads(reader, "1 queued, pending");
    publish(f, job_a, EVENT_STARTED, "{}");
    assert_reads(reader, "2 started, pending");
    publish(f, job_a, EVENT_STEP, "{}");

    pthread_mutex_lock(&gate.lock);
    gate.open = 1;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
    events_unsubscribe(blocker);
    await(&bell, 1);
    assert_reads(reader, "3 step, pending");
    publish(f, job_a, EVENT_STEP, "{}");
    await(&bell, 2); /* exactly: await() fails on more */
    events_unsubscribe(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_replays_and_follows),
        TEST(test_one_wake_for_each_pending),
        TEST(test_contents),
        TEST(test_slow_reader_loses_previews_only),
        TEST(test_bound_of_a_channel),
        TEST(test_queue_positions_replace_each_other),
        TEST(test_ids_start_where_told),
        TEST(test_refuses),
        TEST(test_drop_and_close),
        TEST(test_closing_wakes),
        TEST(test_idle_channels_are_dropped),
        TEST(test_many_streams),
        TEST(test_unsubscribe_races_with_wakes),
        TEST(test_armed_again_while_in_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
