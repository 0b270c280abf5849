/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions on a tiny model: the loss falls, and a session that was cut in two ends with the
 * bytes of one that wasn't. */
#include "tools/train/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"
#include "tests/tools/train/pairs.h"

static char nothing[] = "";
static char cpu[] = "cpu";

static struct session_options options_of(
    const char *model, enum stage stage, int64_t steps, const char *out, const char *log)
{
    return (struct session_options){.data = (char *)(uintptr_t)pairs_folder(8),
        .valid_data = nothing,
        .out = (char *)(uintptr_t)out,
        .log = (char *)(uintptr_t)log,
        .sheets = nothing,
        .merges = nothing,
        .overshoot = nothing,
        .only = nothing,
        .model = (char *)(uintptr_t)model,
        .device = cpu,
        .stage = stage,
        .steps = steps,
        .rows = 2,
        .accumulate = 2,
        .size = 32,
        .seed = 1,
        .warmup = 2,
        .log_every = 1,
        .valid_rows = 4,
        .valid_size = 32,
        .sample_steps = 2,
        .rate = 2e-3,
        .final_rate = 1e-3,
        .clip = 1,
        .average_decay = 0.9,
        .beta2 = 0.99,
        .weight_decay = 0.01,
        .edge_weight = 1,
        .shrink = 0.5};
}

static int never(void *context)
{
    (void)context;
    return 0;
}

/* Says yes at the third question: after two steps. */
static int asked;
static int after_two_steps(void *context)
{
    (void)context;
    return asked++ == 2;
}

/* A member's number in line `line` of a log. */
static double logged(const char *path, int line, const char *member)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    assert_ok(file_read(path, 1 << 20, &text, &err), &err);
    const char *at = text.data;
    for (int i = 0; i < line && at; i++)
        at = (at = strchr(at, '\n')) ? at + 1 : NULL;
    at = at ? strstr(at, member) : NULL;
    if (!at)
        fail_msg("no '%s' in line %d of the log", member, line);
    return strtod(at + strlen(member), NULL);
}

static void check_loss_falls(enum stage stage)
{
    enum { STEPS = 30 };
    struct pf_error err = PF_ERROR_INIT;
    char log[4096], out[4096];
    snprintf(log, sizeof log, "%s-%s", scratch_path("falls"), stage_names[stage]);
    snprintf(out, sizeof out, "%s", scratch_path("falls.safetensors"));
    struct session_options options = options_of(fixture_model("tiny"), stage, STEPS, out, log);
    options.accumulate = 1;
    if (stage == STAGE_TEXT) {
        options.drop_instruction = 0.5; /* all pairs are of one task: empty texts are another */
        options.rows = 8;
    }
    assert_ok(session_run(&options, never, &err), &err);
    double first = 0, last = 0;
    for (int i = 0; i < 5; i++) {
        first += logged(log, i, "\"loss\":");
        last += logged(log, STEPS - 1 - i, "\"loss\":");
    }
    if (last > 0.9 * first)
        fail_msg("%s: the loss went from %g to %g", stage_names[stage], first / 5, last / 5);
}

static void test_loss_falls(void **state)
{
    (void)state;
    check_loss_falls(STAGE_TEXT);
    check_loss_falls(STAGE_VAE);
    check_loss_falls(STAGE_DIFFUSION);
    check_loss_falls(STAGE_JOINT);
}

static void assert_same_file(const char *a, const char *b)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
    assert_ok(file_read(a, 1 << 28, &first, &err), &err);
    assert_ok(file_read(b, 1 << 28, &second, &err), &err);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
}

static void test_resumed_is_uninterrupted(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char whole[4096], part[4096], log[4096];
    snprintf(whole, sizeof whole, "%s", scratch_path("whole.safetensors"));
    snprintf(part, sizeof part, "%s", scratch_path("part.safetensors"));
    snprintf(log, sizeof log, "%s", scratch_path("log"));
    struct session_options options =
        options_of(fixture_model("tiny"), STAGE_DIFFUSION, 5, whole, log);
    assert_ok(session_run(&options, never, &err), &err);
    options.out = part;
    asked = 0;
    assert_ok(session_run(&options, after_two_steps, &err), &err);
    options.model = part;
    assert_ok(session_run(&options, never, &err), &err);
    assert_same_file(whole, part);
}

/* Whether all weights of this prefix are the same in both files: 1; when none is: 0; else -1. */
static int same_weights(const char *a, const char *b, const char *prefix)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *first, *second;
    assert_ok(checkpoint_open(&first, a, &err), &err);
    assert_ok(checkpoint_open(&second, b, &err), &err);
    int same = 0, different = 0;
    for (size_t i = 0; i < checkpoint_array_count(first); i++) {
        const struct array *array = checkpoint_array_at(first, i);
        const struct array *other = checkpoint_find(second, array->name);
        assert_non_null(other);
        if (strncmp(array->name, prefix, strlen(prefix)) != 0)
            continue;
        assert_int_equal(array->dtype, other->dtype);
        size_t size = (size_t)array->element_count * dtype_size(array->dtype);
        *(memcmp(array->data, other->data, size) == 0 ? &same : &different) += 1;
    }
    checkpoint_close(first);
    checkpoint_close(second);
    return !different ? 1 : !same ? 0 : -1;
}

static void test_only_the_named_are_trained(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char out[4096], log[4096];
    char only[] = "first_stage_model.decoder.up.,model.diffusion_model.out.";
    snprintf(out, sizeof out, "%s", scratch_path("only.safetensors"));
    snprintf(log, sizeof log, "%s", scratch_path("log"));
    struct session_options options = options_of(fixture_model("tiny"), STAGE_JOINT, 2, out, log);
    options.only = only;
    assert_ok(session_run(&options, never, &err), &err);
    const char *model = options.model;
    assert_int_equal(same_weights(model, out, "first_stage_model.decoder.up."), 0);
    assert_int_equal(same_weights(model, out, "model.diffusion_model.out."), 0);
    assert_int_equal(same_weights(model, out, "first_stage_model.encoder."), 1);
    assert_int_equal(same_weights(model, out, "first_stage_model.decoder.mid."), 1);
    assert_int_equal(same_weights(model, out, "model.diffusion_model.input_blocks."), 1);
    assert_int_equal(same_weights(model, out, "cond_stage_model."), 1);
    enum { WRONG = 3 };
    char wrong[WRONG][64] = {"cond_stage_model.", "model.diffusion_model.out.,nobody", ","};
    static const char *const named[WRONG] = {"'cond_stage_model.'", "'nobody'", "','"};
    for (int i = 0; i < WRONG; i++) {
        options.only = wrong[i];
        assert_fails(session_run(&options, never, &err), PF_INVALID, named[i], &err);
    }
}

static void test_another_seed_is_refused(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char part[4096], log[4096];
    snprintf(part, sizeof part, "%s", scratch_path("seed.safetensors"));
    snprintf(log, sizeof log, "%s", scratch_path("seed.log"));
    struct session_options options = options_of(fixture_model("tiny"), STAGE_JOINT, 2, part, log);
    assert_ok(session_run(&options, never, &err), &err);
    options.model = part;
    options.steps = 3;
    options.seed = 2;
    assert_fails(session_run(&options, never, &err), PF_INVALID, "seed", &err);
}

static void test_validation(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char out[4096], log[4096];
    snprintf(out, sizeof out, "%s", scratch_path("valid.safetensors"));
    snprintf(log, sizeof log, "%s", scratch_path("valid.log"));
    struct session_options options =
        options_of(fixture_model("tiny"), STAGE_DIFFUSION, 1, out, log);
    options.valid_data = options.data;
    assert_ok(session_run(&options, never, &err), &err);
    assert_true(logged(log, 1, "\"input_psnr\":") > 3);
    assert_true(logged(log, 1, "\"lowlight\":{\"n\":") == 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_falls),
        cmocka_unit_test(test_resumed_is_uninterrupted),
        cmocka_unit_test(test_only_the_named_are_trained),
        cmocka_unit_test(test_another_seed_is_refused),
        cmocka_unit_test(test_validation),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
