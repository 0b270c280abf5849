/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_SIZES_H
#define PIPELINE_WEIGHTS_SIZES_H

/* The sizes of a model, read off the names and shapes of its checkpoint; the UNet, the VAE and the
 * text encoder are built from these structs alone. Knows nothing of libtorch.
 *
 * Level 0 is the finest resolution, level_count - 1 the deepest. Source: model.md §2–§5. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct checkpoint;

enum {
    SIZES_LEVELS_MAX = 8,      /* levels of the UNet and of the VAE */
    SIZES_BANDS_MAX = 4,       /* of an affine decoder's detail */
    SIZES_RES_BLOCKS_MAX = 16, /* in one level */
    SIZES_DEPTH_MAX = 16,      /* transformer blocks in one spatial transformer */
    SIZES_LAYERS_MAX = 64,     /* layers of the text encoder */
    SIZES_NORM_GROUPS = 32,    /* groups of every GroupNorm, unless metadata says otherwise */
};

/* Prefixes of the names, with their dots; the names below are relative to them. */
#define SIZES_PREFIX_UNET "model.diffusion_model."
#define SIZES_PREFIX_VAE  "first_stage_model."
#define SIZES_PREFIX_CLIP "cond_stage_model.transformer.text_model."

/* input_blocks.0.0 is the first convolution. Then come, for level 0, 1, …: res_blocks[level] blocks
 * (`input_blocks.N.0` a residual block, `input_blocks.N.1` a spatial transformer where
 * attention[level]), and, but for the deepest level, one block with the stride-2 convolution
 * `input_blocks.N.0.op`. The middle is residual, transformer, residual. output_blocks run from the
 * deepest level to level 0 with res_blocks[level] + 1 blocks each: `.0` residual on cat(h, skip),
 * `.1` transformer where attention[level], and in the last block of every level but level 0 an
 * upsampling `conv` as next sub-module: `.2.conv` with attention, `.1.conv` without. */
struct unet_sizes {
    int64_t in_channels;  /* noisy latent + image latent: 2 × out_channels */
    int64_t out_channels; /* channels of the latent */
    int64_t model_channels;
    int64_t time_channels; /* width of the time embedding after time_embed.0; 4 × model_channels */
    int64_t context_dim;   /* width of the text contexts; the text encoder's width */
    int64_t heads;         /* in every attention; head width = channels[level] / heads */
    int level_count;
    int64_t channels[SIZES_LEVELS_MAX]; /* of a level = model_channels × channel_mult[level] */
    int res_blocks[SIZES_LEVELS_MAX]; /* in the level's input side; the output side has one more */
    int attention[SIZES_LEVELS_MAX];  /* 1: every block of the level has a spatial transformer */
    int transformer_depth; /* transformer blocks in each spatial transformer, the middle's as well
                            */
    int has_extra;         /* norm_extra and attn_extra in every transformer block */
    int heads_known;       /* 1: heads come from metadata; 0: the customary 8 is assumed */
};

/* What the decoder's last convolution gives: the picture, as in Stable Diffusion, or how the
 * encoder's picture is to be changed, place by place: six channels, a gain g and an offset b of
 * three each, picture · (1 + g) + b. So a decoder of few weights keeps every detail it has no
 * reason to change, and says in one number a place what undoes haze (1/t - 1), darkness, a
 * translucent mark (α/(1-α)) or all that stands there (-1). Channels beyond the six are gains of
 * the picture's bands of detail (pipeline/vae/bands.h): to sharpen, or to smooth. */
enum decoder_output { DECODER_OUTPUT_PICTURE, DECODER_OUTPUT_AFFINE };

/* encoder.down.L.block.B and decoder.up.L.block.B both count levels from the finest; the decoder
 * runs them from the deepest and has one block more a level. */
struct vae_sizes {
    int64_t in_channels;    /* of the picture: 3 */
    int64_t out_channels;   /* of decoder.conv_out: 3, or 6 + bands with `output` affine */
    int64_t base_channels;  /* `ch`: conv_in of the encoder */
    int64_t z_channels;     /* encoder.conv_out gives 2 × z, decoder.conv_in takes z */
    int64_t embed_channels; /* of the latent: quant_conv maps 2z → 2e, post_quant_conv e → z */
    int level_count;
    int64_t channels[SIZES_LEVELS_MAX]; /* of a level = base_channels × ch_mult[level] */
    int res_blocks;                     /* per encoder level; the decoder has res_blocks + 1 */
    int has_attention;                  /* mid.attn_1 in encoder and decoder */
    int64_t lora_rank;          /* of decoder.up.*.block.*.lora; 0: the decoder has no LoRA skips */
    int64_t factor;             /* downsampling, 2^(level_count - 1) */
    enum decoder_output output; /* metadata `decoder_output`; picture without it */
    int64_t bands;              /* of detail that an affine output weighs */
};

struct clip_sizes {
    int64_t width;
    int64_t heads;
    int64_t vocabulary;
    int64_t positions; /* tokens of a text */
    int64_t mlp_width; /* of mlp.fc1 */
    int layers;
    int heads_known; /* 1: heads come from metadata; 0: width / 64 (at least 1) is assumed */
};

#define VAE_SCALE_FACTOR 0.18215 /* diffusion latents are the VAE's times this */

/* What convolutions see beyond the border: zeros as in Stable Diffusion, or the border's own
 * values. With zeros much of a small training crop is touched by its border, little of a picture.
 */
enum conv_padding { CONV_PADDING_ZEROS, CONV_PADDING_EDGE };

enum prediction_type { PREDICTION_EPSILON, PREDICTION_V, PREDICTION_V_CHANGE };

struct model_sizes {
    struct unet_sizes unet;
    struct vae_sizes vae;
    struct clip_sizes clip;
    enum prediction_type prediction; /* metadata `prediction_type`; epsilon without it */
    int64_t norm_groups;             /* of every GroupNorm, channel counts are multiples: metadata
                                        `norm_groups`, 32 without */
    enum conv_padding conv_padding;  /* metadata `conv_padding`; zeros without it */
    int64_t model_factor; /* pixel sizes must be multiples: vae.factor × 2^(unet.level_count - 1) */
};

/* Derives all sizes, then holds every tensor the model needs against them, name by name, and the
 * three parts against each other. Tensors nobody needs are no error (inspect.h counts them).
 * Errors  PF_INVALID a tensor is missing or has another shape or dtype (named, with both shapes),
 *         parts don't fit together; PF_UNSUPPORTED a structure we don't build. */
PF_MUST_CHECK enum pf_status model_sizes_read(
    const struct checkpoint *checkpoint, struct model_sizes *ret_sizes, struct pf_error *err);

/* The parts by themselves, without the check of every tensor. */
PF_MUST_CHECK enum pf_status unet_sizes_read(
    const struct checkpoint *checkpoint, struct unet_sizes *ret_sizes, struct pf_error *err);
PF_MUST_CHECK enum pf_status vae_sizes_read(
    const struct checkpoint *checkpoint, struct vae_sizes *ret_sizes, struct pf_error *err);
PF_MUST_CHECK enum pf_status clip_sizes_read(
    const struct checkpoint *checkpoint, struct clip_sizes *ret_sizes, struct pf_error *err);

/* Replaces the head counts, which shapes can't tell, by the caller's (a .ckpt has no metadata).
 * PF_INVALID when a width is not a multiple. */
PF_MUST_CHECK enum pf_status model_sizes_set_heads(
    struct model_sizes *sizes, int64_t unet_heads, int64_t clip_heads, struct pf_error *err);

/* Groups of every GroupNorm: the checkpoint's metadata `norm_groups`, 32 without it. A value that
 * is no count reads as 32 here; the readers above refuse it. */
int64_t sizes_norm_groups(const struct checkpoint *checkpoint);

/* The metadata `conv_padding`; another value than its two reads as zeros here, as above. */
enum conv_padding sizes_conv_padding(const struct checkpoint *checkpoint);

extern const char *const conv_padding_names[];    /* NULL-terminated, as the enum */
extern const char *const decoder_output_names[];  /* NULL-terminated, as the enum */
extern const char *const prediction_type_names[]; /* NULL-terminated */
const char *prediction_type_name(enum prediction_type prediction);

#endif
