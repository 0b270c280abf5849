/* SPDX-License-Identifier: Apache-2.0 */
/* The pool with real processes of the fake worker, whose path is the first argument. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/workers/workers.h"
#include "tests/server/jobs/fixture.h"

enum { PATIENCE_MS = 20000, NOTICES_MAX = 256 };

static const char *program;

struct fixture {
    struct folder folder;
    struct jobs *jobs;
    struct workers_options options;
    struct workers *workers;
    const char *args[16];
    const char *devices[8];
    struct pf_error err;
    pthread_mutex_t lock; /* of the notices */
    struct {
        enum workers_notice_kind kind;
        char message[256];
    } notices[NOTICES_MAX];
    size_t notice_count;
};

static void take_notice(void *context, const struct workers_notice *notice)
{
    struct fixture *f = context;
    pthread_mutex_lock(&f->lock);
    if (f->notice_count < NOTICES_MAX) {
        f->notices[f->notice_count].kind = notice->kind;
        snprintf(f->notices[f->notice_count].message, sizeof f->notices[0].message, "%.255s",
            notice->message);
        f->notice_count++;
    }
    pthread_mutex_unlock(&f->lock);
}

static size_t count_notices(struct fixture *f, enum workers_notice_kind kind, const char *part)
{
    size_t count = 0;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->notice_count; i++)
        count += f->notices[i].kind == kind && strstr(f->notices[i].message, part) != NULL;
    pthread_mutex_unlock(&f->lock);
    return count;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    folder_create(&f->folder);
    f->jobs = open_jobs(&f->folder, 1);
    workers_options_init(&f->options);
    f->devices[0] = "cpu";
    f->options.jobs = f->jobs;
    f->options.program = program;
    f->options.model = "none";
    f->options.devices = f->devices;
    f->options.restart_min_ms = 1;
    f->options.restart_max_ms = 50;
    f->options.extra_args = f->args;
    f->options.notice = take_notice;
    f->options.notice_context = f;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    workers_destroy(f->workers);
    jobs_destroy(f->jobs);
    folder_remove(&f->folder);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

static void fake(struct fixture *f, const char *pair)
{
    size_t count = 0;
    while (f->args[count])
        count++;
    f->args[count] = "--fake";
    f->args[count + 1] = pair;
}

static void start(struct fixture *f)
{
    assert_ok(workers_create(&f->workers, &f->options, &f->err), &f->err);
}

/* Polls on a condition, a millisecond at a time. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t deadline_ms_ = clock_monotonic_ms() + PATIENCE_MS;                                 \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_ms() > deadline_ms_)                                               \
                fail_msg("waited in vain for: %s", #condition);                                    \
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);                               \
        }                                                                                          \
    } while (0)

static struct worker_stats stats_of(struct fixture *f, size_t index)
{
    struct worker_stats stats[WORKERS_MAX];
    assert_true(workers_get_stats(f->workers, stats, WORKERS_MAX) > index);
    return stats[index];
}

static void submit_steps(
    struct fixture *f, const char *instruction, int64_t steps, char ret_id[ID_SIZE])
{
    struct jobs_spec spec = make_spec(instruction);
    spec.params.steps = steps;
    submit(f->jobs, &spec, ret_id);
}

static struct job *get(struct fixture *f, const char *id)
{
    struct job *job = NULL;
    assert_ok(jobs_get(f->jobs, NULL, id, &job, &f->err), &f->err);
    return job;
}

static int is_ended(struct fixture *f, const char *id)
{
    return status_of(f->jobs, id) >= JOB_SUCCEEDED;
}

static int64_t step_of(struct fixture *f, const char *id)
{
    struct job *job = get(f, id);
    int64_t step = job->step;
    job_unref(job);
    return step;
}

static void assert_ends(struct fixture *f, const char *id, enum job_status status, int64_t attempts,
    const char *message)
{
    AWAIT(is_ended(f, id));
    AUTO_JOB struct job *job = get(f, id);
    if (job->status != status || job->attempts != attempts || !strstr(job->error.message, message))
        fail_msg("job '%s' is %s after %lld attempts: %s", job->instruction,
            job_status_name(job->status), (long long)job->attempts, job->error.message);
}

static void no_wake(void *context)
{
    (void)context;
}

/* Names of all events of an ended job, its steps counted: "queued started 3 steps succeeded". */
static void assert_stream(struct fixture *f, const char *id, const char *expected)
{
    struct events_reader *reader = NULL;
    assert_ok(jobs_subscribe(f->jobs, NULL, id, 0, no_wake, NULL, &reader, &f->err), &f->err);
    char text[512] = "";
    struct event *event;
    int64_t last_id = 0;
    int steps = 0;
    while (events_next(reader, &event) == EVENTS_HAVE) {
        assert_int_equal(event->id, last_id + 1);
        last_id = event->id;
        int is_step = event->kind == EVENT_STEP;
        if (!is_step && steps > 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%d steps ", steps);
        steps = is_step ? steps + 1 : 0;
        if (!is_step)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", event->name);
        event_unref(event);
    }
    events_unsubscribe(reader);
    assert_string_equal(text, expected);
}

/* ---- when all is well ---- */

static void test_success(void **state)
{
    struct fixture *f = *state;
    start(f);
    char id[ID_SIZE];
    struct jobs_spec spec = make_spec("remove the haze");
    spec.params.previews = 2;
    spec.mask = (struct jobs_image){.bytes = "mask", .size = 4};
    submit(f->jobs, &spec, id);
    assert_ends(f, id, JOB_SUCCEEDED, 1, "");
    assert_stream(f, id, "queued started 2 steps preview 2 steps preview succeeded ");
    int fd = -1;
    char bytes[32] = "";
    assert_ok(jobs_open_result(f->jobs, NULL, id, &fd, NULL, &f->err), &f->err);
    assert_int_equal(read(fd, bytes, sizeof bytes), 8);
    assert_string_equal(bytes, "an image");
    close(fd);
    AWAIT(stats_of(f, 0).state == WORKER_READY);
    struct worker_stats stats = stats_of(f, 0);
    assert_string_equal(stats.device, "cpu");
    assert_string_equal(stats.dtype, "float32");
    AUTO_BUFFER struct buffer model = BUFFER_INIT;
    assert_ok(workers_get_model(f->workers, &model, &f->err), &f->err);
    assert_string_equal(model.data, "{\"id\":\"fake\",\"parameters\":0,\"multiple\":8}");
    assert_int_equal(count_notices(f, WORKERS_NOTICE_READY, "ready on cpu"), 1);
}

static void test_large_input(void **state)
{
    struct fixture *f = *state;
    start(f);
    size_t size = 24 << 20;
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    char ids[3][ID_SIZE];
    struct jobs_spec spec = make_spec("x");
    spec.image = (struct jobs_image){.bytes = bytes, .size = size};
    for (int i = 0; i < 3; i++)
        submit(f->jobs, &spec, ids[i]);
    for (int i = 0; i < 3; i++) {
        assert_ends(f, ids[i], JOB_SUCCEEDED, 1, "");
        AUTO_FD int fd = -1;
        assert_ok(jobs_open_result(f->jobs, NULL, ids[i], &fd, NULL, &f->err), &f->err);
        char *result = malloc(size);
        size_t got = 0;
        ssize_t count;
        while ((count = read(fd, result + got, size - got)) > 0)
            got += (size_t)count;
        assert_int_equal(got, size);
        assert_memory_equal(result, bytes, size);
        free(result);
    }
    free(bytes);
}

static void test_many_jobs_on_two_workers(void **state)
{
    struct fixture *f = *state;
    f->devices[1] = "cpu:1";
    f->options.device_count = 2;
    start(f);
    char ids[60][ID_SIZE];
    for (int i = 0; i < 60; i++)
        submit_steps(f, "x", 1 + i % 7, ids[i]);
    for (int i = 0; i < 60; i++)
        assert_ends(f, ids[i], JOB_SUCCEEDED, 1, "");
    struct jobs_stats stats;
    jobs_get_stats(f->jobs, &stats);
    assert_int_equal(stats.ended[JOB_SUCCEEDED], 60);
    assert_int_equal(stats.retried, 0);
}

static void test_max_runs(void **state)
{
    struct fixture *f = *state;
    f->options.max_runs = 2;
    start(f);
    char ids[4][ID_SIZE];
    for (int i = 0; i < 4; i++)
        submit_steps(f, "hold", 2, ids[i]);
    AWAIT(stats_of(f, 0).in_flight == 2);
    assert_int_equal(status_of(f->jobs, ids[1]), JOB_RUNNING);
    assert_int_equal(status_of(f->jobs, ids[2]), JOB_QUEUED);
    assert_ok(jobs_cancel(f->jobs, NULL, ids[0], NULL, &f->err), &f->err);
    AWAIT(status_of(f->jobs, ids[2]) == JOB_RUNNING);
    assert_int_equal(status_of(f->jobs, ids[3]), JOB_QUEUED);
}

/* ---- jobs that fail ---- */

static void test_failures(void **state)
{
    struct fixture *f = *state;
    start(f);
    char fail[ID_SIZE], oom[ID_SIZE], oom_once[ID_SIZE];
    submit_steps(f, "fail", 3, fail);
    submit_steps(f, "oom", 3, oom);
    submit_steps(f, "oom-once", 3, oom_once);
    assert_ends(f, fail, JOB_FAILED, 1, "the script says so");
    assert_ends(f, oom, JOB_FAILED, 3, "out of device memory");
    assert_ends(f, oom_once, JOB_SUCCEEDED, 2, "");
    AUTO_JOB struct job *job = get(f, fail);
    assert_string_equal(job->error.code, "invalid");
    assert_string_equal(job->error.field, "image");
    AUTO_JOB struct job *other = get(f, oom);
    assert_string_equal(other->error.code, "nomem");
    assert_stream(f, oom_once, "queued started queued started 3 steps succeeded ");
    assert_int_equal(stats_of(f, 0).restarts, 0);
}

static void test_lost_input(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE], path[256];
    submit_steps(f, "x", 3, id);
    AUTO_JOB struct job *job = get(f, id);
    snprintf(path, sizeof path, "%s/spool/%s", f->folder.path, job->image_blob);
    assert_int_equal(unlink(path), 0);
    start(f);
    assert_ends(f, id, JOB_FAILED, 1, "gone");
    submit_steps(f, "x", 3, id);
    assert_ends(f, id, JOB_SUCCEEDED, 1, "");
}

/* ---- workers that fail ---- */

static void test_dies_once(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *instruction, *stream;
    } cases[] = {
        {"crash-once@3", "queued started 2 steps queued started 5 steps succeeded "},
        {"exit-once@1", "queued started queued started 5 steps succeeded "},
        {"garbage-once@4", "queued started 3 steps queued started 5 steps succeeded "},
        {"unknown-once@5", "queued started 4 steps queued started 5 steps succeeded "},
    };
    start(f);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char id[ID_SIZE];
        submit_steps(f, cases[i].instruction, 5, id);
        assert_ends(f, id, JOB_SUCCEEDED, 2, "");
        assert_stream(f, id, cases[i].stream);
        assert_int_equal(stats_of(f, 0).restarts, i + 1);
    }
    assert_int_equal(count_notices(f, WORKERS_NOTICE_DIED, "signal 11"), 1);
    assert_int_equal(count_notices(f, WORKERS_NOTICE_DIED, "exited with status 0"), 1);
    assert_int_equal(count_notices(f, WORKERS_NOTICE_DIED, "surprise"), 1);
    assert_int_equal(count_notices(f, WORKERS_NOTICE_DIED, "magic"), 1);
}

static void test_dies_always(void **state)
{
    struct fixture *f = *state;
    start(f);
    char id[ID_SIZE], next[ID_SIZE];
    submit_steps(f, "crash@2", 5, id);
    submit_steps(f, "x", 5, next);
    assert_ends(f, id, JOB_FAILED, 3, "killed by signal 11");
    AUTO_JOB struct job *job = get(f, id);
    assert_string_equal(job->error.code, "worker_died");
    assert_stream(
        f, id, "queued started 1 steps queued started 1 steps queued started 1 steps failed ");
    AWAIT(is_ended(f, next));
    assert_int_equal(status_of(f->jobs, next), JOB_SUCCEEDED);
    assert_int_equal(workers_get_readiness(f->workers, NULL), WORKERS_READY);
}

/* A job that kills each worker costs the jobs beside it one attempt at most: from its second
 * attempt on it runs alone. */
static void test_a_killer_spares_its_neighbours(void **state)
{
    struct fixture *f = *state;
    start(f);
    AWAIT(stats_of(f, 0).state == WORKER_READY);
    char killer[ID_SIZE], ids[12][ID_SIZE];
    for (int i = 0; i < 6; i++)
        submit_steps(f, "step-ms=3", 10, ids[i]);
    submit_steps(f, "crash@2", 5, killer);
    for (int i = 6; i < 12; i++)
        submit_steps(f, "step-ms=3", 10, ids[i]);
    assert_ends(f, killer, JOB_FAILED, 3, "signal 11");
    for (int i = 0; i < 12; i++) {
        AWAIT(is_ended(f, ids[i]));
        AUTO_JOB struct job *job = get(f, ids[i]);
        assert_int_equal(job->status, JOB_SUCCEEDED);
        assert_true(job->attempts <= 2);
    }
}

static void test_hangs(void **state)
{
    struct fixture *f = *state;
    f->options.silence_timeout_ms = 150;
    start(f);
    char id[ID_SIZE];
    submit_steps(f, "hang-once@2", 5, id);
    assert_ends(f, id, JOB_SUCCEEDED, 2, "");
    assert_int_equal(count_notices(f, WORKERS_NOTICE_DIED, "was silent for 150 ms"), 1);
    /* Idle silence is no fault. */
    int64_t until_ms = clock_monotonic_ms() + 300;
    AWAIT(clock_monotonic_ms() > until_ms);
    assert_int_equal(stats_of(f, 0).restarts, 1);
}

static void test_stale_messages(void **state)
{
    struct fixture *f = *state;
    start(f);
    char id[ID_SIZE];
    submit_steps(f, "stale@2", 4, id);
    assert_ends(f, id, JOB_SUCCEEDED, 1, "");
    assert_stream(f, id, "queued started 4 steps succeeded ");
}

static void test_killed_from_outside(void **state)
{
    struct fixture *f = *state;
    start(f);
    char id[ID_SIZE];
    submit_steps(f, "hang-once@3", 20, id); /* there is time to kill it */
    AWAIT(step_of(f, id) >= 2);
    assert_int_equal(kill((pid_t)stats_of(f, 0).pid, SIGKILL), 0);
    assert_ends(f, id, JOB_SUCCEEDED, 2, "");
    assert_int_equal(count_notices(f, WORKERS_NOTICE_DIED, "signal 9"), 1);
}

/* ---- cancelling ---- */

static void test_cancel_at_every_step(void **state)
{
    struct fixture *f = *state;
    start(f);
    enum { STEPS = 6 };
    for (int64_t at = 0; at <= STEPS; at++) {
        char id[ID_SIZE], after[ID_SIZE];
        submit_steps(f, "step-ms=4", STEPS, id);
        AWAIT(status_of(f->jobs, id) != JOB_QUEUED);
        AWAIT(step_of(f, id) >= at || is_ended(f, id));
        assert_ok(jobs_cancel(f->jobs, NULL, id, NULL, &f->err), &f->err);
        assert_true(is_ended(f, id));
        int64_t step = step_of(f, id);
        /* Its slot gets free, and the worker works on. */
        AWAIT(stats_of(f, 0).in_flight == 0);
        submit_steps(f, "x", 1, after);
        assert_ends(f, after, JOB_SUCCEEDED, 1, "");
        if (status_of(f->jobs, id) == JOB_CANCELLED)
            assert_int_equal(step_of(f, id), step);
    }
    assert_int_equal(stats_of(f, 0).restarts, 0);
}

static void test_cancel_unheeded(void **state)
{
    struct fixture *f = *state;
    start(f);
    char id[ID_SIZE];
    submit_steps(f, "step-ms=5 finish-anyway", 10, id);
    AWAIT(step_of(f, id) >= 2);
    assert_ok(jobs_cancel(f->jobs, NULL, id, NULL, &f->err), &f->err);
    AWAIT(stats_of(f, 0).in_flight == 0);
    assert_int_equal(status_of(f->jobs, id), JOB_CANCELLED);
    assert_int_equal(stats_of(f, 0).restarts, 0);
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 1); /* no result was kept */
}

/* ---- loading ---- */

static void test_load_failure(void **state)
{
    struct fixture *f = *state;
    fake(f, "load=fail");
    start(f);
    char message[PF_ERROR_MESSAGE_MAX], id[ID_SIZE];
    submit_steps(f, "x", 1, id);
    AWAIT(workers_get_readiness(f->workers, message) == WORKERS_ALL_BROKEN);
    assert_string_equal(message, "tensor 'x' is missing");
    assert_true(count_notices(f, WORKERS_NOTICE_BROKEN, "tensor 'x' is missing") >= 1);
    assert_int_equal(status_of(f->jobs, id), JOB_QUEUED);
    /* It stays broken while it is tried again. */
    int64_t restarts = stats_of(f, 0).restarts;
    AWAIT(stats_of(f, 0).restarts > restarts + 2);
    assert_int_equal(workers_get_readiness(f->workers, message), WORKERS_ALL_BROKEN);
    AUTO_BUFFER struct buffer model = BUFFER_INIT;
    assert_fails(workers_get_model(f->workers, &model, &f->err), PF_BUSY, "no worker", &f->err);
}

static void assert_breaks(struct fixture *f, const char *pair, const char *message)
{
    fake(f, pair);
    f->options.broken_after = 2;
    start(f);
    char text[PF_ERROR_MESSAGE_MAX];
    AWAIT(workers_get_readiness(f->workers, text) == WORKERS_ALL_BROKEN);
    if (!strstr(text, message))
        fail_msg("%s: '%s'", pair, text);
}

static void test_load_crash(void **state)
{
    assert_breaks(*state, "load=crash", "killed by signal 9");
}

static void test_load_version(void **state)
{
    assert_breaks(*state, "load=version", "speaks protocol 99");
}

static void test_load_garbage(void **state)
{
    assert_breaks(*state, "load=garbage", "magic");
}

static void test_load_silent(void **state)
{
    ((struct fixture *)*state)->options.hello_timeout_ms = 50;
    assert_breaks(*state, "load=silent", "no hello for 50 ms");
}

static void test_load_hang(void **state)
{
    ((struct fixture *)*state)->options.ready_timeout_ms = 80;
    assert_breaks(*state, "load=hang", "not ready after 80 ms");
}

static void test_not_a_program(void **state)
{
    struct fixture *f = *state;
    f->options.program = "/nonexistent/worker";
    assert_fails(
        workers_create(&f->workers, &f->options, &f->err), PF_IO, "/nonexistent/worker", &f->err);
    char script[128];
    snprintf(script, sizeof script, "%s/script", f->folder.path);
    int fd = open(script, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_int_equal(write(fd,
                         "\x7f"
                         "ELF",
                         4),
        4);
    close(fd);
    f->options.program = script;
    f->options.broken_after = 1;
    start(f);
    char text[PF_ERROR_MESSAGE_MAX];
    AWAIT(workers_get_readiness(f->workers, text) == WORKERS_ALL_BROKEN);
    assert_non_null(strstr(text, "can't be run"));
}

static void test_readiness(void **state)
{
    struct fixture *f = *state;
    fake(f, "load-ms=60");
    start(f);
    assert_int_equal(workers_get_readiness(f->workers, NULL), WORKERS_LOADING);
    AWAIT(workers_get_readiness(f->workers, NULL) == WORKERS_READY);
    workers_drain(f->workers, 0);
    assert_int_equal(workers_get_readiness(f->workers, NULL), WORKERS_DRAINED);
}

static void test_bad_options(void **state)
{
    struct fixture *f = *state;
    f->options.max_runs = 0;
    assert_fails(
        workers_create(&f->workers, &f->options, &f->err), PF_INVALID, "max_runs is 0", &f->err);
    f->options.max_runs = 1;
    f->options.device_count = WORKERS_MAX + 1;
    assert_fails(workers_create(&f->workers, &f->options, &f->err), PF_INVALID, "devices", &f->err);
}

/* ---- stopping ---- */

static void test_drain_finishes(void **state)
{
    struct fixture *f = *state;
    start(f);
    char running[ID_SIZE];
    submit_steps(f, "step-ms=5", 10, running);
    AWAIT(step_of(f, running) >= 1);
    jobs_begin_drain(f->jobs);
    assert_int_equal(workers_drain(f->workers, PATIENCE_MS), 0);
    assert_int_equal(status_of(f->jobs, running), JOB_SUCCEEDED);
    assert_int_equal(stats_of(f, 0).state, WORKER_STOPPED);
    assert_int_equal(stats_of(f, 0).pid, 0);
}

static void test_drain_gives_back(void **state)
{
    struct fixture *f = *state;
    start(f);
    char ids[2][ID_SIZE];
    submit_steps(f, "hold", 10, ids[0]);
    submit_steps(f, "hang@1", 10, ids[1]);
    AWAIT(status_of(f->jobs, ids[1]) == JOB_RUNNING);
    pid_t pid = (pid_t)stats_of(f, 0).pid;
    int64_t start_ms = clock_monotonic_ms();
    assert_int_equal(workers_drain(f->workers, 50), 2);
    assert_true(clock_monotonic_ms() - start_ms < 3000);
    for (int i = 0; i < 2; i++) {
        AUTO_JOB struct job *job = get(f, ids[i]);
        assert_int_equal(job->status, JOB_QUEUED);
        assert_int_equal(job->attempts, 0);
    }
    assert_int_equal(kill(pid, 0), -1); /* no process is left */
}

static void test_no_descriptor_leaks(void **state)
{
    struct fixture *f = *state;
    int extra = open("/dev/null", O_RDONLY); /* not close-on-exec */
    f->devices[1] = "cpu:1";
    f->options.device_count = 2;
    start(f);
    char id[ID_SIZE];
    AWAIT(stats_of(f, 0).state == WORKER_READY && stats_of(f, 1).state == WORKER_READY);
    for (int i = 0; i < 4; i++) {
        submit_steps(f, "fds", 1, id);
        assert_ends(f, id, JOB_FAILED, 1, " 0 1 2 3");
        AUTO_JOB struct job *job = get(f, id);
        assert_string_equal(job->error.message, " 0 1 2 3");
    }
    close(extra);
}

static size_t count_own_fds(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void test_restarts_leak_nothing(void **state)
{
    struct fixture *f = *state;
    start(f);
    char id[ID_SIZE];
    submit_steps(f, "x", 1, id);
    assert_ends(f, id, JOB_SUCCEEDED, 1, "");
    size_t before = count_own_fds();
    for (int i = 0; i < 10; i++) {
        submit_steps(f, "crash-once@1", 1, id);
        assert_ends(f, id, JOB_SUCCEEDED, 2, "");
    }
    AWAIT(count_own_fds() == before);
}

static void test_recycles(void **state)
{
    struct fixture *f = *state;
    fake(f, "rss=2000000");
    f->options.rss_max_bytes = 1000000;
    f->options.max_runs = 2;
    start(f);
    char ids[4][ID_SIZE];
    for (int i = 0; i < 4; i++)
        submit_steps(f, "x", 3, ids[i]);
    for (int i = 0; i < 4; i++)
        assert_ends(f, ids[i], JOB_SUCCEEDED, 1, "");
    AWAIT(stats_of(f, 0).restarts >= 2);
    assert_true(count_notices(f, WORKERS_NOTICE_RECYCLED, "more than 1000000") >= 2);
    assert_int_equal(count_notices(f, WORKERS_NOTICE_DIED, ""), 0);
    assert_int_equal(stats_of(f, 0).rss_bytes, 2000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_success),
        TEST(test_large_input),
        TEST(test_many_jobs_on_two_workers),
        TEST(test_max_runs),
        TEST(test_failures),
        TEST(test_lost_input),
        TEST(test_dies_once),
        TEST(test_dies_always),
        TEST(test_a_killer_spares_its_neighbours),
        TEST(test_hangs),
        TEST(test_stale_messages),
        TEST(test_killed_from_outside),
        TEST(test_cancel_at_every_step),
        TEST(test_cancel_unheeded),
        TEST(test_load_failure),
        TEST(test_load_crash),
        TEST(test_load_version),
        TEST(test_load_garbage),
        TEST(test_load_silent),
        TEST(test_load_hang),
        TEST(test_not_a_program),
        TEST(test_readiness),
        TEST(test_bad_options),
        TEST(test_drain_finishes),
        TEST(test_drain_gives_back),
        TEST(test_no_descriptor_leaks),
        TEST(test_restarts_leak_nothing),
        TEST(test_recycles),
    };
    if (argc < 2) {
        fprintf(stderr, "usage: test_workers FAKE-WORKER\n");
        return 2;
    }
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
