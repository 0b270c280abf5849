/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_LPIPS_H
#define TOOLS_EVAL_LPIPS_H

/* Learned perceptual distance: how far two pictures are apart in the features of a network trained
 * on photos, each layer weighted by what people said. 0 for equal pictures, about 0.1 hard to tell
 * apart, above 0.5 very different. The weights are not part of this repository.
 * Source  Zhang, Isola, Efros, Shechtman & Wang, CVPR 2018; package lpips 0.1 */

#include "pipeline/image/image.h"

struct lpips;

/* Loads the state_dict of lpips.LPIPS(net="alex") or (net="vgg"), as safetensors or a torch zip:
 * `net.slice1.0.weight` … and `lin0.model.1.weight` …; which net it is shows in the names.
 * Errors  those of checkpoint_open(); INVALID: names or shapes of neither */
PF_MUST_CHECK enum pf_status lpips_open(
    struct lpips **ret_lpips, const char *path, struct pf_error *err);
void lpips_close(struct lpips *lpips);

/* "AlexNet" or "VGG-16". */
const char *lpips_net(const struct lpips *lpips);

/* Pictures of one size, at least 32 pixels a side (INVALID). */
PF_MUST_CHECK enum pf_status lpips_between(struct lpips *lpips, const struct image *a,
    const struct image *b, double *ret_distance, struct pf_error *err);

#endif
