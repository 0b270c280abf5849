/* SPDX-License-Identifier: Apache-2.0 */
/* LPIPS with random weights of AlexNet's shape but a few channels, against the same written out
 * with loops. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/weights/checkpoint_write.h"
#include "tests/test.h"
#include "tests/tools/eval/scene.h"
#include "tools/eval/canvas.h"
#include "tools/eval/lpips.h"
#include "tools/eval/random.h"

enum { LAYERS = 5, SIDE = 40, CELLS_MAX = 8 * SIDE * SIDE, WEIGHTS_MAX = 4096 };

struct layer {
    const char *name;
    int in, out, kernel, stride, padding, pool;
    float weight[WEIGHTS_MAX], bias[8], head[8];
};

static struct layer layers[LAYERS] = {
    {"net.slice1.0", 3, 4, 11, 4, 2, 0, {0}, {0}, {0}},
    {"net.slice2.3", 4, 5, 5, 1, 2, 1, {0}, {0}, {0}},
    {"net.slice3.6", 5, 6, 3, 1, 1, 1, {0}, {0}, {0}},
    {"net.slice4.8", 6, 4, 3, 1, 1, 0, {0}, {0}, {0}},
    {"net.slice5.10", 4, 3, 3, 1, 1, 0, {0}, {0}, {0}},
};

static void fill_weights(void)
{
    struct random random = random_of(5, "lpips");
    for (int i = 0; i < LAYERS; i++) {
        struct layer *layer = &layers[i];
        int count = layer->in * layer->out * layer->kernel * layer->kernel;
        for (int k = 0; k < count; k++)
            layer->weight[k] = 0.4f * random_normal(&random);
        for (int k = 0; k < layer->out; k++) {
            layer->bias[k] = 0.3f * random_normal(&random);
            layer->head[k] = random_range(&random, 0, 1);
        }
    }
}

static void add(struct checkpoint_writer *writer, const char *fmt, const char *name, int number,
    const int64_t *dims, int dim_count)
{
    struct pf_error err = PF_ERROR_INIT;
    char text[64];
    if (name)
        snprintf(text, sizeof text, "%s.%s", name, fmt);
    else
        snprintf(text, sizeof text, "lin%d.model.1.weight", number);
    assert_ok(checkpoint_writer_add(writer, text, DTYPE_F32, dims, dim_count, &err), &err);
}

static void write_weights(const char *path, int with_heads)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint_writer *writer;
    assert_ok(checkpoint_writer_create(&writer, path, CHECKPOINT_SAFETENSORS, &err), &err);
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *at = &layers[i];
        add(writer, "weight", at->name, 0,
            (const int64_t[]){at->out, at->in, at->kernel, at->kernel}, 4);
        add(writer, "bias", at->name, 0, (const int64_t[]){at->out}, 1);
        if (with_heads)
            add(writer, "", NULL, i, (const int64_t[]){1, at->out, 1, 1}, 4);
    }
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *at = &layers[i];
        size_t count = (size_t)(at->in * at->out * at->kernel * at->kernel);
        size_t out = (size_t)at->out * sizeof(float);
        assert_ok(checkpoint_writer_put(writer, at->weight, count * sizeof(float), &err), &err);
        assert_ok(checkpoint_writer_put(writer, at->bias, out, &err), &err);
        if (with_heads)
            assert_ok(checkpoint_writer_put(writer, at->head, out, &err), &err);
    }
    assert_ok(checkpoint_writer_finish(writer, 0, &err), &err);
    checkpoint_writer_destroy(writer);
}

/* 3×3 max pooling of stride 2, in place; returns the new side. */
static int pool(float *planes, int channels, int side)
{
    int smaller = (side - 3) / 2 + 1;
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < smaller; y++)
            for (int x = 0; x < smaller; x++) {
                float most = -INFINITY;
                for (int k = 0; k < 9; k++)
                    most = fmaxf(most, planes[(c * side + 2 * y + k / 3) * side + 2 * x + k % 3]);
                planes[(c * smaller + y) * smaller + x] = most;
            }
    return smaller;
}

/* Convolution and ReLU; returns the new side. */
static int convolve(const struct layer *layer, const float *in, int side, float *out)
{
    int result = (side + 2 * layer->padding - layer->kernel) / layer->stride + 1;
    for (int o = 0; o < layer->out; o++)
        for (int y = 0; y < result; y++)
            for (int x = 0; x < result; x++) {
                float sum = layer->bias[o];
                for (int i = 0; i < layer->in; i++)
                    for (int ky = 0; ky < layer->kernel; ky++)
                        for (int kx = 0; kx < layer->kernel; kx++) {
                            int iy = y * layer->stride + ky - layer->padding;
                            int ix = x * layer->stride + kx - layer->padding;
                            if (iy < 0 || ix < 0 || iy >= side || ix >= side)
                                continue;
                            sum += in[(i * side + iy) * side + ix] *
                                   layer->weight[((o * layer->in + i) * layer->kernel + ky) *
                                                     layer->kernel +
                                                 kx];
                        }
                out[(o * result + y) * result + x] = fmaxf(0, sum);
            }
    return result;
}

static double slow_distance(const struct layer *layer, const float *a, const float *b, int side)
{
    double total = 0;
    int area = side * side;
    for (int at = 0; at < area; at++) {
        double la = 0, lb = 0;
        for (int c = 0; c < layer->out; c++) {
            la += pow((double)a[c * area + at], 2);
            lb += pow((double)b[c * area + at], 2);
        }
        for (int c = 0; c < layer->out; c++) {
            double difference = (double)a[c * area + at] / (sqrt(la) + 1e-10) -
                                (double)b[c * area + at] / (sqrt(lb) + 1e-10);
            total += (double)layer->head[c] * difference * difference / area;
        }
    }
    return total;
}

static double slow_lpips(const struct image *a, const struct image *b)
{
    static const float shift[] = {-0.030f, -0.088f, -0.188f}, scale[] = {0.458f, 0.448f, 0.450f};
    static float planes[2][CELLS_MAX], next[2][CELLS_MAX];
    const struct image *const images[] = {a, b};
    int side = SIDE, after = SIDE;
    double total = 0;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            planes[k][i] =
                (2 * images[k]->rgb[i] - 1 - shift[i / (SIDE * SIDE)]) / scale[i / (SIDE * SIDE)];
    for (int i = 0; i < LAYERS; i++) {
        int pooled = side;
        for (int k = 0; k < 2; k++) {
            pooled = layers[i].pool ? pool(planes[k], layers[i].in, side) : side;
            after = convolve(&layers[i], planes[k], pooled, next[k]);
        }
        side = after;
        total += slow_distance(&layers[i], next[0], next[1], side);
        memcpy(planes, next, sizeof next);
    }
    return total;
}

static void test_by_its_definition(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char path[] = "/tmp/promptfix-lpips-XXXXXX";
    assert_true(close(mkstemp(path)) == 0);
    fill_weights();
    write_weights(path, 1);
    struct lpips *lpips;
    assert_ok(lpips_open(&lpips, path, &err), &err);
    assert_string_equal(lpips_net(lpips), "AlexNet");
    struct image a = scene_create(SIDE), b = scene_create(SIDE), small = scene_create(31);
    struct random random = random_of(9, "noise");
    for (size_t i = 0; i < 3 * SIDE * SIDE; i++)
        b.rgb[i] = fminf(1, fmaxf(0, b.rgb[i] + 0.1f * random_normal(&random)));
    double same, distance, back;
    assert_ok(lpips_between(lpips, &a, &a, &same, &err), &err);
    assert_ok(lpips_between(lpips, &a, &b, &distance, &err), &err);
    assert_ok(lpips_between(lpips, &b, &a, &back, &err), &err);
    assert_true(same == 0 && fabs(distance - back) < 1e-6);
    double expected = slow_lpips(&a, &b);
    if (!(fabs(distance - expected) < 1e-4 * expected) || !(expected > 1e-3))
        fail_msg("%.6f, expected %.6f", distance, expected);
    assert_fails(lpips_between(lpips, &small, &small, &same, &err), PF_INVALID, "31×31", &err);
    image_finish(&a);
    image_finish(&b);
    image_finish(&small);
    lpips_close(lpips);
    write_weights(path, 0);
    assert_fails(lpips_open(&lpips, path, &err), PF_INVALID, "lin0.model.1.weight", &err);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_its_definition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
