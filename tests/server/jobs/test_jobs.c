/* SPDX-License-Identifier: Apache-2.0 */
/* A job's life: submitting, failing, trying again, cancelling, bounds, the same request again. */
#include <math.h>
#include <pthread.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/server/jobs/service.h"


static void test_a_whole_life(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE];
    submit_text(f, "remove the haze", id);
    assert_int_equal(status_of(f->jobs, id), JOB_QUEUED);
    assert_int_equal(take(f, id), 1);
    assert_int_equal(status_of(f->jobs, id), JOB_RUNNING);
    assert_ok(jobs_report_started(f->jobs, id, 1, 12, &f->err), &f->err);
    assert_ok(jobs_report_encoded(f->jobs, id, 1, 34, &f->err), &f->err);
    for (int64_t step = 1; step <= 4; step++)
        report_step(f, id, 1, step);
    struct jobs_preview preview = {
        .step = 4, .width = 1, .height = 1, .format = "png", .bytes = "ABC", .size = 3};
    assert_ok(jobs_report_preview(f->jobs, id, 1, &preview, &f->err), &f->err);
    AUTO_JOB struct job *running = NULL;
    assert_ok(jobs_get(f->jobs, NULL, id, &running, &f->err), &f->err);
    assert_int_equal(running->step, 4);
    assert_int_equal(running->timings.load_ms, 12);
    finish(f, id, 1);

    AUTO_JOB struct job *job = NULL;
    assert_ok(jobs_get(f->jobs, NULL, id, &job, &f->err), &f->err);
    assert_int_equal(job->status, JOB_SUCCEEDED);
    assert_int_equal(job->result.width, 3);
    assert_int_equal(job->result.bytes, 6);
    assert_int_equal(job->timings.load_ms, 12);
    assert_int_equal(job->timings.decode_ms, 3);
    assert_true(job->finished_ms >= job->started_ms && job->started_ms >= job->created_ms);
    assert_int_equal(job->expires_ms, job->finished_ms + 3600000);
    int fd = -1;
    char bytes[16] = "";
    assert_ok(jobs_open_result(f->jobs, NULL, id, &fd, NULL, &f->err), &f->err);
    assert_int_equal(read(fd, bytes, sizeof bytes), 6);
    assert_memory_equal(bytes, "result", 6);
    close(fd);
    assert_events(f, id, 0,
        "1 queued, 2 started, 3 step, 4 step, 5 step, 6 step, 7 preview, 8 succeeded, end");
    assert_events(f, id, 6, "7 preview, 8 succeeded, end");
    assert_events(f, id, 8, "end");
    assert_int_equal(job->event_id, 8);
}

static void test_input(void **state)
{
    struct fixture *f = *state;
    struct jobs_spec spec = make_spec("x");
    spec.mask = (struct jobs_image){.bytes = "mask", .size = 4};
    char id[ID_SIZE];
    submit(f->jobs, &spec, id);
    AUTO_JOB struct job *job = NULL;
    assert_ok(jobs_take(f->jobs, &job, &f->err), &f->err);
    AUTO_BUFFER struct buffer input = BUFFER_INIT;
    assert_ok(jobs_read_input(f->jobs, job, &input, &f->err), &f->err);
    assert_string_equal(input.data, "an imagemask");
    assert_int_equal(job->image_bytes, 8);
    assert_int_equal(job->mask_bytes, 4);
    finish(f, id, 1);
}

static void assert_refused(struct fixture *f, const struct jobs_spec *spec, const char *what)
{
    struct job *job = NULL;
    assert_fails(jobs_submit(f->jobs, spec, &job, NULL, &f->err), PF_INVALID, what, &f->err);
    assert_null(job);
}

static void test_refuses_bad_specs(void **state)
{
    struct fixture *f = *state;
    struct jobs_spec spec = make_spec("x");
    spec.image.bytes = NULL;
    assert_refused(f, &spec, "image");
    spec = make_spec(NULL);
    assert_refused(f, &spec, "instruction");
    char owner[JOB_OWNER_SIZE + 1];
    memset(owner, 'o', JOB_OWNER_SIZE);
    owner[JOB_OWNER_SIZE] = '\0';
    spec = make_spec("x");
    spec.owner = owner;
    assert_refused(f, &spec, "key");
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 0);
}

/* ---- failing and trying again ---- */

static void test_fails_for_good(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE];
    submit_text(f, "x", id);
    take(f, id);
    struct jobs_outcome failure = {.status = JOB_FAILED,
        .code = "invalid",
        .message = "the image is a cake",
        .field = "image"};
    assert_ok(jobs_report_outcome(f->jobs, id, 1, &failure, &f->err), &f->err);
    AUTO_JOB struct job *job = NULL;
    assert_ok(jobs_get(f->jobs, NULL, id, &job, &f->err), &f->err);
    assert_int_equal(job->status, JOB_FAILED);
    assert_string_equal(job->error.code, "invalid");
    assert_string_equal(job->error.message, "the image is a cake");
    assert_string_equal(job->error.field, "image");
    int fd = -1;
    assert_fails(jobs_open_result(f->jobs, NULL, id, &fd, NULL, &f->err), PF_CONFLICT,
        "failed and has no result", &f->err);
    assert_events(f, id, 0, "1 queued, 2 started, 3 failed, end");
}

static void test_retries(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE];
    submit_text(f, "x", id);
    struct jobs_outcome oom = {
        .status = JOB_FAILED, .code = "nomem", .message = "no memory", .retryable = 1};
    assert_int_equal(take(f, id), 1);
    report_step(f, id, 1, 1);
    assert_ok(jobs_report_outcome(f->jobs, id, 1, &oom, &f->err), &f->err);
    assert_int_equal(take(f, id), 2);
    assert_ok(jobs_give_back(f->jobs, id, 2, 1, "worker_died", "signal 11", &f->err), &f->err);
    AUTO_JOB struct job *queued = NULL;
    assert_ok(jobs_get(f->jobs, NULL, id, &queued, &f->err), &f->err);
    assert_int_equal(queued->status, JOB_QUEUED);
    assert_int_equal(queued->step, 0);
    assert_int_equal(take(f, id), 3);
    assert_ok(jobs_give_back(f->jobs, id, 3, 1, "worker_died", "signal 11", &f->err), &f->err);
    AUTO_JOB struct job *job = NULL;
    assert_ok(jobs_get(f->jobs, NULL, id, &job, &f->err), &f->err);
    assert_int_equal(job->status, JOB_FAILED);
    assert_string_equal(job->error.code, "worker_died");
    assert_string_equal(job->error.message, "signal 11 (attempt 3 of 3)");
    assert_events(f, id, 0,
        "1 queued, 2 started, 3 step, 4 queued, 5 started, 6 queued, 7 started, 8 failed, end");
    take(f, NULL);
}

static void test_give_back_uncounted(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE];
    submit_text(f, "x", id);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(take(f, id), 1);
        assert_ok(jobs_give_back(f->jobs, id, 1, 0, "worker_died", "stopping", &f->err), &f->err);
    }
    assert_int_equal(status_of(f->jobs, id), JOB_QUEUED);
}

static void test_late_messages_change_nothing(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE];
    submit_text(f, "x", id);
    report_step(f, id, 1, 1); /* not even running */
    take(f, id);
    assert_ok(jobs_give_back(f->jobs, id, 1, 1, "worker_died", "gone", &f->err), &f->err);
    assert_int_equal(take(f, id), 2);
    assert_false(jobs_is_current(f->jobs, id, 1));
    assert_true(jobs_is_current(f->jobs, id, 2));
    report_step(f, id, 1, 3);
    finish(f, id, 1);
    struct jobs_preview preview = {.format = "png", .bytes = "ABC", .size = 3};
    assert_ok(jobs_report_preview(f->jobs, id, 1, &preview, &f->err), &f->err);
    assert_ok(jobs_give_back(f->jobs, id, 1, 1, "worker_died", "gone", &f->err), &f->err);
    assert_int_equal(status_of(f->jobs, id), JOB_RUNNING);
    finish(f, id, 2);
    finish(f, id, 2);
    assert_events(f, id, 0, "1 queued, 2 started, 3 queued, 4 started, 5 succeeded, end");
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 2);
}

static void test_unknown_format(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE];
    submit_text(f, "x", id);
    take(f, id);
    struct jobs_outcome odd = success;
    odd.format = "../../etc";
    assert_fails(
        jobs_report_outcome(f->jobs, id, 1, &odd, &f->err), PF_CORRUPT, "../../etc", &f->err);
    assert_int_equal(status_of(f->jobs, id), JOB_RUNNING);
    finish(f, id, 1);
}

/* ---- cancelling and removing ---- */

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    char queued[ID_SIZE], running[ID_SIZE], done[ID_SIZE];
    submit_text(f, "x", done);
    take(f, done);
    finish(f, done, 1);
    submit_text(f, "x", running);
    take(f, running);
    report_step(f, running, 1, 1);
    submit_text(f, "x", queued);
    for (int i = 0; i < 2; i++) { /* idempotent */
        assert_ok(jobs_cancel(f->jobs, NULL, queued, NULL, &f->err), &f->err);
        assert_ok(jobs_cancel(f->jobs, NULL, running, NULL, &f->err), &f->err);
        AUTO_JOB struct job *job = NULL;
        assert_ok(jobs_cancel(f->jobs, NULL, done, &job, &f->err), &f->err);
        assert_int_equal(job->status, JOB_SUCCEEDED);
    }
    assert_false(jobs_is_current(f->jobs, running, 1));
    report_step(f, running, 1, 2);
    finish(f, running, 1);
    assert_events(f, queued, 0, "1 queued, 2 cancelled, end");
    assert_events(f, running, 0, "1 queued, 2 started, 3 step, 4 cancelled, end");
    take(f, NULL);
}

static void test_remove(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE];
    struct job *job = NULL;
    submit_text(f, "x", id);
    take(f, id);
    struct events_reader *reader = NULL;
    assert_ok(jobs_subscribe(f->jobs, NULL, id, 2, no_wake, NULL, &reader, &f->err), &f->err);
    assert_ok(jobs_remove(f->jobs, NULL, id, &f->err), &f->err);
    struct event *event;
    assert_int_equal(events_next(reader, &event), EVENTS_HAVE);
    assert_string_equal(event->name, "cancelled");
    event_unref(event);
    assert_int_equal(events_next(reader, &event), EVENTS_END);
    events_unsubscribe(reader);
    assert_fails(jobs_get(f->jobs, NULL, id, &job, &f->err), PF_NOT_FOUND, id, &f->err);
    assert_fails(jobs_remove(f->jobs, NULL, id, &f->err), PF_NOT_FOUND, id, &f->err);
    finish(f, id, 1); /* the worker, late */
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 0);
}

static void test_owners(void **state)
{
    struct fixture *f = *state;
    struct jobs_spec spec = make_spec("x");
    spec.owner = "alice";
    char id[ID_SIZE];
    submit(f->jobs, &spec, id);
    struct job *job = NULL;
    struct events_reader *reader = NULL;
    struct jobs_snapshot snapshot;
    int fd;
    assert_fails(jobs_get(f->jobs, "bob", id, &job, &f->err), PF_NOT_FOUND, id, &f->err);
    assert_fails(jobs_cancel(f->jobs, "bob", id, NULL, &f->err), PF_NOT_FOUND, id, &f->err);
    assert_fails(jobs_remove(f->jobs, "bob", id, &f->err), PF_NOT_FOUND, id, &f->err);
    assert_fails(
        jobs_open_result(f->jobs, "bob", id, &fd, NULL, &f->err), PF_NOT_FOUND, id, &f->err);
    assert_fails(jobs_subscribe(f->jobs, "bob", id, 0, no_wake, NULL, &reader, &f->err),
        PF_NOT_FOUND, id, &f->err);
    assert_fails(
        jobs_get_snapshot(f->jobs, "bob", id, &snapshot, &f->err), PF_NOT_FOUND, id, &f->err);
    assert_int_equal(status_of(f->jobs, id), JOB_QUEUED);
    assert_ok(jobs_cancel(f->jobs, "alice", id, NULL, &f->err), &f->err);
    assert_fails(jobs_cancel(f->jobs, "bob", id, NULL, &f->err), PF_NOT_FOUND, id, &f->err);
    /* Not ids at all. */
    assert_fails(jobs_get(f->jobs, NULL, "../x", &job, &f->err), PF_NOT_FOUND, "", &f->err);
    assert_fails(jobs_cancel(f->jobs, NULL, "", NULL, &f->err), PF_NOT_FOUND, "", &f->err);
}

/* ---- bounds ---- */

static void test_full_queue(void **state)
{
    struct fixture *f = *state;
    struct jobs_options options;
    jobs_options_init(&options);
    options.max_queued = 3;
    options.max_queued_per_owner = 2;
    reopen(f, &options);
    struct jobs_spec spec = make_spec("x");
    struct job *job = NULL;
    char id[ID_SIZE];
    submit(f->jobs, &spec, id);
    submit(f->jobs, &spec, id);
    assert_fails(jobs_submit(f->jobs, &spec, &job, NULL, &f->err), PF_BUSY,
        "may have 2 jobs queued", &f->err);
    spec.owner = "other";
    submit(f->jobs, &spec, id);
    spec.owner = "third";
    assert_fails(
        jobs_submit(f->jobs, &spec, &job, NULL, &f->err), PF_BUSY, "full: 3 of 3 jobs", &f->err);
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 3);
    struct jobs_stats stats;
    jobs_get_stats(f->jobs, &stats);
    assert_int_equal(stats.submitted, 3);
    assert_int_equal(stats.rejected, 2);
    assert_int_equal(stats.queued[JOB_INTERACTIVE], 3);
    assert_in_range(jobs_retry_after_s(f->jobs), 1, 60);
    assert_ok(jobs_cancel(f->jobs, NULL, id, NULL, &f->err), &f->err);
    submit(f->jobs, &spec, id);
}

static void test_limits_change(void **state)
{
    struct fixture *f = *state;
    struct jobs_options options;
    jobs_options_init(&options);
    options.max_queued = 1;
    options.max_running_per_owner = 1;
    reopen(f, &options);
    struct jobs_spec spec = make_spec("x");
    struct job *job = NULL;
    char first[ID_SIZE], second[ID_SIZE];
    submit(f->jobs, &spec, first);
    assert_fails(
        jobs_submit(f->jobs, &spec, &job, NULL, &f->err), PF_BUSY, "full: 1 of 1", &f->err);
    take(f, first);
    submit(f->jobs, &spec, second);
    take(f, NULL);
    options.max_attempts = 0;
    assert_fails(jobs_set_limits(f->jobs, &options, &f->err), PF_INVALID, "max_attempts", &f->err);
    take(f, NULL);
    options.max_attempts = 1;
    options.max_queued = 2;
    options.max_running_per_owner = 2;
    options.result_ttl_ms = 7;
    assert_ok(jobs_set_limits(f->jobs, &options, &f->err), &f->err);
    submit(f->jobs, &spec, first);
    take(f, second);
    finish(f, second, 1);
    assert_ok(jobs_get(f->jobs, NULL, second, &job, &f->err), &f->err);
    assert_int_equal(job->expires_ms, job->finished_ms + 7);
    job_unref(job);
    take(f, first);
    assert_ok(jobs_give_back(f->jobs, first, 1, 1, "worker_died", "gone", &f->err), &f->err);
    assert_int_equal(status_of(f->jobs, first), JOB_FAILED);
}

static void test_drain(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE], other[ID_SIZE];
    submit_text(f, "x", id);
    submit_text(f, "x", other);
    take(f, id);
    assert_false(jobs_is_draining(f->jobs));
    jobs_begin_drain(f->jobs);
    assert_true(jobs_is_draining(f->jobs));
    struct jobs_spec spec = make_spec("x");
    struct job *job = NULL;
    assert_fails(
        jobs_submit(f->jobs, &spec, &job, NULL, &f->err), PF_BUSY, "shutting down", &f->err);
    take(f, NULL);
    finish(f, id, 1);
    assert_events(f, id, 2, "3 succeeded, end");
    jobs_close_streams(f->jobs);
    assert_events(f, other, 1, "closed");
}

static void test_options(void **state)
{
    struct fixture *f = *state;
    struct jobs *jobs = NULL;
    struct jobs_options options;
    jobs_options_init(&options);
    assert_fails(jobs_create(&jobs, &options, &f->err), PF_INVALID, "data_dir", &f->err);
    options.data_dir = f->folder.path;
    options.max_queued = 0;
    assert_fails(jobs_create(&jobs, &options, &f->err), PF_INVALID, "max_queued is 0", &f->err);
    jobs_options_init(&options);
    options.data_dir = f->folder.path;
    assert_fails(jobs_create(&jobs, &options, &f->err), PF_BUSY, "another server", &f->err);
    options.data_dir = "/nonexistent/data";
    assert_fails(jobs_create(&jobs, &options, &f->err), PF_IO, "/nonexistent/data", &f->err);
}

/* ---- the same request again ---- */

static void test_idempotency(void **state)
{
    struct fixture *f = *state;
    struct jobs_spec spec = make_spec("x");
    spec.idempotency_key = "key-1";
    spec.owner = "alice";
    char first[ID_SIZE];
    submit(f->jobs, &spec, first);
    int replayed = 0;
    AUTO_JOB struct job *again = NULL;
    assert_ok(jobs_submit(f->jobs, &spec, &again, &replayed, &f->err), &f->err);
    assert_int_equal(replayed, 1);
    assert_string_equal(again->id, first);

    take(f, first);
    finish(f, first, 1);
    AUTO_JOB struct job *done = NULL;
    assert_ok(jobs_submit(f->jobs, &spec, &done, &replayed, &f->err), &f->err);
    assert_int_equal(done->status, JOB_SUCCEEDED);

    struct job *none = NULL;
    struct jobs_spec other = spec;
    other.instruction = "y";
    assert_fails(jobs_submit(f->jobs, &other, &none, NULL, &f->err), PF_CONFLICT, first, &f->err);
    other = spec;
    other.image.bytes = "An image";
    assert_fails(jobs_submit(f->jobs, &other, &none, NULL, &f->err), PF_CONFLICT, first, &f->err);
    other = spec;
    other.params.seed++;
    assert_fails(jobs_submit(f->jobs, &other, &none, NULL, &f->err), PF_CONFLICT, first, &f->err);
    other = spec;
    other.mask = (struct jobs_image){.bytes = "", .size = 0};
    assert_fails(jobs_submit(f->jobs, &other, &none, NULL, &f->err), PF_CONFLICT, first, &f->err);

    char second[ID_SIZE];
    spec.owner = "bob";
    submit(f->jobs, &spec, second);
    assert_string_not_equal(first, second);
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 3);
}

struct submitter {
    struct fixture *f;
    char id[ID_SIZE];
    enum pf_status status;
};

static void *submit_once(void *context)
{
    struct submitter *s = context;
    struct jobs_spec spec = make_spec("x");
    spec.idempotency_key = "the same";
    struct job *job = NULL;
    s->status = jobs_submit(s->f->jobs, &spec, &job, NULL, NULL);
    if (s->status == PF_OK)
        memcpy(s->id, job->id, ID_SIZE);
    job_unref(job);
    return NULL;
}

static void test_idempotency_at_the_same_time(void **state)
{
    enum { COUNT = 8 };
    struct submitter submitters[COUNT];
    pthread_t threads[COUNT];
    for (int i = 0; i < COUNT; i++) {
        submitters[i] = (struct submitter){.f = *state};
        assert_int_equal(pthread_create(&threads[i], NULL, submit_once, &submitters[i]), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(submitters[i].status, PF_OK);
        assert_string_equal(submitters[i].id, submitters[0].id);
    }
    struct fixture *f = *state;
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 1);
    struct jobs_stats stats;
    jobs_get_stats(f->jobs, &stats);
    assert_int_equal(stats.submitted, 1);
    assert_int_equal(stats.replayed, COUNT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_a_whole_life),
        ON_BOTH(test_input),
        ON_BOTH(test_refuses_bad_specs),
        ON_BOTH(test_fails_for_good),
        ON_BOTH(test_retries),
        ON_BOTH(test_give_back_uncounted),
        ON_BOTH(test_late_messages_change_nothing),
        ON_BOTH(test_unknown_format),
        ON_BOTH(test_cancel),
        ON_BOTH(test_remove),
        ON_BOTH(test_owners),
        ON_BOTH(test_full_queue),
        ON_BOTH(test_limits_change),
        ON_BOTH(test_drain),
        ON_BOTH(test_options),
        ON_BOTH(test_idempotency),
        ON_BOTH(test_idempotency_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
