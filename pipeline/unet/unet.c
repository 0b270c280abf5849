/* SPDX-License-Identifier: Apache-2.0 */
/* The UNet as a list of blocks, in the checkpoint's numbering: input_blocks push their result on a
 * stack, output_blocks pop it and go on with cat(h, popped). Which block holds what follows from
 * the sizes alone (pipeline/weights/sizes.h). */
#include "pipeline/unet/unet.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pipeline/unet/transformer.h"
#include "pipeline/weights/weights.h"

#define RES_NORM_EPS    1e-5
#define TIME_MAX_PERIOD 10000.0

enum {
    SIDE_BLOCKS_MAX = SIZES_LEVELS_MAX * (SIZES_RES_BLOCKS_MAX + 2),
    TRANSFORMERS_MAX = 2 * SIDE_BLOCKS_MAX + 1,
};

struct res_block {
    struct nn_group_norm norm1, norm2;
    struct nn_conv2d conv1, conv2;
    struct nn_linear emb;
    struct nn_conv2d skip; /* 1×1; weight NULL where channels stay */
};

struct unet_block {
    struct res_block res;                   /* conv1.weight NULL: none */
    struct spatial_transformer transformer; /* depth 0: none */
    struct nn_conv2d conv; /* first, downsampling or upsampling; weight NULL: none */
    int upsamples;
    int transformer_index; /* of the contexts' table */
};

struct unet {
    struct unet_sizes sizes;
    struct tensor_place place;
    struct scope weights; /* owns all tensors */
    struct nn_linear time1, time2;
    struct unet_block inputs[SIDE_BLOCKS_MAX], outputs[SIDE_BLOCKS_MAX], middle[2];
    int input_count, output_count;
    struct nn_group_norm out_norm;
    struct nn_conv2d out_conv;
    const struct spatial_transformer *transformers[TRANSFORMERS_MAX];
    int transformer_count;
};

struct unet_context {
    struct scope tensors;
    int count;              /* transformers × depth */
    struct context_kv kv[]; /* [transformer][depth] */
};

static struct res_block res_load(const struct weights *weights)
{
    struct res_block block = {
        .norm1 = weights_group_norm(weights, "in_layers.0", RES_NORM_EPS),
        .norm2 = weights_group_norm(weights, "out_layers.0", RES_NORM_EPS),
        .conv1 = weights_conv2d(weights, "in_layers.2", 1, 1),
        .conv2 = weights_conv2d(weights, "out_layers.3", 1, 1),
        .emb = weights_linear(weights, "emb_layers.1"),
    };
    if (weights_has(weights, "skip_connection.weight"))
        block.skip = weights_conv2d(weights, "skip_connection", 1, 0);
    return block;
}

static void load_transformer(
    struct unet *unet, struct unet_block *block, const struct weights *weights)
{
    block->transformer = spatial_transformer_load(weights, &unet->sizes);
    block->transformer_index = unet->transformer_count;
    unet->transformers[unet->transformer_count++] = &block->transformer;
}

/* A residual block, and a transformer where the level has attention. */
static void load_block(
    struct unet *unet, struct unet_block *block, const struct weights *weights, int attention)
{
    struct weights part = weights_at(weights, "0.");
    block->res = res_load(&part);
    part = weights_at(weights, "1.");
    if (attention)
        load_transformer(unet, block, &part);
}

static void load_inputs(struct unet *unet, const struct weights *root)
{
    struct weights first = weights_at(root, "input_blocks.0.");
    unet->inputs[0].conv = weights_conv2d(&first, "0", 1, 1);
    int n = 1;
    for (int l = 0; l < unet->sizes.level_count; l++) {
        for (int b = 0; b < unet->sizes.res_blocks[l]; b++, n++) {
            struct weights at = weights_at(root, "input_blocks.%d.", n);
            load_block(unet, &unet->inputs[n], &at, unet->sizes.attention[l]);
        }
        if (l + 1 == unet->sizes.level_count)
            break;
        struct weights at = weights_at(root, "input_blocks.%d.0.", n);
        unet->inputs[n++].conv = weights_conv2d(&at, "op", 2, 1);
    }
    unet->input_count = n;
}

static void load_middle(struct unet *unet, const struct weights *root)
{
    struct weights part = weights_at(root, "middle_block.0.");
    unet->middle[0].res = res_load(&part);
    part = weights_at(root, "middle_block.1.");
    if (weights_has(&part, "norm.weight"))
        load_transformer(unet, &unet->middle[0], &part);
    part = weights_at(root, "middle_block.2.");
    unet->middle[1].res = res_load(&part);
}

static void load_outputs(struct unet *unet, const struct weights *root)
{
    int n = 0;
    for (int l = unet->sizes.level_count; l-- > 0;) {
        for (int b = 0; b <= unet->sizes.res_blocks[l]; b++, n++) {
            struct weights at = weights_at(root, "output_blocks.%d.", n);
            load_block(unet, &unet->outputs[n], &at, unet->sizes.attention[l]);
        }
        if (l == 0)
            break;
        struct weights last =
            weights_at(root, "output_blocks.%d.%d.", n - 1, unet->sizes.attention[l] ? 2 : 1);
        unet->outputs[n - 1].conv = weights_conv2d(&last, "conv", 1, 1);
        unet->outputs[n - 1].upsamples = 1;
    }
    unet->output_count = n;
}

enum pf_status unet_create(struct unet **ret_unet, const struct checkpoint *checkpoint,
    const struct unet_sizes *sizes, struct tensor_place place, struct pf_error *err)
{
    struct unet *unet = calloc(1, sizeof *unet);
    if (!unet)
        return pf_fail(err, PF_NOMEM, "the UNet's table of layers");
    unet->sizes = *sizes;
    unet->place = place;
    scope_init(&unet->weights, err);
    struct weights root;
    weights_init(&root, checkpoint, place, &unet->weights, SIZES_PREFIX_UNET);
    unet->time1 = weights_linear(&root, "time_embed.0");
    unet->time2 = weights_linear(&root, "time_embed.2");
    load_inputs(unet, &root);
    load_middle(unet, &root);
    load_outputs(unet, &root);
    unet->out_norm = weights_group_norm(&root, "out.0", RES_NORM_EPS);
    unet->out_conv = weights_conv2d(&root, "out.2", 1, 1);
    unet->weights.err = NULL;
    if (err->status != PF_OK) {
        unet_destroy(unet);
        return err->status;
    }
    *ret_unet = unet;
    return PF_OK;
}

void unet_destroy(struct unet *unet)
{
    if (!unet)
        return;
    scope_finish(&unet->weights);
    free(unet);
}

const struct unet_sizes *unet_sizes(const struct unet *unet)
{
    return &unet->sizes;
}

struct tensor_place unet_place(const struct unet *unet)
{
    return unet->place;
}

enum pf_status unet_context_create(struct unet_context **ret_context, const struct unet *unet,
    tensor instruction, tensor auxiliary, struct pf_error *err)
{
    if (unet->sizes.has_extra && !auxiliary)
        return pf_fail(err, PF_INVALID, "the model has attn_extra and wants an auxiliary context");
    int depth = unet->sizes.transformer_depth, count = unet->transformer_count * depth;
    struct unet_context *context = calloc(1, sizeof *context + (size_t)count * sizeof *context->kv);
    if (!context)
        return pf_fail(err, PF_NOMEM, "keys and values of %d layers", count);
    context->count = count;
    scope_init(&context->tensors, err);
    SCOPE(s, err);
    tensor first = op_to_place(&s, instruction, unet->place);
    tensor second = auxiliary ? op_to_place(&s, auxiliary, unet->place) : NULL;
    for (int i = 0; i < count; i++)
        transformer_context(&context->tensors, &unet->transformers[i / depth]->blocks[i % depth],
            first, second, &context->kv[i]);
    context->tensors.err = NULL;
    if (err->status != PF_OK) {
        unet_context_destroy(context);
        return err->status;
    }
    *ret_context = context;
    return PF_OK;
}

void unet_context_destroy(struct unet_context *context)
{
    if (!context)
        return;
    scope_finish(&context->tensors);
    free(context);
}

/* Sinusoidal embedding of the timesteps: cosines first. [B,C] */
static tensor time_sinusoid(const struct unet *unet, struct scope *s, const float *t, int64_t rows)
{
    int64_t width = unet->sizes.model_channels, half = width / 2;
    float *values = calloc((size_t)(rows * width), sizeof *values);
    if (!values) {
        pf_fail(s->err, PF_NOMEM, "time embedding of %lld rows", (long long)rows);
        return NULL;
    }
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t i = 0; i < half; i++) {
            double frequency = exp(-log(TIME_MAX_PERIOD) * (double)i / (double)half);
            values[row * width + i] = (float)cos((double)t[row] * frequency);
            values[row * width + half + i] = (float)sin((double)t[row] * frequency);
        }
    }
    tensor sinusoid = tensor_from_f32(s, values, DIMS(rows, width));
    free(values);
    return op_to_place(s, sinusoid, unet->place);
}

/* SiLU of the time embedding: what every residual block's emb_layers start with. */
static tensor time_embedding(
    const struct unet *unet, struct scope *out, const float *t, int64_t rows)
{
    SCOPE(s, out->err);
    tensor h = nn_linear(&s, &unet->time1, time_sinusoid(unet, &s, t, rows));
    h = nn_linear(&s, &unet->time2, op_silu(&s, h));
    return scope_move(&s, op_silu(&s, h), out);
}

static tensor res_forward(struct scope *out, const struct res_block *block, tensor x, tensor emb)
{
    SCOPE(s, out->err);
    tensor h = nn_conv2d(&s, &block->conv1, nn_group_norm_silu(&s, &block->norm1, x));
    tensor shift = nn_linear(&s, &block->emb, emb);
    h = nn_add_to(&s, h, op_unsqueeze(&s, op_unsqueeze(&s, shift, 2), 3));
    h = nn_conv2d(&s, &block->conv2, nn_group_norm_silu(&s, &block->norm2, h));
    tensor skip = block->skip.weight ? nn_conv2d(&s, &block->skip, x) : x;
    return scope_move(&s, nn_add_to(&s, h, skip), out);
}

static tensor upsample(struct scope *s, tensor x)
{
    return op_upsample_nearest(s, x, 2 * tensor_dim(x, 2), 2 * tensor_dim(x, 3));
}

/* Consumes h: freed as soon as the next activation exists. */
static tensor block_forward(struct scope *out, const struct unet_block *block, tensor h, tensor emb,
    const struct context_kv *kv, int depth)
{
    SCOPE(s, out->err);
    if (block->res.conv1.weight)
        h = res_forward(&s, &block->res, h, emb);
    if (block->transformer.depth)
        h = spatial_transformer(&s, &block->transformer, h, kv + block->transformer_index * depth);
    if (block->conv.weight)
        h = nn_conv2d(&s, &block->conv, block->upsamples ? upsample(&s, h) : h);
    return scope_move(&s, h, out);
}

static tensor forward_blocks(
    const struct unet *unet, struct scope *out, tensor x, tensor emb, const struct context_kv *kv)
{
    SCOPE(s, out->err);
    int depth = unet->sizes.transformer_depth, stacked = 0;
    tensor stack[SIDE_BLOCKS_MAX];
    tensor h = x;
    for (int i = 0; i < unet->input_count; i++)
        h = stack[stacked++] = block_forward(&s, &unet->inputs[i], h, emb, kv, depth);
    for (int i = 0; i < 2; i++)
        h = block_forward(&s, &unet->middle[i], h, emb, kv, depth);
    for (int i = 0; i < unet->output_count; i++) {
        SCOPE(step, out->err);
        tensor skip = stack[--stacked];
        tensor joined = op_cat(&step, (tensor[]){h, skip}, 2, 1);
        scope_drop(&s, h);
        scope_drop(&s, skip);
        h = block_forward(&s, &unet->outputs[i], joined, emb, kv, depth);
    }
    tensor normed = nn_group_norm_silu(&s, &unet->out_norm, h);
    return scope_move(&s, nn_conv2d(&s, &unet->out_conv, normed), out);
}

/* One table of keys and values for all rows: a view when they share one context, else joined. */
static tensor join_rows(struct scope *s, const tensor *rows, int64_t count, int shared)
{
    if (!rows[0])
        return NULL;
    if (!shared)
        return op_cat(s, rows, (int)count, 0);
    return op_expand(s, rows[0], DIMS(count, -1, -1, -1));
}

/* Fills [count] keys and values, count being the contexts'. */
static void join_contexts(struct scope *s, const struct unet_context *const *contexts, int64_t rows,
    struct context_kv *ret_kv)
{
    AUTO_FREE tensor *list = calloc((size_t)rows, sizeof *list);
    if (!list) {
        pf_fail(s->err, PF_NOMEM, "contexts of %lld rows", (long long)rows);
        return;
    }
    int shared = 1;
    for (int64_t row = 1; row < rows; row++)
        shared = shared && contexts[row] == contexts[0];
    for (int i = 0; i < contexts[0]->count; i++) {
        for (int part = 0; part < CONTEXT_PARTS; part++) {
            for (int64_t row = 0; row < rows; row++)
                list[row] = contexts[row]->kv[i].parts[part];
            ret_kv[i].parts[part] = join_rows(s, list, rows, shared);
        }
    }
}

static int sizes_fit(const struct unet *unet, struct scope *s, tensor x)
{
    int64_t multiple = INT64_C(1) << (unet->sizes.level_count - 1);
    if (tensor_dim_count(x) == 4 && tensor_dim(x, 1) == unet->sizes.in_channels &&
        tensor_dim(x, 2) % multiple == 0 && tensor_dim(x, 3) % multiple == 0)
        return 1;
    pf_fail(s->err, PF_INVALID,
        "UNet input of %lld channels, %lld×%lld; expected %lld channels and multiples of %lld",
        (long long)tensor_dim(x, 1), (long long)tensor_dim(x, 2), (long long)tensor_dim(x, 3),
        (long long)unet->sizes.in_channels, (long long)multiple);
    return 0;
}

tensor unet_forward(const struct unet *unet, struct scope *out, tensor x, const float *t,
    const struct unet_context *const *contexts)
{
    SCOPE(s, out->err);
    if (!scope_ok(&s) || !sizes_fit(unet, &s, x))
        return NULL;
    int64_t rows = tensor_dim(x, 0);
    AUTO_FREE struct context_kv *kv = calloc((size_t)contexts[0]->count + 1, sizeof *kv);
    if (!kv) {
        pf_fail(s.err, PF_NOMEM, "keys and values of %d layers", contexts[0]->count);
        return NULL;
    }
    join_contexts(&s, contexts, rows, kv);
    tensor emb = time_embedding(unet, &s, t, rows);
    tensor input = op_channels_last(&s, op_to_place(&s, x, unet->place));
    tensor eps = forward_blocks(unet, &s, input, emb, kv);
    return scope_move(&s, op_contiguous(&s, op_to_type(&s, eps, TENSOR_F32)), out);
}
