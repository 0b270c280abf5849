/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/diffusion/schedule.h"
#include "tests/golden_file.h"

/* Far tighter than the golden tolerance: both sides are float32 roundings of the same formula. */
#define TIGHT 2e-5

static void assert_close(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fabs(want)))
        fail_msg("%.9g, expected %.9g", got, want);
}

static void test_published_ends(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule);
    assert_close(schedule.alphas_cumprod[0], 1 - 0.00085, 1e-12);
    assert_close(schedule.sigma[0], 0.0292, 1e-2);
    assert_close(schedule.sigma[SCHEDULE_TIMESTEPS - 1], 14.6146, 1e-4);
}

static void test_golden(void **state)
{
    (void)state;
    struct checkpoint *golden = golden_open_case("tiny");
    if (!golden)
        skip();
    struct pf_error err = PF_ERROR_INIT;
    struct schedule schedule;
    schedule_init(&schedule);
    int64_t count = 0;
    AUTO_FREE float *alphas = golden_values(golden, "schedule.alphas_cumprod", &count);
    assert_int_equal(count, SCHEDULE_TIMESTEPS);
    for (int i = 0; i < SCHEDULE_TIMESTEPS; i++)
        assert_close(schedule.alphas_cumprod[i], (double)alphas[i], 1e-6);

    static const int lists[] = {4, 20, 50};
    for (size_t l = 0; l < COUNT_OF(lists); l++) {
        char name[64];
        double got[51];
        snprintf(name, sizeof name, "schedule.sigmas.%d", lists[l]);
        AUTO_FREE float *want = golden_values(golden, name, &count);
        assert_int_equal(count, lists[l] + 1);
        assert_ok(schedule_sigmas(&schedule, lists[l], got, &err), &err);
        for (int i = 0; i <= lists[l]; i++)
            assert_close(got[i], (double)want[i], TIGHT);
    }

    AUTO_FREE float *sigmas = golden_values(golden, "schedule.sigma", &count);
    AUTO_FREE float *ts = golden_values(golden, "schedule.t_of_sigma", &count);
    for (int64_t i = 0; i < count; i++)
        if (fabs(schedule_t_of_sigma(&schedule, (double)sigmas[i]) - (double)ts[i]) > 1e-2)
            fail_msg("t(%g) = %g, expected %g", (double)sigmas[i],
                schedule_t_of_sigma(&schedule, (double)sigmas[i]), (double)ts[i]);
    checkpoint_close(golden);
}

static void test_inverse(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule);
    for (int i = 0; i < SCHEDULE_TIMESTEPS; i++)
        assert_true(fabs(schedule_t_of_sigma(&schedule, schedule.sigma[i]) - i) < 1e-9);
    double between = exp((schedule.log_sigma[500] + schedule.log_sigma[501]) / 2);
    assert_close(schedule_t_of_sigma(&schedule, between), 500.5, 1e-9);
    assert_true(schedule_t_of_sigma(&schedule, 1e-6) == 0);
    assert_true(schedule_t_of_sigma(&schedule, 1e6) == SCHEDULE_TIMESTEPS - 1);
}

static void test_steps(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct schedule schedule;
    schedule_init(&schedule);
    AUTO_FREE double *sigmas = malloc((SCHEDULE_STEPS_MAX + 1) * sizeof *sigmas);
    assert_ok(schedule_sigmas(&schedule, 1, sigmas, &err), &err);
    assert_close(sigmas[0], schedule.sigma[SCHEDULE_TIMESTEPS - 1], 1e-12);
    assert_true(sigmas[1] == 0);
    assert_ok(schedule_sigmas(&schedule, SCHEDULE_STEPS_MAX, sigmas, &err), &err);
    for (int i = 0; i < SCHEDULE_STEPS_MAX; i++)
        assert_true(sigmas[i] > sigmas[i + 1]);
    assert_fails(schedule_sigmas(&schedule, 0, sigmas, &err), PF_INVALID, "0 sampling steps", &err);
    assert_fails(schedule_sigmas(&schedule, SCHEDULE_STEPS_MAX + 1, sigmas, &err), PF_INVALID,
        "1001 sampling steps", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_ends),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_inverse),
        cmocka_unit_test(test_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
