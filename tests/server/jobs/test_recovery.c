/* SPDX-License-Identifier: Apache-2.0 */
/* What a killed server leaves. A child process runs the job service and is killed (SIGKILL) at a
 * moment it doesn't know; it writes a line for each promise it makes, and the parent, opening the
 * same data directory, holds it to them. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/jobs/jobs_work.h"
#include "tests/server/jobs/fixture.h"

enum { JOBS_MAX = 4096 };

/* ---- single stories, without a kill: the service is left as a killed one leaves it ---- */

static void no_wake(void *context)
{
    (void)context;
}

static void assert_next_event(
    struct jobs *jobs, const char *id, int64_t after_id, int64_t event_id, const char *name)
{
    struct events_reader *reader = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(jobs_subscribe(jobs, NULL, id, after_id, no_wake, NULL, &reader, &err), &err);
    struct event *event = NULL;
    assert_int_equal(events_next(reader, &event), EVENTS_HAVE);
    assert_int_equal(event->id, event_id);
    assert_string_equal(event->name, name);
    event_unref(event);
    events_unsubscribe(reader);
}

static struct job *take(struct jobs *jobs)
{
    struct job *job = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(jobs_take(jobs, &job, &err), &err);
    assert_non_null(job);
    return job;
}

static const struct jobs_outcome success = {
    .status = JOB_SUCCEEDED, .format = "png", .bytes = "result", .size = 6};

static void test_stories(void **state)
{
    (void)state;
    struct folder folder;
    struct pf_error err = PF_ERROR_INIT;
    folder_create(&folder);
    struct jobs *jobs = open_jobs(&folder, 0);
    char running[ID_SIZE], done[ID_SIZE], queued[ID_SIZE];
    struct jobs_spec spec = make_spec("x");
    spec.idempotency_key = "k";
    submit(jobs, &spec, running);
    spec.idempotency_key = NULL;
    submit(jobs, &spec, done);
    submit(jobs, &spec, queued);
    job_unref(take(jobs));
    struct jobs_step step = {.step = 1, .steps = 4, .sigma = 1};
    for (step.step = 1; step.step <= 3; step.step++)
        assert_ok(jobs_report_step(jobs, running, 1, &step, &err), &err);
    job_unref(take(jobs));
    assert_ok(jobs_report_outcome(jobs, done, 1, &success, &err), &err);
    jobs_destroy(jobs); /* writes nothing: as good as a kill */

    jobs = open_jobs(&folder, 0);
    assert_int_equal(status_of(jobs, running), JOB_QUEUED);
    assert_int_equal(status_of(jobs, queued), JOB_QUEUED);
    assert_int_equal(status_of(jobs, done), JOB_SUCCEEDED);
    /* A client that had seen event 5 (the third step) sees the job queued again, under a later id.
     */
    struct events_reader *reader = NULL;
    assert_ok(jobs_subscribe(jobs, NULL, running, 5, no_wake, NULL, &reader, &err), &err);
    struct event *event = NULL;
    assert_int_equal(events_next(reader, &event), EVENTS_HAVE);
    assert_true(event->id > 5);
    assert_int_equal(event->kind, EVENT_QUEUED);
    assert_non_null(strstr(event->data, "\"reason\":\"the server was restarted\""));
    event_unref(event);
    events_unsubscribe(reader);
    assert_next_event(jobs, done, 2, 3, "succeeded");
    int fd = -1;
    assert_ok(jobs_open_result(jobs, NULL, done, &fd, NULL, &err), &err);
    close(fd);
    /* The oldest first, as ever; its second attempt. */
    struct job *job = take(jobs);
    assert_string_equal(job->id, running);
    assert_int_equal(job->attempts, 2);
    job_unref(job);
    /* The same request still finds its job. */
    spec.idempotency_key = "k";
    char replayed[ID_SIZE];
    submit(jobs, &spec, replayed);
    assert_string_equal(replayed, running);
    jobs_destroy(jobs);

    for (int i = 0; i < 2; i++) { /* the third attempt is the last */
        jobs = open_jobs(&folder, 0);
        if (i == 0)
            job_unref(take(jobs));
        else
            assert_int_equal(status_of(jobs, running), JOB_FAILED);
        if (i == 0)
            jobs_destroy(jobs);
    }
    AUTO_JOB struct job *failed = NULL;
    assert_ok(jobs_get(jobs, NULL, running, &failed, &err), &err);
    assert_string_equal(failed->error.code, "worker_died");
    assert_int_equal(failed->attempts, 3);
    assert_int_equal(status_of(jobs, queued), JOB_QUEUED);
    jobs_destroy(jobs);
    folder_remove(&folder);
}

static void test_leftovers_are_swept(void **state)
{
    (void)state;
    struct folder folder;
    folder_create(&folder);
    struct jobs *jobs = open_jobs(&folder, 0);
    char id[ID_SIZE], path[256];
    struct jobs_spec spec = make_spec("x");
    submit(jobs, &spec, id);
    jobs_destroy(jobs);
    static const char *const names[] = {
        "00000000000000000000000000000000", "11111111111111111111111111111111.tmp"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/spool/%s", folder.path, names[i]);
        close(open(path, O_WRONLY | O_CREAT, 0600));
    }
    assert_int_equal(folder_count_files(folder.path, "spool"), 3);
    jobs = open_jobs(&folder, 0);
    assert_int_equal(folder_count_files(folder.path, "spool"), 1);
    jobs_destroy(jobs);
    folder_remove(&folder);
}

static void test_damaged_store(void **state)
{
    (void)state;
    struct folder folder;
    folder_create(&folder);
    char path[256];
    snprintf(path, sizeof path, "%s/jobs.db", folder.path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    char junk[8192];
    memset(junk, 'x', sizeof junk);
    assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
    close(fd);
    struct jobs_options options;
    jobs_options_init(&options);
    options.data_dir = folder.path;
    struct jobs *jobs = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_fails(jobs_create(&jobs, &options, &err), PF_CORRUPT, "not a database", &err);
    assert_null(jobs);
    folder_remove(&folder);
}

/* ---- killed at random ---- */

/* What the child promised, as it promised it: one line of "KIND ID" each, O_APPEND, so that whole
 * lines only are in the file. */
static void promise(int log_fd, char kind, const char *id)
{
    char line[ID_SIZE + 3];
    snprintf(line, sizeof line, "%c %s\n", kind, id);
    if (write(log_fd, line, strlen(line)) != (ssize_t)strlen(line))
        _exit(3);
}

/* Submits, takes, steps, ends and cancels until it is killed. */
static void run_child(const struct folder *folder, int log_fd, unsigned seed)
{
    struct jobs_options options;
    jobs_options_init(&options);
    options.data_dir = folder->path;
    options.max_attempts = 100;
    struct jobs *jobs = NULL;
    if (jobs_create(&jobs, &options, NULL) != PF_OK)
        _exit(4);
    for (;;) {
        struct jobs_spec spec = make_spec("x");
        struct job *job = NULL;
        int failed = 0;
        if (jobs_submit(jobs, &spec, &job, NULL, NULL) == PF_OK) {
            promise(log_fd, 'a', job->id);
            if (rand_r(&seed) % 8 == 0) {
                failed |= jobs_cancel(jobs, NULL, job->id, NULL, NULL) != PF_OK;
                promise(log_fd, 'c', job->id);
            }
            job_unref(job);
        }
        if (rand_r(&seed) % 8 == 0)
            continue;
        failed |= jobs_take(jobs, &job, NULL) != PF_OK;
        if (!failed && job && rand_r(&seed) % 8 > 0) {
            failed |= jobs_report_outcome(jobs, job->id, job->attempts, &success, NULL) != PF_OK;
            promise(log_fd, 's', job->id);
        }
        job_unref(job);
        if (failed)
            _exit(5);
    }
}

struct promises {
    char (*ids)[ID_SIZE];
    char *kinds; /* the last said of each */
    size_t count;
};

static size_t find_promise(struct promises *promises, const char *id)
{
    for (size_t i = promises->count; i > 0; i--)
        if (memcmp(promises->ids[i - 1], id, ID_SIZE - 1) == 0)
            return i - 1;
    assert_true(promises->count < JOBS_MAX);
    memcpy(promises->ids[promises->count], id, ID_SIZE - 1);
    return promises->count++;
}

static void read_promises(struct promises *promises, const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[128];
    promises->count = 0;
    while (fgets(line, sizeof line, file)) {
        assert_int_equal(strlen(line), ID_SIZE + 2);
        promises->kinds[find_promise(promises, line + 2)] = line[0];
    }
    fclose(file);
}

static void hold_to(const struct promises *promises, const struct folder *folder)
{
    struct jobs_options options;
    jobs_options_init(&options);
    options.data_dir = folder->path;
    options.max_attempts = 100;
    struct jobs *jobs = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(jobs_create(&jobs, &options, &err), &err);
    for (size_t i = 0; i < promises->count; i++) {
        AUTO_JOB struct job *job = NULL;
        assert_ok(jobs_get(jobs, NULL, promises->ids[i], &job, &err), &err);
        AUTO_BUFFER struct buffer input = BUFFER_INIT;
        assert_ok(jobs_read_input(jobs, job, &input, &err), &err);
        assert_string_equal(input.data, "an image");
        assert_int_not_equal(job->status, JOB_RUNNING);
        assert_int_not_equal(job->status, JOB_FAILED);
        if (promises->kinds[i] == 'c')
            assert_int_equal(job->status, JOB_CANCELLED);
        if (promises->kinds[i] == 's')
            assert_int_equal(job->status, JOB_SUCCEEDED);
        if (job->status == JOB_SUCCEEDED) {
            AUTO_FD int fd = -1;
            assert_ok(jobs_open_result(jobs, NULL, job->id, &fd, NULL, &err), &err);
            char bytes[8];
            assert_int_equal(read(fd, bytes, sizeof bytes), 6);
        }
    }
    jobs_destroy(jobs);
}

static void await_growth(const char *path, off_t before)
{
    int64_t deadline_ms = clock_monotonic_ms() + 20000;
    struct stat info;
    do {
        assert_true(clock_monotonic_ms() < deadline_ms);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        assert_int_equal(stat(path, &info), 0);
    } while (info.st_size == before);
}

static void test_killed_at_random(void **state)
{
    (void)state;
    enum { KILLS = 25 };
    struct folder folder;
    folder_create(&folder);
    char log_path[128];
    snprintf(log_path, sizeof log_path, "%s/promises", folder.path);
    struct promises promises = {.ids = calloc(JOBS_MAX, ID_SIZE), .kinds = calloc(JOBS_MAX, 1)};
    unsigned seed = 20240607;
    for (int i = 0; i < KILLS; i++) {
        int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        assert_true(log_fd >= 0);
        off_t before = lseek(log_fd, 0, SEEK_END);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            run_child(&folder, log_fd, seed + (unsigned)i);
        close(log_fd);
        if (i % 2 == 0) /* every other one gets as far as a promise; some die while they start */
            await_growth(log_path, before);
        struct timespec life = {.tv_nsec = 1000000L * (5 + rand_r(&seed) % 120)};
        nanosleep(&life, NULL); /* the random moment, not a wait for something */
        kill(pid, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        read_promises(&promises, log_path);
        hold_to(&promises, &folder);
    }
    assert_true(promises.count >= KILLS / 2);
    free(promises.ids);
    free(promises.kinds);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_at_random), /* first: it forks, and threads are to come */
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_leftovers_are_swept),
        cmocka_unit_test(test_damaged_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
