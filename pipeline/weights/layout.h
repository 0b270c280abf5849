/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_LAYOUT_H
#define PIPELINE_WEIGHTS_LAYOUT_H

/* Every tensor of a model of given sizes: its CompVis name and its shape. One list serves the check
 * of a checkpoint, the count of what nobody uses, and the writing of new models. Source: model.md
 * §2–§5, the published checkpoint. */

#include <stdint.h>

#include "base/error.h"
#include "pipeline/weights/sizes.h"

enum { LAYOUT_DIMS_MAX = 4, LAYOUT_NAME_MAX = 192 };

enum layout_role {
    LAYOUT_MATRIX, /* of a linear map or convolution: [out, in, …] */
    LAYOUT_BIAS,
    LAYOUT_NORM_WEIGHT,
    LAYOUT_NORM_BIAS,
    LAYOUT_EMBEDDING, /* a table of rows: [count, width] */
};

struct layout_tensor {
    const char *name; /* whole, with its prefix; holds during the call */
    enum layout_role role;
    int dim_count;
    int64_t dims[LAYOUT_DIMS_MAX];
};

/* Called for one tensor; anything but PF_OK ends the walk and is returned. */
struct layout_visitor {
    enum pf_status (*visit)(
        void *context, const struct layout_tensor *tensor, struct pf_error *err);
    void *context;
};

/* Visits all tensors in the order in which the published code registers them. */
PF_MUST_CHECK enum pf_status layout_visit(
    const struct model_sizes *sizes, const struct layout_visitor *visitor, struct pf_error *err);

/* The parts by themselves. */
PF_MUST_CHECK enum pf_status layout_visit_unet(
    const struct unet_sizes *sizes, const struct layout_visitor *visitor, struct pf_error *err);
PF_MUST_CHECK enum pf_status layout_visit_vae(
    const struct vae_sizes *sizes, const struct layout_visitor *visitor, struct pf_error *err);
PF_MUST_CHECK enum pf_status layout_visit_clip(
    const struct clip_sizes *sizes, const struct layout_visitor *visitor, struct pf_error *err);

#endif
