/* SPDX-License-Identifier: Apache-2.0 */
/* The asking thread between a real job service, a real promptfix-thumbnail (the argument) and a
 * chat endpoint that does as it is told. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/vlm/vlm.h"
#include "tests/server/jobs/fixture.h"
#include "tests/server/vlm/mock.h"

enum { WITHIN_MS = 20000 };

static const char *thumbnail_program;

static const unsigned char tiny_png[] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d,
    'I', 'H', 'D', 'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0,
    0x0a, 'I', 'D', 'A', 'T', 0x78, 0x9c, 0x63, 0x68, 0, 0, 0, 0x82, 0, 0x81, 0x77, 0xcd, 0x72,
    0xb6, 0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};

struct scene {
    struct folder folder;
    struct jobs *jobs;
    struct mock mock;
    struct vlm_options options;
    struct vlm *vlm;
};

static void scene_open(
    struct scene *scene, struct mock_reply (*script)(int, const char *), int in_memory)
{
    folder_create(&scene->folder);
    scene->jobs = open_jobs(&scene->folder, in_memory);
    mock_start(&scene->mock, script);
    scene->vlm = NULL;
    scene->options = (struct vlm_options){.jobs = scene->jobs,
        .url = scene->mock.url,
        .model = "m",
        .key = "k",
        .questions = {"what is wrong", "what is there"},
        .timeout_ms = 10000,
        .retries = 3,
        .concurrency = 4,
        .image_side = 64,
        .max_pixels = 1000000,
        .cache_entries = 0,
        .thumbnail_program = thumbnail_program};
}

static void scene_ask(struct scene *scene)
{
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(vlm_create(&scene->vlm, &scene->options, &err), &err);
}

static void scene_close(struct scene *scene)
{
    vlm_destroy(scene->vlm);
    mock_stop(&scene->mock);
    jobs_destroy(scene->jobs);
    folder_remove(&scene->folder);
}

/* Each with an image of its own: bytes behind the end don't matter to the picture. */
static void submit_photo(struct scene *scene, const char *instruction, char ret_id[ID_SIZE])
{
    static int number;
    unsigned char image[sizeof tiny_png + sizeof number];
    memcpy(image, tiny_png, sizeof tiny_png);
    number++;
    memcpy(image + sizeof tiny_png, &number, sizeof number);
    struct jobs_spec spec = make_spec(instruction);
    spec.auxiliary = JOB_AUXILIARY_AUTO;
    spec.image = (struct jobs_image){.bytes = image, .size = sizeof image};
    submit(scene->jobs, &spec, ret_id);
}

/* The job once nothing is asked about it any more; a reference. */
static struct job *settled(struct scene *scene, const char *id)
{
    int64_t until_ms = clock_monotonic_ms() + WITHIN_MS;
    for (;;) {
        struct job *job = NULL;
        struct pf_error err = PF_ERROR_INIT;
        assert_ok(jobs_get(scene->jobs, NULL, id, &job, &err), &err);
        if (!job_wants_auxiliary(job))
            return job;
        job_unref(job);
        if (clock_monotonic_ms() > until_ms)
            fail_msg("job %s got no auxiliary prompt in time", id);
        poll(NULL, 0, 2);
    }
}

#define assert_soon(condition)                                                                     \
    do {                                                                                           \
        int64_t until_ms_ = clock_monotonic_ms() + WITHIN_MS;                                      \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_ms() > until_ms_)                                                  \
                fail_msg("not in time: %s", #condition);                                           \
            poll(NULL, 0, 2);                                                                      \
        }                                                                                          \
    } while (0)

static struct mock_reply answer_kindly(int number, const char *body)
{
    (void)number;
    return (struct mock_reply){
        .answer = strstr(body, "wrong") ? "Haze." : "A dog.", .delay_ms = 10};
}

static struct mock_reply hang(int number, const char *body)
{
    (void)number;
    (void)body;
    return (struct mock_reply){.action = MOCK_HANG};
}

static void test_answered(void **state)
{
    (void)state;
    struct scene scene;
    char id[ID_SIZE];
    scene_open(&scene, answer_kindly, 1);
    submit_photo(&scene, "x", id); /* before there is anyone to ask */
    scene_ask(&scene);
    struct job *job = settled(&scene, id);
    assert_string_equal(job->auxiliary_prompt, "Haze. A dog.");
    assert_non_null(strstr(job->auxiliary_log, "\"outcome\":\"answered\""));
    job_unref(job);
    struct vlm_stats stats;
    vlm_get_stats(scene.vlm, &stats);
    assert_int_equal(stats.requests, 2);
    assert_int_equal(stats.answered, 2);
    assert_int_equal(stats.failed, 0);
    assert_true(stats.answer_sum_s > 0);
    assert_soon((vlm_get_stats(scene.vlm, &stats), stats.jobs_done == 1 && stats.jobs_active == 0));
    scene_close(&scene);
}

/* ---- many at once ---- */

static struct mock_reply answer_moodily(int number, const char *body)
{
    (void)body;
    if (number % 7 == 3)
        return (struct mock_reply){.status = 503, .header = "Retry-After: 1\r\n"};
    return (struct mock_reply){.answer = "Yes.", .delay_ms = 200 + number % 30}; /* overlap */
}

struct crowd {
    struct scene *scene;
    char ids[20][ID_SIZE];
};

static void *submit_many(void *context)
{
    struct crowd *crowd = context;
    for (size_t i = 0; i < COUNT_OF(crowd->ids); i++)
        submit_photo(crowd->scene, "x", crowd->ids[i]);
    for (size_t i = 0; i < COUNT_OF(crowd->ids); i += 5) {
        struct pf_error err = PF_ERROR_INIT;
        assert_ok(jobs_cancel(crowd->scene->jobs, NULL, crowd->ids[i], NULL, &err), &err);
    }
    return NULL;
}

static void test_many(void **state)
{
    (void)state;
    struct scene scene;
    struct crowd crowds[1] = {{.scene = &scene}};
    pthread_t threads[COUNT_OF(crowds)];
    scene_open(&scene, answer_moodily, 1);
    scene.options.concurrency = 5;
    scene_ask(&scene);
    for (size_t i = 0; i < COUNT_OF(crowds); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &crowds[i]), 0);
    for (size_t i = 0; i < COUNT_OF(crowds); i++)
        pthread_join(threads[i], NULL);
    for (size_t c = 0; c < COUNT_OF(crowds); c++)
        for (size_t i = 0; i < COUNT_OF(crowds[c].ids); i++) {
            struct job *job = settled(&scene, crowds[c].ids[i]);
            if (job->status == JOB_CANCELLED)
                assert_int_equal(i % 5, 0);
            else
                assert_string_equal(job->auxiliary_prompt, "Yes. Yes.");
            job_unref(job);
        }
    assert_in_range(mock_most(&scene.mock), 3, 5);
    struct vlm_stats stats;
    assert_soon((vlm_get_stats(scene.vlm, &stats), stats.jobs_active == 0));
    assert_int_equal(stats.failed, 0);
    assert_int_equal(stats.in_flight, 0);
    assert_true(stats.retried > 0);
    scene_close(&scene);
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    struct scene scene;
    char ids[3][ID_SIZE];
    scene_open(&scene, answer_kindly, 1);
    scene.options.concurrency = 1;
    scene_ask(&scene);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        submit_photo(&scene, "x", ids[i]);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct job *job = settled(&scene, ids[i]);
        assert_string_equal(job->auxiliary_prompt, "Haze. A dog.");
        job_unref(job);
    }
    assert_int_equal(mock_most(&scene.mock), 1);
    scene_close(&scene);
}

/* ---- ends in the middle ---- */

static void test_cancel(void **state)
{
    (void)state;
    struct scene scene;
    struct pf_error err = PF_ERROR_INIT;
    char id[ID_SIZE];
    scene_open(&scene, hang, 1);
    scene_ask(&scene);
    submit_photo(&scene, "x", id);
    assert_soon(mock_open(&scene.mock) == 2);
    assert_ok(jobs_cancel(scene.jobs, NULL, id, NULL, &err), &err);
    assert_soon(mock_open(&scene.mock) == 0);
    scene_close(&scene);
}

static void test_stop(void **state)
{
    (void)state;
    struct scene scene;
    char ids[4][ID_SIZE];
    scene_open(&scene, hang, 1);
    scene_ask(&scene);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        submit_photo(&scene, "x", ids[i]);
    assert_soon(mock_open(&scene.mock) == 4);
    int64_t start_ms = clock_monotonic_ms();
    vlm_destroy(scene.vlm);
    scene.vlm = NULL;
    assert_true(clock_monotonic_ms() - start_ms < 5000);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        assert_int_equal(status_of(scene.jobs, ids[i]), JOB_QUEUED);
    scene_close(&scene);
}

/* ---- thumbnail programs that misbehave ---- */

static void write_program(struct scene *scene, const char *script, char ret_path[128])
{
    snprintf(ret_path, 128, "%s/program", scene->folder.path);
    FILE *file = fopen(ret_path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", script);
    fclose(file);
    chmod(ret_path, 0700);
}

static void assert_no_child(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_thumbnail_programs(void **state)
{
    (void)state;
    static const struct {
        const char *script, *part;
    } rows[] = {
        {"echo 'the header says 3'; exit 1", "the header says 3"},
        {"exit 1", "failed"},
        {"exit 0", "wrote nothing"},
        {"kill -SEGV $$", "signal 11"},
        {"head -c 9000000 /dev/zero", "8388608"},
        {"env | grep ^PROMPTFIX_ || echo nothing secret; exit 1", "nothing secret"},
        {"ls /proc/self/fd | tr '\\n' ' '; exit 1", "0 1 2 3"}, /* 3: ls's own */
        {NULL, "can't start"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scene scene;
        char id[ID_SIZE], program[128] = "/nowhere/program";
        scene_open(&scene, answer_kindly, 1);
        if (rows[i].script)
            write_program(&scene, rows[i].script, program);
        scene.options.thumbnail_program = program;
        scene_ask(&scene);
        submit_photo(&scene, "x", id);
        struct job *job = settled(&scene, id);
        assert_int_equal(job->status, JOB_FAILED);
        assert_string_equal(job->error.code, "auxiliary_failed");
        if (!strstr(job->error.message, rows[i].part))
            fail_msg("'%s' doesn't say '%s'", job->error.message, rows[i].part);
        assert_non_null(strstr(job->auxiliary_log, "not asked"));
        job_unref(job);
        assert_int_equal(mock_count(&scene.mock), 0);
        scene_close(&scene);
        assert_no_child();
    }
}

static void test_stop_while_pictures_are_made(void **state)
{
    (void)state;
    struct scene scene;
    struct pf_error err = PF_ERROR_INIT;
    char ids[5][ID_SIZE], program[128], mark[128];
    scene_open(&scene, answer_kindly, 1);
    snprintf(mark, sizeof mark, "echo x >> %s/started; exec sleep 100", scene.folder.path);
    write_program(&scene, mark, program);
    snprintf(mark, sizeof mark, "%s/started", scene.folder.path);
    scene.options.thumbnail_program = program;
    scene_ask(&scene);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        submit_photo(&scene, "x", ids[i]);
    struct stat info;
    assert_soon(stat(mark, &info) == 0 && info.st_size == 2L * VLM_THUMBNAILS_MAX);
    /* A cancelled one makes room for the next. */
    assert_ok(jobs_cancel(scene.jobs, NULL, ids[0], NULL, &err), &err);
    assert_soon(stat(mark, &info) == 0 && info.st_size == 2L * VLM_THUMBNAILS_MAX + 2);
    scene_close(&scene);
    assert_no_child();
}

/* ---- a store that fails ---- */

static int notices;

static void count_errors(void *context, const struct vlm_notice *notice)
{
    (void)context;
    if (notice->kind == VLM_NOTICE_ERROR)
        __atomic_add_fetch(&notices, 1, __ATOMIC_RELAXED);
}

static void test_disk_full(void **state)
{
    (void)state;
    struct scene scene;
    struct rlimit limit, small;
    char id[ID_SIZE];
    scene_open(&scene, answer_kindly, 0);
    scene.options.notice = count_errors;
    submit_photo(&scene, "x", id);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    notices = 0;
    scene_ask(&scene);
    assert_soon(__atomic_load_n(&notices, __ATOMIC_RELAXED) >= 1);
    assert_int_equal(status_of(scene.jobs, id), JOB_QUEUED);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct job *job = settled(&scene, id);
    assert_string_equal(job->auxiliary_prompt, "Haze. A dog.");
    job_unref(job);
    assert_int_equal(mock_count(&scene.mock), 2);
    scene_close(&scene);
}

/* ---- without a model ---- */

static void test_give_up(void **state)
{
    (void)state;
    struct scene scene;
    struct pf_error err = PF_ERROR_INIT;
    char fails[ID_SIZE], goes_on[ID_SIZE], blind[ID_SIZE];
    scene_open(&scene, answer_kindly, 1);
    submit_photo(&scene, "x", fails);
    assert_ok(vlm_give_up(&scene.options, &err), &err);
    assert_int_equal(status_of(scene.jobs, fails), JOB_FAILED);
    submit_photo(&scene, "x", goes_on);
    submit_photo(&scene, "", blind);
    scene.options.on_failure = VLM_ON_FAILURE_CONTINUE;
    assert_ok(vlm_give_up(&scene.options, &err), &err);
    assert_int_equal(status_of(scene.jobs, goes_on), JOB_QUEUED);
    struct job *job = settled(&scene, goes_on);
    assert_null(job->auxiliary_prompt);
    assert_non_null(strstr(job->auxiliary_log, "\"model\":null"));
    job_unref(job);
    assert_int_equal(status_of(scene.jobs, blind), JOB_FAILED);
    scene_close(&scene);
}

static void test_options(void **state)
{
    (void)state;
    struct scene scene;
    struct pf_error err = PF_ERROR_INIT;
    scene_open(&scene, answer_kindly, 1);
    struct vlm_options bad = scene.options;
    bad.questions[0] = bad.questions[1] = "";
    assert_fails(vlm_create(&scene.vlm, &bad, &err), PF_INVALID, "question", &err);
    bad = scene.options;
    bad.model = "";
    assert_fails(vlm_create(&scene.vlm, &bad, &err), PF_INVALID, "name", &err);
    bad = scene.options;
    bad.concurrency = 0;
    assert_fails(vlm_create(&scene.vlm, &bad, &err), PF_INVALID, "concurrency 0", &err);
    assert_null(scene.vlm);
    scene_close(&scene);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    thumbnail_program = argv[1];
    signal(SIGPIPE, SIG_IGN);
    setenv("PROMPTFIX_SECRET", "x", 1);
    setenv("no_proxy", "127.0.0.1", 1);
    setenv(
        "TSAN_OPTIONS", "report_bugs=0", 1); /* of promptfix-thumbnail: libvips has no sanitizer */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answered),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_thumbnail_programs),
        cmocka_unit_test(test_stop_while_pictures_are_made),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_give_up),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
