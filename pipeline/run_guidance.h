/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_RUN_GUIDANCE_H
#define PIPELINE_RUN_GUIDANCE_H

/* High-frequency guidance of one run: joins pipeline/diffusion/highfreq.h, which knows no models,
 * to the run's decoder and UNet. Everything here is a no-op in mode `off`. */

#include "pipeline/diffusion/guidance.h"
#include "pipeline/diffusion/highfreq.h"
#include "pipeline/diffusion/region.h"
#include "pipeline/pipeline.h"

struct run_guidance {
    enum guidance_mode mode;
    enum guidance_region region;
    struct pipeline *pipeline; /* borrowed, as all below that is not said to be owned */
    const struct vae_skips *skips;
    const struct unet_context *context;
    tensor image_latent;
    double rate;
    int updates;
    double sigma, t;                 /* of the step being moved, for the latent mode's estimate */
    double loss;                     /* of the latest step */
    struct highpass_target target;   /* owned */
    struct highfreq_decoder decoder; /* owned; decoder mode */
    struct region_auto automatic;    /* owned; region auto */
};

struct run_guidance_input {
    tensor pixels;       /* [1,3,H,W] in [-1,1] */
    tensor image_latent; /* c_img */
    const struct unet_context *context;
    const struct vae_skips *skips;
    const float *mask; /* as in struct run_request */
    int mask_width, mask_height;
    const struct image_fit *fit;
};

/* Errors  INVALID: decoder guidance on a model whose decoder has no LoRA. */
PF_MUST_CHECK enum pf_status run_guidance_init(struct run_guidance *ret, struct pipeline *pipeline,
    const struct params *params, const struct run_guidance_input *input, struct pf_error *err);
void run_guidance_finish(struct run_guidance *guidance);

/* Latent mode: z moved by gradient steps, owned by `s`. Other modes: NULL, no error. */
tensor run_guidance_move_latent(
    struct run_guidance *guidance, struct scope *s, tensor z, double sigma, double t);

/* Region auto: learns from a step's estimates [rows,z,h,w]. */
void run_guidance_see(struct run_guidance *guidance, struct scope *s,
    const struct guidance *conditions, tensor estimates);

/* Decoder mode: gradient steps on the run's own LoRA, from the estimate x0. */
void run_guidance_train_decoder(
    struct run_guidance *guidance, struct scope *s, tensor x0, double t);

/* Whether there are LoRA weights of the run's own; when so, fills *ret_lora (borrowed). */
int run_guidance_lora(const struct run_guidance *guidance, struct vae_lora *ret_lora);

#endif
