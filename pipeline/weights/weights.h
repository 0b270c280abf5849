/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_WEIGHTS_H
#define PIPELINE_WEIGHTS_WEIGHTS_H

/* From a checkpoint's arrays to tensors and layers. A `struct weights` is a view: the checkpoint, a
 * name prefix, the place to compute at, and the scope that owns what is loaded (a model's own,
 * freed with it). Loading follows the rule of scopes: after the first error everything is a no-op,
 * and the scope's `err` names the tensor. Weights don't require gradients, unless a trainer
 * replaces them.
 *
 *     struct weights block = weights_at(w, "down.%d.block.%d.", level, i);
 *     res->conv1 = weights_conv2d(&block, "conv1", 1, 1);
 */

#include "pipeline/tensor/nn.h"
#include "pipeline/weights/checkpoint.h"

enum { WEIGHTS_NAME_MAX = 256 };

struct weights {
    const struct checkpoint *checkpoint; /* borrowed; must outlive the tensors: arrays that need no
                                            conversion stay in the mapped file */
    struct scope *owner;                 /* borrowed */
    struct tensor_place place;
    int norm_groups; /* of every GroupNorm: sizes_norm_groups() */
    int pads_edge;   /* of every convolution: sizes_conv_padding() */
    char prefix[WEIGHTS_NAME_MAX];
};

void weights_init(struct weights *ret_weights, const struct checkpoint *checkpoint,
    struct tensor_place place, struct scope *owner, const char *prefix);

/* The same view with more prefix. */
struct weights weights_at(const struct weights *weights, const char *fmt, ...) PF_PRINTF(2, 3);

/* Whether the array `prefix + name` exists. */
int weights_has(const struct weights *weights, const char *name);

/* The array as a tensor at the place. PF_INVALID (in the scope's err) names a missing one. 4-D
 * arrays (convolutions) are stored channels last. */
tensor weights_tensor(const struct weights *weights, const char *name);

/* Lets a trainer put tensors of its own in the place of loaded ones: called with the full name and
 * the tensor of every array as it is loaded, on the loading thread. It returns the tensor the layer
 * is to hold (owned by `owner`), or `loaded`. One a process; NULL switches it off. */
void weights_set_replace(
    tensor (*replace)(void *context, const char *name, tensor loaded, struct scope *owner),
    void *context);

/* Layers from "<name>.weight" and, where the checkpoint has it, "<name>.bias". */
struct nn_linear weights_linear(const struct weights *weights, const char *name);
struct nn_conv2d weights_conv2d(
    const struct weights *weights, const char *name, int stride, int padding);
struct nn_group_norm weights_group_norm(
    const struct weights *weights, const char *name, double eps);
struct nn_layer_norm weights_layer_norm(
    const struct weights *weights, const char *name, double eps);

#endif
