/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_VAE_VAE_H
#define PIPELINE_VAE_VAE_H

/* The autoencoder: pixels to latents and back, with LoRA skip connections into the decoder.
 * Source  model.md §4; Stable Diffusion's AutoencoderKL; PromptFix §3.3
 *
 * Shapes: B batch, H×W pixels (multiples of the factor f), h = H/f, w = W/f, z latent channels. */

#include "pipeline/tensor/nn.h"
#include "pipeline/weights/checkpoint.h"
#include "pipeline/weights/sizes.h"

enum { VAE_SKIPS_MAX = SIZES_LEVELS_MAX * (SIZES_RES_BLOCKS_MAX + 1) };

/* The encoder's features in its own order: conv_in, then for each level each residual block and the
 * downsampling. Owned by the scope given to vae_encode(). */
struct vae_skips {
    tensor features[VAE_SKIPS_MAX]; /* [B,C,H/2^k,W/2^k] */
    int count;
    tensor picture; /* [B,3,H,W] what was encoded, for a decoder that says how to change it */
};

/* The decoder's LoRA convolutions, in the order the decoder runs them (deepest level first). A
 * request that is guided owns a copy; what it borrows is the model's own, never written to. */
struct vae_lora {
    tensor down[VAE_SKIPS_MAX]; /* [rank,C_in,3,3] */
    tensor up[VAE_SKIPS_MAX];   /* [C_out,rank,1,1] */
    int count;                  /* residual blocks of the decoder's up path; 0: no LoRA */
};

struct vae;

/* Loads encoder and decoder. The checkpoint must stay open as long as the VAE lives. */
PF_MUST_CHECK enum pf_status vae_create(struct vae **ret_vae, const struct checkpoint *checkpoint,
    const struct vae_sizes *sizes, struct tensor_place place, struct pf_error *err);
void vae_destroy(struct vae *vae);

const struct vae_sizes *vae_sizes(const struct vae *vae);
struct tensor_place vae_place(const struct vae *vae);

/* Encodes pixels.
 *   pixels     [B,3,H,W] about [-1,1], any float type
 *   ret_skips  filled with the features, or NULL
 * Returns   moments [B,2z,h,w]: mean, then log-variance; unscaled; in the VAE's type */
tensor vae_encode(
    const struct vae *vae, struct scope *out, tensor pixels, struct vae_skips *ret_skips);

/* The mean of moments, [B,z,h,w] float32: what the UNet is conditioned on, unscaled. */
tensor vae_mode(struct scope *out, tensor moments);

/* Decodes a latent to pixels, adding encoder features through the LoRA skips.
 *   z       [B,z,h,w] latent of the diffusion: divided by VAE_SCALE_FACTOR here
 *   skips   encoder features of the same image, or NULL: the LoRA term is left out. A decoder of
 *           `decoder_output` affine needs them for the picture that it changes
 *   lora    LoRA weights to use with the skips, any float type; NULL: the model's own
 * Returns   [B,3,H,W] about [-1,1], not clamped, in the VAE's type
 * Errors    INVALID when the skips are of another decoder's depth, or missing; NOMEM */
tensor vae_decode(const struct vae *vae, struct scope *out, tensor z, const struct vae_skips *skips,
    const struct vae_lora *lora);

/* The model's own LoRA weights (borrowed); count 0 without LoRA. */
const struct vae_lora *vae_lora(const struct vae *vae);

/* A copy to write to: float32 leaves on the VAE's device, owned by `out`. */
void vae_lora_copy(const struct vae *vae, struct scope *out, struct vae_lora *ret_copy);

/* "decoder.up.L.block.B": the checkpoint's name of LoRA number `index`. */
enum { VAE_LORA_NAME_MAX = 64 };
void vae_lora_name(const struct vae *vae, int index, char ret_name[VAE_LORA_NAME_MAX]);

#endif
