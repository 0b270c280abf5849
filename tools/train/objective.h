/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_OBJECTIVE_H
#define TOOLS_TRAIN_OBJECTIVE_H

/* What each stage minimises. */

#include "tools/train/trainee.h"

struct objective_options {
    uint64_t seed;
    double kl_weight;     /* vae: of the divergence from a standard normal, mean over the latent */
    double edge_weight;   /* vae, joint: of the L1 distance of neighbour differences */
    double latent_noise;  /* vae: most noise on the latent the decoder sees, in deviations */
    double relative;      /* diffusion, joint: each row's error is divided by its target's power, or
                             its input's error, plus this; 0: not */
    double change_weight; /* joint: of the places that are to change, over those that aren't */
    double knee;          /* joint: errors up to this count by their square. Where many colours
                             would do, the least distance is to grey, the least square to their
                             mean, which is also what PSNR asks for; 0: all by their size */
    double colour_weight; /* joint: of objective_colour_loss() */
    double detail_weight; /* joint: of objective_detail_loss() */
    double early_share;   /* diffusion: share of rows with t from the noisiest tenth */
};

/* The loss of a batch: one element, with gradients. `step` drives all its randomness. */
tensor objective_loss(const struct trainee *trainee, struct scope *s,
    const struct objective_options *options, const struct batch_tensors *batch, int64_t step);

/* Of each row [B]: mean w·ρ(a-b) + edge_weight · mean over both directions of w·|∂a-∂b|, of
 * pictures [B,3,H,W]; w [B,1,H,W], or NULL for 1. ρ is Huber's: x²/2knee up to `knee`, |x|-knee/2
 * beyond. */
tensor objective_picture_loss(
    struct scope *s, tensor a, tensor b, tensor w, double edge_weight, double knee);

/* w for a pair of pictures [B,3,H,W]: 1 + change_weight · how much a place changes, relative to its
 * row's mean change and to 0.02 at least, but 10 at most. */
tensor objective_change_weights(struct scope *s, tensor input, tensor target, double change_weight);

/* How far pictures a fall short of OBJECTIVE_LEAST_SHARE of the colour (distance to grey), or of
 * the detail (second differences), that b has, both [B,3,H,W]: by root mean squares in windows
 * of 8 pixels, mean over the windows. Where many colours or many edges would do, the least distance
 * is to none of them; this asks for some, and the distance says which. Colour is asked for where
 * the input has none: of hazy and dark pictures it made green ones (docs/model.md). */
#define OBJECTIVE_LEAST_SHARE 0.5
tensor objective_colour_loss(struct scope *s, tensor a, tensor b, tensor input);
tensor objective_detail_loss(struct scope *s, tensor a, tensor b);

#endif
