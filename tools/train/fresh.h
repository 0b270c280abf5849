/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_FRESH_H
#define TOOLS_TRAIN_FRESH_H

/* Turns random weights (promptfix-mkmodel) into a start that trains well: residual branches, the
 * LoRA skips and the UNet's output begin at zero, so every block is the identity at first; the
 * UNet's view of the image condition, which comes unscaled, begins at the latent's scale. */

#include "tools/train/parameters.h"

PF_MUST_CHECK enum pf_status fresh_start(struct parameters *parameters, struct pf_error *err);

#endif
