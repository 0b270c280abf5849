/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "pipeline/weights/checkpoint.h"
#include "pipeline/weights/layout.h"
#include "pipeline/weights/random_model.h"
#include "pipeline/weights/sizes.h"
#include "tests/pipeline/weights/folder.h"
#include "tests/pipeline/weights/variant.h"

static struct checkpoint *open_golden(const char *name)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *checkpoint = NULL;
    char path[FOLDER_PATH_MAX];
    golden_path(name, path);
    assert_ok(checkpoint_open(&checkpoint, path, &err), &err);
    return checkpoint;
}

/* Visits the layout beside the checkpoint's own order: same names, same shapes, none left over. */
struct comparison {
    const struct checkpoint *checkpoint;
    size_t index;
};

static enum pf_status compare_tensor(
    void *context, const struct layout_tensor *tensor, struct pf_error *err)
{
    struct comparison *comparison = context;
    (void)err;
    assert_true(comparison->index < checkpoint_array_count(comparison->checkpoint));
    const struct array *array = checkpoint_array_at(comparison->checkpoint, comparison->index++);
    assert_string_equal(array->name, tensor->name);
    assert_int_equal(array->dim_count, tensor->dim_count);
    for (int i = 0; i < array->dim_count; i++)
        assert_int_equal(array->dims[i], tensor->dims[i]);
    return PF_OK;
}

static void check_same_layout(const struct checkpoint *checkpoint, const struct model_sizes *sizes)
{
    struct pf_error err = PF_ERROR_INIT;
    struct comparison comparison = {checkpoint, 0};
    struct layout_visitor visitor = {compare_tensor, &comparison};
    assert_ok(layout_visit(sizes, &visitor, &err), &err);
    assert_int_equal(comparison.index, checkpoint_array_count(checkpoint));
}

/* The preset is the golden case: sizes, names, shapes and order. */
static void test_golden_tiny(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes, preset;
    struct checkpoint *checkpoint = open_golden("tiny/model.safetensors");
    assert_ok(model_sizes_read(checkpoint, &sizes, &err), &err);
    assert_ok(random_model_preset("tiny", &preset, &err), &err);
    assert_memory_equal(&sizes, &preset, sizeof sizes);
    check_same_layout(checkpoint, &preset);
    assert_int_equal(sizes.model_factor, 64);
    checkpoint_close(checkpoint);
    /* the ckpt has no metadata: heads are assumed, and can be set */
    checkpoint = open_golden("tiny/model.ckpt");
    assert_ok(model_sizes_read(checkpoint, &sizes, &err), &err);
    assert_int_equal(sizes.unet.heads, 8);
    assert_int_equal(sizes.unet.heads_known, 0);
    assert_int_equal(sizes.clip.heads_known, 0);
    assert_fails(model_sizes_set_heads(&sizes, 8, 5, &err), PF_INVALID, "5 heads", &err);
    assert_fails(model_sizes_set_heads(&sizes, 7, 4, &err), PF_INVALID, "7 heads", &err);
    assert_fails(model_sizes_set_heads(&sizes, 0, 4, &err), PF_INVALID, "0 heads", &err);
    assert_ok(model_sizes_set_heads(&sizes, 8, 4, &err), &err);
    assert_memory_equal(&sizes, &preset, sizeof sizes);
    checkpoint_close(checkpoint);
}

static void test_golden_ip2p(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes;
    struct checkpoint *checkpoint = open_golden("ip2p/model.safetensors");
    assert_ok(model_sizes_read(checkpoint, &sizes, &err), &err);
    check_same_layout(checkpoint, &sizes);
    assert_int_equal(sizes.unet.level_count, 3);
    assert_int_equal(sizes.unet.channels[2], 64);
    assert_int_equal(sizes.unet.attention[2], 1);
    assert_int_equal(sizes.unet.has_extra, 0);
    assert_int_equal(sizes.vae.lora_rank, 0);
    assert_int_equal(sizes.clip.heads, 2);
    assert_int_equal(sizes.model_factor, 16);
    checkpoint_close(checkpoint);
}

static void check_reads_back(const struct model_sizes *sizes)
{
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes read;
    struct variant variant = {0};
    char unet_heads[24], clip_heads[24];
    snprintf(unet_heads, sizeof unet_heads, "%d", (int)sizes->unet.heads);
    snprintf(clip_heads, sizeof clip_heads, "%d", (int)sizes->clip.heads);
    variant.metadata[0] = "unet_num_heads";
    variant.metadata[1] = unet_heads;
    variant.metadata[2] = "clip_num_heads";
    variant.metadata[3] = clip_heads;
    variant.metadata[4] = "prediction_type";
    variant.metadata[5] = prediction_type_name(sizes->prediction);
    struct checkpoint *checkpoint = variant_open(sizes, &variant);
    assert_ok(model_sizes_read(checkpoint, &read, &err), &err);
    assert_int_equal(read.unet.heads, sizes->unet.heads);
    assert_int_equal(read.unet.level_count, sizes->unet.level_count);
    for (int level = 0; level < read.unet.level_count; level++) {
        assert_int_equal(read.unet.channels[level], sizes->unet.channels[level]);
        assert_int_equal(read.unet.res_blocks[level], sizes->unet.res_blocks[level]);
        assert_int_equal(read.unet.attention[level], sizes->unet.attention[level]);
    }
    assert_int_equal(read.unet.transformer_depth, sizes->unet.transformer_depth);
    assert_int_equal(read.unet.has_extra, sizes->unet.has_extra);
    assert_memory_equal(&read.vae.level_count, &sizes->vae.level_count, sizeof(int));
    assert_int_equal(read.vae.res_blocks, sizes->vae.res_blocks);
    assert_int_equal(read.vae.lora_rank, sizes->vae.lora_rank);
    assert_int_equal(read.vae.has_attention, sizes->vae.has_attention);
    assert_int_equal(read.vae.embed_channels, sizes->vae.embed_channels);
    assert_int_equal(read.vae.factor, sizes->vae.factor);
    assert_int_equal(read.clip.mlp_width, sizes->clip.mlp_width);
    assert_int_equal(read.clip.layers, sizes->clip.layers);
    assert_int_equal(read.prediction, sizes->prediction);
    assert_int_equal(read.model_factor, sizes->model_factor);
    checkpoint_close(checkpoint);
}

/* What the golden cases don't have: uneven levels, no attention at all in the VAE, other depths. */
static void test_other_structures(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes = variant_sizes();
    check_reads_back(&sizes);
    sizes.unet.res_blocks[1] = 3;
    sizes.unet.transformer_depth = 2;
    sizes.unet.has_extra = 0;
    sizes.unet.attention[0] = 0;
    sizes.unet.attention[1] = 1;
    sizes.unet.channels[0] = 64; /* not the model channels */
    sizes.unet.heads = 4;
    sizes.vae.has_attention = 0;
    sizes.vae.lora_rank = 2;
    sizes.vae.res_blocks = 1;
    sizes.vae.z_channels = 8;
    sizes.prediction = PREDICTION_V_CHANGE;
    assert_ok(random_model_complete(&sizes, &err), &err);
    check_reads_back(&sizes);
    sizes.unet.level_count = sizes.vae.level_count = 1;
    assert_ok(random_model_complete(&sizes, &err), &err);
    check_reads_back(&sizes);
    assert_int_equal(sizes.model_factor, 1);
}

static void check_variant_fails(
    const struct variant *variant, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes = variant_sizes(), read;
    struct checkpoint *checkpoint = variant_open(&sizes, variant);
    assert_fails(model_sizes_read(checkpoint, &read, &err), status, part, &err);
    checkpoint_close(checkpoint);
}

struct dropping {
    size_t count;
};

/* Without any one tensor the model is refused, and the message names that tensor or, where a whole
 * structure hangs on it, another of the same part. */
static enum pf_status drop_tensor(
    void *context, const struct layout_tensor *tensor, struct pf_error *err)
{
    struct dropping *dropping = context;
    struct model_sizes sizes = variant_sizes(), read;
    dropping->count++;
    struct variant variant = {.drop = tensor->name};
    struct checkpoint *checkpoint = variant_open(&sizes, &variant);
    struct pf_error found = PF_ERROR_INIT;
    (void)err;
    if (model_sizes_read(checkpoint, &read, &found) != PF_INVALID)
        fail_msg("without %s: %s", tensor->name, pf_status_name(found.status));
    assert_non_null(strstr(found.message, "'"));
    checkpoint_close(checkpoint);
    return PF_OK;
}

static void test_any_missing_tensor_fails(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes = variant_sizes();
    struct dropping dropping = {0};
    struct layout_visitor visitor = {drop_tensor, &dropping};
    assert_ok(layout_visit(&sizes, &visitor, &err), &err);
    assert_true(dropping.count > 300);
}

static void test_missing_is_named(void **state)
{
    (void)state;
    static const char *const names[] = {
        "model.diffusion_model.output_blocks.1.0.emb_layers.1.weight",
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn_extra.to_q.weight",
        "model.diffusion_model.time_embed.0.weight",
        "first_stage_model.decoder.up.1.block.1.lora.lora_up.weight",
        "first_stage_model.quant_conv.bias",
        "cond_stage_model.transformer.text_model.final_layer_norm.weight",
        "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct variant variant = {.drop = names[i]};
        check_variant_fails(&variant, PF_INVALID, names[i]);
    }
    const struct variant no_vae = {.drop = "first_stage_model.*"};
    check_variant_fails(
        &no_vae, PF_INVALID, "no tensor 'first_stage_model.encoder.conv_in.weight'");
}

static void test_wrong_shapes_and_types(void **state)
{
    (void)state;
    const struct variant shape = {.reshape = "first_stage_model.decoder.conv_in.bias"};
    const struct variant dims = {.reshape = "model.diffusion_model.input_blocks.0.0.weight"};
    const struct variant type = {.retype = "first_stage_model.decoder.conv_in.bias"};
    check_variant_fails(&shape, PF_INVALID,
        "tensor 'first_stage_model.decoder.conv_in.bias' has shape [1,2], expected [32]");
    check_variant_fails(&dims, PF_INVALID, "has 2 dimensions, expected 4");
    check_variant_fails(&type, PF_UNSUPPORTED, "conv_in.bias' is of I64");
}

static void test_bad_metadata(void **state)
{
    (void)state;
    const struct variant heads = {.metadata = {"unet_num_heads", "5"}};
    const struct variant text = {.metadata = {"unet_num_heads", "8x"}};
    const struct variant zero = {.metadata = {"clip_num_heads", "0"}};
    const struct variant clip = {.metadata = {"clip_num_heads", "3"}};
    const struct variant padding = {.metadata = {"conv_padding", "mirror"}};
    const struct variant output = {.metadata = {"decoder_output", "noise"}};
    const struct variant affine = {.metadata = {"decoder_output", "affine"}};
    const struct variant prediction = {.metadata = {"prediction_type", "x0"}};
    check_variant_fails(&heads, PF_INVALID, "can't be split into 5 heads");
    check_variant_fails(&text, PF_INVALID, "'8x'");
    check_variant_fails(&zero, PF_INVALID, "'0'");
    check_variant_fails(&clip, PF_INVALID, "width 32 can't be split into 3 heads");
    check_variant_fails(&padding, PF_UNSUPPORTED, "'mirror', expected one of 'zeros', 'edge'");
    check_variant_fails(&output, PF_UNSUPPORTED, "'noise', expected one of 'picture', 'affine'");
    check_variant_fails(
        &affine, PF_UNSUPPORTED, "3 out; pictures have 3, and decoder_output affine has 6 to 10");
    check_variant_fails(&prediction, PF_UNSUPPORTED, "'x0', expected one of 'epsilon', 'v'");
}

static void test_parts_must_fit(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct variant none = {0};
    struct model_sizes sizes = variant_sizes(), read;
    sizes.unet.context_dim = 64;
    struct checkpoint *checkpoint = variant_open(&sizes, &none);
    assert_fails(model_sizes_read(checkpoint, &read, &err), PF_INVALID,
        "contexts have width 64, the text encoder gives 32", &err);
    checkpoint_close(checkpoint);
    sizes = variant_sizes();
    sizes.unet.in_channels = 4;
    checkpoint = variant_open(&sizes, &none);
    assert_fails(model_sizes_read(checkpoint, &read, &err), PF_INVALID,
        "takes 4 channels and gives 4, for latents of 4 it needs 8 and 4", &err);
    checkpoint_close(checkpoint);
    sizes = variant_sizes();
    sizes.vae.channels[1] = 48;
    checkpoint = variant_open(&sizes, &none);
    assert_fails(model_sizes_read(checkpoint, &read, &err), PF_UNSUPPORTED,
        "48 channels in level 1, expected a multiple of 32", &err);
    checkpoint_close(checkpoint);
}

static void test_norm_groups(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct variant eight = {.metadata = {"norm_groups", "8", "unet_num_heads", "2"}};
    struct variant none = {.metadata = {"norm_groups", "none"}};
    struct model_sizes sizes = variant_sizes(), read;
    sizes.vae.channels[1] = 48;
    struct checkpoint *checkpoint = variant_open(&sizes, &eight);
    assert_ok(model_sizes_read(checkpoint, &read, &err), &err);
    assert_int_equal(read.norm_groups, 8);
    assert_int_equal(sizes_norm_groups(checkpoint), 8);
    checkpoint_close(checkpoint);
    checkpoint = variant_open(&sizes, &none);
    assert_fails(model_sizes_read(checkpoint, &read, &err), PF_INVALID, "norm_groups", &err);
    checkpoint_close(checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_tiny),
        cmocka_unit_test(test_golden_ip2p),
        cmocka_unit_test(test_other_structures),
        cmocka_unit_test(test_any_missing_tensor_fails),
        cmocka_unit_test(test_missing_is_named),
        cmocka_unit_test(test_wrong_shapes_and_types),
        cmocka_unit_test(test_bad_metadata),
        cmocka_unit_test(test_parts_must_fit),
        cmocka_unit_test(test_norm_groups),
    };
    return cmocka_run_group_tests(tests, folder_create, folder_remove);
}
