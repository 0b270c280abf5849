/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/fresh.h"

#include <string.h>

#include "base/cleanup.h"
#include "pipeline/vae/vae.h"

/* The last matrix of each residual branch, by the end of its name. */
static const char *const zeroed[] = {
    ".conv2.weight",        /* VAE blocks */
    ".lora.lora_up.weight", /* VAE skips */
    ".out_layers.3.weight", /* UNet blocks */
    ".proj_out.weight",     /* UNet transformers, VAE attention */
    "diffusion_model.out.2.weight",
};

#define IMAGE_INPUT "model.diffusion_model.input_blocks.0.0.weight"

#define QUANT_WEIGHT "first_stage_model.quant_conv.weight"
#define QUANT_BIAS   "first_stage_model.quant_conv.bias"

/* The noisy latent is heard this much more quietly than the image condition, or its noise drowns
 * what the UNet is to learn of the picture. */
#define START_NOISE 0.1

#define START_LOG_VARIANCE (-6.0) /* little noise, so that the latent carries something early */

static int ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), wanted = strlen(end);
    return length >= wanted && strcmp(name + length - wanted, end) == 0;
}

/* The second half of quant_conv's rows. */
static void start_log_variance(struct scope *s, struct parameter *item)
{
    int64_t half = tensor_dim(item->master, 0) / 2;
    tensor rows = op_narrow(s, item->master, 0, half, half);
    op_mul_scalar_in(s, rows, 0);
    if (tensor_dim_count(rows) == 1)
        op_copy_in(s, rows, op_add_scalar(s, rows, START_LOG_VARIANCE));
}

static void start_one(struct scope *s, struct parameter *item)
{
    for (size_t i = 0; i < COUNT_OF(zeroed); i++)
        if (ends_with(item->name, zeroed[i]))
            op_mul_scalar_in(s, item->master, 0);
    if (strcmp(item->name, IMAGE_INPUT) == 0) {
        int64_t half = tensor_dim(item->master, 1) / 2;
        op_mul_scalar_in(s, op_narrow(s, item->master, 1, half, half), VAE_SCALE_FACTOR);
        op_mul_scalar_in(s, op_narrow(s, item->master, 1, 0, half), START_NOISE);
    }
    if (strcmp(item->name, QUANT_WEIGHT) == 0 || strcmp(item->name, QUANT_BIAS) == 0)
        start_log_variance(s, item);
    op_copy_in(s, item->average, item->master);
    if (item->leaf != item->master)
        op_copy_in(s, item->leaf, item->master);
}

enum pf_status fresh_start(struct parameters *parameters, struct pf_error *err)
{
    int former = tensor_grad_enable(0);
    for (int i = 0; i < parameters->count && err->status == PF_OK; i++) {
        SCOPE(s, err);
        start_one(&s, &parameters->items[i]);
    }
    tensor_grad_enable(former);
    return err->status;
}
