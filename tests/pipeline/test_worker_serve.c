/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's own loop, in a thread, over a real socket. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pipeline/worker.h"
#include "tests/pipeline/fixture.h"
#include "tests/pipeline/talk.h"
#include "tests/test.h"

enum { DEADLINE_MS = 120 * 1000, JOBS = 5 };

struct serving {
    struct talk talk;
    struct worker_options options;
    pthread_t thread;
    struct pf_error err;
};

static void *serve(void *context)
{
    struct serving *serving = context;
    if (worker_serve(&serving->options, &serving->err) != serving->err.status)
        abort();
    return NULL;
}

static void start(struct serving *serving, const char *model, const char *device)
{
    *serving = (struct serving){.err = PF_ERROR_INIT};
    talk_open(&serving->talk);
    serving->options = (struct worker_options){
        .pipeline = {.model = model, .precision = PRECISION_F32, .threads = 1},
        .device = device,
        .max_batch = 4,
        .max_runs = JOBS,
        .max_pixels = 3000 * 1000,
        .socket_fd = serving->talk.worker_fd,
    };
    assert_int_equal(pthread_create(&serving->thread, NULL, serve, serving), 0);
    struct told hello = talk_expect(&serving->talk, "hello", "");
    assert_int_equal(jdoc_get_integer(hello.header, "protocol", 0), 1);
    assert_int_equal(jdoc_get_integer(hello.header, "pid", 0), getpid());
    assert_string_equal(jdoc_get_string(hello.header, "device", ""), device);
    told_finish(&hello);
}

static void expect_ready(struct serving *serving)
{
    struct told ready = talk_expect(&serving->talk, "ready", "");
    const struct jdoc_value *model = jdoc_get(ready.header, "model");
    assert_int_equal(jdoc_get_integer(ready.header, "max_runs", 0), JOBS);
    assert_string_equal(jdoc_get_string(ready.header, "dtype", ""), "float32");
    assert_string_equal(jdoc_get_string(model, "id", ""), "tiny");
    assert_non_null(jdoc_get(model, "defaults"));
    told_finish(&ready);
}

static enum pf_status stop(struct serving *serving)
{
    if (serving->talk.fd >= 0)
        talk_hang_up(&serving->talk);
    assert_int_equal(pthread_join(serving->thread, NULL), 0);
    talk_close(&serving->talk);
    return serving->err.status;
}

static struct told await(struct serving *serving, const char *type, const char *job)
{
    struct told told;
    for (;;) {
        if (!talk_next(&serving->talk, DEADLINE_MS, &told))
            fail_msg("no %s of '%s'", type, job);
        if (strcmp(told.type, type) == 0 && strcmp(told.job, job) == 0)
            return told;
        if (strcmp(told.type, "failed") == 0)
            fail_msg("%s failed: %s", told.job, jdoc_get_string(told.header, "message", ""));
        told_finish(&told);
    }
}

static void await_end(struct serving *serving, const char *type, const char *job)
{
    struct told told = await(serving, type, job);
    told_finish(&told);
}

/* --- many at once -------------------------------------------------------------------------------
 */

struct errand {
    struct buffer file;
    struct image alone; /* what comes out when nobody else is there */
    char parameters[160];
    char job[8];
};

static void errand_init(struct errand *errand, struct pipeline *pipeline, int i)
{
    static const char *const modes[] = {"off", "decoder", "latent"};
    struct image drawn = fixture_image(64 + 3 * (i % 2), 64, (unsigned)i);
    struct pf_error err = PF_ERROR_INIT;
    *errand = (struct errand){.file = talk_png(&drawn)};
    struct told file = {.body = errand->file.data, .body_size = errand->file.size};
    struct image input = talk_picture(&file);
    struct run_request request = fixture_request(&input);
    snprintf(errand->job, sizeof errand->job, "job-%d", i);
    snprintf(errand->parameters, sizeof errand->parameters,
        "{\"steps\":%d,\"seed\":%d,\"resolution\":64,\"guidance\":\"%s\"}", 2 + i % 3, i,
        modes[i % 3]);
    assert_ok(
        params_set_json(&request.params, errand->parameters, strlen(errand->parameters), &err),
        &err);
    errand->alone = fixture_solve(pipeline, &request);
    image_finish(&input);
    image_finish(&drawn);
}

static void test_many_at_once_equal_alone(void **state)
{
    (void)state;
    struct errand errands[JOBS];
    struct pipeline *pipeline = fixture_pipeline(fixture_model("tiny"), PRECISION_F32);
    for (int i = 0; i < JOBS; i++)
        errand_init(&errands[i], pipeline, i);
    pipeline_destroy(pipeline);
    struct serving serving;
    start(&serving, fixture_model("tiny"), "cpu");
    expect_ready(&serving);
    for (int i = 0; i < JOBS; i++)
        talk_send_run(&serving.talk, &(struct talk_run){.job = errands[i].job,
                                         .parameters = errands[i].parameters,
                                         .image = &errands[i].file});
    for (int ended = 0; ended < JOBS;) {
        struct told told;
        assert_true(talk_next(&serving.talk, DEADLINE_MS, &told));
        assert_string_not_equal(told.type, "failed");
        if (strcmp(told.type, "succeeded") == 0) {
            const struct errand *errand = &errands[told.job[4] - '0'];
            struct image result = talk_picture(&told);
            double difference = fixture_difference(&result, &errand->alone);
            if (difference > FIXTURE_ROUNDING + 1.0 / 255)
                fail_msg("%s differs from its solo run by %g", told.job, difference);
            image_finish(&result);
            ended++;
        }
        told_finish(&told);
    }
    assert_int_equal(stop(&serving), PF_OK);
    for (int i = 0; i < JOBS; i++) {
        buffer_finish(&errands[i].file);
        image_finish(&errands[i].alone);
    }
}

/* --- ends ---------------------------------------------------------------------------------------
 */

static struct buffer picture(void)
{
    struct image drawn = fixture_image(64, 64, 1);
    struct buffer file = talk_png(&drawn);
    image_finish(&drawn);
    return file;
}

static void test_server_goes_away(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer file = picture();
    static const char *const last_seen[] = {NULL, "encoded", "step"};
    for (size_t i = 0; i < COUNT_OF(last_seen); i++) {
        struct serving serving;
        start(&serving, fixture_model("tiny"), "cpu");
        expect_ready(&serving);
        for (int k = 0; last_seen[i] && k < 3; k++)
            talk_send_run(
                &serving.talk, &(struct talk_run){.job = (const char *[]){"a", "b", "c"}[k],
                                   .parameters = "{\"steps\":1000,\"resolution\":64}",
                                   .image = &file});
        if (last_seen[i])
            await_end(&serving, last_seen[i], "a");
        assert_int_equal(stop(&serving), PF_OK); /* with messages nobody has read */
    }
}

static void test_garbage(void **state)
{
    (void)state;
    struct serving serving;
    start(&serving, fixture_model("tiny"), "cpu");
    expect_ready(&serving);
    talk_send_bytes(&serving.talk, "GET / HTTP/1.1\r\n\r\n", 18);
    struct told told;
    assert_false(talk_next(&serving.talk, 0, &told));
    assert_int_equal(pthread_join(serving.thread, NULL), 0);
    assert_int_equal(serving.err.status, PF_CORRUPT);
    talk_close(&serving.talk);
}

static void test_frames_in_small_pieces(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer frame = BUFFER_INIT;
    AUTO_BUFFER struct buffer file = picture();
    static const char header[] =
        "{\"type\":\"run\",\"job\":\"a\",\"attempt\":1,\"image_bytes\":%zu,"
        "\"parameters\":{\"steps\":1,\"resolution\":64}}";
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct pf_error err = PF_ERROR_INIT;
    struct serving serving;
    buffer_put_format(&text, header, file.size);
    assert_ok(frame_put(&frame, text.data, text.size, file.data, file.size, &err), &err);
    start(&serving, fixture_model("tiny"), "cpu");
    expect_ready(&serving);
    for (size_t at = 0; at < frame.size;) {
        size_t piece = at < 200 ? 1 : 4000;
        piece = piece < frame.size - at ? piece : frame.size - at;
        talk_send_bytes(&serving.talk, frame.data + at, piece);
        at += piece;
    }
    await_end(&serving, "succeeded", "a");
    assert_int_equal(stop(&serving), PF_OK);
}

static void expect_broken(struct serving *serving, enum pf_status status, const char *part)
{
    struct told broken = talk_expect(&serving->talk, "broken", "");
    assert_string_equal(jdoc_get_string(broken.header, "code", ""), pf_status_name(status));
    assert_non_null(strstr(jdoc_get_string(broken.header, "message", ""), part));
    told_finish(&broken);
    assert_int_equal(stop(serving), status);
}

static void test_what_does_not_load(void **state)
{
    (void)state;
    struct serving serving;
    start(&serving, "/no/such/model.safetensors", "cpu");
    expect_broken(&serving, PF_NOT_FOUND, "model.safetensors");
    start(&serving, fixture_model("tiny"), "cuda:4000");
    expect_broken(&serving, PF_INVALID, "cuda:4000");
}

/* --- memory -------------------------------------------------------------------------------------
 */

static rlim_t address_space(void)
{
    unsigned long pages = 0;
    AUTO_FILE FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* A picture whose first activation (1600²·32 numbers, 330 MB) doesn't fit in the process' limit. */
static void test_out_of_memory(void **state)
{
    (void)state;
    if (FIXTURE_HAS_ASAN)
        skip(); /* the sanitizer reserves all of the address space */
    struct serving serving;
    struct rlimit former, limit;
    struct image drawn = fixture_image(1600, 1600, 1);
    AUTO_BUFFER struct buffer large = talk_png(&drawn), file = picture();
    image_finish(&drawn);
    start(&serving, fixture_model("tiny"), "cpu");
    expect_ready(&serving);
    talk_send_run(&serving.talk, &(struct talk_run){.job = "warm", .image = &file});
    await_end(&serving, "succeeded", "warm");
    assert_int_equal(getrlimit(RLIMIT_AS, &former), 0);
    limit = (struct rlimit){address_space() + (rlim_t)280 * 1024 * 1024, former.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    talk_send_run(
        &serving.talk, &(struct talk_run){.job = "large",
                           .parameters = "{\"steps\":1,\"resolution\":1600,\"guidance\":\"off\"}",
                           .image = &large});
    talk_send_run(&serving.talk, &(struct talk_run){.job = "small", .image = &file});
    struct told told = talk_expect(&serving.talk, "started", "large");
    told_finish(&told);
    told = talk_expect(&serving.talk, "failed", "large");
    assert_non_null(strstr(jdoc_get_string(told.header, "message", ""), "can't allocate memory"));
    assert_string_equal(jdoc_get_string(told.header, "code", ""), "nomem");
    assert_int_equal(jdoc_get(told.header, "retryable")->type, JDOC_TRUE);
    assert_int_equal(jdoc_get(told.header, "field")->type, JDOC_NULL);
    told_finish(&told);
    await_end(&serving, "succeeded", "small");
    assert_int_equal(setrlimit(RLIMIT_AS, &former), 0);
    assert_int_equal(stop(&serving), PF_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_at_once_equal_alone),
        cmocka_unit_test(test_server_goes_away),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_frames_in_small_pieces),
        cmocka_unit_test(test_what_does_not_load),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("worker serve", tests, NULL, NULL);
}
