/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

/* One loaded model on one device. Immutable after loading but for its caches; used by one thread.
 * Requests on it are runs (pipeline/run.h). */

#include "base/buffer.h"
#include "base/params.h"
#include "pipeline/contexts.h"
#include "pipeline/diffusion/schedule.h"
#include "pipeline/vae/vae.h"

/* What precision to compute in. AUTO: what the device is fast at (docs/speed.md). */
enum precision { PRECISION_AUTO, PRECISION_F32, PRECISION_BF16, PRECISION_F16 };

struct pipeline_options {
    const char *model;  /* checkpoint file; "": the one that ships (base/program.h) */
    const char *merges; /* tokenizer's merges table, or NULL: the checkpoint's metadata, else
                           merges.txt, merges.txt.gz or bpe_simple_vocab_16e6.txt.gz beside it */
    int device;         /* TORCH_DEVICE_CPU, or a CUDA device's index */
    enum precision precision;
    int threads; /* of the CPU; 0: one for each core this process may use */
};

struct pipeline {
    struct checkpoint *checkpoint;
    struct model_sizes sizes;
    struct tensor_place place;
    struct unet *unet;
    struct vae *vae;
    struct clip *clip;
    struct tokenizer *tokenizer;
    struct schedule schedule;
    struct contexts contexts;
    const struct unet_context *null_context; /* of ("", ""), out of `contexts` */
    struct params recommended;               /* the model's own defaults, from its metadata */
    char *name;                              /* the file's name without folder and ending */
    int64_t load_ms;
};

/* Errors  IO, CORRUPT, UNSUPPORTED, INVALID of the files; INVALID for a device or precision this
 *         machine doesn't have; NOMEM. */
PF_MUST_CHECK enum pf_status pipeline_create(
    struct pipeline **ret_pipeline, const struct pipeline_options *options, struct pf_error *err);
void pipeline_destroy(struct pipeline *pipeline);

/* Parses "cpu", "cuda:0", … to a device of this machine, "auto" to the first CUDA device or the
 * CPU. PF_INVALID names what there is. */
PF_MUST_CHECK enum pf_status pipeline_parse_device(
    const char *text, int *ret_device, struct pf_error *err);

/* Parses "auto", "float32", "bfloat16", "float16". */
PF_MUST_CHECK enum pf_status pipeline_parse_precision(
    const char *text, enum precision *ret_precision, struct pf_error *err);

/* {"id","parameters","device","dtype","load_ms","latent_channels","multiple","has_auxiliary",
 * "has_lora_skips","prediction","samplers","defaults":{…}}: the `model` of the worker's ready
 * message and of GET /v1/models. */
void pipeline_put_model_json(const struct pipeline *pipeline, struct buffer *out);

#endif
