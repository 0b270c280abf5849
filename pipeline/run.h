/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_RUN_H
#define PIPELINE_RUN_H

/* One request on its way through a pipeline, as a state machine: the caller owns the loop, so that
 * it can step many runs in one UNet call and look at cancels, deadlines and previews in between.
 *
 *     run_begin()                      fit the image, encode it and the texts, draw z_T
 *     while (!run_done(run)) {
 *         run_wants() → rows           what the UNet is to evaluate for the next step
 *         … one UNet call for the rows of all runs of this latent size (pipeline/batcher.h) …
 *         run_feed(run, output)        estimate, high-frequency guidance, sampler
 *     }
 *     run_finish()                     decode, unfit: the fixed picture
 *
 * A run borrows its pipeline and belongs to its thread. Its result doesn't depend on the runs it
 * shared UNet calls with, beyond the rounding of the matrix kernels. */

#include "pipeline/diffusion/guidance.h"
#include "pipeline/pipeline.h"

struct run_request {
    const char *instruction; /* NUL-terminated UTF-8; "" steers by the auxiliary prompt alone */
    const char *auxiliary_prompt; /* "" or NULL: the null text */
    struct params params;         /* what is not set takes the model's defaults */
    const struct image *image;    /* borrowed by run_begin() only */
    const float *mask;           /* [mask_height,mask_width] in [0,1], 1 = to be changed; or NULL */
    int mask_width, mask_height; /* scaled to the image's size */
};

/* What there is to tell after run_begin() and after each step. */
struct run_progress {
    int step, steps; /* done, of */
    double sigma;    /* the noise level the last step started from */
    double guidance_loss;
    int has_guidance_loss;
    int64_t encode_ms, sample_ms, decode_ms; /* sample_ms: from there to the latest step */
    int width, height;                       /* of the picture inside the model */
};

/* The rows of one evaluation. */
struct run_rows {
    tensor x;                   /* [rows,2z,h,w] float32, owned by the scope */
    float t[GUIDANCE_ROWS_MAX]; /* timesteps */
    const struct unet_context *contexts[GUIDANCE_ROWS_MAX]; /* borrowed */
    int count;
};

struct run;

/* Errors  INVALID with the field's name first ("mask: …", "guidance_region: …"); NOMEM */
PF_MUST_CHECK enum pf_status run_begin(struct run **ret_run, struct pipeline *pipeline,
    const struct run_request *request, struct pf_error *err);
void run_destroy(struct run *run);

int run_done(const struct run *run); /* all steps are fed */
const struct run_progress *run_progress(const struct run *run);
const struct params *run_params(const struct run *run); /* with the model's defaults filled in */
void run_latent_size(const struct run *run, int64_t *ret_height, int64_t *ret_width);

/* In latent guidance this moves z first, with a UNet call of its own; once a step, however often it
 * is asked. */
PF_MUST_CHECK enum pf_status run_wants(
    struct run *run, struct scope *out, struct run_rows *ret_rows, struct pf_error *err);

/*   output  [rows,z,h,w] float32 of the UNet for the rows of run_wants(), borrowed */
PF_MUST_CHECK enum pf_status run_feed(struct run *run, tensor output, struct pf_error *err);

/* Whether `previews` asks for a picture after the step just fed. */
int run_preview_due(const struct run *run);

/* The current estimate as a small picture, cropped as the result will be: one pixel a latent cell;
 * or among the last `previews_decoded` ones decoded as the result will be, at most PREVIEW_SIDE_MAX
 * pixels long, for the price of a run_finish(). */
PF_MUST_CHECK enum pf_status run_preview(
    const struct run *run, struct image *ret_image, struct pf_error *err);

/* The fixed picture, in the size of the input and with its alpha. The run is then used up. */
PF_MUST_CHECK enum pf_status run_finish(
    struct run *run, struct image *ret_image, struct pf_error *err);

#endif
