/* SPDX-License-Identifier: Apache-2.0 */
/* Both nets are a row of convolutions with ReLU, some behind a max pooling, tapped after each of
 * five slices. At a tap the features of each pixel are made a unit vector over the channels; the
 * squared differences are weighted by channel, and averaged over the picture. */
#include "tools/eval/lpips.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pipeline/weights/weights.h"
#include "tools/eval/canvas.h"

enum { SLICES = 5, LAYERS_MAX = 13, SIDE_LEAST = 32 };
#define UNIT_EPS 1e-10

struct layer_plan {
    int slice, index; /* net.sliceS.I */
    int pool;         /* kernel of the max pooling before, of stride 2; 0: none */
    int stride, padding;
    int is_tap; /* the slice ends here */
};

static const struct layer_plan alex_plan[] = {{1, 0, 0, 4, 2, 1}, {2, 3, 3, 1, 2, 1},
    {3, 6, 3, 1, 1, 1}, {4, 8, 0, 1, 1, 1}, {5, 10, 0, 1, 1, 1}};
static const struct layer_plan vgg_plan[] = {{1, 0, 0, 1, 1, 0}, {1, 2, 0, 1, 1, 1},
    {2, 5, 2, 1, 1, 0}, {2, 7, 0, 1, 1, 1}, {3, 10, 2, 1, 1, 0}, {3, 12, 0, 1, 1, 0},
    {3, 14, 0, 1, 1, 1}, {4, 17, 2, 1, 1, 0}, {4, 19, 0, 1, 1, 0}, {4, 21, 0, 1, 1, 1},
    {5, 24, 2, 1, 1, 0}, {5, 26, 0, 1, 1, 0}, {5, 28, 0, 1, 1, 1}};

/* Of the pixels in [-1,1], by channel. */
static const float shift[] = {-0.030f, -0.088f, -0.188f}, scale[] = {0.458f, 0.448f, 0.450f};

struct lpips {
    struct checkpoint *checkpoint;
    struct scope scope; /* owns the weights */
    struct pf_error error;
    const char *net;
    const struct layer_plan *plan;
    size_t layer_count;
    struct nn_conv2d layers[LAYERS_MAX];
    tensor heads[SLICES]; /* [1,C,1,1] */
};

static void load(struct lpips *lpips)
{
    static const struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    struct weights all;
    weights_init(&all, lpips->checkpoint, place, &lpips->scope, "");
    int is_alex = weights_has(&all, "net.slice2.3.weight");
    lpips->net = is_alex ? "AlexNet" : "VGG-16";
    lpips->plan = is_alex ? alex_plan : vgg_plan;
    lpips->layer_count = is_alex ? COUNT_OF(alex_plan) : COUNT_OF(vgg_plan);
    for (size_t i = 0; i < lpips->layer_count; i++) {
        const struct layer_plan *plan = &lpips->plan[i];
        struct weights slice = weights_at(&all, "net.slice%d.", plan->slice);
        char name[16];
        snprintf(name, sizeof name, "%d", plan->index);
        lpips->layers[i] = weights_conv2d(&slice, name, plan->stride, plan->padding);
    }
    for (int i = 0; i < SLICES; i++) {
        struct weights head = weights_at(&all, "lin%d.model.1.", i);
        lpips->heads[i] = weights_tensor(&head, "weight");
    }
}

static enum pf_status check_shapes(const struct lpips *lpips, struct pf_error *err)
{
    int64_t channels = 3;
    for (size_t i = 0; i < lpips->layer_count; i++) {
        tensor weight = lpips->layers[i].weight;
        const struct layer_plan *plan = &lpips->plan[i];
        if (tensor_dim_count(weight) != 4 || tensor_dim(weight, 1) != channels)
            return pf_fail(err, PF_INVALID,
                "net.slice%d.%d.weight: not a convolution of %d channels", plan->slice, plan->index,
                (int)channels);
        channels = tensor_dim(weight, 0);
        tensor head = lpips->heads[plan->slice - 1];
        if (plan->is_tap && (tensor_dim_count(head) != 4 || tensor_dim(head, 1) != channels ||
                                tensor_count(head) != channels))
            return pf_fail(err, PF_INVALID, "lin%d.model.1.weight: not [1,%d,1,1]", plan->slice - 1,
                (int)channels);
    }
    return PF_OK;
}

enum pf_status lpips_open(struct lpips **ret_lpips, const char *path, struct pf_error *err)
{
    struct lpips *lpips = calloc(1, sizeof *lpips);
    if (!lpips)
        return pf_fail(err, PF_NOMEM, "no memory for LPIPS");
    scope_init(&lpips->scope, &lpips->error);
    enum pf_status status = checkpoint_open(&lpips->checkpoint, path, err);
    if (status == PF_OK) {
        load(lpips);
        if (!scope_ok(&lpips->scope))
            status = pf_fail(err, lpips->error.status, "%s: %s", path, lpips->error.message);
        else
            status = check_shapes(lpips, err);
    }
    if (status != PF_OK) {
        lpips_close(lpips);
        return status;
    }
    *ret_lpips = lpips;
    return PF_OK;
}

void lpips_close(struct lpips *lpips)
{
    if (!lpips)
        return;
    scope_finish(&lpips->scope);
    if (lpips->checkpoint)
        checkpoint_close(lpips->checkpoint);
    free(lpips);
}

const char *lpips_net(const struct lpips *lpips)
{
    return lpips->net;
}

/* [2,3,H,W] of both pictures, shifted and scaled as the nets expect. */
static tensor prepare(struct scope *s, const struct image *a, const struct image *b)
{
    size_t area = canvas_area(a);
    AUTO_FREE float *pixels = NULL;
    if (canvas_plane(&pixels, 6 * area, s->err) != PF_OK)
        return NULL;
    for (size_t i = 0; i < 6 * area; i++) {
        size_t channel = i / area % 3, at = i % (3 * area);
        float value = i < 3 * area ? a->rgb[at] : b->rgb[at];
        pixels[i] = (2 * value - 1 - shift[channel]) / scale[channel];
    }
    return tensor_from_f32(s, pixels, DIMS(2, 3, a->height, a->width));
}

/* The mean weighted squared distance of the two unit features [2,C,h,w]. */
static double distance_at(struct scope *out, tensor features, tensor head)
{
    SCOPE(s, out->err);
    tensor length = op_sqrt(&s, op_sum(&s, op_square(&s, features), DIMS(1), 1));
    tensor unit = op_div(&s, features, op_add_scalar(&s, length, UNIT_EPS));
    tensor difference =
        op_square(&s, op_sub(&s, op_narrow(&s, unit, 0, 0, 1), op_narrow(&s, unit, 0, 1, 1)));
    tensor weighted = op_sum(&s, op_mul(&s, difference, head), DIMS(1), 1);
    return tensor_scalar(&s, op_mean_all(&s, weighted));
}

enum pf_status lpips_between(struct lpips *lpips, const struct image *a, const struct image *b,
    double *ret_distance, struct pf_error *err)
{
    if (a->width < SIDE_LEAST || a->height < SIDE_LEAST)
        return pf_fail(err, PF_INVALID, "LPIPS needs %d pixels a side, got %d×%d", SIDE_LEAST,
            a->width, a->height);
    struct pf_error own = PF_ERROR_INIT;
    SCOPE(s, err ? err : &own);
    double distance = 0;
    tensor x = prepare(&s, a, b);
    for (size_t i = 0; i < lpips->layer_count; i++) {
        const struct layer_plan *plan = &lpips->plan[i];
        if (plan->pool)
            x = op_max_pool(&s, x, plan->pool, 2, 0);
        x = op_clamp(&s, nn_conv2d(&s, &lpips->layers[i], x), 0, INFINITY);
        if (plan->is_tap)
            distance += distance_at(&s, x, lpips->heads[plan->slice - 1]);
    }
    if (!scope_ok(&s))
        return s.err->status;
    *ret_distance = distance;
    return PF_OK;
}
