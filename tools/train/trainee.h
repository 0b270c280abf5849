/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_TRAINEE_H
#define TOOLS_TRAIN_TRAINEE_H

/* A model in training: the pipeline's own modules, of which one stage's parameters move. Stages:
 *
 * text: the text encoder. Instructions of the same task get like encodings, those of others unlike
 * ones, so that the UNet can tell them apart from its first step on.
 *
 * vae: autoencoder with its LoRA skips: reconstruct the target from its own latent and the input's
 * features.
 *
 * diffusion: the UNet alone, as the paper trains: predict the target's latent. A text encoder of
 * our size can't be trained along: its gradients are small, Adam makes them steps as large as
 * anyone's, and it forgets what it knew.
 *
 * joint: UNet and autoencoder together, from pure noise to the picture in one step. */

#include "pipeline/diffusion/schedule.h"
#include "pipeline/text/clip.h"
#include "pipeline/text/tokenizer.h"
#include "pipeline/unet/unet.h"
#include "pipeline/vae/vae.h"
#include "tools/train/batch.h"
#include "tools/train/parameters.h"

enum stage { STAGE_TEXT, STAGE_VAE, STAGE_DIFFUSION, STAGE_JOINT, STAGE_COUNT };

extern const char *const stage_names[]; /* NULL-terminated */

struct trainee {
    enum stage stage;
    struct checkpoint *checkpoint;
    struct model_sizes sizes;
    struct schedule schedule;
    struct tokenizer *tokenizer;
    struct unet *unet;
    struct vae *vae;
    struct clip *clip;
    struct parameters parameters;
};

/* Opens a checkpoint or a saved state. `merges` NULL or "": the checkpoint's own. `only`: as
 * parameters_init()'s; PF_INVALID when one of them begins no weight of the stage. `err` must live
 * as long as the trainee. */
PF_MUST_CHECK enum pf_status trainee_open(struct trainee *ret_trainee, const char *path,
    const char *merges, enum stage stage, const char *only, struct tensor_place place,
    struct pf_error *err);
void trainee_close(struct trainee *trainee);

/* A batch on the trainee's device; a batch of texts has no pictures. */
struct batch_tensors {
    tensor input, target;          /* [B,3,S,S] */
    tensor instruction, auxiliary; /* [B,T] int64 */
    tensor has_image;              /* [B,1,1,1] */
    tensor same_task;              /* [B,B] 1 where two rows have the same task */
    tensor compared;               /* [B,B] 1 where both are known and they are two rows */
};
void batch_tensors_make(struct scope *s, const struct trainee *trainee, const struct batch *batch,
    struct batch_tensors *ret);

/* What the diffusion knows of a batch. */
struct conditions {
    tensor image;                 /* [B,z,h,w] the UNet's image condition */
    struct vae_skips skips;       /* of the input */
    struct unet_context *context; /* owned: unet_context_destroy() */
};
void conditions_make(struct scope *s, const struct trainee *trainee,
    const struct batch_tensors *batch, struct conditions *ret);

/* x0 [B,z,h,w] from z at σ, one for each row. */
tensor trainee_denoise(const struct trainee *trainee, struct scope *s, tensor z,
    const double *sigmas, const struct conditions *conditions);

/* The UNet's raw output for scaled input `x` [B,z,h,w] at the rows' timesteps. */
tensor trainee_predict(const struct trainee *trainee, struct scope *s, tensor x, const float *t,
    const struct conditions *conditions);

/* The image's latent, scaled for the diffusion, without gradients. */
tensor trainee_latent(const struct trainee *trainee, struct scope *s, tensor pixels);

/* Standard-normal noise shaped like `like`; row r's depends on seed, step and r alone. */
tensor trainee_noise(struct scope *s, tensor like, uint64_t seed, int64_t step);

#endif
