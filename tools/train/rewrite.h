/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_REWRITE_H
#define TOOLS_TRAIN_REWRITE_H

/* Writes a checkpoint like another one with some arrays and some metadata replaced: how states are
 * saved, models exported, latents normalised. */

#include "pipeline/tensor/tensor.h"
#include "pipeline/weights/checkpoint.h"

struct rewrite_array {
    const char *name; /* borrowed */
    tensor value;     /* borrowed */
};

struct rewrite_text {
    const char *key, *value; /* value NULL: the key is left out */
};

struct rewrite {
    const struct checkpoint *source;
    const struct rewrite_array *arrays; /* in place of the source's of that name, or added behind */
    size_t array_count;
    const struct rewrite_text *texts; /* the same for metadata */
    size_t text_count;
    enum dtype dtype; /* F32 or F16, of the arrays written */
    const char
        *left_out; /* prefix of source arrays and metadata keys that are not copied, or NULL */
};

/* Writes safetensors to `path`, whole or not at all. PF_IO, PF_NOMEM; PF_INVALID: an array that is
 * no float, or not finite (named). */
PF_MUST_CHECK enum pf_status rewrite_checkpoint(
    const struct rewrite *rewrite, const char *path, struct pf_error *err);

#endif
