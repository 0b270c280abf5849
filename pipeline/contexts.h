/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_CONTEXTS_H
#define PIPELINE_CONTEXTS_H

/* Texts to what the UNet reads of them, remembered: a batch of a hundred photos with one
 * instruction runs the text encoder once, and the null texts of guidance are encoded once a
 * process. Belongs to one thread. */

#include "pipeline/text/clip.h"
#include "pipeline/text/tokenizer.h"
#include "pipeline/unet/unet.h"

enum { CONTEXTS_IDLE_MAX = 8 }; /* kept after their last user; 15 MB each at the published sizes */

struct contexts {
    const struct tokenizer *tokenizer; /* all three borrowed */
    const struct clip *clip;
    const struct unet *unet;
    struct contexts_entry *entries; /* most recently used first */
};

void contexts_init(struct contexts *contexts, const struct tokenizer *tokenizer,
    const struct clip *clip, const struct unet *unet);
void contexts_finish(struct contexts *contexts); /* all of them must have been given back */

/* The context of a pair of texts (NUL-terminated UTF-8; "" is the null text). Give it back with
 * contexts_put(). Errors: those of the tokenizer and of the encoder; INVALID with the field's name,
 * instruction or auxiliary_prompt, first. */
PF_MUST_CHECK enum pf_status contexts_get(struct contexts *contexts, const char *instruction,
    const char *auxiliary, const struct unet_context **ret_context, struct pf_error *err);
void contexts_put(struct contexts *contexts, const struct unet_context *context); /* NULL is fine */

/* [1,S,D] encoding of one text, as the UNet's contexts are made from. */
tensor contexts_encode(const struct contexts *contexts, struct scope *out, const char *text);

#endif
