/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_PARAMETERS_H
#define TOOLS_TRAIN_PARAMETERS_H

/* The trained tensors of a model by name: what the layers compute with, the float32 master copies
 * the optimizer moves, its moments, and the moving average that is shipped.
 *
 *     parameters_init(&p, checkpoint, place, prefixes, count, err)
 *     parameters_attach(&p)            layers loaded from here on hold p's tensors
 *     unet_create(…), vae_create(…)
 *     parameters_detach()
 *     loss = …
 *     parameters_add_gradients(&p, loss, 1.0 / accumulation, err)
 *     adamw_step(&p, …)
 *
 * Layers of frozen parts load as ever and ask for no gradient. */

#include "pipeline/weights/weights.h"

enum { PARAMETERS_MAX = 8192, PARAMETERS_PREFIXES_MAX = 4 };

struct parameter {
    char name[WEIGHTS_NAME_MAX];
    tensor leaf;     /* in the place's type; what the layers hold and gradients are taken of */
    tensor master;   /* float32; the leaf itself when that is float32 */
    tensor gradient; /* float32, summed since the last step */
    tensor m, v;     /* AdamW's moments, float32 */
    tensor average;  /* exponential moving average of the master, float32 */
    int decays;      /* weight decay: matrices and kernels, not biases and norms */
};

struct parameters {
    struct parameter *items; /* in order of loading */
    int count;
    struct scope owner;                  /* of all their tensors */
    const struct checkpoint *checkpoint; /* borrowed */
    struct tensor_place place;
    const char *prefixes[PARAMETERS_PREFIXES_MAX];
    int prefix_count;
    const char *only; /* borrowed */
};

/* `prefixes`: of the names to train, as SIZES_PREFIX_UNET; borrowed. `only`: further prefixes, with
 * commas between, of which a name must begin with one too; NULL or "": it needn't; borrowed. The
 * checkpoint may be a saved state (state.h): moments and averages are then taken from it, else they
 * start at 0 and at the weights. PF_NOMEM. */
PF_MUST_CHECK enum pf_status parameters_init(struct parameters *ret_parameters,
    const struct checkpoint *checkpoint, struct tensor_place place, const char *const *prefixes,
    int prefix_count, const char *only, struct pf_error *err);
void parameters_finish(struct parameters *parameters);

/* After the layers were loaded: every word of `only` began a trained name. PF_INVALID names the one
 * that didn't. */
PF_MUST_CHECK enum pf_status parameters_check_only(
    const struct parameters *parameters, struct pf_error *err);

void parameters_attach(struct parameters *parameters);
void parameters_detach(void);

/* Adds factor·∂loss/∂leaf to every gradient and frees the graph. `loss` has one element and depends
 * on every parameter. */
PF_MUST_CHECK enum pf_status parameters_add_gradients(
    struct parameters *parameters, tensor loss, double factor, struct pf_error *err);

/* √ of the sum of squares of all gradients. */
PF_MUST_CHECK enum pf_status parameters_gradient_norm(
    const struct parameters *parameters, double *ret_norm, struct pf_error *err);

/* Swaps masters and averages, so that the layers compute with the averages until it is called
 * again. */
PF_MUST_CHECK enum pf_status parameters_swap_average(
    struct parameters *parameters, struct pf_error *err);

/* Elements of all parameters. */
int64_t parameters_element_count(const struct parameters *parameters);

#endif
