/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of every stage's loss against finite differences: along the gradient g the loss must
 * change by |g|² times the step, and along another direction d by g·d. */
#include "tools/train/objective.h"

#include <math.h>
#include <string.h>

#include "tests/pipeline/fixture.h"
#include "tests/test.h"
#include "tests/tools/train/pairs.h"
#include "tools/train/fresh.h"

struct bench {
    struct trainee trainee;
    struct batch *batch;
    struct objective_options options;
    struct pf_error err;
};

static void bench_init(struct bench *bench, const char *model, enum stage stage)
{
    memset(bench, 0, sizeof *bench);
    pairs_open_trainee(&bench->trainee, fixture_model(model), stage, &bench->err);
    if (stage == STAGE_TEXT) {
        bench->batch = pairs_batch(&bench->trainee, 6, 0);
        for (int row = 0; row < 6; row++)
            bench->batch->is_empty[row] = (char)(row % 2); /* two tasks to tell apart */
    } else {
        bench->batch = pairs_batch(&bench->trainee, 2, 32);
    }
    bench->options = (struct objective_options){.seed = 3,
        .kl_weight = 1e-3,
        .edge_weight = 1,
        .latent_noise = 0.2,
        .change_weight = 2,
        .knee = 0.1,
        .colour_weight = 2,
        .detail_weight = 2,
        .early_share = 0.5};
}

static void bench_finish(struct bench *bench)
{
    batch_destroy(bench->batch);
    trainee_close(&bench->trainee);
}

static tensor loss_of(struct bench *bench, struct scope *s)
{
    struct batch_tensors tensors;
    batch_tensors_make(s, &bench->trainee, bench->batch, &tensors);
    return objective_loss(&bench->trainee, s, &bench->options, &tensors, 11);
}

static double value_of(struct bench *bench)
{
    SCOPE(s, &bench->err);
    double value = tensor_scalar(&s, loss_of(bench, &s));
    assert_int_equal(bench->err.status, PF_OK);
    return value;
}

/* Moves all weights by `length` along their gradients, or along the gradients' signs. */
static void move(struct bench *bench, double length, int by_sign)
{
    struct parameters *p = &bench->trainee.parameters;
    for (int i = 0; i < p->count; i++) {
        SCOPE(s, &bench->err);
        tensor g = p->items[i].gradient;
        if (by_sign) /* g / (|g| + tiny) */
            g = op_div(&s, g, op_add_scalar(&s, op_abs(&s, g), 1e-12));
        op_add_in(&s, p->items[i].master, op_mul_scalar(&s, g, length));
    }
    assert_int_equal(bench->err.status, PF_OK);
}

/* Σ g·d for d = g or sign(g). */
static double expected_slope(struct bench *bench, int by_sign)
{
    struct parameters *p = &bench->trainee.parameters;
    double sum = 0;
    for (int i = 0; i < p->count; i++) {
        SCOPE(s, &bench->err);
        tensor g = p->items[i].gradient;
        sum += tensor_scalar(&s, op_sum_all(&s, by_sign ? op_abs(&s, g) : op_square(&s, g)));
    }
    return sum;
}

static void check_slope(struct bench *bench, double change, int by_sign)
{
    double slope = expected_slope(bench, by_sign), length = change / slope;
    move(bench, length, by_sign);
    double above = value_of(bench);
    move(bench, -2 * length, by_sign);
    double below = value_of(bench);
    move(bench, length, by_sign);
    double measured = (above - below) / (2 * length);
    if (fabs(measured - slope) > 0.03 * slope)
        fail_msg("slope %g by differences, %g by gradients", measured, slope);
}

static void check_objective(const char *model, enum stage stage, double relative)
{
    struct bench bench;
    bench_init(&bench, model, stage);
    bench.options.relative = relative;
    SCOPE(s, &bench.err);
    double loss = tensor_scalar(&s, loss_of(&bench, &s));
    assert_true(isfinite(loss) && loss > 0);
    assert_true(loss == value_of(&bench));
    assert_ok(
        parameters_add_gradients(&bench.trainee.parameters, loss_of(&bench, &s), 1, &bench.err),
        &bench.err);
    double norm = 0;
    assert_ok(parameters_gradient_norm(&bench.trainee.parameters, &norm, &bench.err), &bench.err);
    assert_true(fabs(norm * norm - expected_slope(&bench, 0)) < 1e-4 * norm * norm);
    check_slope(&bench, 2e-3 * loss, 0);
    check_slope(&bench, 2e-3 * loss, 1);
    bench_finish(&bench);
}

static void check_stage(const char *model, enum stage stage)
{
    check_objective(model, stage, 0);
}

static void test_text(void **state)
{
    (void)state;
    check_stage("tiny", STAGE_TEXT);
}

static void test_vae(void **state)
{
    (void)state;
    check_stage("tiny", STAGE_VAE);
}

static void test_diffusion(void **state)
{
    (void)state;
    check_stage("tiny", STAGE_DIFFUSION);
}

static void test_diffusion_of_v(void **state)
{
    (void)state;
    check_stage("v", STAGE_DIFFUSION);
    check_stage("v_change", STAGE_DIFFUSION);
    check_objective("v_change", STAGE_DIFFUSION, 0.05);
}

static void test_joint(void **state)
{
    (void)state;
    check_stage("tiny", STAGE_JOINT);
    check_stage("affine", STAGE_JOINT);
    check_stage("bands", STAGE_JOINT);
    check_objective("affine", STAGE_JOINT, 0.02);
    check_stage("v_change", STAGE_JOINT);
}

/* A row in which nothing is to change doesn't drown the others, however small `relative`. */
static void test_idle_rows_weigh_as_the_others(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, "affine", STAGE_JOINT);
    bench.options.colour_weight = bench.options.detail_weight = 0;
    bench.options.relative = 1e-6;
    double both = value_of(&bench);
    size_t row = 3 * 32 * 32;
    memcpy(bench.batch->target + row, bench.batch->input + row, row * sizeof(float));
    double with_idle = value_of(&bench);
    assert_true(with_idle > both / 10 && with_idle < both * 10);
    memcpy(bench.batch->target, bench.batch->input, row * sizeof(float));
    assert_true(value_of(&bench) > 100 * with_idle); /* all idle: nothing to weigh by */
    bench_finish(&bench);
}

static tensor picture_loss(
    struct scope *s, tensor a, tensor b, tensor w, double edge_weight, double knee)
{
    return op_mean_all(s, objective_picture_loss(s, a, b, w, edge_weight, knee));
}

static void test_picture_loss(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    const float a[] = {0, 1, 2, 3}, b[] = {0, 0, 0, 0};
    tensor x = tensor_from_f32(&s, a, DIMS(1, 1, 2, 2)),
           y = tensor_from_f32(&s, b, DIMS(1, 1, 2, 2));
    /* mean|a-b| = 1.5; differences down are 2, across are 1 */
    assert_true(fabs(tensor_scalar(&s, picture_loss(&s, x, y, NULL, 10, 0)) - 31.5) < 1e-6);
    assert_true(tensor_scalar(&s, picture_loss(&s, x, x, NULL, 10, 0)) == 0);
    /* only the last place counts: 3/4 of the mean, and half of either direction's pairs */
    const float last[] = {0, 0, 0, 1};
    tensor w = tensor_from_f32(&s, last, DIMS(1, 1, 2, 2));
    assert_true(fabs(tensor_scalar(&s, picture_loss(&s, x, y, w, 10, 0)) - 15.75) < 1e-6);
    /* with a knee of 2, of 0, 1, 2 and 3: 0, 1/4, 1, 2 */
    assert_true(fabs(tensor_scalar(&s, picture_loss(&s, x, y, NULL, 0, 2)) - 3.25 / 4) < 1e-6);
}

static void test_change_weights(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    enum { PLACES = 16 };
    /* A row with one place changed by 0.8, one changed evenly, one with next to nothing changed. */
    float input[3 * PLACES] = {0}, target[3 * PLACES] = {0};
    target[5] = 0.8f;
    for (int i = 0; i < PLACES; i++) {
        target[PLACES + i] = -0.4f;
        target[2 * PLACES + i] = 0.002f;
    }
    tensor weights = objective_change_weights(&s, tensor_from_f32(&s, input, DIMS(3, 1, 4, 4)),
        tensor_from_f32(&s, target, DIMS(3, 1, 4, 4)), 2);
    float values[3 * PLACES];
    assert_ok(tensor_to_f32(weights, values, 3 * PLACES, &err), &err);
    assert_true(values[0] == 1);
    assert_true(fabsf(values[5] - 21) < 1e-4f); /* 16 times the mean, of which 10 count */
    assert_true(fabsf(values[PLACES] - 3) < 1e-4f);
    assert_true(fabsf(values[2 * PLACES] - 1.2f) < 1e-4f);
}

/* Pictures of one window: colour and detail that lack are counted, what is enough or too much
 * isn't, and which colour it is makes no difference. */
static void test_colour_and_detail_loss(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    enum { SIDE = 10, PLANE = SIDE * SIDE };
    float grey[3 * PLANE] = {0}, red[3 * PLANE] = {0}, blue[3 * PLANE] = {0}, mesh[3 * PLANE];
    for (int i = 0; i < PLANE; i++) {
        red[i] = blue[2 * PLANE + i] = 0.9f;
        for (int c = 0; c < 3; c++)
            mesh[c * PLANE + i] = (i / SIDE + i) % 2 ? 0.5f : -0.5f; /* bends by 2 */
    }
#define PICTURE(values) tensor_from_f32(&s, values, DIMS(1, 3, SIDE, SIDE))
#define COLOUR(a, b, input)                                                                        \
    tensor_scalar(&s, objective_colour_loss(&s, PICTURE(a), PICTURE(b), PICTURE(input)))
#define DETAIL(a, b) tensor_scalar(&s, objective_detail_loss(&s, PICTURE(a), PICTURE(b)))
    /* of 0.9·(2,-1,-1)/3 the root mean square is 0.9·√2/3 */
    double colour = OBJECTIVE_LEAST_SHARE * 0.9 * sqrt(2.0) / 3;
    assert_true(fabs(COLOUR(grey, red, grey) - colour) < 0.01);
    assert_true(fabs(COLOUR(blue, red, grey)) < 1e-6);
    assert_true(fabs(COLOUR(red, grey, grey)) < 1e-6);
    assert_true(fabs(COLOUR(grey, red, blue)) < 1e-6); /* the input was coloured */
    assert_true(fabs(DETAIL(grey, mesh) - 2 * 2 * OBJECTIVE_LEAST_SHARE) < 0.03);
    assert_true(fabs(DETAIL(mesh, mesh)) < 1e-6);
#undef COLOUR
#undef DETAIL
#undef PICTURE
}

/* Sum of squares of the UNet's first convolution over the noisy latent's channels, or the image's.
 */
static double first_weights(struct bench *bench, int of_image)
{
    struct parameters *p = &bench->trainee.parameters;
    for (int i = 0; i < p->count; i++) {
        if (!strstr(p->items[i].name, "input_blocks.0.0.weight"))
            continue;
        SCOPE(s, &bench->err);
        int64_t half = tensor_dim(p->items[i].master, 1) / 2;
        tensor part = op_narrow(&s, p->items[i].master, 1, of_image ? half : 0, half);
        return tensor_scalar(&s, op_sum_all(&s, op_square(&s, part)));
    }
    fail_msg("no first convolution");
    return 0;
}

/* A fresh start makes the UNet predict zero, so the loss is that of the target itself. */
static void test_fresh(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, "tiny", STAGE_DIFFUSION);
    double noise = first_weights(&bench, 0), image = first_weights(&bench, 1);
    assert_ok(fresh_start(&bench.trainee.parameters, &bench.err), &bench.err);
    assert_true(fabs(first_weights(&bench, 0) / noise - 0.01) < 1e-4);
    assert_true(fabs(first_weights(&bench, 1) / image - 0.18215 * 0.18215) < 1e-4);
    double loss = value_of(&bench);
    assert_true(loss > 0.7 && loss < 1.3); /* noise of variance 1 */
    bench_finish(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picture_loss),
        cmocka_unit_test(test_idle_rows_weigh_as_the_others),
        cmocka_unit_test(test_change_weights),
        cmocka_unit_test(test_colour_and_detail_loss),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_vae),
        cmocka_unit_test(test_diffusion),
        cmocka_unit_test(test_diffusion_of_v),
        cmocka_unit_test(test_joint),
        cmocka_unit_test(test_fresh),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
