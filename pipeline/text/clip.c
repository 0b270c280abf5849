/* SPDX-License-Identifier: Apache-2.0 */
/* A pre-norm transformer with a causal mask:
 *
 *     x = token[ids] + position
 *     x += out(attention(q, k, v of norm1(x)))      for each layer
 *     x += fc2(quick_gelu(fc1(norm2(x))))
 *     final_norm(x)
 *
 * Scores are 77×77 a head, so the attention is written out, with the mask added. */
#include "pipeline/text/clip.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/weights/weights.h"

#define CLIP_NORM_EPS   1e-5
#define QUICK_GELU_RATE 1.702 /* x·σ(1.702x) is near GELU */

struct clip_layer {
    struct nn_layer_norm norm1, norm2;
    struct nn_linear query, key, value, out; /* D → D */
    struct nn_linear fc1, fc2;               /* D → mlp_width → D */
};

struct clip {
    struct clip_sizes sizes;
    struct tensor_place place;
    struct scope weights;      /* owns all tensors */
    tensor token_embedding;    /* [vocabulary,D] */
    tensor position_embedding; /* [T,D] */
    tensor mask;               /* [T,T] 0 on and below the diagonal, -inf above */
    struct nn_layer_norm final_norm;
    struct clip_layer layers[SIZES_LAYERS_MAX];
};

static struct clip_layer load_layer(const struct weights *weights)
{
    return (struct clip_layer){
        .norm1 = weights_layer_norm(weights, "layer_norm1", CLIP_NORM_EPS),
        .norm2 = weights_layer_norm(weights, "layer_norm2", CLIP_NORM_EPS),
        .query = weights_linear(weights, "self_attn.q_proj"),
        .key = weights_linear(weights, "self_attn.k_proj"),
        .value = weights_linear(weights, "self_attn.v_proj"),
        .out = weights_linear(weights, "self_attn.out_proj"),
        .fc1 = weights_linear(weights, "mlp.fc1"),
        .fc2 = weights_linear(weights, "mlp.fc2"),
    };
}

static void load(struct clip *clip, const struct weights *root)
{
    int64_t positions = clip->sizes.positions;
    clip->token_embedding = weights_tensor(root, "embeddings.token_embedding.weight");
    clip->position_embedding = weights_tensor(root, "embeddings.position_embedding.weight");
    tensor minus = op_full(&clip->weights, clip->place, -INFINITY, DIMS(positions, positions));
    clip->mask = op_triu(&clip->weights, minus, 1);
    for (int i = 0; i < clip->sizes.layers; i++) {
        struct weights layer = weights_at(root, "encoder.layers.%d.", i);
        clip->layers[i] = load_layer(&layer);
    }
    clip->final_norm = weights_layer_norm(root, "final_layer_norm", CLIP_NORM_EPS);
}

enum pf_status clip_create(struct clip **ret_clip, const struct checkpoint *checkpoint,
    const struct clip_sizes *sizes, struct tensor_place place, struct pf_error *err)
{
    if (sizes->layers < 1 || sizes->layers > SIZES_LAYERS_MAX || sizes->heads < 1 ||
        sizes->width % sizes->heads != 0)
        return pf_fail(err, PF_INVALID,
            "text encoder of %d layers (1 … %d), width %lld, %lld heads: can't be built",
            sizes->layers, (int)SIZES_LAYERS_MAX, (long long)sizes->width, (long long)sizes->heads);
    struct clip *clip = calloc(1, sizeof *clip);
    if (!clip)
        return pf_fail(err, PF_NOMEM, "no memory for the text encoder's table of layers");
    clip->sizes = *sizes;
    clip->place = place;
    scope_init(&clip->weights, err);
    struct weights root;
    weights_init(&root, checkpoint, place, &clip->weights, SIZES_PREFIX_CLIP);
    load(clip, &root);
    clip->weights.err = NULL; /* the caller's; it may be gone before the weights are */
    if (err->status != PF_OK) {
        clip_destroy(clip);
        return err->status;
    }
    *ret_clip = clip;
    return PF_OK;
}

void clip_destroy(struct clip *clip)
{
    if (!clip)
        return;
    scope_finish(&clip->weights);
    free(clip);
}

const struct clip_sizes *clip_sizes(const struct clip *clip)
{
    return &clip->sizes;
}

struct tensor_place clip_place(const struct clip *clip)
{
    return clip->place;
}

/* An id out of range would stop a CUDA device for good, so they are looked at here. */
static void check_ids(const struct clip *clip, struct scope *s, tensor ids)
{
    if (!scope_ok(s))
        return;
    if (tensor_dim_count(ids) != 2 || tensor_dim(ids, 1) != clip->sizes.positions ||
        tensor_type(ids) != TENSOR_I64) {
        pf_fail(s->err, PF_INVALID,
            "token ids are %s with %d dimensions and %lld a text, expected int64 [B,%lld]",
            tensor_type_name(tensor_type(ids)), tensor_dim_count(ids),
            (long long)tensor_dim(ids, -1), (long long)clip->sizes.positions);
        return;
    }
    tensor host = op_contiguous(s, op_to_device(s, ids, TORCH_DEVICE_CPU));
    const int64_t *values = host ? at_data_ptr(host) : NULL;
    for (int64_t i = 0; values && i < tensor_count(host); i++)
        if (values[i] < 0 || values[i] >= clip->sizes.vocabulary) {
            pf_fail(s->err, PF_INVALID, "token id %lld, the vocabulary has %lld",
                (long long)values[i], (long long)clip->sizes.vocabulary);
            return;
        }
}

/* x [B,T,D] → [B,T,D] */
static tensor attend(
    const struct clip *clip, const struct clip_layer *layer, struct scope *out, tensor x)
{
    SCOPE(s, out->err);
    int heads = (int)clip->sizes.heads;
    double scale = 1.0 / sqrt((double)(clip->sizes.width / clip->sizes.heads));
    tensor q = nn_split_heads(&s, op_mul_scalar(&s, nn_linear(&s, &layer->query, x), scale), heads);
    tensor k = nn_split_heads(&s, nn_linear(&s, &layer->key, x), heads);
    tensor v = nn_split_heads(&s, nn_linear(&s, &layer->value, x), heads);
    tensor scores = op_add(&s, op_matmul(&s, q, op_transpose(&s, k, 2, 3)), clip->mask);
    tensor mixed = nn_merge_heads(&s, op_matmul(&s, op_softmax(&s, scores, -1), v));
    return scope_move(&s, nn_linear(&s, &layer->out, mixed), out);
}

static tensor quick_gelu(struct scope *s, tensor x)
{
    return op_mul(s, x, op_sigmoid(s, op_mul_scalar(s, x, QUICK_GELU_RATE)));
}

static tensor forward_layer(
    const struct clip *clip, const struct clip_layer *layer, struct scope *out, tensor x)
{
    SCOPE(s, out->err);
    tensor h = op_add(&s, x, attend(clip, layer, &s, nn_layer_norm(&s, &layer->norm1, x)));
    tensor mlp = nn_linear(&s, &layer->fc1, nn_layer_norm(&s, &layer->norm2, h));
    mlp = nn_linear(&s, &layer->fc2, quick_gelu(&s, mlp));
    return scope_move(&s, op_add(&s, h, mlp), out);
}

tensor clip_encode(const struct clip *clip, struct scope *out, tensor ids)
{
    SCOPE(s, out->err);
    check_ids(clip, &s, ids);
    tensor tokens =
        op_embedding(&s, clip->token_embedding, op_to_device(&s, ids, clip->place.device));
    tensor x = op_add(&s, tokens, clip->position_embedding);
    for (int i = 0; i < clip->sizes.layers; i++) {
        tensor next = forward_layer(clip, &clip->layers[i], &s, x);
        scope_drop(&s, x);
        x = next;
    }
    x = nn_layer_norm(&s, &clip->final_norm, x);
    return scope_move(&s, op_contiguous(&s, op_to_type(&s, x, TENSOR_F32)), out);
}
