/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix-mkmodel: writes a checkpoint with random weights of any size. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "pipeline/weights/random_model.h"

enum {
    EXIT_USAGE = 2,
    MERGES_MAX = 64 << 20,
    LIST_MAX = SIZES_LEVELS_MAX,
    ATTENTION_LEVELS_DEFAULT = 3, /* the published attention_resolutions 1, 2, 4 */
};

static const char usage[] =
    "usage: promptfix-mkmodel [OPTIONS] FILE\n"
    "\n"
    "Writes a PromptFix checkpoint with random weights: all tensors of a real one, of any size.\n"
    "What it makes of a picture looks like noise.\n"
    "\n"
    "  --preset NAME            tiny (default), small or full (the published sizes, 2.2 GB in "
    "f16);\n"
    "                           the options below change single sizes\n"
    "  --dtype T                f16 (default), bf16 or f32\n"
    "  --format F               safetensors (default) or ckpt (PyTorch zip)\n"
    "  --seed N                 same seed, same weights (default 0)\n"
    "  --merges FILE            puts the tokenizer's merges.txt into the metadata\n"
    "  --prediction P           epsilon (default), v or v_change, for the metadata\n"
    "  --norm-groups N          groups of every GroupNorm (default 32), safetensors only\n"
    "  --conv-padding P         zeros (default) or edge, for the metadata\n"
    "  --unet-channels N        model channels, a multiple of the groups\n"
    "  --unet-mult N,N,…        channels of each level as multiples of it\n"
    "  --unet-res-blocks N[,…]  residual blocks of each level\n"
    "  --unet-attention N,…     1 for a level with attention (default: the first three)\n"
    "  --unet-heads N           attention heads\n"
    "  --unet-depth N           transformer blocks in a row\n"
    "  --extra, --no-extra      the second context's attention, attn_extra\n"
    "  --vae-channels N         base channels, a multiple of the groups\n"
    "  --vae-mult N,N,…         channels of each level as multiples of it\n"
    "  --vae-res-blocks N       residual blocks of each encoder level\n"
    "  --vae-latent N           channels of the latent\n"
    "  --vae-lora-rank N        rank of the decoder's LoRA skips, 0 for none\n"
    "  --decoder-output O       picture (default) or affine: how to change the input\n"
    "  --decoder-bands N        bands of detail that an affine output weighs\n"
    "  --no-vae-attention       no attention in the VAE's middle\n"
    "  --clip-width N           width of the text encoder, and of the UNet's contexts\n"
    "  --clip-layers N          its layers\n"
    "  --clip-heads N           its heads\n"
    "  --clip-vocabulary N      its tokens\n"
    "  --clip-positions N       tokens of a text\n"
    "  --help                   prints this\n"
    "\n"
    "Exit status: 0 written, 1 it failed, 2 wrong usage.\n";

enum option_id {
    OPTION_PRESET = 256,
    OPTION_DTYPE,
    OPTION_FORMAT,
    OPTION_SEED,
    OPTION_MERGES,
    OPTION_PREDICTION,
    OPTION_NORM_GROUPS,
    OPTION_CONV_PADDING,
    OPTION_DECODER_OUTPUT,
    OPTION_DECODER_BANDS,
    OPTION_UNET_CHANNELS,
    OPTION_UNET_MULT,
    OPTION_UNET_RES_BLOCKS,
    OPTION_UNET_ATTENTION,
    OPTION_UNET_HEADS,
    OPTION_UNET_DEPTH,
    OPTION_EXTRA,
    OPTION_NO_EXTRA,
    OPTION_VAE_CHANNELS,
    OPTION_VAE_MULT,
    OPTION_VAE_RES_BLOCKS,
    OPTION_VAE_LATENT,
    OPTION_VAE_LORA_RANK,
    OPTION_NO_VAE_ATTENTION,
    OPTION_CLIP_WIDTH,
    OPTION_CLIP_LAYERS,
    OPTION_CLIP_HEADS,
    OPTION_CLIP_VOCABULARY,
    OPTION_CLIP_POSITIONS,
    OPTION_HELP,
};

static const struct option options[] = {
    {"preset", required_argument, NULL, OPTION_PRESET},
    {"dtype", required_argument, NULL, OPTION_DTYPE},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"merges", required_argument, NULL, OPTION_MERGES},
    {"prediction", required_argument, NULL, OPTION_PREDICTION},
    {"norm-groups", required_argument, NULL, OPTION_NORM_GROUPS},
    {"conv-padding", required_argument, NULL, OPTION_CONV_PADDING},
    {"decoder-output", required_argument, NULL, OPTION_DECODER_OUTPUT},
    {"decoder-bands", required_argument, NULL, OPTION_DECODER_BANDS},
    {"unet-channels", required_argument, NULL, OPTION_UNET_CHANNELS},
    {"unet-mult", required_argument, NULL, OPTION_UNET_MULT},
    {"unet-res-blocks", required_argument, NULL, OPTION_UNET_RES_BLOCKS},
    {"unet-attention", required_argument, NULL, OPTION_UNET_ATTENTION},
    {"unet-heads", required_argument, NULL, OPTION_UNET_HEADS},
    {"unet-depth", required_argument, NULL, OPTION_UNET_DEPTH},
    {"extra", no_argument, NULL, OPTION_EXTRA},
    {"no-extra", no_argument, NULL, OPTION_NO_EXTRA},
    {"vae-channels", required_argument, NULL, OPTION_VAE_CHANNELS},
    {"vae-mult", required_argument, NULL, OPTION_VAE_MULT},
    {"vae-res-blocks", required_argument, NULL, OPTION_VAE_RES_BLOCKS},
    {"vae-latent", required_argument, NULL, OPTION_VAE_LATENT},
    {"vae-lora-rank", required_argument, NULL, OPTION_VAE_LORA_RANK},
    {"no-vae-attention", no_argument, NULL, OPTION_NO_VAE_ATTENTION},
    {"clip-width", required_argument, NULL, OPTION_CLIP_WIDTH},
    {"clip-layers", required_argument, NULL, OPTION_CLIP_LAYERS},
    {"clip-heads", required_argument, NULL, OPTION_CLIP_HEADS},
    {"clip-vocabulary", required_argument, NULL, OPTION_CLIP_VOCABULARY},
    {"clip-positions", required_argument, NULL, OPTION_CLIP_POSITIONS},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

/* Lists as given; they are applied at the end, when the base channels are known. */
struct list {
    int64_t values[LIST_MAX];
    int count;
};

struct request {
    struct random_model model;
    struct list unet_mult, unet_res_blocks, unet_attention, vae_mult;
    int64_t unet_channels, vae_channels; /* 0: as in the preset */
    const char *merges_path;
};

static enum pf_status parse_number(const char *name, const char *text, const char **ret_end,
    int64_t *ret_value, struct pf_error *err)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || errno != 0 || value < 0)
        return pf_fail(err, PF_INVALID, "--%s: '%s' is not a whole number", name, text);
    *ret_end = end;
    *ret_value = value;
    return PF_OK;
}

static enum pf_status parse_one(
    const char *name, const char *text, int64_t *ret_value, struct pf_error *err)
{
    const char *end = NULL;
    PF_TRY(parse_number(name, text, &end, ret_value, err));
    return *end ? pf_fail(err, PF_INVALID, "--%s: '%s' is not a whole number", name, text) : PF_OK;
}

static enum pf_status parse_int(
    const char *name, const char *text, int *ret_value, struct pf_error *err)
{
    int64_t value = 0;
    PF_TRY(parse_one(name, text, &value, err));
    if (value > 1 << 20)
        return pf_fail(err, PF_INVALID, "--%s: %s is too large", name, text);
    *ret_value = (int)value;
    return PF_OK;
}

static enum pf_status parse_list(
    const char *name, const char *text, struct list *ret_list, struct pf_error *err)
{
    struct list list = {.count = 0};
    const char *at = text;
    for (;;) {
        if (list.count == LIST_MAX)
            return pf_fail(err, PF_INVALID, "--%s: more than %d levels", name, LIST_MAX);
        PF_TRY(parse_number(name, at, &at, &list.values[list.count++], err));
        if (*at == 0)
            break;
        if (*at++ != ',')
            return pf_fail(err, PF_INVALID, "--%s: '%s' is not a list N,N,…", name, text);
    }
    *ret_list = list;
    return PF_OK;
}

static enum pf_status parse_choice(const char *name, const char *text, const char *const *choices,
    int *ret_index, struct pf_error *err)
{
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], text) == 0) {
            *ret_index = i;
            return PF_OK;
        }
    }
    return pf_fail(err, PF_INVALID, "--%s: '%s' is no choice, see --help", name, text);
}

static enum pf_status set_choice(struct random_model *model, int option, const char *name,
    const char *value, struct pf_error *err)
{
    static const char *const dtypes[] = {"f16", "bf16", "f32", NULL};
    static const char *const formats[] = {"safetensors", "ckpt", NULL};
    int index = 0;
    if (option == OPTION_DTYPE) {
        PF_TRY(parse_choice(name, value, dtypes, &index, err));
        model->dtype = (enum dtype[]){DTYPE_F16, DTYPE_BF16, DTYPE_F32}[index];
    } else if (option == OPTION_FORMAT) {
        PF_TRY(parse_choice(name, value, formats, &index, err));
        model->format = index == 0 ? CHECKPOINT_SAFETENSORS : CHECKPOINT_TORCH_ZIP;
    } else if (option == OPTION_CONV_PADDING) {
        PF_TRY(parse_choice(name, value, conv_padding_names, &index, err));
        model->sizes.conv_padding = (enum conv_padding)index;
    } else if (option == OPTION_DECODER_OUTPUT) {
        PF_TRY(parse_choice(name, value, decoder_output_names, &index, err));
        model->sizes.vae.output = (enum decoder_output)index;
    } else {
        PF_TRY(parse_choice(name, value, prediction_type_names, &index, err));
        model->sizes.prediction = (enum prediction_type)index;
    }
    return PF_OK;
}

static enum pf_status set_option(
    struct request *request, int option, const char *name, const char *value, struct pf_error *err)
{
    struct model_sizes *sizes = &request->model.sizes;
    int64_t seed = 0;
    switch (option) {
    case OPTION_PRESET: /* done before */
        return PF_OK;
    case OPTION_SEED:
        PF_TRY(parse_one(name, value, &seed, err));
        request->model.seed = (uint64_t)seed;
        return PF_OK;
    case OPTION_MERGES:
        request->merges_path = value;
        return PF_OK;
    case OPTION_NORM_GROUPS:
        return parse_one(name, value, &sizes->norm_groups, err);
    case OPTION_UNET_CHANNELS:
        return parse_one(name, value, &request->unet_channels, err);
    case OPTION_UNET_MULT:
        return parse_list(name, value, &request->unet_mult, err);
    case OPTION_UNET_RES_BLOCKS:
        return parse_list(name, value, &request->unet_res_blocks, err);
    case OPTION_UNET_ATTENTION:
        return parse_list(name, value, &request->unet_attention, err);
    case OPTION_UNET_HEADS:
        return parse_one(name, value, &sizes->unet.heads, err);
    case OPTION_UNET_DEPTH:
        return parse_int(name, value, &sizes->unet.transformer_depth, err);
    case OPTION_EXTRA:
    case OPTION_NO_EXTRA:
        sizes->unet.has_extra = option == OPTION_EXTRA;
        return PF_OK;
    case OPTION_VAE_CHANNELS:
        return parse_one(name, value, &request->vae_channels, err);
    case OPTION_VAE_MULT:
        return parse_list(name, value, &request->vae_mult, err);
    case OPTION_VAE_RES_BLOCKS:
        return parse_int(name, value, &sizes->vae.res_blocks, err);
    case OPTION_VAE_LATENT:
        return parse_one(name, value, &sizes->vae.z_channels, err);
    case OPTION_VAE_LORA_RANK:
        return parse_one(name, value, &sizes->vae.lora_rank, err);
    case OPTION_DECODER_BANDS:
        return parse_one(name, value, &sizes->vae.bands, err);
    case OPTION_NO_VAE_ATTENTION:
        sizes->vae.has_attention = 0;
        return PF_OK;
    case OPTION_CLIP_WIDTH:
        return parse_one(name, value, &sizes->clip.width, err);
    case OPTION_CLIP_LAYERS:
        return parse_int(name, value, &sizes->clip.layers, err);
    case OPTION_CLIP_HEADS:
        return parse_one(name, value, &sizes->clip.heads, err);
    case OPTION_CLIP_VOCABULARY:
        return parse_one(name, value, &sizes->clip.vocabulary, err);
    case OPTION_CLIP_POSITIONS:
        return parse_one(name, value, &sizes->clip.positions, err);
    default:
        return set_choice(&request->model, option, name, value, err);
    }
}

/* New base channels keep the preset's multiples; new multiples may change the number of levels. */
static void apply_channels(int64_t base, const struct list *mult, int64_t *base_channels,
    int64_t channels[SIZES_LEVELS_MAX], int *level_count)
{
    const int64_t old_base = *base_channels;
    *base_channels = base ? base : old_base;
    for (int level = 0; level < *level_count; level++)
        channels[level] = channels[level] / old_base * *base_channels;
    if (mult->count == 0)
        return;
    *level_count = mult->count;
    for (int level = 0; level < mult->count; level++)
        channels[level] = mult->values[level] < 1 << 16 ? mult->values[level] * *base_channels : 0;
}

static enum pf_status apply_unet(struct request *request, struct pf_error *err)
{
    struct unet_sizes *unet = &request->model.sizes.unet;
    const struct list *blocks = &request->unet_res_blocks, *attention = &request->unet_attention;
    if (request->unet_channels > 1 << 16)
        return pf_fail(err, PF_INVALID, "--unet-channels: too large");
    apply_channels(request->unet_channels, &request->unet_mult, &unet->model_channels,
        unet->channels, &unet->level_count);
    if (blocks->count > 1 && blocks->count != unet->level_count)
        return pf_fail(err, PF_INVALID, "--unet-res-blocks: %d numbers for %d levels",
            blocks->count, unet->level_count);
    if (attention->count > 0 && attention->count != unet->level_count)
        return pf_fail(err, PF_INVALID, "--unet-attention: %d numbers for %d levels",
            attention->count, unet->level_count);
    int preset_blocks = unet->res_blocks[0];
    for (int level = 0; level < unet->level_count; level++) {
        int64_t count = blocks->count > 1 ? blocks->values[level]
                        : blocks->count   ? blocks->values[0]
                                          : preset_blocks;
        unet->res_blocks[level] = count <= SIZES_RES_BLOCKS_MAX ? (int)count : INT32_MAX;
        unet->attention[level] =
            attention->count ? attention->values[level] != 0 : level < ATTENTION_LEVELS_DEFAULT;
    }
    return PF_OK;
}

static enum pf_status write_request(struct request *request, const char *path, struct pf_error *err)
{
    struct random_model *model = &request->model;
    struct vae_sizes *vae = &model->sizes.vae;
    AUTO_BUFFER struct buffer merges = BUFFER_INIT_MAX(MERGES_MAX);
    PF_TRY(apply_unet(request, err));
    if (request->vae_channels > 1 << 16)
        return pf_fail(err, PF_INVALID, "--vae-channels: too large");
    apply_channels(request->vae_channels, &request->vae_mult, &vae->base_channels, vae->channels,
        &vae->level_count);
    if (request->merges_path) {
        PF_TRY(file_read(request->merges_path, MERGES_MAX, &merges, err));
        if (merges.size == 0 || strlen(merges.data) != merges.size)
            return pf_fail(err, PF_INVALID, "%s: not a merges text (a .gz must be unpacked first)",
                request->merges_path);
        model->merges = merges.data;
    }
    PF_TRY(random_model_complete(&model->sizes, err));
    return random_model_write(model, path, err);
}

static enum pf_status report(const char *path, struct pf_error *err)
{
    struct checkpoint *checkpoint;
    struct model_sizes sizes;
    PF_TRY(checkpoint_open(&checkpoint, path, err));
    int64_t parameters = 0;
    size_t count = checkpoint_array_count(checkpoint);
    for (size_t i = 0; i < count; i++)
        parameters += checkpoint_array_at(checkpoint, i)->element_count;
    enum pf_status status = model_sizes_read(checkpoint, &sizes, err);
    if (status == PF_OK)
        printf("%s: %zu tensors, %lld parameters, %zu bytes; pictures in multiples of %lld\n", path,
            count, (long long)parameters, checkpoint_file_size(checkpoint),
            (long long)sizes.model_factor);
    checkpoint_close(checkpoint);
    return status;
}

/* The preset comes first wherever it stands, so that the order of options doesn't matter. */
static enum pf_status read_preset(
    int argc, char **argv, struct request *request, struct pf_error *err)
{
    const char *preset = "tiny";
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == OPTION_PRESET)
            preset = optarg;
    }
    opterr = 1;
    optind = 0;
    return random_model_preset(preset, &request->model.sizes, err);
}

static int fail(const struct pf_error *err)
{
    fprintf(stderr, "promptfix-mkmodel: %s\n", err->message);
    return err->status == PF_INVALID || err->status == PF_UNSUPPORTED ? EXIT_USAGE : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    struct request request = {.model = {.dtype = DTYPE_F16, .format = CHECKPOINT_SAFETENSORS}};
    if (read_preset(argc, argv, &request, &err) != PF_OK)
        return fputs(err.message, stderr), fputc('\n', stderr), EXIT_USAGE;
    int index = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, &index)) != -1;) {
        if (option == OPTION_HELP)
            return fputs(usage, stdout), EXIT_SUCCESS;
        if (option == '?')
            return fputs("try promptfix-mkmodel --help\n", stderr), EXIT_USAGE;
        if (set_option(&request, option, options[index].name, optarg, &err) != PF_OK)
            return fail(&err);
    }
    if (argc - optind != 1)
        return fputs(usage, stderr), EXIT_USAGE;
    if (write_request(&request, argv[optind], &err) != PF_OK || report(argv[optind], &err) != PF_OK)
        return fail(&err);
    return EXIT_SUCCESS;
}
