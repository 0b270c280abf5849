/* SPDX-License-Identifier: Apache-2.0 */
/* Batches; the test plays the worker. Runs on both kinds of store. */
#include <jansson.h>

#include "base/cleanup.h"
#include "server/jobs/batch.h"
#include "tests/server/jobs/fixture.h"

enum { COUNT = 4 };

struct fixture {
    struct folder folder;
    int in_memory;
    struct jobs *jobs;
    struct jobs_spec specs[COUNT];
    struct batch batch;
    struct pf_error err;
};

static int set_up(void **state, int in_memory)
{
    struct fixture *f = calloc(1, sizeof *f);
    folder_create(&f->folder);
    f->in_memory = in_memory;
    f->jobs = open_jobs(&f->folder, in_memory);
    for (int i = 0; i < COUNT; i++) {
        f->specs[i] = make_spec("x");
        f->specs[i].owner = "alice";
    }
    *state = f;
    return 0;
}

static int set_up_file(void **state)
{
    return set_up(state, 0);
}

static int set_up_memory(void **state)
{
    return set_up(state, 1);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    jobs_destroy(f->jobs);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

static void submit_all(struct fixture *f)
{
    assert_ok(jobs_submit_batch(f->jobs, f->specs, COUNT, &f->batch, NULL, &f->err), &f->err);
}

/* Takes one job and ends it: 's'ucceeded, 'f'ailed, or 'r' runs on. */
static void work(struct fixture *f, char how)
{
    AUTO_JOB struct job *job = NULL;
    assert_ok(jobs_take(f->jobs, &job, &f->err), &f->err);
    assert_non_null(job);
    struct jobs_outcome outcome = {.status = how == 's' ? JOB_SUCCEEDED : JOB_FAILED,
        .format = "png",
        .bytes = "result",
        .size = 6,
        .code = "invalid",
        .message = "no"};
    if (how != 'r')
        assert_ok(jobs_report_outcome(f->jobs, job->id, job->attempts, &outcome, &f->err), &f->err);
}

static void assert_counts(struct fixture *f, const char *expected)
{
    struct batch batch;
    assert_ok(jobs_get_batch(f->jobs, "alice", f->batch.id, &batch, &f->err), &f->err);
    char text[64];
    snprintf(text, sizeof text, "q%d r%d s%d f%d c%d of %d%s", (int)batch.counts[JOB_QUEUED],
        (int)batch.counts[JOB_RUNNING], (int)batch.counts[JOB_SUCCEEDED],
        (int)batch.counts[JOB_FAILED], (int)batch.counts[JOB_CANCELLED], (int)batch.total,
        batch.finished_ms ? " finished" : "");
    assert_string_equal(text, expected);
}

static void no_wake(void *context)
{
    (void)context;
}

/* Statuses told by the job events after after_id, and how the stream goes on; the last id. */
static int64_t assert_stream(struct fixture *f, int64_t after_id, const char *expected)
{
    static const char *const results[] = {"have", "pending", "end", "closed"};
    struct events_reader *reader = NULL;
    assert_ok(jobs_subscribe_batch(
                  f->jobs, "alice", f->batch.id, after_id, no_wake, NULL, &reader, &f->err),
        &f->err);
    char text[512] = "";
    struct event *event;
    enum events_result result;
    int64_t last_id = after_id;
    while ((result = events_next(reader, &event)) == EVENTS_HAVE) {
        assert_true(event->id > last_id);
        last_id = event->id;
        json_t *data = json_loads(event->data, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(data);
        assert_string_equal(json_string_value(json_object_get(data, "batch")), f->batch.id);
        assert_int_equal(json_integer_value(json_object_get(data, "total")), COUNT);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s %s, ", event->name,
            json_string_value(json_object_get(data, "status")));
        json_decref(data);
        event_unref(event);
    }
    events_unsubscribe(reader);
    strcat(text, results[result]);
    assert_string_equal(text, expected);
    return last_id;
}

static void test_a_whole_life(void **state)
{
    struct fixture *f = *state;
    submit_all(f);
    assert_int_equal(f->batch.total, COUNT);
    assert_string_equal(f->batch.owner, "alice");
    assert_counts(f, "q4 r0 s0 f0 c0 of 4");
    assert_stream(f, 0, "pending");
    work(f, 's');
    assert_counts(f, "q3 r0 s1 f0 c0 of 4");
    int64_t id = assert_stream(f, 0, "job running, job succeeded, pending");
    work(f, 'f');
    assert_stream(f, id, "job running, job failed, pending");
    work(f, 's');
    assert_counts(f, "q1 r0 s2 f1 c0 of 4");
    work(f, 's');
    assert_counts(f, "q0 r0 s3 f1 c0 of 4 finished");
    id = assert_stream(f, id,
        "job running, job failed, job running, job succeeded, job running, job succeeded, "
        "completed completed, end");
    assert_stream(f, id, "end");
}

static void test_priority_and_list(void **state)
{
    struct fixture *f = *state;
    submit_all(f);
    char single[ID_SIZE];
    struct jobs_spec spec = make_spec("x");
    spec.owner = "alice";
    submit(f->jobs, &spec, single);
    struct jobs_filter filter = {.owner = "alice", .batch = f->batch.id, .status = -1, .limit = 10};
    struct jobs_page page;
    assert_ok(jobs_list(f->jobs, &filter, &page, &f->err), &f->err);
    assert_int_equal(page.count, COUNT);
    for (size_t i = 0; i < page.count; i++) {
        assert_string_equal(page.items[i]->batch, f->batch.id);
        assert_int_equal(page.items[i]->priority, JOB_BATCH);
    }
    jobs_page_finish(&page);
    filter.owner = "bob";
    assert_ok(jobs_list(f->jobs, &filter, &page, &f->err), &f->err);
    assert_int_equal(page.count, 0);
    jobs_page_finish(&page);
    /* Interactive first. */
    AUTO_JOB struct job *job = NULL;
    assert_ok(jobs_take(f->jobs, &job, &f->err), &f->err);
    assert_string_equal(job->id, single);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    submit_all(f);
    work(f, 's');
    work(f, 'r');
    struct batch batch;
    for (int i = 0; i < 2; i++) { /* idempotent */
        assert_ok(jobs_cancel_batch(f->jobs, "alice", f->batch.id, &batch, &f->err), &f->err);
        assert_int_equal(batch.counts[JOB_CANCELLED], 3);
        assert_int_equal(batch.counts[JOB_SUCCEEDED], 1);
        assert_true(batch.finished_ms > 0);
    }
    assert_fails(jobs_cancel_batch(f->jobs, "bob", f->batch.id, &batch, &f->err), PF_NOT_FOUND,
        f->batch.id, &f->err);
    assert_fails(jobs_get_batch(f->jobs, "bob", f->batch.id, &batch, &f->err), PF_NOT_FOUND,
        f->batch.id, &f->err);
    assert_fails(jobs_get_batch(f->jobs, NULL, "../x", &batch, &f->err), PF_NOT_FOUND, "", &f->err);
    struct events_reader *reader = NULL;
    assert_fails(
        jobs_subscribe_batch(f->jobs, "bob", f->batch.id, 0, no_wake, NULL, &reader, &f->err),
        PF_NOT_FOUND, f->batch.id, &f->err);
}

static void test_all_or_none(void **state)
{
    struct fixture *f = *state;
    struct batch batch = {.total = -1};
    f->specs[3].image.bytes = NULL;
    assert_fails(jobs_submit_batch(f->jobs, f->specs, COUNT, &batch, NULL, &f->err), PF_INVALID,
        "image", &f->err);
    f->specs[3].image.bytes = "an image";
    assert_fails(
        jobs_submit_batch(f->jobs, f->specs, 0, &batch, NULL, &f->err), PF_INVALID, "0", &f->err);
    jobs_destroy(f->jobs);
    struct jobs_options options;
    jobs_options_init(&options);
    options.data_dir = f->folder.path;
    options.in_memory = f->in_memory;
    options.max_queued_batch = COUNT - 1;
    assert_ok(jobs_create(&f->jobs, &options, &f->err), &f->err);
    assert_fails(jobs_submit_batch(f->jobs, f->specs, COUNT, &batch, NULL, &f->err), PF_BUSY,
        "0 of 3 jobs, and 4 more came", &f->err);
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 0);
    assert_int_equal(batch.total, -1);
    /* The other class has its own bound. */
    char id[ID_SIZE];
    submit(f->jobs, &f->specs[0], id);
    assert_ok(jobs_submit_batch(f->jobs, f->specs, COUNT - 1, &batch, NULL, &f->err), &f->err);
}

static void test_idempotency(void **state)
{
    struct fixture *f = *state;
    struct batch again;
    int is_replay = 0;
    f->specs[0].idempotency_key = "k";
    submit_all(f);
    assert_ok(jobs_submit_batch(f->jobs, f->specs, COUNT, &again, &is_replay, &f->err), &f->err);
    assert_int_equal(is_replay, 1);
    assert_string_equal(again.id, f->batch.id);
    f->specs[2].instruction = "y";
    assert_fails(jobs_submit_batch(f->jobs, f->specs, COUNT, &again, NULL, &f->err), PF_CONFLICT,
        "idempotency", &f->err);
    f->specs[2].instruction = "x";
    assert_fails(jobs_submit_batch(f->jobs, f->specs, 1, &again, NULL, &f->err), PF_CONFLICT,
        "idempotency", &f->err);
    struct job *job = NULL; /* nor is it a single job's */
    assert_fails(jobs_submit(f->jobs, &f->specs[0], &job, NULL, &f->err), PF_CONFLICT, "", &f->err);
    assert_counts(f, "q4 r0 s0 f0 c0 of 4");
    assert_int_equal(folder_count_files(f->folder.path, "spool"), COUNT);
}

static void test_removed_jobs(void **state)
{
    struct fixture *f = *state;
    submit_all(f);
    struct jobs_filter filter = {.batch = f->batch.id, .status = -1, .limit = 10};
    struct jobs_page page;
    assert_ok(jobs_list(f->jobs, &filter, &page, &f->err), &f->err);
    assert_ok(jobs_remove(f->jobs, NULL, page.items[0]->id, &f->err), &f->err);
    assert_counts(f, "q3 r0 s0 f0 c0 of 3");
    for (size_t i = 1; i < page.count; i++)
        assert_ok(jobs_remove(f->jobs, NULL, page.items[i]->id, &f->err), &f->err);
    jobs_page_finish(&page);
    struct batch batch;
    assert_fails(
        jobs_get_batch(f->jobs, NULL, f->batch.id, &batch, &f->err), PF_NOT_FOUND, "", &f->err);
}

static void test_restart(void **state)
{
    struct fixture *f = *state;
    submit_all(f);
    work(f, 's');
    work(f, 'r');
    int64_t id = assert_stream(f, 0, "job running, job succeeded, job running, pending");
    jobs_destroy(f->jobs);
    f->jobs = open_jobs(&f->folder, 0);
    assert_counts(f, "q3 r0 s1 f0 c0 of 4");
    assert_stream(f, id, "pending");
    work(f, 's');
    id = assert_stream(f, id, "job running, job succeeded, pending");
    work(f, 's');
    work(f, 's');
    int64_t end = assert_stream(
        f, id, "job running, job succeeded, job running, job succeeded, completed completed, end");
    jobs_destroy(f->jobs);
    f->jobs = open_jobs(&f->folder, 0);
    assert_counts(f, "q0 r0 s4 f0 c0 of 4 finished");
    assert_int_equal(assert_stream(f, id, "completed completed, end"), end);
    assert_stream(f, end, "end");
}

static void test_json(void **state)
{
    struct fixture *f = *state;
    submit_all(f);
    work(f, 'r');
    struct batch batch;
    assert_ok(jobs_get_batch(f->jobs, NULL, f->batch.id, &batch, &f->err), &f->err);
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    batch_put_json(&text, &batch, "https://x");
    json_t *json = json_loads(text.data, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "id")), f->batch.id);
    assert_string_equal(json_string_value(json_object_get(json, "object")), "batch");
    assert_string_equal(json_string_value(json_object_get(json, "status")), "running");
    assert_int_equal(json_integer_value(json_object_get(json, "total")), COUNT);
    assert_true(json_is_null(json_object_get(json, "finished_at")));
    json_t *counts = json_object_get(json, "counts");
    assert_int_equal(json_object_size(counts), JOB_STATUS_COUNT);
    assert_int_equal(json_integer_value(json_object_get(counts, "queued")), 3);
    json_t *urls = json_object_get(json, "urls");
    const char *self = json_string_value(json_object_get(urls, "self"));
    assert_true(strncmp(self, "https://x/v1/batches/", 21) == 0);
    json_decref(json);
}

#define ON_BOTH(test)                                                                              \
    {#test " (file)", test, set_up_file, tear_down, NULL},                                         \
    {                                                                                              \
#test " (memory)", test, set_up_memory, tear_down, NULL                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_a_whole_life),
        ON_BOTH(test_priority_and_list),
        ON_BOTH(test_cancel),
        ON_BOTH(test_all_or_none),
        ON_BOTH(test_idempotency),
        ON_BOTH(test_removed_jobs),
        ON_BOTH(test_json),
        cmocka_unit_test_setup_teardown(test_restart, set_up_file, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
