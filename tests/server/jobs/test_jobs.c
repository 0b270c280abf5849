/* SPDX-License-Identifier: Apache-2.0 */
/* The job service without workers: the test plays the worker. Runs on both kinds of store. */
#include <math.h>
#include <pthread.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/jobs/jobs_internal.h"
#include "tests/server/jobs/fixture.h"

struct fixture {
    struct folder folder;
    int in_memory;
    struct jobs *jobs;
    struct pf_error err;
};

static int set_up(void **state, int in_memory)
{
    struct fixture *f = calloc(1, sizeof *f);
    folder_create(&f->folder);
    f->in_memory = in_memory;
    f->jobs = open_jobs(&f->folder, in_memory);
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

static void submit_text(struct fixture *f, const char *instruction, char ret_id[ID_SIZE])
{
    struct jobs_spec spec = make_spec(instruction);
    submit(f->jobs, &spec, ret_id);
}

/* Takes the next job, which must be this one (or none when NULL); its attempt. */
static int64_t take(struct fixture *f, const char *id)
{
    struct job *job = NULL;
    assert_ok(jobs_take(f->jobs, &job, &f->err), &f->err);
    if (!id) {
        assert_null(job);
        return 0;
    }
    assert_non_null(job);
    assert_string_equal(job->id, id);
    int64_t attempt = job->attempts;
    job_unref(job);
    return attempt;
}

static const struct jobs_outcome success = {.status = JOB_SUCCEEDED,
    .format = "png",
    .width = 3,
    .height = 2,
    .encode_ms = 1,
    .sample_ms = 2,
    .decode_ms = 3,
    .bytes = "result",
    .size = 6};

static void finish(struct fixture *f, const char *id, int64_t attempt)
{
    assert_ok(jobs_report_outcome(f->jobs, id, attempt, &success, &f->err), &f->err);
}

static void report_step(struct fixture *f, const char *id, int64_t attempt, int64_t step)
{
    struct jobs_step what = {.step = step,
        .steps = 4,
        .elapsed_ms = step * 10,
        .eta_ms = (4 - step) * 10,
        .sigma = 1.5,
        .guidance_loss = step % 2 ? NAN : 0.5};
    assert_ok(jobs_report_step(f->jobs, id, attempt, &what, &f->err), &f->err);
}

static void no_wake(void *context)
{
    (void)context;
}

/* All events above after_id, as "1 queued, 2 started, …" and how it stopped. */
static void assert_events(struct fixture *f, const char *id, int64_t after_id, const char *expected)
{
    static const char *const results[] = {"have", "pending", "end", "closed"};
    struct events_reader *reader = NULL;
    assert_ok(
        jobs_subscribe(f->jobs, NULL, id, after_id, no_wake, NULL, &reader, &f->err), &f->err);
    char text[1024] = "";
    struct event *event;
    enum events_result result;
    while ((result = events_next(reader, &event)) == EVENTS_HAVE) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%lld %s, ", (long long)event->id,
            event->name);
        json_error_t json_err;
        json_t *data = json_loadb(event->data, event->data_size, JSON_REJECT_DUPLICATES, &json_err);
        assert_non_null(data);
        assert_string_equal(json_string_value(json_object_get(data, "job")), id);
        assert_null(strchr(event->data, '\n'));
        json_decref(data);
        event_unref(event);
    }
    strcat(text, results[result]);
    events_unsubscribe(reader);
    assert_string_equal(text, expected);
}

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

static void reopen(struct fixture *f, const struct jobs_options *changes)
{
    jobs_destroy(f->jobs);
    struct jobs_options options = *changes;
    options.data_dir = f->folder.path;
    options.in_memory = f->in_memory;
    f->jobs = NULL;
    assert_ok(jobs_create(&f->jobs, &options, &f->err), &f->err);
}

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

/* ---- lists, expiry, views ---- */

static void test_list(void **state)
{
    struct fixture *f = *state;
    char ids[5][ID_SIZE];
    struct jobs_spec spec = make_spec("x");
    for (int i = 0; i < 5; i++) {
        spec.owner = i == 2 ? "bob" : "alice";
        submit(f->jobs, &spec, ids[i]);
    }
    struct job *taken = NULL;
    assert_ok(jobs_take(f->jobs, &taken, &f->err), &f->err);
    report_step(f, taken->id, 1, 2);
    job_unref(taken);
    struct jobs_filter filter = {.owner = "alice", .status = -1, .limit = 3};
    struct jobs_page page;
    assert_ok(jobs_list(f->jobs, &filter, &page, &f->err), &f->err);
    assert_int_equal(page.count, 3);
    assert_true(page.has_more);
    assert_string_equal(page.items[0]->id, ids[4]);
    assert_string_equal(page.items[2]->id, ids[1]);
    filter.after = page.items[2]->id;
    struct jobs_page rest;
    assert_ok(jobs_list(f->jobs, &filter, &rest, &f->err), &f->err);
    assert_int_equal(rest.count, 1);
    assert_false(rest.has_more);
    assert_string_equal(rest.items[0]->id, ids[0]);
    assert_int_equal(rest.items[0]->step, 2); /* live progress */
    jobs_page_finish(&rest);
    jobs_page_finish(&page);
    filter = (struct jobs_filter){.status = JOB_RUNNING, .limit = JOBS_PAGE_MAX};
    assert_ok(jobs_list(f->jobs, &filter, &page, &f->err), &f->err);
    assert_int_equal(page.count, 1);
    jobs_page_finish(&page);
    filter.limit = 0;
    assert_fails(jobs_list(f->jobs, &filter, &page, &f->err), PF_INVALID, "limit is 0", &f->err);
    filter = (struct jobs_filter){
        .owner = "bob", .status = -1, .limit = 1, .after = ids[0]}; /* not bob's */
    assert_fails(jobs_list(f->jobs, &filter, &page, &f->err), PF_NOT_FOUND, ids[0], &f->err);
}

static void test_expiry(void **state)
{
    struct fixture *f = *state;
    struct jobs_options options;
    jobs_options_init(&options);
    options.result_ttl_ms = 0;
    reopen(f, &options);
    char id[ID_SIZE], open[ID_SIZE];
    submit_text(f, "x", id);
    take(f, id);
    submit_text(f, "x", open);
    finish(f, id, 1);
    size_t removed = 0;
    assert_ok(jobs_clean(f->jobs, &removed, &f->err), &f->err);
    assert_int_equal(removed, 1);
    /* The row stays a day, the files are gone; the unfinished job is untouched. */
    int fd;
    assert_int_equal(status_of(f->jobs, id), JOB_SUCCEEDED);
    assert_fails(
        jobs_open_result(f->jobs, NULL, id, &fd, NULL, &f->err), PF_NOT_FOUND, "expired", &f->err);
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 1);
    assert_ok(jobs_clean(f->jobs, &removed, &f->err), &f->err);
    assert_int_equal(removed, 0);
    assert_events(f, id, 0, "3 succeeded, end");

    options.idempotency_ttl_ms = 0;
    reopen(f, &options);
    if (f->in_memory)
        return;
    take(f, open);
    finish(f, open, 1);
    assert_ok(jobs_clean(f->jobs, &removed, &f->err), &f->err);
    struct job *job = NULL;
    assert_fails(jobs_get(f->jobs, NULL, open, &job, &f->err), PF_NOT_FOUND, open, &f->err);
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 0);
}

static void test_positions_and_estimates(void **state)
{
    struct fixture *f = *state;
    char first[ID_SIZE], second[ID_SIZE];
    submit_text(f, "x", first);
    AUTO_JOB struct job *job = NULL;
    assert_ok(jobs_get(f->jobs, NULL, first, &job, &f->err), &f->err);
    struct job_view view;
    jobs_get_view(f->jobs, job, &view);
    assert_int_equal(view.queue_position, 1);
    assert_int_equal(view.eta_ms, -1); /* nothing measured yet */
    take(f, first);
    for (int64_t step = 1; step <= 4; step++)
        report_step(f, first, 1, step);
    finish(f, first, 1);
    submit_text(f, "x", first);
    submit_text(f, "x", second);
    AUTO_JOB struct job *queued = NULL;
    assert_ok(jobs_get(f->jobs, NULL, second, &queued, &f->err), &f->err);
    jobs_get_view(f->jobs, queued, &view);
    assert_int_equal(view.queue_position, 2);
    assert_true(view.eta_ms >= 40); /* its own four steps of 10 ms, at least */
    struct jobs_stats stats;
    jobs_get_stats(f->jobs, &stats);
    assert_int_equal(stats.step_count, 3);
    assert_int_equal(stats.step_bucket[0], 3);
    assert_true(fabs(stats.step_sum_s - 0.03) < 1e-9);
    assert_int_equal(stats.ended[JOB_SUCCEEDED], 1);
    assert_true(stats.mean_run_ms >= 0);
}

static void test_tells_new_positions(void **state)
{
    struct fixture *f = *state;
    char ids[3][ID_SIZE];
    for (int i = 0; i < 3; i++)
        submit_text(f, "x", ids[i]);
    struct events_reader *reader = NULL;
    assert_ok(jobs_subscribe(f->jobs, NULL, ids[2], 1, no_wake, NULL, &reader, &f->err), &f->err);
    jobs_tell_positions(f->jobs); /* nothing new */
    take(f, ids[0]);
    f->jobs->told_at_ms = 0; /* a second has passed */
    jobs_tell_positions(f->jobs);
    take(f, ids[1]);
    jobs_tell_positions(f->jobs); /* too early */
    struct event *event;
    assert_int_equal(events_next(reader, &event), EVENTS_HAVE);
    assert_string_equal(event->name, "queued");
    json_t *data = json_loads(event->data, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(data, "queue_position")), 2);
    json_decref(data);
    event_unref(event);
    assert_int_equal(events_next(reader, &event), EVENTS_PENDING);
    events_unsubscribe(reader);
}

static void test_snapshot(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE];
    struct jobs_snapshot snapshot;
    submit_text(f, "x", id);
    assert_ok(jobs_get_snapshot(f->jobs, NULL, id, &snapshot, &f->err), &f->err);
    assert_int_equal(snapshot.last_id, 1);
    assert_int_equal(snapshot.kind, EVENT_QUEUED);
    job_unref(snapshot.job);
    take(f, id);
    report_step(f, id, 1, 1);
    assert_ok(jobs_get_snapshot(f->jobs, NULL, id, &snapshot, &f->err), &f->err);
    assert_int_equal(snapshot.last_id, 3);
    assert_int_equal(snapshot.kind, EVENT_STARTED);
    assert_int_equal(snapshot.job->step, 1);
    job_unref(snapshot.job);
    finish(f, id, 1);
    assert_ok(jobs_get_snapshot(f->jobs, NULL, id, &snapshot, &f->err), &f->err);
    assert_int_equal(snapshot.last_id, 4);
    assert_int_equal(snapshot.kind, EVENT_SUCCEEDED);
    job_unref(snapshot.job);
}

static void count_wake(void *context)
{
    ++*(int *)context;
}

static void test_wake(void **state)
{
    struct fixture *f = *state;
    int wakes = 0;
    char id[ID_SIZE];
    jobs_set_wake(f->jobs, count_wake, &wakes);
    submit_text(f, "x", id);
    assert_int_equal(wakes, 1);
    take(f, id);
    assert_ok(jobs_cancel(f->jobs, NULL, id, NULL, &f->err), &f->err);
    assert_int_equal(wakes, 2);
    jobs_set_wake(f->jobs, NULL, NULL);
    submit_text(f, "x", id);
    assert_int_equal(wakes, 2);
}

/* ---- a disk that refuses ---- */

/* The spool folder refuses: neither inputs nor results can be written. */
static void test_spool_fails(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE], spool[128];
    submit_text(f, "x", id);
    take(f, id);
    snprintf(spool, sizeof spool, "%s/spool", f->folder.path);
    struct jobs_spec spec = make_spec("x");
    struct job *job = NULL;
    /* Permissions don't stop root, and no disk is at hand to fill: take the descriptor away. */
    int saved_fd = f->jobs->blobs.folder_fd;
    f->jobs->blobs.folder_fd = -1;
    assert_fails(jobs_submit(f->jobs, &spec, &job, NULL, &f->err), PF_IO, spool, &f->err);
    assert_fails(jobs_report_outcome(f->jobs, id, 1, &success, &f->err), PF_IO, spool, &f->err);
    assert_int_equal(status_of(f->jobs, id), JOB_RUNNING);
    f->jobs->blobs.folder_fd = saved_fd;
    finish(f, id, 1);
    struct jobs_stats stats;
    jobs_get_stats(f->jobs, &stats);
    assert_int_equal(stats.queued[JOB_INTERACTIVE], 0);
    submit(f->jobs, &spec, id);
}

/* A store whose writes fail while told to. */
static int store_fails;
static const struct store_ops *real_ops;

static enum pf_status update_or_fail(
    struct store *store, const struct job *job, struct pf_error *err)
{
    if (store_fails)
        return pf_fail(err, PF_IO, "job store: database or disk is full");
    return real_ops->update(store, job, err);
}

static enum pf_status insert_or_fail(
    struct store *store, const struct job *job, struct pf_error *err)
{
    if (store_fails)
        return pf_fail(err, PF_IO, "job store: database or disk is full");
    return real_ops->insert(store, job, err);
}

static void test_store_fails(void **state)
{
    struct fixture *f = *state;
    real_ops = f->jobs->store->ops;
    struct store_ops ops = *real_ops;
    ops.update = update_or_fail;
    ops.insert = insert_or_fail;
    f->jobs->store->ops = &ops;
    char queued[ID_SIZE], running[ID_SIZE];
    submit_text(f, "x", running);
    take(f, running);
    submit_text(f, "x", queued);

    store_fails = 1;
    struct jobs_spec spec = make_spec("x");
    struct job *job = NULL;
    assert_fails(jobs_submit(f->jobs, &spec, &job, NULL, &f->err), PF_IO, "full", &f->err);
    assert_fails(jobs_take(f->jobs, &job, &f->err), PF_IO, "full", &f->err);
    assert_null(job);
    assert_fails(jobs_cancel(f->jobs, NULL, queued, NULL, &f->err), PF_IO, "full", &f->err);
    assert_fails(
        jobs_report_outcome(f->jobs, running, 1, &success, &f->err), PF_IO, "full", &f->err);
    assert_fails(
        jobs_give_back(f->jobs, running, 1, 1, "io", "x", &f->err), PF_IO, "full", &f->err);
    /* Nothing has happened, and nobody was told. */
    assert_int_equal(status_of(f->jobs, queued), JOB_QUEUED);
    assert_int_equal(status_of(f->jobs, running), JOB_RUNNING);
    assert_events(f, queued, 0, "1 queued, pending");
    assert_events(f, running, 0, "1 queued, 2 started, pending");
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 2);

    store_fails = 0;
    report_step(f, running, 1, 1);
    finish(f, running, 1);
    assert_int_equal(take(f, queued), 1);
    finish(f, queued, 1);
    assert_events(f, running, 0, "1 queued, 2 started, 3 step, 4 succeeded, end");
    f->jobs->store->ops = real_ops;
}

/* ---- many threads ---- */

enum { SUBMITTERS = 4, EACH = 30 };

struct load {
    struct fixture *f;
    int is_done; /* atomic */
    int failures;
};

static void *submit_many(void *context)
{
    struct load *load = context;
    for (int i = 0; i < EACH; i++) {
        struct jobs_spec spec = make_spec("x");
        spec.priority = i % 2 ? JOB_BATCH : JOB_INTERACTIVE;
        struct job *job = NULL;
        if (jobs_submit(load->f->jobs, &spec, &job, NULL, NULL) != PF_OK)
            load->failures++;
        else if (i % 5 == 0 && jobs_cancel(load->f->jobs, NULL, job->id, NULL, NULL) != PF_OK)
            load->failures++;
        job_unref(job);
    }
    return NULL;
}

static void *read_many(void *context)
{
    struct load *load = context;
    while (!__atomic_load_n(&load->is_done, __ATOMIC_ACQUIRE)) {
        struct jobs_page page;
        struct jobs_filter filter = {.status = -1, .limit = 50};
        if (jobs_list(load->f->jobs, &filter, &page, NULL) != PF_OK) {
            load->failures++;
            continue;
        }
        for (size_t i = 0; i < page.count; i++) {
            AUTO_BUFFER struct buffer json = BUFFER_INIT;
            struct job_view view;
            jobs_get_view(load->f->jobs, page.items[i], &view);
            job_put_json(&json, page.items[i], &view);
            load->failures += json.status != PF_OK;
        }
        jobs_page_finish(&page);
    }
    return NULL;
}

static void *work_many(void *context)
{
    struct load *load = context;
    struct fixture *f = load->f;
    for (;;) {
        int was_done = __atomic_load_n(&load->is_done, __ATOMIC_ACQUIRE);
        struct job *job = NULL;
        if (jobs_take(f->jobs, &job, NULL) != PF_OK)
            load->failures++;
        if (!job && was_done)
            return NULL;
        if (!job)
            continue;
        struct jobs_step step = {.step = 1, .steps = 4, .sigma = 1};
        load->failures += jobs_report_step(f->jobs, job->id, job->attempts, &step, NULL) != PF_OK;
        load->failures +=
            jobs_report_outcome(f->jobs, job->id, job->attempts, &success, NULL) != PF_OK;
        job_unref(job);
    }
}

static void test_many_threads(void **state)
{
    struct load loads[SUBMITTERS + 2];
    pthread_t threads[SUBMITTERS + 2];
    for (int i = 0; i < SUBMITTERS + 2; i++) {
        loads[i] = (struct load){.f = *state};
        void *(*run)(void *) = i < SUBMITTERS    ? submit_many
                               : i == SUBMITTERS ? read_many
                                                 : work_many;
        assert_int_equal(pthread_create(&threads[i], NULL, run, &loads[i]), 0);
    }
    for (int i = 0; i < SUBMITTERS + 2; i++) {
        if (i >= SUBMITTERS)
            __atomic_store_n(&loads[i].is_done, 1, __ATOMIC_RELEASE);
        pthread_join(threads[i], NULL);
        assert_int_equal(loads[i].failures, 0);
    }
    struct fixture *f = *state;
    struct jobs_stats stats;
    jobs_get_stats(f->jobs, &stats);
    assert_int_equal(stats.submitted, SUBMITTERS * EACH);
    assert_int_equal(stats.ended[JOB_SUCCEEDED] + stats.ended[JOB_CANCELLED], SUBMITTERS * EACH);
    assert_int_equal(stats.running, 0);
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
        ON_BOTH(test_drain),
        ON_BOTH(test_options),
        ON_BOTH(test_idempotency),
        ON_BOTH(test_idempotency_at_the_same_time),
        ON_BOTH(test_list),
        ON_BOTH(test_expiry),
        ON_BOTH(test_positions_and_estimates),
        ON_BOTH(test_tells_new_positions),
        ON_BOTH(test_snapshot),
        ON_BOTH(test_wake),
        ON_BOTH(test_spool_fails),
        ON_BOTH(test_store_fails),
        ON_BOTH(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
