/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_INSPECT_H
#define PIPELINE_WEIGHTS_INSPECT_H

/* What a checkpoint is, from names and shapes alone: no weight is read, no libtorch is needed.
 * Works on checkpoints that we couldn't run too, and says why. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "pipeline/weights/checkpoint.h"
#include "pipeline/weights/sizes.h"

enum inspect_part_kind { INSPECT_UNET, INSPECT_VAE, INSPECT_TEXT, INSPECT_PART_COUNT };

/* Tensors that belong to the making of a model, not to its use. */
enum inspect_ignored {
    INSPECT_EMA,       /* model_ema.* */
    INSPECT_LOSS,      /* loss.*, first_stage_model.loss.* */
    INSPECT_SCHEDULE,  /* betas, alphas_cumprod, … */
    INSPECT_LOGVAR,    /* logvar */
    INSPECT_OPTIMIZER, /* optimizer*, lr_schedulers* */
    INSPECT_BUFFER,    /* position_ids, num_batches_tracked */
    INSPECT_IGNORED_COUNT,
};

enum { INSPECT_DTYPE_COUNT = DTYPE_BOOL + 1, INSPECT_UNUSED_SHOWN = 8 };

struct inspect_part {
    size_t tensors;
    int64_t parameters;
    uint64_t bytes;
    size_t dtypes[INSPECT_DTYPE_COUNT]; /* tensors of each */
    int has_sizes;                      /* its member of `sizes` could be read */
};

struct inspect {
    enum checkpoint_format format;
    size_t file_size;
    size_t tensors;
    size_t skipped; /* entries of the state dict that are no tensors */
    size_t metadata;
    int has_merges;                                /* the tokenizer's merges are in the metadata */
    struct inspect_part parts[INSPECT_PART_COUNT]; /* used tensors only, when sizes could be read */
    size_t ignored[INSPECT_IGNORED_COUNT];
    size_t unused;                            /* neither used nor known to be ignored */
    char *unused_names[INSPECT_UNUSED_SHOWN]; /* the first ones */
    struct model_sizes sizes;                 /* where has_sizes */
    struct pf_error problem;                  /* PF_OK when the model can be run, else why not */
};

/* Looks a checkpoint through. PF_NOMEM only: what is wrong with the model is a finding. */
PF_MUST_CHECK enum pf_status inspect_read(
    const struct checkpoint *checkpoint, struct inspect *ret_inspect, struct pf_error *err);
void inspect_finish(struct inspect *inspect);

/* What the model can do, as words: "instructions", "auxiliary_prompt", "lora_skips",
 * "decoder_guidance", "latent_guidance", "tokenizer". Writes at most INSPECT_CAPABILITIES_MAX,
 * returns their number; 0 for a model that can't be run. */
enum { INSPECT_CAPABILITIES_MAX = 8 };
size_t inspect_capabilities(
    const struct inspect *inspect, const char *ret_names[INSPECT_CAPABILITIES_MAX]);

/* As text for people (lines, at most 100 columns), and as one JSON object without line break. */
void inspect_put_text(struct buffer *out, const struct inspect *inspect);
void inspect_put_json(struct buffer *out, const struct inspect *inspect);

const char *inspect_part_name(enum inspect_part_kind part);     /* "unet", "vae", "text" */
const char *inspect_ignored_name(enum inspect_ignored ignored); /* "ema", "loss", … */

#endif
