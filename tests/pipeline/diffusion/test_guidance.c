/* SPDX-License-Identifier: Apache-2.0 */
/* guidance.h and denoiser.h: small arithmetic, checked by hand. */
#include <math.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/diffusion/denoiser.h"
#include "pipeline/diffusion/guidance.h"

static double element(struct scope *s, tensor t, int64_t row)
{
    return tensor_scalar(s, op_narrow(s, op_reshape(s, t, DIMS(-1)), 0, row, 1));
}

static void assert_near(double got, double want)
{
    if (!(fabs(got - want) < 1e-5 * fmax(1, fabs(want))))
        fail_msg("%.9g, expected %.9g", got, want);
}

static void test_combine_is_the_formula(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    static const double scales[][2] = {
        {6.5, 1.25}, {7.5, 1.5}, {1, 1}, {0, 0}, {0.5, 2}, {3, 0.5}, {0.5, 0.5}, {2, 2}};
    const float values[] = {0.7F, -1.3F, 0.2F}; /* full, no text, no image */
    const double full = 0.7, no_text = -1.3, no_image = 0.2;
    for (size_t i = 0; i < COUNT_OF(scales); i++) {
        SCOPE(s, &err);
        double s_t = scales[i][0], s_i = scales[i][1];
        struct guidance guidance;
        guidance_init(&guidance, s_t, s_i, 0);
        float rows[GUIDANCE_ROWS_MAX];
        for (int r = 0; r < guidance.row_count; r++)
            rows[r] = values[guidance.rows[r]];
        tensor x0 = tensor_from_f32(&s, rows, DIMS(guidance.row_count, 1, 1, 1));
        double want = 0.5 * (no_text + no_image) + s_t * (full - no_text) + s_i * (full - no_image);
        tensor combined = guidance_combine(&guidance, &s, x0);
        assert_int_equal(tensor_dim(combined, 0), 1);
        assert_near(tensor_scalar(&s, combined), want);
        assert_int_equal(guidance.row_count, 1 + (s_t != 0.5) + (s_i != 0.5));
    }
}

static void test_select(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    struct guidance guidance;
    guidance_init(&guidance, 0.5, 2, 0);
    assert_int_equal(guidance.row_count, 2);
    const float rows[] = {1, 2, 3};
    tensor x0 = tensor_from_f32(&s, rows, DIMS(2, 1, 1, 1));
    assert_near(tensor_scalar(&s, guidance_select(&guidance, &s, x0, GUIDANCE_ROW_NO_IMAGE)), 2);
    assert_null(guidance_select(&guidance, &s, x0, GUIDANCE_ROW_NO_TEXT));
    assert_int_equal(err.status, PF_OK);

    guidance_init(&guidance, 0.5, 0.5, 1);
    assert_int_equal(guidance.row_count, 2);
    assert_int_equal(guidance.rows[1], GUIDANCE_ROW_NO_TEXT);
    assert_near(tensor_scalar(&s, guidance_combine(&guidance, &s, x0)), 1);
}

static void test_denoiser_rows(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    const float zs[] = {1, -2, 3}, outputs[] = {0.5F, 0.25F, -1}, images[] = {4, -5, 6};
    const double sigmas[] = {14.6, 1, 0.03};
    tensor z = tensor_from_f32(&s, zs, DIMS(3, 1, 1, 1));
    tensor output = tensor_from_f32(&s, outputs, DIMS(3, 1, 1, 1));
    tensor input = denoiser_input(&s, z, sigmas);
    tensor image = tensor_from_f32(&s, images, DIMS(3, 1, 1, 1));
    tensor eps = denoiser_x0(&s, PREDICTION_EPSILON, z, image, output, sigmas);
    tensor v = denoiser_x0(&s, PREDICTION_V, z, image, output, sigmas);
    tensor change = denoiser_x0(&s, PREDICTION_V_CHANGE, z, image, output, sigmas);
    for (int i = 0; i < 3; i++) {
        double root = sqrt(sigmas[i] * sigmas[i] + 1);
        assert_near(element(&s, input, i), (double)zs[i] / root);
        assert_near(element(&s, eps, i), (double)zs[i] - sigmas[i] * (double)outputs[i]);
        double of_v = (double)zs[i] / root / root - (double)outputs[i] * sigmas[i] / root;
        double of_image = 0.18215 * (double)images[i] * sigmas[i] * sigmas[i] / root / root;
        assert_near(element(&s, v, i), of_v);
        assert_near(element(&s, change, i), of_v + of_image);
    }
}

/* z = x0 + σ·ε, v = (ε - σ·x0)/√(1+σ²) (that is √ᾱ·ε - √(1-ᾱ)·x0), v_change the same of x0 - c: all
 * find x0. */
static void test_denoiser_inverts_its_definition(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    const double x0 = 0.8, eps = -1.1;
    static const double sigmas[] = {0.05, 1, 9};
    for (size_t i = 0; i < COUNT_OF(sigmas); i++) {
        double sigma = sigmas[i];
        float z = (float)(x0 + sigma * eps);
        float e = (float)eps, v = (float)((eps - sigma * x0) / sqrt(1 + sigma * sigma));
        float image = 2.5F;
        double change = x0 - 0.18215 * (double)image;
        float vc = (float)((eps - sigma * change) / sqrt(1 + sigma * sigma));
        tensor zt = tensor_from_f32(&s, &z, DIMS(1, 1, 1, 1));
        tensor et = tensor_from_f32(&s, &e, DIMS(1, 1, 1, 1));
        tensor vt = tensor_from_f32(&s, &v, DIMS(1, 1, 1, 1));
        tensor vct = tensor_from_f32(&s, &vc, DIMS(1, 1, 1, 1));
        tensor it = tensor_from_f32(&s, &image, DIMS(1, 1, 1, 1));
        tensor of_eps = denoiser_x0(&s, PREDICTION_EPSILON, zt, it, et, &sigma);
        tensor of_v = denoiser_x0(&s, PREDICTION_V, zt, it, vt, &sigma);
        tensor of_change = denoiser_x0(&s, PREDICTION_V_CHANGE, zt, it, vct, &sigma);
        assert_near(tensor_scalar(&s, of_eps), x0);
        assert_near(tensor_scalar(&s, of_v), x0);
        assert_near(tensor_scalar(&s, of_change), x0);
    }
}

static void test_denoiser_is_float32(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    const float values[] = {1, 2};
    const double sigmas[] = {1, 2};
    tensor z = tensor_from_f32(&s, values, DIMS(2, 1, 1, 1));
    tensor half = op_to_type(&s, z, TENSOR_BF16);
    tensor x0 = denoiser_x0(&s, PREDICTION_EPSILON, z, z, half, sigmas);
    assert_int_equal(tensor_type(x0), TENSOR_F32);
    assert_int_equal(tensor_type(denoiser_input(&s, z, sigmas)), TENSOR_F32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_combine_is_the_formula),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_denoiser_rows),
        cmocka_unit_test(test_denoiser_inverts_its_definition),
        cmocka_unit_test(test_denoiser_is_float32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
