/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TEXT_CLIP_H
#define PIPELINE_TEXT_CLIP_H

/* CLIP's text encoder: token ids to the contexts that the UNet attends to.
 * Source  model.md §3; Radford et al. 2021; transformers' CLIPTextModel (names)
 *
 * Shapes: B texts, T tokens (`positions`, 77), D width. */

#include "pipeline/tensor/nn.h"
#include "pipeline/weights/checkpoint.h"
#include "pipeline/weights/sizes.h"

struct clip;

/* Loads the encoder. The checkpoint must stay open as long as it lives. */
PF_MUST_CHECK enum pf_status clip_create(struct clip **ret_clip,
    const struct checkpoint *checkpoint, const struct clip_sizes *sizes, struct tensor_place place,
    struct pf_error *err);
void clip_destroy(struct clip *clip);

const struct clip_sizes *clip_sizes(const struct clip *clip);
struct tensor_place clip_place(const struct clip *clip);

/* Encodes texts.
 *   ids       [B,T] int64 token ids (tokenizer_encode()), on any device
 * Returns   [B,T,D] float32, the last hidden state after the final norm. Position t depends on the
 *           tokens 0 … t alone; a row doesn't depend on the other rows.
 * Errors    INVALID when T is not `positions`, or an id is outside the vocabulary; NOMEM */
tensor clip_encode(const struct clip *clip, struct scope *out, tensor ids);

#endif
