/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/adamw.h"

#include <math.h>

static void step_one(
    struct scope *s, struct parameter *item, const struct adamw *adamw, int64_t step)
{
    double correction1 = 1 - pow(adamw->beta1, (double)step);
    double correction2 = 1 - pow(adamw->beta2, (double)step);
    tensor gradient = item->gradient;
    if (adamw->gradient_scale != 1)
        op_mul_scalar_in(s, gradient, adamw->gradient_scale);
    op_lerp_in(s, item->m, gradient, 1 - adamw->beta1);
    op_mul_scalar_in(s, item->v, adamw->beta2);
    op_addcmul_in(s, item->v, gradient, gradient, 1 - adamw->beta2);
    if (item->decays && adamw->weight_decay != 0)
        op_mul_scalar_in(s, item->master, 1 - adamw->rate * adamw->weight_decay);
    tensor root = op_mul_scalar(s, op_sqrt(s, item->v), 1 / sqrt(correction2));
    tensor divisor = op_add_scalar(s, root, adamw->epsilon);
    op_addcdiv_in(s, item->master, item->m, divisor, -adamw->rate / correction1);
    op_lerp_in(s, item->average, item->master, 1 - adamw->average_decay);
    if (item->leaf != item->master)
        op_copy_in(s, item->leaf, item->master);
    op_mul_scalar_in(s, gradient, 0);
}

enum pf_status adamw_step(
    struct parameters *parameters, const struct adamw *adamw, int64_t step, struct pf_error *err)
{
    int former = tensor_grad_enable(0);
    for (int i = 0; i < parameters->count && err->status == PF_OK; i++) {
        SCOPE(s, err);
        step_one(&s, &parameters->items[i], adamw, step);
    }
    tensor_grad_enable(former);
    return err->status;
}
