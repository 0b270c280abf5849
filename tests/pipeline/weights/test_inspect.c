/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/jdoc.h"
#include "pipeline/weights/inspect.h"
#include "tests/pipeline/weights/folder.h"
#include "tests/pipeline/weights/variant.h"

static const char *const leftovers[] = {"model_ema.diffusion_modelout0weight", "model_ema.decay",
    "loss.perceptual.lin0", "first_stage_model.loss.discriminator.main.0.weight", "betas",
    "alphas_cumprod", "posterior_mean_coef2", "logvar", "optimizer.state",
    "cond_stage_model.transformer.text_model.embeddings.position_ids", "surprise",
    "model.diffusion_model.label_emb.0.0.weight", NULL};

static void read_variant(const struct variant *variant, struct inspect *ret_inspect)
{
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes = variant_sizes();
    struct checkpoint *checkpoint = variant_open(&sizes, variant);
    assert_ok(inspect_read(checkpoint, ret_inspect, &err), &err);
    checkpoint_close(checkpoint);
}

static void test_counts(void **state)
{
    (void)state;
    struct inspect inspect;
    const struct variant variant = {.extra = leftovers, .metadata = {"merges", "a b"}};
    read_variant(&variant, &inspect);
    assert_int_equal(inspect.problem.status, PF_OK);
    assert_int_equal(inspect.ignored[INSPECT_EMA], 2);
    assert_int_equal(inspect.ignored[INSPECT_LOSS], 2);
    assert_int_equal(inspect.ignored[INSPECT_SCHEDULE], 3);
    assert_int_equal(inspect.ignored[INSPECT_LOGVAR], 1);
    assert_int_equal(inspect.ignored[INSPECT_OPTIMIZER], 1);
    assert_int_equal(inspect.ignored[INSPECT_BUFFER], 1);
    assert_int_equal(inspect.unused, 2);
    assert_string_equal(inspect.unused_names[0], "surprise");
    size_t used = 0;
    for (int part = 0; part < INSPECT_PART_COUNT; part++) {
        used += inspect.parts[part].tensors;
        assert_int_equal(inspect.parts[part].dtypes[DTYPE_F16], inspect.parts[part].tensors);
        assert_int_equal(inspect.parts[part].bytes, 2 * inspect.parts[part].parameters);
        assert_int_equal(inspect.parts[part].has_sizes, 1);
    }
    assert_int_equal(used + 12, inspect.tensors);
    assert_int_equal(inspect.parts[INSPECT_TEXT].parameters,
        (100 + 77) * 32 + 4 * (32 * 32 + 32) + 2 * 64 + 2 * 32 * 128 + 128 + 32 + 64);
    const char *names[INSPECT_CAPABILITIES_MAX];
    assert_int_equal(inspect_capabilities(&inspect, names), 6);
    assert_string_equal(names[1], "auxiliary_prompt");
    inspect_finish(&inspect);
}

static struct jdoc *as_json(const struct inspect *inspect)
{
    struct pf_error err = PF_ERROR_INIT;
    struct jdoc *doc = NULL;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    inspect_put_json(&out, inspect);
    assert_ok(buffer_status(&out, &err), &err);
    assert_ok(jdoc_parse(&doc, out.data, out.size, &err), &err);
    return doc;
}

static void check_text(const struct inspect *inspect, const char *part)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    inspect_put_text(&out, inspect);
    if (!out.data || !strstr(out.data, part))
        fail_msg("no \"%s\" in:\n%s", part, out.data);
}

static void test_prints(void **state)
{
    (void)state;
    struct inspect inspect;
    const struct variant variant = {.extra = leftovers};
    read_variant(&variant, &inspect);
    struct jdoc *doc = as_json(&inspect);
    const struct jdoc_value *root = jdoc_root(doc), *parts = jdoc_get(root, "parts");
    const struct jdoc_value *unet = jdoc_get(parts, "unet");
    assert_string_equal(jdoc_get_string(root, "format", ""), "safetensors");
    assert_int_equal(jdoc_get_integer(root, "multiple", 0), 4);
    assert_int_equal(jdoc_get_integer(jdoc_get(root, "ignored"), "ema", 0), 2);
    assert_int_equal(jdoc_get(root, "problem")->type, JDOC_NULL);
    assert_int_equal(jdoc_get(root, "capabilities")->size, 5);
    assert_int_equal(jdoc_get_integer(unet, "model_channels", 0), 32);
    assert_int_equal(jdoc_get(unet, "channels")->size, 2);
    assert_int_equal(jdoc_get(unet, "attention")->first->type, JDOC_TRUE);
    assert_int_equal(jdoc_get_integer(jdoc_get(parts, "vae"), "lora_rank", 0), 4);
    assert_int_equal(jdoc_get_integer(jdoc_get(parts, "text"), "vocabulary", 0), 100);
    jdoc_destroy(doc);
    check_text(&inspect, "LoRA skips: rank 4");
    check_text(&inspect, "heads 8 (assumed)");
    check_text(&inspect, "ignored 2 ema, 2 loss, 3 schedule, 1 logvar, 1 optimizer, 1 buffers");
    check_text(&inspect, "unused  2\n        surprise\n");
    check_text(&inspect, "can     instructions, auxiliary_prompt");
    inspect_finish(&inspect);
}

/* A checkpoint of one part only is told apart, with the reason why it can't be run. */
static void test_incomplete(void **state)
{
    (void)state;
    struct inspect inspect;
    const struct variant variant = {.drop = "model.diffusion_model.*"};
    const char *names[INSPECT_CAPABILITIES_MAX];
    read_variant(&variant, &inspect);
    assert_int_equal(inspect.problem.status, PF_INVALID);
    assert_int_equal(inspect.parts[INSPECT_UNET].tensors, 0);
    assert_true(inspect.parts[INSPECT_VAE].tensors > 0);
    assert_int_equal(inspect_capabilities(&inspect, names), 0);
    check_text(&inspect, "unet    missing");
    check_text(&inspect, "problem the checkpoint has no tensor 'model.diffusion_model.");
    struct jdoc *doc = as_json(&inspect);
    assert_int_equal(jdoc_get(jdoc_root(doc), "problem")->type, JDOC_STRING);
    jdoc_destroy(doc);
    inspect_finish(&inspect);
    /* a part that is broken in its telling tensors still has its tensors counted */
    const struct variant broken = {.drop = "first_stage_model.post_quant_conv.weight"};
    read_variant(&broken, &inspect);
    assert_int_equal(inspect.parts[INSPECT_VAE].has_sizes, 0);
    assert_true(inspect.parts[INSPECT_VAE].tensors > 50);
    assert_int_equal(inspect.unused, 0);
    inspect_finish(&inspect);
}

static void test_golden(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *checkpoint = NULL;
    struct inspect inspect;
    char path[FOLDER_PATH_MAX];
    golden_path("tiny/model.ckpt", path);
    assert_ok(checkpoint_open(&checkpoint, path, &err), &err);
    assert_ok(inspect_read(checkpoint, &inspect, &err), &err);
    assert_int_equal(inspect.unused, 0);
    assert_int_equal(inspect.parts[INSPECT_UNET].parameters, 3382084);
    check_text(&inspect, "file    pytorch, 13.1 MB, 1100 tensors");
    inspect_finish(&inspect);
    checkpoint_close(checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_prints),
        cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_golden),
    };
    return cmocka_run_group_tests(tests, folder_create, folder_remove);
}
