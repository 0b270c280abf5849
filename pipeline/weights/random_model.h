/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_RANDOM_MODEL_H
#define PIPELINE_WEIGHTS_RANDOM_MODEL_H

/* Checkpoints with random weights, of any size, for tests, benchmarks and the start of a training.
 * Matrices are normal with deviation 1/√fan_in, norms 1 and biases 0, so activations stay finite in
 * half precision too. A seed gives the same values on every machine; tensors of equal index, shape
 * and seed hold the same values in every dtype (rounded). */

#include <stdint.h>

#include "base/error.h"
#include "pipeline/weights/checkpoint.h"
#include "pipeline/weights/sizes.h"

struct random_model {
    struct model_sizes sizes;
    enum dtype dtype; /* F16, BF16 or F32 */
    enum checkpoint_format format;
    uint64_t seed;
    const char *merges; /* text of merges.txt for the metadata, or NULL; safetensors only */
};

/* Sizes by name: "tiny" (the golden case's), "small", "full" (the published ones, model.md §2),
 * heads, LoRA and attn_extra included. PF_NOT_FOUND for another name. */
PF_MUST_CHECK enum pf_status random_model_preset(
    const char *name, struct model_sizes *ret_sizes, struct pf_error *err);

/* Derives what follows from the rest (context width, factors, latent channels of the UNet; 32
 * groups where norm_groups is 0) and checks that such a model can be built. PF_INVALID. */
PF_MUST_CHECK enum pf_status random_model_complete(struct model_sizes *sizes, struct pf_error *err);

/* Writes the file, whole or not at all; the sizes must be complete. PF_IO, PF_UNSUPPORTED. */
PF_MUST_CHECK enum pf_status random_model_write(
    const struct random_model *model, const char *path, struct pf_error *err);

#endif
