/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of pictures whose figures are known, and what the criteria make of them. */
#include <math.h>
#include <string.h>

#include "tests/test.h"
#include "tests/tools/eval/scene.h"
#include "tools/eval/canvas.h"
#include "tools/eval/criteria.h"
#include "tools/eval/setting.h"
#include "tools/eval/tables.h"
#include "tools/eval/trial.h"

enum { SIZE = 32, AREA = SIZE * SIZE };

static const struct criterion *find_criterion(enum task task, enum figure figure)
{
    for (size_t i = 0; i < criterion_count; i++)
        if (criteria[i].task == task && criteria[i].figure == figure)
            return &criteria[i];
    fail_msg("no criterion of task %d, figure %d", (int)task, (int)figure);
    return NULL;
}

static struct score_means means_of(enum figure figure, double value)
{
    struct score_means means = {0};
    struct score score;
    score_init(&score);
    score.figures[figure] = value;
    score_add(&means, &score);
    return means;
}

/* The bounds of the acceptance, written down a second time. */
static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        enum task task;
        enum figure figure;
        double met, missed;
    } bounds[] = {
        {TASK_LOWLIGHT, FIGURE_GAIN, 6, 5.99},
        {TASK_DEHAZE, FIGURE_GAIN, 3, 2.99},
        {TASK_DESNOW, FIGURE_GAIN, 4, 3.99},
        {TASK_DEWATERMARK, FIGURE_GAIN, 4, 3.99},
        {TASK_REMOVE, FIGURE_GAIN, 3, 2.99},
        {TASK_DEBLUR, FIGURE_GAIN, -1, -1.01},
        {TASK_COLORIZE, FIGURE_GAIN, 0, -0.01},
        {TASK_DEBLUR, FIGURE_SHARPER, 0.59, 0.58},
        {TASK_DEBLUR, FIGURE_CLOSER, 0.01, 0},
        {TASK_DESNOW, FIGURE_OUTSIDE, 28, 27.99},
        {TASK_DEWATERMARK, FIGURE_OUTSIDE, 28, 27.99},
        {TASK_REMOVE, FIGURE_OUTSIDE, 28, 27.99},
        {TASK_LOWLIGHT, FIGURE_SSIM_GAIN, 0, -0.001},
        {TASK_DEHAZE, FIGURE_SSIM_GAIN, 0, -0.001},
        {TASK_DESNOW, FIGURE_SSIM_GAIN, 0, -0.001},
        {TASK_DEHAZE, FIGURE_CLEAN, 26, 25.99},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const struct criterion *criterion = find_criterion(bounds[i].task, bounds[i].figure);
        struct score_means met = means_of(bounds[i].figure, bounds[i].met);
        struct score_means missed = means_of(bounds[i].figure, bounds[i].missed);
        assert_true(criterion_is_met(criterion, &met));
        assert_false(criterion_is_met(criterion, &missed));
    }
    for (int task = 0; task < TASK_COUNT; task++) {
        const struct criterion *criterion = find_criterion((enum task)task, FIGURE_PARAPHRASE_LOSS);
        struct score_means met = means_of(FIGURE_PARAPHRASE_LOSS, 0.5);
        struct score_means missed = means_of(FIGURE_PARAPHRASE_LOSS, 0.51);
        assert_true(criterion_is_met(criterion, &met));
        assert_false(criterion_is_met(criterion, &missed));
    }
}

static struct score_means means_of_two(
    enum figure figure, double value, enum figure other, double other_value)
{
    struct score_means means = means_of(figure, value);
    struct score score;
    score_init(&score);
    score.figures[other] = other_value;
    score_add(&means, &score);
    return means;
}

static void test_shares(void **state)
{
    (void)state;
    const struct criterion *colour = find_criterion(TASK_COLORIZE, FIGURE_COLOUR);
    struct score_means means = means_of_two(FIGURE_COLOUR, 10, FIGURE_TARGET_COLOUR, 29.9);
    assert_true(criterion_is_met(colour, &means));
    means = means_of_two(FIGURE_COLOUR, 10, FIGURE_TARGET_COLOUR, 30.1);
    assert_false(criterion_is_met(colour, &means));
    const struct criterion *wrong = find_criterion(TASK_DEHAZE, FIGURE_WRONG_GAIN);
    means = means_of_two(FIGURE_WRONG_GAIN, 2, FIGURE_GAIN, 4);
    assert_true(criterion_is_met(wrong, &means));
    means = means_of_two(FIGURE_WRONG_GAIN, 2.1, FIGURE_GAIN, 4);
    assert_false(criterion_is_met(wrong, &means));
    means = means_of_two(FIGURE_WRONG_GAIN, -5, FIGURE_GAIN, -1); /* nothing to have a share of */
    assert_false(criterion_is_met(wrong, &means));
}

static void test_means_leave_out_what_was_not_taken(void **state)
{
    (void)state;
    struct score_means means = means_of(FIGURE_GAIN, 2);
    struct score score;
    score_init(&score);
    score_add(&means, &score);
    score.figures[FIGURE_GAIN] = 6;
    score_add(&means, &score);
    assert_true(score_mean(&means, FIGURE_GAIN) == 4);
    assert_true(isnan(score_mean(&means, FIGURE_OUTSIDE)));
    assert_false(criterion_is_measured(find_criterion(TASK_DESNOW, FIGURE_OUTSIDE), &means));
    assert_false(criterion_is_met(find_criterion(TASK_DESNOW, FIGURE_OUTSIDE), &means));
}

/* Half of the picture is masked: errors of 0.2 inside and 0.01 outside, halved by the output. */
static void test_score_of_a_region(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    float mask[AREA];
    struct sample sample = {.mask = mask};
    struct image output;
    struct score score;
    sample.target = scene_flat(SIZE, SIZE, 0.4f, 0.4f, 0.4f);
    sample.input = scene_flat(SIZE, SIZE, 0.4f, 0.4f, 0.4f);
    output = scene_flat(SIZE, SIZE, 0.4f, 0.4f, 0.4f);
    for (size_t i = 0; i < 3 * AREA; i++) {
        int inside = i % SIZE < SIZE / 2;
        mask[i % AREA] = inside ? 1.0f : 0.0f;
        sample.input.rgb[i] += inside ? 0.2f : 0.01f;
        output.rgb[i] += inside ? 0.1f : 0.005f;
    }
    score_init(&score);
    assert_ok(score_take(&score, &sample, 1, &output, NULL, &err), &err);
    assert_true(fabs(score.figures[FIGURE_INPUT_MAIN] - 20 * log10(5)) < 1e-3);
    assert_true(fabs(score.figures[FIGURE_GAIN] - 20 * log10(2)) < 1e-3);
    assert_true(fabs(score.figures[FIGURE_OUTSIDE] - 20 * log10(200)) < 1e-2);
    assert_true(score.figures[FIGURE_OUTPUT_PSNR] > score.figures[FIGURE_OUTPUT_MAIN]);
    assert_true(isnan(score.figures[FIGURE_BASELINE_PSNR]));
    assert_true(isnan(score.figures[FIGURE_CLEAN]));
    image_finish(&sample.target);
    image_finish(&sample.input);
    image_finish(&output);
}

static void test_settings(void **state)
{
    (void)state;
    char empty[] = "", hazy[] = "The photo is hazy.";
    float mask[1] = {1};
    struct params base, params;
    struct pf_error err = PF_ERROR_INIT;
    struct sample sample = {.auxiliary = empty, .instruction = hazy};
    params_init(&base);
    assert_true(setting_suits(&settings[SETTING_DEFAULT], &sample, 0, 0));
    assert_false(setting_suits(&settings[SETTING_BLIND], &sample, 0, 0));
    sample.auxiliary = hazy;
    assert_true(setting_suits(&settings[SETTING_BLIND], &sample, 0, 0));
    assert_true(setting_count <= SETTINGS_MAX);
    for (size_t i = SETTING_ABLATIONS; i < setting_count; i++) {
        const struct setting *setting = &settings[i];
        int is_decoder = strcmp(setting->guidance, "decoder") == 0;
        int wants_region = strcmp(setting->region, "none") != 0;
        assert_int_equal(setting_suits(setting, &sample, 0, 1), !wants_region);
        sample.mask = mask;
        assert_true(setting_suits(setting, &sample, 1, 1));
        assert_int_equal(setting_suits(setting, &sample, 1, 0), !is_decoder);
        sample.mask = NULL;
        assert_ok(setting_params(setting, &base, &params, &err), &err);
        assert_string_equal(
            params_choice_name(&params, params_find("guidance")), setting->guidance);
        assert_true(params.set != 0 && base.set == 0);
    }
}

static void test_length_classes(void **state)
{
    (void)state;
    assert_int_equal(tables_length_class(""), 0);
    assert_int_equal(tables_length_class("remove  the haze"), 0);
    assert_int_equal(tables_length_class("1 2 3 4 5 6 7 8 9"), 0);
    assert_int_equal(tables_length_class("1 2 3 4 5 6 7 8 9 10"), 1);
    assert_int_equal(tables_length_class("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"), 1);
    assert_int_equal(
        tables_length_class("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21"), 2);
}

static void test_trials_are_whole(void **state)
{
    (void)state;
    for (int task = 0; task < TASK_COUNT; task++) {
        const struct trial *trial = &trials[task];
        assert_non_null(trial->degrade);
        assert_true(*trial->title && *trial->instruction && *trial->defect);
        assert_int_equal(trial->baseline != NULL, trial->baseline_name != NULL);
        for (size_t i = 0; i < TRIAL_PARAPHRASES; i++) {
            assert_non_null(trial->paraphrases[i]);
            assert_string_not_equal(trial->paraphrases[i], trial->instruction);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_means_leave_out_what_was_not_taken),
        cmocka_unit_test(test_score_of_a_region),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_length_classes),
        cmocka_unit_test(test_trials_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
