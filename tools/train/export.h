/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_EXPORT_H
#define TOOLS_TRAIN_EXPORT_H

/* From a training's state to a checkpoint: the averaged weights, without the optimizer. */

#include "pipeline/weights/checkpoint.h"
#include "tools/data/shards.h"
#include "tools/train/rewrite.h"

/* Writes `state`'s averages (or, where it has none, its weights) as `dtype` to `path`, with
 * metadata texts added or replaced. */
PF_MUST_CHECK enum pf_status export_model(const struct checkpoint *state, enum dtype dtype,
    const struct rewrite_text *texts, size_t text_count, const char *path, struct pf_error *err);

/* Measures mean and deviation of every latent channel over `count` targets and folds them into
 * quant_conv and post_quant_conv, so that the diffusion's latents (scaled by VAE_SCALE_FACTOR) have
 * mean 0 and deviation 1 and every picture decodes as before. `rows` pictures are encoded at a
 * time, cropped to size × size. */
struct normalize_options {
    const struct shards *shards;
    int64_t count, rows, size;
};
PF_MUST_CHECK enum pf_status normalize_latents(const char *model, const char *merges,
    const struct normalize_options *options, const char *path, struct pf_error *err);

#endif
