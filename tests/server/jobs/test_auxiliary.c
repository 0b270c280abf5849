/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that wait for their auxiliary prompt. */
#include "server/jobs/events.h"
#include "server/jobs/queue.h"
#include "tests/server/jobs/fixture.h"

static struct folder folder;

static int setup(void **state)
{
    (void)state;
    folder_create(&folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

static struct jobs_spec auto_spec(const char *instruction)
{
    struct jobs_spec spec = make_spec(instruction);
    spec.auxiliary = JOB_AUXILIARY_AUTO;
    return spec;
}

static void submit_auto(struct jobs *jobs, const char *instruction, char ret_id[ID_SIZE])
{
    struct jobs_spec spec = auto_spec(instruction);
    submit(jobs, &spec, ret_id);
}

static void report(struct jobs *jobs, const char *id, const char *prompt, const char *code)
{
    struct pf_error err = PF_ERROR_INIT;
    struct jobs_auxiliary auxiliary = {
        .prompt = prompt, .log = "{\"asked\":1}", .code = code, .message = "it is down"};
    assert_ok(jobs_report_auxiliary(jobs, id, &auxiliary, &err), &err);
}

/* The next to run is `id`, or nobody when it is NULL. */
static void assert_taken(struct jobs *jobs, const char *id)
{
    struct pf_error err = PF_ERROR_INIT;
    struct job *job = NULL;
    assert_ok(jobs_take(jobs, &job, &err), &err);
    if (!id) {
        assert_null(job);
        return;
    }
    assert_non_null(job);
    assert_string_equal(job->id, id);
    job_unref(job);
}

static void assert_asked(struct jobs *jobs, const char *id)
{
    struct job *job = jobs_take_question(jobs);
    if (!id) {
        assert_null(job);
        return;
    }
    assert_non_null(job);
    assert_string_equal(job->id, id);
    assert_int_equal(job->status, JOB_QUEUED);
    job_unref(job);
}

static struct job *get(struct jobs *jobs, const char *id)
{
    struct pf_error err = PF_ERROR_INIT;
    struct job *job = NULL;
    assert_ok(jobs_get(jobs, NULL, id, &job, &err), &err);
    return job;
}

static int64_t position_of(struct jobs *jobs, const char *id)
{
    struct job *job = get(jobs, id);
    struct job_view view;
    jobs_get_view(jobs, job, &view);
    job_unref(job);
    return view.queue_position;
}

static void test_wants(void **state)
{
    (void)state;
    struct job *job = job_create();
    assert_non_null(job);
    assert_false(job_wants_auxiliary(job));
    job->auxiliary = JOB_AUXILIARY_AUTO;
    assert_true(job_wants_auxiliary(job));
    job->auxiliary_prompt = strdup("");
    assert_true(job_wants_auxiliary(job));
    job->auxiliary_log = strdup("{}");
    assert_false(job_wants_auxiliary(job));
    free(job->auxiliary_log);
    job->auxiliary_log = NULL;
    free(job->auxiliary_prompt);
    job->auxiliary_prompt = strdup("hazy");
    assert_false(job_wants_auxiliary(job));
    job_unref(job);
}

static void test_held_until_answered(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct jobs *jobs = open_jobs(&folder, 1);
    char first[ID_SIZE], second[ID_SIZE], plain[ID_SIZE];
    submit_auto(jobs, "a", first);
    submit_auto(jobs, "b", second);
    struct jobs_spec spec = make_spec("c");
    submit(jobs, &spec, plain);
    assert_int_equal(position_of(jobs, first), 1);
    assert_int_equal(position_of(jobs, plain), 3);
    struct jobs_stats stats;
    jobs_get_stats(jobs, &stats);
    assert_int_equal(stats.queued[JOB_INTERACTIVE], 3);

    assert_taken(jobs, plain); /* passes those that wait */
    assert_taken(jobs, NULL);
    assert_asked(jobs, first);
    assert_asked(jobs, second);
    assert_asked(jobs, NULL);
    assert_taken(jobs, NULL);

    report(jobs, second, "Haze. A dog.", NULL);
    assert_false(jobs_is_question_current(jobs, second));
    struct job *job = get(jobs, second);
    assert_int_equal(job->status, JOB_QUEUED);
    assert_string_equal(job->auxiliary_prompt, "Haze. A dog.");
    assert_string_equal(job->auxiliary_log, "{\"asked\":1}");
    job_unref(job);
    assert_taken(jobs, second);
    report(jobs, first, NULL, NULL); /* goes without */
    assert_taken(jobs, first);
    jobs_get_stats(jobs, &stats);
    assert_int_equal(stats.retried, 0);
    assert_int_equal(stats.queued[JOB_INTERACTIVE], 0);

    assert_ok(jobs_give_back(jobs, first, 1, 1, "worker_died", "it died", &err), &err);
    assert_asked(jobs, NULL); /* once is enough */
    assert_taken(jobs, first);
    jobs_destroy(jobs);
}

static void test_failed(void **state)
{
    (void)state;
    struct jobs *jobs = open_jobs(&folder, 1);
    char id[ID_SIZE];
    submit_auto(jobs, "a", id);
    assert_asked(jobs, id);
    report(jobs, id, NULL, "auxiliary_failed");
    struct job *job = get(jobs, id);
    assert_int_equal(job->status, JOB_FAILED);
    assert_string_equal(job->error.code, "auxiliary_failed");
    assert_string_equal(job->error.message, "it is down");
    assert_string_equal(job->error.field, "auxiliary");
    assert_string_equal(job->auxiliary_log, "{\"asked\":1}");
    assert_int_equal(job->attempts, 0);
    job_unref(job);
    assert_taken(jobs, NULL);
    jobs_destroy(jobs);
}

static void test_cancelled(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct jobs *jobs = open_jobs(&folder, 1);
    char asked[ID_SIZE], waiting[ID_SIZE];
    submit_auto(jobs, "a", asked);
    submit_auto(jobs, "b", waiting);
    assert_asked(jobs, asked);
    assert_true(jobs_is_question_current(jobs, asked));
    assert_false(jobs_is_question_current(jobs, waiting));
    assert_ok(jobs_cancel(jobs, NULL, asked, NULL, &err), &err);
    assert_ok(jobs_cancel(jobs, NULL, waiting, NULL, &err), &err);
    assert_false(jobs_is_question_current(jobs, asked));
    assert_asked(jobs, NULL);
    report(jobs, asked, "too late", NULL);
    struct job *job = get(jobs, asked);
    assert_int_equal(job->status, JOB_CANCELLED);
    assert_null(job->auxiliary_prompt);
    job_unref(job);
    assert_ok(jobs_remove(jobs, NULL, asked, &err), &err);
    jobs_destroy(jobs);
}

/* The answer is an event, so that who watches sees the prompt. */
static void test_event(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct jobs *jobs = open_jobs(&folder, 1);
    char id[ID_SIZE];
    submit_auto(jobs, "a", id);
    struct events_reader *reader;
    assert_ok(jobs_subscribe(jobs, NULL, id, 0, NULL, NULL, &reader, &err), &err);
    struct event *event = NULL;
    assert_int_equal(events_next(reader, &event), EVENTS_HAVE);
    assert_int_equal(event->kind, EVENT_QUEUED);
    event_unref(event);
    assert_asked(jobs, id);
    report(jobs, id, "Snow.", NULL);
    assert_int_equal(events_next(reader, &event), EVENTS_HAVE);
    assert_int_equal(event->kind, EVENT_QUEUED);
    assert_non_null(strstr(event->data, "\"auxiliary_prompt\":\"Snow.\""));
    event_unref(event);
    events_unsubscribe(reader);
    jobs_destroy(jobs);
}

static void test_order_of_asking(void **state)
{
    (void)state;
    struct jobs *jobs = open_jobs(&folder, 1);
    char batch[ID_SIZE], a1[ID_SIZE], a2[ID_SIZE], b1[ID_SIZE];
    struct jobs_spec spec = auto_spec("x");
    spec.priority = JOB_BATCH;
    submit(jobs, &spec, batch);
    spec.priority = JOB_INTERACTIVE;
    spec.owner = "a";
    submit(jobs, &spec, a1);
    submit(jobs, &spec, a2);
    spec.owner = "b";
    submit(jobs, &spec, b1);
    assert_asked(jobs, a1);
    assert_asked(jobs, b1);
    assert_asked(jobs, a2);
    assert_asked(jobs, batch);
    jobs_destroy(jobs);
}

static void test_restart_asks_again(void **state)
{
    (void)state;
    struct jobs *jobs = open_jobs(&folder, 0);
    char asked[ID_SIZE], answered[ID_SIZE];
    submit_auto(jobs, "a", answered);
    submit_auto(jobs, "b", asked);
    assert_asked(jobs, answered);
    report(jobs, answered, "Rain.", NULL);
    assert_asked(jobs, asked);
    jobs_destroy(jobs);

    jobs = open_jobs(&folder, 0);
    assert_asked(jobs, asked);
    assert_asked(jobs, NULL);
    assert_taken(jobs, answered);
    assert_taken(jobs, NULL);
    struct job *job = get(jobs, answered);
    assert_string_equal(job->auxiliary_prompt, "Rain.");
    job_unref(job);
    jobs_destroy(jobs);
}

static void test_drain(void **state)
{
    (void)state;
    struct jobs *jobs = open_jobs(&folder, 1);
    char id[ID_SIZE];
    submit_auto(jobs, "a", id);
    jobs_begin_drain(jobs);
    assert_asked(jobs, NULL);
    jobs_destroy(jobs);
}

static void count(void *context)
{
    ++*(int *)context;
}

static void test_wakes(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct jobs *jobs = open_jobs(&folder, 1);
    int asks = 0, runs = 0;
    jobs_set_question_wake(jobs, count, &asks);
    jobs_set_wake(jobs, count, &runs);
    char id[ID_SIZE], other[ID_SIZE];
    submit_auto(jobs, "a", id);
    assert_int_equal(asks, 1);
    submit_auto(jobs, "b", other);
    assert_ok(jobs_cancel(jobs, NULL, other, NULL, &err), &err);
    assert_int_equal(asks, 3);
    assert_asked(jobs, id);
    int before = runs;
    report(jobs, id, "x", NULL);
    assert_int_equal(runs, before + 1);
    jobs_set_question_wake(jobs, NULL, NULL);
    jobs_set_wake(jobs, NULL, NULL);
    jobs_destroy(jobs);
}

/* Whoever asks is replaced: what it took is there for the next one, in the same order. */
static void test_returned(void **state)
{
    (void)state;
    struct jobs *jobs = open_jobs(&folder, 1);
    char first[ID_SIZE], second[ID_SIZE], third[ID_SIZE];
    submit_auto(jobs, "first", first);
    submit_auto(jobs, "second", second);
    submit_auto(jobs, "third", third);
    assert_asked(jobs, first);
    assert_asked(jobs, second);
    report(jobs, second, "hazy", NULL);
    jobs_return_questions(jobs);
    assert_false(jobs_is_question_current(jobs, first));
    report(jobs, first, "too late", NULL); /* of the one that is gone */
    assert_asked(jobs, first);
    assert_asked(jobs, third);
    assert_asked(jobs, NULL);
    assert_taken(jobs, second);
    assert_taken(jobs, NULL);
    report(jobs, first, "dark", NULL);
    assert_taken(jobs, first);
    jobs_destroy(jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wants),
        cmocka_unit_test_setup_teardown(test_held_until_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_returned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_of_asking, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_asks_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wakes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
