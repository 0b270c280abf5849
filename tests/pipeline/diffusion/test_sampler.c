/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/diffusion/noise.h"
#include "pipeline/diffusion/sampler.h"
#include "pipeline/diffusion/schedule.h"
#include "tests/golden_file.h"

enum { STEPS_MAX = 64 };

static int golden_sigmas(const struct checkpoint *golden, double ret_sigmas[STEPS_MAX + 1])
{
    int64_t count = 0;
    AUTO_FREE float *sigmas = golden_values(golden, "sample.sigmas", &count);
    assert_non_null(sigmas);
    assert_true(count >= 2 && count <= STEPS_MAX + 1);
    for (int64_t i = 0; i < count; i++)
        ret_sigmas[i] = (double)sigmas[i];
    return (int)count - 1;
}

static void assert_tensor(
    tensor got, tensor want, double tolerance, const char *what, int step, struct pf_error *err)
{
    struct golden_error error = golden_compare(got, want, err);
    if (err->status != PF_OK || !golden_agrees(error, tolerance))
        fail_msg("%s %d: max error %g of %g %s", what, step, error.max, error.scale, err->message);
}

/* The golden estimates stand in for the model. */
static void check_ancestral(const char *name)
{
    struct checkpoint *golden = golden_open_case(name);
    if (!golden)
        skip();
    struct pf_error err = PF_ERROR_INIT;
    double sigmas[STEPS_MAX + 1];
    int steps = golden_sigmas(golden, sigmas);
    SCOPE(s, &err);
    struct sampler sampler;
    assert_ok(sampler_init(&sampler, SAMPLER_EULER_ANCESTRAL, sigmas, steps, &err), &err);
    tensor noises = golden_tensor(&s, golden, "sample.noise");
    tensor z = golden_tensor(&s, golden, "sample.z_init");
    for (int i = 0; i < steps; i++) {
        assert_int_equal(sampler_needs_noise(&sampler), i < steps - 1);
        assert_true(sampler_sigma(&sampler) == sigmas[i]);
        tensor x0 = golden_tensorf(&s, golden, "sample.%d.denoised", i);
        z = sampler_step(&sampler, &s, z, x0, op_select(&s, noises, 0, i));
        assert_tensor(z, golden_tensorf(&s, golden, "sample.%d.z", i), 1e-5, "sample", i, &err);
    }
    assert_true(sampler_done(&sampler));
    assert_true(sampler_sigma(&sampler) == 0);
    assert_null(sampler_step(&sampler, &s, z, z, NULL));
    assert_int_equal(err.status, PF_INTERNAL);
    sampler_finish(&sampler);
    checkpoint_close(golden);
}

static void test_ancestral_golden(void **state)
{
    (void)state;
    check_ancestral("tiny");
    check_ancestral("ip2p");
}

/* The model's estimate behind a golden Euler step: x0 = z - σ·(z'-z)/(σ'-σ). */
static tensor euler_estimate(struct scope *s, tensor z, tensor next, double from, double to)
{
    tensor slope = op_mul_scalar(s, op_sub(s, next, z), 1 / (to - from));
    return op_sub(s, z, op_mul_scalar(s, slope, from));
}

/* All samplers start from the same z, so step 0 has the same estimate for all; dpmpp_2m's first
 * step is Euler's, so step 1 has too, and is its first of second order. */
static void test_deterministic_golden(void **state)
{
    (void)state;
    struct checkpoint *golden = golden_open_case("tiny");
    if (!golden)
        skip();
    static const struct {
        enum sampler_kind kind;
        const char *name;
    } kinds[] = {{SAMPLER_EULER, "euler"}, {SAMPLER_DDIM, "euler"}, {SAMPLER_DPMPP_2M, "dpmpp_2m"}};
    struct pf_error err = PF_ERROR_INIT;
    double sigmas[STEPS_MAX + 1];
    int steps = golden_sigmas(golden, sigmas);
    SCOPE(s, &err);
    tensor first = golden_tensor(&s, golden, "euler.0.z"),
           second = golden_tensor(&s, golden, "euler.1.z");
    tensor estimates[] = {golden_tensor(&s, golden, "sample.0.denoised"),
        euler_estimate(&s, first, second, sigmas[1], sigmas[2])};
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct sampler sampler;
        assert_ok(sampler_init(&sampler, kinds[k].kind, sigmas, steps, &err), &err);
        tensor z = golden_tensor(&s, golden, "sample.z_init");
        for (int i = 0; i < 2; i++) {
            assert_false(sampler_needs_noise(&sampler));
            z = sampler_step(&sampler, &s, z, estimates[i], NULL);
            assert_tensor(z, golden_tensorf(&s, golden, "%s.%d.z", kinds[k].name, i), 1e-4,
                kinds[k].name, i, &err);
        }
        sampler_finish(&sampler);
    }
    checkpoint_close(golden);
}

/* For data distributed as N(0,1) the exact estimate is z/(1+σ²), and the path from (σ, z) ends at
 * z/√(1+σ²). */
static double final_of_normal(enum sampler_kind kind, int steps, double start, struct pf_error *err)
{
    double sigmas[STEPS_MAX + 1];
    struct schedule schedule;
    struct sampler sampler;
    schedule_init(&schedule);
    assert_ok(schedule_sigmas(&schedule, steps, sigmas, err), err);
    assert_ok(sampler_init(&sampler, kind, sigmas, steps, err), err);
    SCOPE(s, err);
    float value = (float)start;
    tensor z = tensor_from_f32(&s, &value, DIMS(1, 1, 1, 1));
    while (!sampler_done(&sampler)) {
        double sigma = sampler_sigma(&sampler);
        z = sampler_step(&sampler, &s, z, op_mul_scalar(&s, z, 1 / (1 + sigma * sigma)), NULL);
    }
    sampler_finish(&sampler);
    return tensor_scalar(&s, z);
}

static void test_converges_on_normal_data(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct schedule schedule;
    schedule_init(&schedule);
    double sigma = schedule.sigma[SCHEDULE_TIMESTEPS - 1];
    double exact = 10 / sqrt(1 + sigma * sigma);
    double euler = fabs(final_of_normal(SAMPLER_EULER, 32, 10, &err) - exact);
    double twice = fabs(final_of_normal(SAMPLER_EULER, 64, 10, &err) - exact);
    double ddim = fabs(final_of_normal(SAMPLER_DDIM, 32, 10, &err) - exact);
    double dpmpp = fabs(final_of_normal(SAMPLER_DPMPP_2M, 32, 10, &err) - exact);
    double dpmpp_twice = fabs(final_of_normal(SAMPLER_DPMPP_2M, 64, 10, &err) - exact);
    assert_true(euler < 0.1 * exact);
    assert_true(twice > 0.45 * euler && twice < 0.55 * euler); /* first order */
    assert_true(fabs(ddim - euler) < 1e-5);
    assert_true(dpmpp < euler && dpmpp_twice < 0.4 * dpmpp); /* second order, or nearly */
}

static void test_ddim_is_euler(void **state)
{
    (void)state;
    enum { SIZE = 4 * 3 * 5, STEPS = 8 };
    struct pf_error err = PF_ERROR_INIT;
    double sigmas[STEPS + 1];
    struct schedule schedule;
    struct sampler a, b;
    schedule_init(&schedule);
    assert_ok(schedule_sigmas(&schedule, STEPS, sigmas, &err), &err);
    assert_ok(sampler_init(&a, SAMPLER_DDIM, sigmas, STEPS, &err), &err);
    assert_ok(sampler_init(&b, SAMPLER_EULER, sigmas, STEPS, &err), &err);
    SCOPE(s, &err);
    float values[SIZE];
    noise_fill(1, 0, values, SIZE);
    tensor z = op_mul_scalar(&s, tensor_from_f32(&s, values, DIMS(1, 4, 3, 5)), sigmas[0]);
    for (uint32_t i = 0; i < STEPS; i++) {
        noise_fill(1, i + 1, values, SIZE);
        tensor x0 = tensor_from_f32(&s, values, DIMS(1, 4, 3, 5));
        tensor with_ddim = sampler_step(&a, &s, z, x0, NULL);
        z = sampler_step(&b, &s, z, x0, NULL);
        assert_tensor(with_ddim, z, 1e-5, "ddim", (int)i, &err);
    }
    sampler_finish(&a);
    sampler_finish(&b);
}

/* With the last estimate every sampler ends exactly there. */
static void test_ends_on_the_estimate(void **state)
{
    (void)state;
    const double sigmas[] = {2, 0.5, 0};
    struct pf_error err = PF_ERROR_INIT;
    for (int kind = SAMPLER_EULER_ANCESTRAL; kind <= SAMPLER_DPMPP_2M; kind++) {
        SCOPE(s, &err);
        struct sampler sampler;
        assert_ok(sampler_init(&sampler, (enum sampler_kind)kind, sigmas, 2, &err), &err);
        float value = 3, estimate = 0.25F;
        tensor z = tensor_from_f32(&s, &value, DIMS(1, 1, 1, 1));
        tensor x0 = tensor_from_f32(&s, &estimate, DIMS(1, 1, 1, 1));
        z = sampler_step(&sampler, &s, z, op_mul_scalar(&s, x0, 2), z);
        z = sampler_step(&sampler, &s, z, x0, NULL);
        assert_true(fabs(tensor_scalar(&s, z) - 0.25) < 1e-6);
        sampler_finish(&sampler);
    }
}

static void test_wrong_use(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct sampler sampler;
    assert_fails(sampler_init(&sampler, SAMPLER_EULER, (double[]){1, 0}, 0, &err), PF_INVALID,
        "0 sampling steps", &err);
    assert_fails(sampler_init(&sampler, SAMPLER_EULER, (double[]){1, 1, 0}, 2, &err), PF_INVALID,
        "sigma 0 of 2 goes from 1 to 1", &err);
    assert_fails(sampler_init(&sampler, SAMPLER_EULER, (double[]){1, -1}, 1, &err), PF_INVALID,
        "to -1", &err);
    assert_fails(sampler_init(&sampler, SAMPLER_EULER, (double[]){NAN, 0}, 1, &err), PF_INVALID,
        "nan", &err);

    assert_ok(sampler_init(&sampler, SAMPLER_EULER_ANCESTRAL, (double[]){2, 1, 0}, 2, &err), &err);
    SCOPE(s, &err);
    float value = 1;
    tensor z = tensor_from_f32(&s, &value, DIMS(1, 1, 1, 1));
    assert_null(sampler_step(&sampler, &s, z, z, NULL));
    assert_fails(err.status, PF_INTERNAL, "without noise", &err);
    assert_int_equal(sampler.step, 0);
    assert_non_null(sampler_step(&sampler, &s, z, z, z));
    assert_int_equal(sampler.step, 1);
    sampler_finish(&sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ancestral_golden),
        cmocka_unit_test(test_deterministic_golden),
        cmocka_unit_test(test_converges_on_normal_data),
        cmocka_unit_test(test_ddim_is_euler),
        cmocka_unit_test(test_ends_on_the_estimate),
        cmocka_unit_test(test_wrong_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
