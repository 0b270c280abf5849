/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_ADAMW_H
#define TOOLS_TRAIN_ADAMW_H

/* AdamW: Adam with decoupled weight decay, then the moving average of the weights.
 * Source  Loshchilov & Hutter, "Decoupled weight decay regularization" (ICLR 2019) */

#include "tools/train/parameters.h"

struct adamw {
    double rate;         /* of this step */
    double beta1, beta2; /* decay of the moments */
    double epsilon;
    double weight_decay;   /* times the rate, on parameters that decay */
    double gradient_scale; /* clipping: gradients are multiplied by it first */
    double average_decay;  /* of the moving average */
};

/* Takes step number `step` (1, 2, …) and zeroes the gradients. */
PF_MUST_CHECK enum pf_status adamw_step(
    struct parameters *parameters, const struct adamw *adamw, int64_t step, struct pf_error *err);

#endif
