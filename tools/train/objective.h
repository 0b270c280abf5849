/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_OBJECTIVE_H
#define TOOLS_TRAIN_OBJECTIVE_H

/* What each stage minimises. */

#include "tools/train/trainee.h"

struct objective_options {
    uint64_t seed;
    double kl_weight;    /* vae: of the divergence from a standard normal, mean over the latent */
    double edge_weight;  /* vae, decoder: of the L1 distance of neighbour differences */
    double latent_noise; /* vae: most noise on the latent the decoder sees, in deviations */
    double relative; /* diffusion: each row's error is divided by its target's power plus this; 0:
                        not */
    double early_share; /* diffusion: share of rows with t from the noisiest tenth */
};

/* The loss of a batch: one element, with gradients. `step` drives all its randomness. */
tensor objective_loss(const struct trainee *trainee, struct scope *s,
    const struct objective_options *options, const struct batch_tensors *batch, int64_t step);

/* mean|a-b| + edge_weight · mean over both directions of |∂a-∂b|, of pictures [B,3,H,W] */
tensor objective_picture_loss(struct scope *s, tensor a, tensor b, double edge_weight);

#endif
