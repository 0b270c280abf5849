/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/batcher.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"

enum { MIXED = 6 };

/* Requests that differ in everything; two sizes. */
struct mix {
    struct image inputs[MIXED];
    struct run_request requests[MIXED];
    struct image alone[MIXED];
};

static void mix_init(struct mix *mix)
{
    static const int sizes[MIXED][2] = {{40, 40}, {48, 40}, {37, 35}, {40, 40}, {46, 38}, {40, 40}};
    static const char *const values[MIXED][5] = {
        {"3", "1", "euler_ancestral", "off", "6.5"},
        {"5", "2", "euler", "decoder", "6.5"},
        {"4", "3", "ddim", "latent", "3"},
        {"2", "4", "dpmpp_2m", "off", "0.5"},
        {"4", "5", "dpmpp_2m", "latent", "6.5"},
        {"6", "6", "euler_ancestral", "decoder", "2"},
    };
    static const char *const names[] = {"steps", "seed", "sampler", "guidance", "text_scale"};
    static const char *const texts[] = {"remove the haze", "remove the snow", ""};
    for (int i = 0; i < MIXED; i++) {
        mix->inputs[i] = fixture_image(sizes[i][0], sizes[i][1], (unsigned)i);
        mix->requests[i] = fixture_request(&mix->inputs[i]);
        mix->requests[i].instruction = texts[i % 3];
        mix->requests[i].auxiliary_prompt = texts[(i + 1) % 3];
        for (size_t k = 0; k < COUNT_OF(names); k++)
            fixture_set(&mix->requests[i], names[k], values[i][k]);
        mix->alone[i] = fixture_solve(fixture_tiny, &mix->requests[i]);
    }
}

static void mix_finish(struct mix *mix)
{
    for (int i = 0; i < MIXED; i++) {
        image_finish(&mix->inputs[i]);
        image_finish(&mix->alone[i]);
    }
}

static void assert_as_alone(const struct mix *mix, struct run *run, int i)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image image = IMAGE_INIT;
    assert_ok(run_finish(run, &image, &err), &err);
    double difference = fixture_difference(&image, &mix->alone[i]);
    if (difference > FIXTURE_ROUNDING)
        fail_msg("request %d differs from its solo run by %g", i, difference);
    image_finish(&image);
}

static void step_ok(struct batcher *batcher, struct batcher_step *step)
{
    batcher_step(batcher, step);
    for (int i = 0; i < step->count; i++)
        if (step->errors[i].status != PF_OK)
            fail_msg("run %d of %d: %s", i, step->count, step->errors[i].message);
}

static void add(struct batcher *batcher, struct run *run)
{
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(batcher_add(batcher, run, &err), &err);
}

/* All requests in flight, each joining after `stagger` more steps. */
static void check_mix(struct batcher *batcher, const struct mix *mix, int stagger)
{
    struct run *runs[MIXED];
    struct batcher_step step;
    for (int i = 0; i < MIXED; i++) {
        runs[i] = fixture_begin(fixture_tiny, &mix->requests[i]);
        add(batcher, runs[i]);
        for (int k = 0; k < stagger && batcher->count > 0; k++)
            step_ok(batcher, &step);
    }
    while (batcher->count > 0)
        step_ok(batcher, &step);
    for (int i = 0; i < MIXED; i++) {
        assert_true(run_done(runs[i]));
        assert_as_alone(mix, runs[i], i);
        run_destroy(runs[i]);
    }
}

static void test_batched_equals_alone(void **state)
{
    (void)state;
    struct mix mix;
    struct batcher batcher;
    mix_init(&mix);
    for (int stagger = 0; stagger < 2; stagger++) {
        batcher_init(&batcher, fixture_tiny, stagger == 0 ? BATCHER_RUNS_MAX : 2);
        check_mix(&batcher, &mix, stagger);
    }
    mix_finish(&mix);
}

/* --- who steps when ----------------------------------------------------------------------------
 */

static void test_runs_share_calls(void **state)
{
    (void)state;
    enum { RUNS = 5, STEPS = 3 };
    struct image input = fixture_image(32, 32, 1);
    struct run_request request = fixture_request(&input);
    struct run *runs[RUNS];
    struct batcher batcher;
    struct batcher_step step;
    batcher_init(&batcher, fixture_tiny, RUNS);
    for (int i = 0; i < RUNS; i++)
        add(&batcher, runs[i] = fixture_begin(fixture_tiny, &request));
    for (int i = 0; i < STEPS; i++) {
        step_ok(&batcher, &step);
        assert_int_equal(step.count, RUNS);
    }
    assert_int_equal(batcher.count, 0);
    assert_int_equal(batcher.unet_calls, STEPS);
    assert_int_equal(batcher.unet_rows, STEPS * RUNS * 3);
    for (int i = 0; i < RUNS; i++)
        run_destroy(runs[i]);
    image_finish(&input);
}

/* A call is for one size; the run that waited longest is in it, and max_batch is kept to. */
static void test_sizes_take_turns(void **state)
{
    (void)state;
    enum { RUNS = 5 };
    struct image inputs[] = {fixture_image(32, 32, 1), fixture_image(40, 32, 1)};
    struct run *runs[RUNS];
    struct batcher batcher;
    struct batcher_step step;
    batcher_init(&batcher, fixture_tiny, 2);
    for (int i = 0; i < RUNS; i++) {
        struct run_request request = fixture_request(&inputs[i == 1 || i == 4]);
        fixture_set(&request, "steps", "10");
        add(&batcher, runs[i] = fixture_begin(fixture_tiny, &request));
    }
    static const int expected[][2] = {{0, 2}, {1, 4}, {3, 0}, {2, 3}, {1, 4}, {0, 2}};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        step_ok(&batcher, &step);
        assert_int_equal(step.count, 2);
        assert_ptr_equal(step.runs[0], runs[expected[i][0]]);
        assert_ptr_equal(step.runs[1], runs[expected[i][1]]);
    }
    batcher_remove(&batcher, runs[3]);
    batcher_remove(&batcher, runs[3]); /* not there any more */
    assert_int_equal(batcher.count, RUNS - 1);
    for (int i = 0; i < RUNS; i++)
        run_destroy(runs[i]);
    image_finish(&inputs[0]);
    image_finish(&inputs[1]);
}

static void test_full(void **state)
{
    (void)state;
    struct image input = fixture_image(32, 32, 1);
    struct run_request request = fixture_request(&input);
    struct run *run = fixture_begin(fixture_tiny, &request);
    struct batcher batcher;
    struct pf_error err = PF_ERROR_INIT;
    batcher_init(&batcher, fixture_tiny, 2);
    for (int i = 0; i < BATCHER_RUNS_MAX; i++)
        add(&batcher, run); /* never stepped */
    assert_fails(batcher_add(&batcher, run, &err), PF_BUSY, "64 runs", &err);
    run_destroy(run);
    image_finish(&input);
}

/* --- faults ------------------------------------------------------------------------------------
 */

/* A UNet on a device whose memory is full beyond so many rows. */
static int64_t device_rows;
static int device_calls;

static tensor forward_in_little_memory(const struct unet *unet, struct scope *out, tensor x,
    const float *t, const struct unet_context *const *contexts)
{
    device_calls++;
    if (tensor_dim(x, 0) <= device_rows)
        return unet_forward(unet, out, x, t, contexts);
    pf_fail(out->err, PF_NOMEM, "more than %d rows", (int)device_rows);
    return NULL;
}

static void test_out_of_memory_shrinks_calls(void **state)
{
    (void)state;
    struct mix mix;
    struct batcher batcher;
    mix_init(&mix);
    batcher_init(&batcher, fixture_tiny, BATCHER_RUNS_MAX);
    batcher.forward = forward_in_little_memory;
    device_rows = 5; /* one run has at most 3, two of the mix have 6 or 5 */
    check_mix(&batcher, &mix, 0);
    assert_int_equal(batcher.max_batch, 1);
    mix_finish(&mix);
}

static void test_out_of_memory_alone_fails(void **state)
{
    (void)state;
    struct image input = fixture_image(32, 32, 1);
    struct run_request request = fixture_request(&input);
    struct run *runs[] = {
        fixture_begin(fixture_tiny, &request), fixture_begin(fixture_tiny, &request)};
    struct batcher batcher;
    struct batcher_step step;
    batcher_init(&batcher, fixture_tiny, 8);
    batcher.forward = forward_in_little_memory;
    add(&batcher, runs[0]);
    add(&batcher, runs[1]);
    device_rows = 2;
    device_calls = 0;
    batcher_step(&batcher, &step); /* nobody fails, but the next call is smaller */
    assert_int_equal(step.count, 0);
    assert_int_equal(batcher.count, 2);
    for (int i = 0; i < 2; i++) {
        batcher_step(&batcher, &step);
        assert_int_equal(step.count, 1);
        assert_ptr_equal(step.runs[0], runs[i]);
        assert_int_equal(step.errors[0].status, PF_NOMEM);
    }
    assert_int_equal(batcher.count, 0);
    assert_int_equal(device_calls, 3);
    run_destroy(runs[0]);
    run_destroy(runs[1]);
    image_finish(&input);
}

static tensor forward_broken(const struct unet *unet, struct scope *out, tensor x, const float *t,
    const struct unet_context *const *contexts)
{
    (void)unet, (void)x, (void)t, (void)contexts;
    pf_fail(out->err, PF_INTERNAL, "the kernel is broken");
    return NULL;
}

static void test_shared_failure_is_everybodys(void **state)
{
    (void)state;
    struct image input = fixture_image(32, 32, 1);
    struct run_request request = fixture_request(&input);
    struct run *runs[] = {
        fixture_begin(fixture_tiny, &request), fixture_begin(fixture_tiny, &request)};
    struct batcher batcher;
    struct batcher_step step;
    batcher_init(&batcher, fixture_tiny, 8);
    batcher.forward = forward_broken;
    add(&batcher, runs[0]);
    add(&batcher, runs[1]);
    batcher_step(&batcher, &step);
    assert_int_equal(step.count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(step.errors[i].status, PF_INTERNAL);
        assert_string_equal(step.errors[i].message, "the kernel is broken");
    }
    assert_int_equal(batcher.count, 0);
    run_destroy(runs[0]);
    run_destroy(runs[1]);
    image_finish(&input);
}

/* The first three rows, one run's, are not finite. */
static tensor forward_poisoned(const struct unet *unet, struct scope *out, tensor x, const float *t,
    const struct unet_context *const *contexts)
{
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    tensor output = unet_forward(unet, out, x, t, contexts);
    tensor rows = op_narrow(out, output, 0, 0, 3);
    op_copy_in(out, rows, op_full(out, place, (double)NAN, DIMS(1)));
    return output;
}

static void test_one_runs_failure_is_its_own(void **state)
{
    (void)state;
    struct image input = fixture_image(32, 32, 1);
    struct run_request request = fixture_request(&input);
    fixture_set(&request, "steps", "2");
    struct image alone = fixture_solve(fixture_tiny, &request);
    struct run *runs[] = {
        fixture_begin(fixture_tiny, &request), fixture_begin(fixture_tiny, &request)};
    struct batcher batcher;
    struct batcher_step step;
    struct pf_error err = PF_ERROR_INIT;
    struct image image = IMAGE_INIT;
    batcher_init(&batcher, fixture_tiny, 8);
    batcher.forward = forward_poisoned;
    add(&batcher, runs[0]);
    add(&batcher, runs[1]);
    batcher_step(&batcher, &step);
    assert_int_equal(step.count, 2);
    assert_int_equal(step.errors[0].status, PF_INTERNAL);
    assert_int_equal(step.errors[1].status, PF_OK);
    assert_int_equal(batcher.count, 1);
    batcher.forward = unet_forward;
    step_ok(&batcher, &step);
    assert_ok(run_finish(runs[1], &image, &err), &err);
    assert_true(fixture_difference(&image, &alone) < FIXTURE_ROUNDING);
    image_finish(&image);
    image_finish(&alone);
    run_destroy(runs[0]);
    run_destroy(runs[1]);
    image_finish(&input);
}

/* --- interrupts --------------------------------------------------------------------------------
 */

struct interrupt {
    const struct batcher *batcher;
    const struct run *runs[2];
    int operations, stop_at; /* stop_at 0: never */
    int for_both, for_one[2];
};

static int count_operation(void *context)
{
    struct interrupt *interrupt = context;
    int busy[2];
    for (int i = 0; i < 2; i++)
        busy[i] = batcher_is_busy_with(interrupt->batcher, interrupt->runs[i]);
    interrupt->for_both += busy[0] && busy[1];
    for (int i = 0; i < 2; i++)
        interrupt->for_one[i] += busy[i] && !busy[1 - i];
    return ++interrupt->operations == interrupt->stop_at;
}

static void test_interrupts_know_for_whom(void **state)
{
    (void)state;
    struct image input = fixture_image(32, 32, 1);
    struct run_request request = fixture_request(&input);
    struct run *first = fixture_begin(fixture_tiny, &request);
    fixture_set(&request, "guidance", "decoder");
    struct run *second = fixture_begin(fixture_tiny, &request);
    struct batcher batcher;
    struct batcher_step step;
    struct interrupt interrupt = {&batcher, {first, second}, 0, 0, 0, {0, 0}};
    batcher_init(&batcher, fixture_tiny, 8);
    add(&batcher, first);
    add(&batcher, second);
    tensor_set_interrupt(count_operation, &interrupt);
    step_ok(&batcher, &step);
    tensor_set_interrupt(NULL, NULL);
    assert_int_equal(
        interrupt.for_both + interrupt.for_one[0] + interrupt.for_one[1], interrupt.operations);
    assert_true(interrupt.for_both > 100);
    assert_true(interrupt.for_one[0] > 0);
    assert_true(
        interrupt.for_one[1] > interrupt.for_one[0] + 100); /* the decoder and its gradients */
    assert_false(batcher_is_busy_with(&batcher, first));
    run_destroy(first);
    run_destroy(second);
    image_finish(&input);
}

/* Stopped at every operation of a guided step in turn (a stride of them, for time's sake): whatever
 * was under way ends at once, the run fails with nothing but "cancelled", and another run isn't
 * touched. */
static void test_stopped_at_any_operation(void **state)
{
    (void)state;
    static const char *const modes[] = {"off", "decoder", "latent"};
    struct image input = fixture_image(32, 32, 1);
    for (size_t m = 0; m < COUNT_OF(modes); m++) {
        struct run_request request = fixture_request(&input);
        fixture_set(&request, "guidance", modes[m]);
        int stopped = 0;
        for (int stop_at = 1;; stop_at += 61) {
            struct run *run = fixture_begin(fixture_tiny, &request);
            struct batcher batcher;
            struct batcher_step step;
            struct interrupt interrupt = {&batcher, {run, NULL}, 0, stop_at, 0, {0, 0}};
            batcher_init(&batcher, fixture_tiny, 8);
            add(&batcher, run);
            tensor_set_interrupt(count_operation, &interrupt);
            batcher_step(&batcher, &step);
            tensor_set_interrupt(NULL, NULL);
            run_destroy(run);
            assert_int_equal(tensor_grad_enable(0), 0);
            if (interrupt.operations < stop_at)
                break;
            assert_int_equal(interrupt.operations, stop_at);
            assert_int_equal(step.errors[0].status, PF_CANCELLED);
            assert_int_equal(batcher.count, 0);
            stopped++;
        }
        assert_true(stopped > 10);
    }
    image_finish(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batched_equals_alone),
        cmocka_unit_test(test_runs_share_calls),
        cmocka_unit_test(test_sizes_take_turns),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_out_of_memory_shrinks_calls),
        cmocka_unit_test(test_out_of_memory_alone_fails),
        cmocka_unit_test(test_shared_failure_is_everybodys),
        cmocka_unit_test(test_one_runs_failure_is_its_own),
        cmocka_unit_test(test_interrupts_know_for_whom),
        cmocka_unit_test(test_stopped_at_any_operation),
    };
    return cmocka_run_group_tests_name("batcher", tests, fixture_open_tiny, fixture_close_tiny);
}
