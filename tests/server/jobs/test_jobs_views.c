/* SPDX-License-Identifier: Apache-2.0 */
/* Around the jobs: lists, expiry, views, a disk that refuses, many threads. */
#include <math.h>
#include <pthread.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/server/jobs/service.h"

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

    /* The row goes with the longer of the two times. */
    options.idempotency_ttl_ms = 0;
    reopen(f, &options);
    if (f->in_memory)
        return;
    struct job *kept = NULL;
    take(f, open);
    finish(f, open, 1);
    assert_ok(jobs_clean(f->jobs, &removed, &f->err), &f->err);
    assert_int_equal(removed, 1);
    assert_ok(jobs_get(f->jobs, NULL, open, &kept, &f->err), &f->err);
    assert_true(job_is_expired(kept));
    assert_int_equal(kept->expires_ms, kept->finished_ms + options.expired_ttl_ms);
    job_unref(kept);
    options.expired_ttl_ms = 0;
    reopen(f, &options);
    submit_text(f, "x", open);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
