/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/diffusion/noise.h"
#include "pipeline/diffusion/region.h"
#include "tests/golden_file.h"

enum { HEIGHT = 96, WIDTH = 128, FACTOR = 8 };

struct box {
    int x, y, width, height;
};

static int inside(struct box box, int x, int y)
{
    return x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
}

/* Pixels between a point and the box, the larger of both directions. */
static int distance(struct box box, int x, int y)
{
    int dx = x < box.x ? box.x - x : x >= box.x + box.width ? x - box.x - box.width + 1 : 0;
    int dy = y < box.y ? box.y - y : y >= box.y + box.height ? y - box.y - box.height + 1 : 0;
    return dx > dy ? dx : dy;
}

static float *weight_of_box(struct box box)
{
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    AUTO_FREE float *mask = calloc(HEIGHT * WIDTH, sizeof *mask);
    float *weight = malloc(HEIGHT * WIDTH * sizeof *weight);
    for (int i = 0; i < HEIGHT * WIDTH; i++)
        mask[i] = inside(box, i % WIDTH, i / WIDTH) ? 1.0F : 0.0F;
    tensor t = region_weight(&s, tensor_from_f32(&s, mask, DIMS(1, 1, HEIGHT, WIDTH)));
    assert_ok(tensor_to_f32(t, weight, HEIGHT * WIDTH, &err), &err);
    return weight;
}

static void test_soft_border(void **state)
{
    (void)state;
    static const struct box boxes[] = {
        {40, 30, 25, 17}, {0, 0, 20, 96}, {127, 95, 1, 1}, {60, 40, 1, 1}};
    for (size_t b = 0; b < COUNT_OF(boxes); b++) {
        AUTO_FREE float *weight = weight_of_box(boxes[b]);
        for (int i = 0; i < HEIGHT * WIDTH; i++) {
            int x = i % WIDTH, y = i / WIDTH, away = distance(boxes[b], x, y);
            int ok = weight[i] >= 0 && weight[i] <= 1;
            if (away == 0)
                ok = weight[i] < 1e-5F;
            else if (away >= REGION_BORDER + 1)
                ok = weight[i] > 1 - 1e-5F;
            if (!ok)
                fail_msg("box %zu: weight %g at %d,%d", b, (double)weight[i], x, y);
        }
        /* rises along a line away from the box, without a jump */
        int y = boxes[b].y, start = boxes[b].x + boxes[b].width;
        for (int x = start; x + 1 < WIDTH && x < start + REGION_BORDER; x++) {
            float rise = weight[y * WIDTH + x + 1] - weight[y * WIDTH + x];
            assert_true(rise >= -1e-6F && rise < 0.2F);
        }
    }
}

static void test_empty_and_full_masks(void **state)
{
    (void)state;
    AUTO_FREE float *empty = weight_of_box((struct box){0, 0, 0, 0});
    AUTO_FREE float *full = weight_of_box((struct box){0, 0, WIDTH, HEIGHT});
    for (int i = 0; i < HEIGHT * WIDTH; i++)
        assert_true(empty[i] == 1 && fabsf(full[i]) < 1e-6F);
}

/* Two estimates that differ by `inner` inside a box of latent cells, by `outer` outside, with
 * noise. */
static void add_step(struct region_auto *region, struct box box, float inner, float outer,
    uint32_t stream, struct pf_error *err)
{
    enum { CHANNELS = 4, H = HEIGHT / FACTOR, W = WIDTH / FACTOR };
    float full[CHANNELS * H * W], without[CHANNELS * H * W], noise[CHANNELS * H * W];
    SCOPE(s, err);
    noise_fill(3, stream, without, COUNT_OF(without));
    noise_fill(4, stream, noise, COUNT_OF(noise));
    for (int i = 0; i < CHANNELS * H * W; i++) {
        float size = inside(box, i % W, i / W % H) ? inner : outer;
        full[i] = without[i] + size * (1 + 0.3F * noise[i]);
    }
    tensor a = tensor_from_f32(&s, full, DIMS(1, CHANNELS, H, W));
    tensor b = tensor_from_f32(&s, without, DIMS(1, CHANNELS, H, W));
    assert_ok(region_auto_add(region, a, b, err), err);
}

static float *auto_weight(const struct region_auto *region)
{
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    float *weight = malloc(HEIGHT * WIDTH * sizeof *weight);
    tensor t = region_auto_weight(region, &s, place, HEIGHT, WIDTH);
    assert_ok(tensor_to_f32(t, weight, HEIGHT * WIDTH, &err), &err);
    return weight;
}

/* The box is found, whatever the scale of the differences in each step. */
static void test_auto_finds_the_box(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    const struct box box = {4, 3, 4, 4};
    struct region_auto region = {0};
    add_step(&region, box, 400, 10, 0, &err);
    add_step(&region, box, 8, 0.5F, 1, &err);
    add_step(&region, box, 0.3F, 0.01F, 2, &err);
    assert_int_equal(region.steps, 3);
    AUTO_FREE float *weight = auto_weight(&region);
    struct box pixels = {box.x * FACTOR, box.y * FACTOR, box.width * FACTOR, box.height * FACTOR};
    for (int i = 0; i < HEIGHT * WIDTH; i++) {
        int x = i % WIDTH, y = i / WIDTH, away = distance(pixels, x, y);
        int core = x >= pixels.x + FACTOR && x < pixels.x + pixels.width - FACTOR &&
                   y >= pixels.y + FACTOR && y < pixels.y + pixels.height - FACTOR;
        if ((core && weight[i] > 0.1F) || (away > REGION_BORDER + 2 * FACTOR && weight[i] < 0.9F))
            fail_msg("weight %g at %d,%d", (double)weight[i], x, y);
    }
    region_auto_finish(&region);
    assert_null(region.difference);
}

/* A change of the whole picture keeps most of its guidance; no change and no step keep all. */
static void test_auto_without_a_region(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct region_auto region = {0};
    AUTO_FREE float *before = auto_weight(&region);
    add_step(&region, (struct box){0, 0, 0, 0}, 0, 0, 0, &err);
    AUTO_FREE float *equal = auto_weight(&region);
    region_auto_finish(&region);
    add_step(&region, (struct box){0, 0, 0, 0}, 0, 5, 0, &err);
    AUTO_FREE float *everywhere = auto_weight(&region);
    double mean = 0;
    for (int i = 0; i < HEIGHT * WIDTH; i++) {
        assert_true(before[i] == 1);
        assert_true(equal[i] > 0.99F);
        mean += (double)everywhere[i] / (HEIGHT * WIDTH);
    }
    assert_true(mean > 0.9);
    region_auto_finish(&region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soft_border),
        cmocka_unit_test(test_empty_and_full_masks),
        cmocka_unit_test(test_auto_finds_the_box),
        cmocka_unit_test(test_auto_without_a_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
