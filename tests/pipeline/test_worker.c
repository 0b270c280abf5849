/* SPDX-License-Identifier: Apache-2.0 */
/* The worker turn by turn: both ends of the socket are in one thread, so that what the worker has
 * seen and done when a message reaches it is certain. test_worker_serve.c has the loop in a thread.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/worker_state.h"
#include "tests/pipeline/fixture.h"
#include "tests/pipeline/talk.h"
#include "tests/test.h"

struct stage {
    struct talk talk;
    struct worker_options options;
    struct worker worker;
    struct buffer file; /* a picture */
    struct image input; /* what a reader sees of it */
};

static struct stage stage;

/* A worker that has said hello and ready. */
static void raise_stage(const char *model)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image drawn = fixture_image(64, 64, 1);
    stage = (struct stage){.file = talk_png(&drawn)};
    stage.input =
        talk_picture(&(struct told){.body = stage.file.data, .body_size = stage.file.size});
    image_finish(&drawn);
    talk_open(&stage.talk);
    stage.options = (struct worker_options){
        .pipeline = {.model = model, .precision = PRECISION_F32, .threads = 1},
        .device = "cpu",
        .max_batch = 4,
        .max_runs = 3,
        .max_pixels = 100 * 100,
        .socket_fd = stage.talk.worker_fd,
    };
    assert_ok(worker_open(&stage.worker, &stage.options, &err), &err);
    struct told hello = talk_expect(&stage.talk, "hello", "");
    struct told ready = talk_expect(&stage.talk, "ready", "");
    told_finish(&hello);
    told_finish(&ready);
}

static int set_up(void **state)
{
    (void)state;
    raise_stage(fixture_model("tiny"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    worker_close(&stage.worker);
    talk_close(&stage.talk);
    buffer_finish(&stage.file);
    image_finish(&stage.input);
    return 0;
}

static void run(const char *job, const char *parameters)
{
    talk_send_run(
        &stage.talk, &(struct talk_run){
                         .job = job, .parameters = parameters, .image = &stage.file, .attempt = 2});
}

/* Takes turns until the worker tells this of this job; other messages are let go. */
static struct told await(const char *type, const char *job)
{
    struct told told;
    for (;;) {
        while (talk_next(&stage.talk, 0, &told)) {
            if (strcmp(told.type, type) == 0 && strcmp(told.job, job) == 0)
                return told;
            told_finish(&told);
        }
        struct pollfd sent = {.fd = stage.talk.worker_fd, .events = POLLIN};
        assert_false(stage.worker.link.closed);
        assert_true(stage.worker.jobs || poll(&sent, 1, 0) == 1); /* else it would wait for ever */
        worker_turn(&stage.worker);
    }
}

static void await_end(const char *type, const char *job)
{
    struct told told = await(type, job);
    told_finish(&told);
}

static int64_t number(const struct told *told, const char *key)
{
    int64_t value = jdoc_get_integer(told->header, key, -1);
    if (value < 0)
        fail_msg("%s has no %s", told->type, key);
    return value;
}

/* --- one job ------------------------------------------------------------------------------------
 */

static void test_story_of_a_job(void **state)
{
    (void)state;
    run("a", "{\"steps\":4,\"resolution\":64,\"guidance\":\"decoder\",\"previews\":2,"
             "\"previews_decoded\":1}");
    while (stage.worker.link.closed == 0) {
        worker_turn(&stage.worker);
        if (!stage.worker.jobs)
            break;
    }
    static const char *const story[] = {
        "started", "encoded", "step", "step", "preview", "step", "step", "preview", "succeeded"};
    int64_t step = 0;
    for (size_t i = 0; i < COUNT_OF(story); i++) {
        struct told told = talk_expect(&stage.talk, story[i], "a");
        assert_int_equal(number(&told, "attempt"), 2);
        if (strcmp(story[i], "started") == 0)
            number(&told, "load_ms");
        if (strcmp(story[i], "encoded") == 0)
            assert_int_equal(number(&told, "width"), 64);
        if (strcmp(story[i], "step") == 0) {
            assert_int_equal(number(&told, "step"), ++step);
            assert_int_equal(number(&told, "steps"), 4);
            number(&told, "elapsed_ms");
            number(&told, "eta_ms");
            assert_true(jdoc_get_number(told.header, "sigma", 0) > 0);
            assert_true(jdoc_get_number(told.header, "guidance_loss", 0) > 0);
        }
        if (strcmp(story[i], "preview") == 0) {
            struct image preview = talk_picture(&told);
            assert_int_equal(number(&told, "step"), step);
            assert_string_equal(jdoc_get_string(told.header, "format", ""), "jpeg");
            assert_int_equal(preview.width, number(&told, "width"));
            assert_true(step == 4 ? preview.width == 64 : preview.width < 64); /* decoded, or not */
            image_finish(&preview);
        }
        if (strcmp(story[i], "succeeded") == 0) {
            struct image result = talk_picture(&told);
            const struct jdoc_value *timings = jdoc_get(told.header, "timings");
            assert_int_equal(result.width, 64);
            assert_int_equal(number(&told, "height"), 64);
            assert_string_equal(jdoc_get_string(told.header, "format", ""), "png");
            assert_true(jdoc_get_integer(timings, "sample_ms", -1) >= 0);
            assert_true(jdoc_get_integer(timings, "encode_ms", -1) >= 0);
            assert_true(jdoc_get_integer(timings, "decode_ms", -1) >= 0);
            image_finish(&result);
        }
        told_finish(&told);
    }
}

static void test_no_guidance_no_loss(void **state)
{
    (void)state;
    run("a", NULL);
    struct told step = await("step", "a");
    const struct jdoc_value *loss = jdoc_get(step.header, "guidance_loss");
    assert_non_null(loss);
    assert_int_equal(loss->type, JDOC_NULL);
    told_finish(&step);
    await_end("succeeded", "a");
}

/* --- jobs that are no good ----------------------------------------------------------------------
 */

static void expect_failure(const char *job, const char *code, const char *field, int retryable)
{
    struct told told = await("failed", job);
    const struct jdoc_value *value = jdoc_get(told.header, "retryable");
    assert_string_equal(jdoc_get_string(told.header, "code", ""), code);
    assert_string_equal(jdoc_get_string(told.header, "field", "null"), field);
    assert_non_null(value);
    assert_int_equal(value->type, retryable ? JDOC_TRUE : JDOC_FALSE);
    assert_true(strlen(jdoc_get_string(told.header, "message", "")) > 0);
    told_finish(&told);
}

static void expect_refused(
    const struct buffer *image, const struct buffer *mask, const char *code, const char *field)
{
    talk_send_run(&stage.talk, &(struct talk_run){.job = "bad", .image = image, .mask = mask});
    expect_failure("bad", code, field, 0);
}

static void test_bad_images(void **state)
{
    (void)state;
    struct buffer text = {.data = "this is no image", .size = 16};
    struct buffer half = {.data = stage.file.data, .size = stage.file.size / 2};
    struct buffer none = {.data = NULL, .size = 0};
    struct image large_image = fixture_image(101, 100, 1);
    AUTO_BUFFER struct buffer large = talk_png(&large_image);
    expect_refused(&text, NULL, "unsupported", "image");
    expect_refused(&half, NULL, "corrupt", "image");
    expect_refused(&none, NULL, "unsupported", "image");
    expect_refused(&large, NULL, "invalid", "image");
    expect_refused(&stage.file, &text, "unsupported", "mask");
    expect_refused(&stage.file, &half, "corrupt", "mask");
    image_finish(&large_image);
    run("good", NULL);
    await_end("succeeded", "good");
}

static void test_bad_parameters(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"steps\":0}", "steps"},
        {"{\"steps\":2.5}", "steps"},
        {"{\"sampler\":\"magic\"}", "sampler"},
        {"{\"wisdom\":1}", "wisdom"},
        {"{\"seed\":null}", "seed"},
        {"{\"guidance_region\":\"mask\"}", "guidance_region"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        run("bad", cases[i][0]);
        expect_failure("bad", "invalid", cases[i][1], 0);
    }
    run("good", NULL);
    await_end("succeeded", "good");
}

static void test_broken_weights_fail_the_job(void **state)
{
    tear_down(state);
    AUTO_FREE char *model = fixture_edited_model(
        "tiny", &(struct fixture_edit){.poisoned = "model.diffusion_model.out.2.bias"});
    raise_stage(model);
    for (int i = 0; i < 2; i++) {
        run("a", NULL);
        expect_failure("a", "internal", "null", 0);
    }
}

/* --- cancelling ---------------------------------------------------------------------------------
 */

static void expect_silence_of(const char *job)
{
    struct told told;
    while (talk_next(&stage.talk, 0, &told)) {
        if (strcmp(told.job, job) == 0)
            fail_msg("%s of '%s' after its end", told.type, job);
        told_finish(&told);
    }
}

/* After every step in turn, while another job is under way that isn't touched. */
static void test_cancel_at_every_step(void **state)
{
    (void)state;
    enum { STEPS = 4 };
    for (int after = 0; after < STEPS; after++) {
        run("a", "{\"steps\":4,\"resolution\":64,\"guidance\":\"off\"}");
        run("b", "{\"steps\":6,\"resolution\":64,\"guidance\":\"off\"}");
        for (int step = 0; step < after; step++) {
            struct told told = await("step", "a");
            assert_int_equal(number(&told, "step"), step + 1);
            told_finish(&told);
        }
        talk_send_cancel(&stage.talk, "a");
        await_end("cancelled", "a");
        await_end("succeeded", "b");
        expect_silence_of("a");
        assert_null(stage.worker.jobs);
        assert_int_equal(stage.worker.batcher.count, 0);
    }
}

static void test_cancels_of_no_use(void **state)
{
    (void)state;
    talk_send_cancel(&stage.talk, "nobody");
    run("a", NULL);
    await_end("succeeded", "a");
    talk_send_cancel(&stage.talk, "a"); /* too late */
    run("a", NULL);                     /* a new attempt */
    await_end("succeeded", "a");
}

/* A cancel, or the end of the server, that reaches the worker in the middle of a computation. */
struct ambush {
    const char *cancelled; /* NULL: the server hangs up */
    int operations, at;
};

static int spring(void *context)
{
    struct ambush *ambush = context;
    if (++ambush->operations == ambush->at) {
        if (ambush->cancelled)
            talk_send_cancel(&stage.talk, ambush->cancelled);
        else
            talk_hang_up(&stage.talk);
        stage.worker.looked_us = 0; /* time to look */
    }
    return worker_interrupt(&stage.worker);
}

/* At some operation of every phase: encoding, UNet, guidance, decoding. */
static void test_cancel_in_the_middle(void **state)
{
    (void)state;
    static const char *const modes[] = {"off", "decoder", "latent"};
    int cancelled = 0;
    for (size_t m = 0; m < COUNT_OF(modes); m++) {
        for (int at = 1;; at += 97) {
            char parameters[128];
            struct ambush ambush = {"a", 0, at};
            struct told told;
            snprintf(parameters, sizeof parameters,
                "{\"steps\":1,\"resolution\":64,\"guidance\":\"%s\"}", modes[m]);
            run("a", parameters);
            tensor_set_interrupt(spring, &ambush);
            while (stage.worker.jobs || ambush.operations == 0)
                worker_turn(&stage.worker);
            tensor_set_interrupt(worker_interrupt, &stage.worker);
            if (ambush.operations < at) {
                await_end("succeeded", "a");
                break;
            }
            assert_int_equal(ambush.operations, at); /* nothing was computed any more */
            do {
                assert_true(talk_next(&stage.talk, 0, &told));
                assert_string_not_equal(told.type, "succeeded");
                if (strcmp(told.type, "cancelled") == 0)
                    break;
                told_finish(&told);
            } while (1);
            told_finish(&told);
            cancelled++;
        }
    }
    assert_true(cancelled > 20);
}

/* A call that others share goes on; the cancelled job leaves after it. */
static void test_cancel_in_a_shared_call(void **state)
{
    (void)state;
    struct run_request request = fixture_request(&stage.input);
    tensor_set_interrupt(NULL, NULL);
    struct image alone = fixture_solve(stage.worker.pipeline, &request);
    tensor_set_interrupt(worker_interrupt, &stage.worker);
    run("a", NULL);
    await_end("step", "a");
    run("b", NULL);
    await_end("encoded", "b");
    struct ambush ambush = {"a", 0, 100};
    tensor_set_interrupt(spring, &ambush);
    worker_turn(&stage.worker);
    tensor_set_interrupt(worker_interrupt, &stage.worker);
    assert_true(ambush.operations > 200);
    await_end("cancelled", "a");
    struct told told = await("succeeded", "b");
    struct image result = talk_picture(&told);
    assert_true(fixture_difference(&result, &alone) < FIXTURE_ROUNDING + 1.0 / 255);
    told_finish(&told);
    image_finish(&result);
    image_finish(&alone);
}

static void test_hang_up_in_the_middle(void **state)
{
    for (int at = 1; at < 1000; at += 200) {
        struct ambush ambush = {NULL, 0, at};
        run("a", NULL);
        run("b", NULL);
        tensor_set_interrupt(spring, &ambush);
        while (!stage.worker.link.closed)
            worker_turn(&stage.worker);
        assert_int_equal(ambush.operations, at);
        assert_int_equal(stage.worker.link.error.status, PF_OK);
        tear_down(state);
        set_up(state);
    }
}

/* --- the link -----------------------------------------------------------------------------------
 */

static void expect_fault(const char *part)
{
    while (!stage.worker.link.closed)
        worker_turn(&stage.worker);
    assert_int_equal(stage.worker.link.error.status, PF_CORRUPT);
    if (!strstr(stage.worker.link.error.message, part))
        fail_msg("\"%s\" has no \"%s\"", stage.worker.link.error.message, part);
}

static void test_garbage_ends_the_talk(void **state)
{
    static const struct {
        const char *header, *part;
    } cases[] = {
        {"{\"type\":\"dance\"}", "'dance'"},
        {"{\"job\":\"a\"}", "''"},
        {"not json", "byte 0"},
        {"{\"type\":\"run\",\"job\":\"a\",\"image_bytes\":5}", "5 + 0 bytes"},
        {"{\"type\":\"run\",\"job\":\"a\",\"image_bytes\":-5,\"mask_bytes\":5}", "-5 + 5 bytes"},
        {"{\"type\":\"run\",\"job\":\"a\"}", "-1 + 0 bytes"},
        {"{\"type\":\"run\",\"image_bytes\":0}", "nameless"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        talk_send_header(&stage.talk, cases[i].header);
        expect_fault(cases[i].part);
        tear_down(state);
        set_up(state);
    }
    talk_send_bytes(&stage.talk, "GET / HTTP/1.1\r\n\r\n", 18);
    expect_fault("magic");
}

static void test_too_many_jobs(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        run((const char *[]){"a", "b", "c", "d"}[i], NULL);
    expect_fault("more than 3 jobs");
}

static void test_job_twice(void **state)
{
    (void)state;
    run("a", NULL);
    run("a", NULL);
    expect_fault("'a'");
}

static void test_signs_of_life(void **state)
{
    (void)state;
    stage.worker.stats_ms = 0;
    run("a", NULL);
    await_end("encoded", "a");
    assert_true(stage.talk.stats > 0); /* said while the picture was being encoded */
    await_end("succeeded", "a");
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(test_story_of_a_job),
        STAGED(test_no_guidance_no_loss),
        STAGED(test_bad_images),
        STAGED(test_bad_parameters),
        STAGED(test_broken_weights_fail_the_job),
        STAGED(test_cancel_at_every_step),
        STAGED(test_cancels_of_no_use),
        STAGED(test_cancel_in_the_middle),
        STAGED(test_cancel_in_a_shared_call),
        STAGED(test_hang_up_in_the_middle),
        STAGED(test_garbage_ends_the_talk),
        STAGED(test_too_many_jobs),
        STAGED(test_job_twice),
        STAGED(test_signs_of_life),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
