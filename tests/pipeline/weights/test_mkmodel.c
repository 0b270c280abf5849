/* SPDX-License-Identifier: Apache-2.0 */
/* The program promptfix-mkmodel, whose path is in the environment as MKMODEL. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

#include "pipeline/weights/checkpoint.h"
#include "pipeline/weights/sizes.h"
#include "tests/pipeline/weights/folder.h"

enum { COMMAND_MAX = 2048 };

/* Runs it with these arguments and FOLDER/model; returns its exit status and what it printed. */
static int run(const char *arguments, char output[COMMAND_MAX])
{
    char command[COMMAND_MAX], path[FOLDER_PATH_MAX];
    const char *program = getenv("MKMODEL");
    assert_non_null(program);
    folder_path("model", path);
    snprintf(command, sizeof command, "'%s' %s '%s' 2>&1", program, arguments, path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t size = fread(output, 1, COMMAND_MAX - 1, pipe);
    output[size] = 0;
    while (fgetc(pipe) != EOF)
        continue;
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static struct checkpoint *make(const char *arguments)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *checkpoint = NULL;
    char output[COMMAND_MAX], path[FOLDER_PATH_MAX];
    if (run(arguments, output) != 0)
        fail_msg("%s: %s", arguments, output);
    folder_path("model", path);
    assert_ok(checkpoint_open(&checkpoint, path, &err), &err);
    folder_unlink("model");
    return checkpoint;
}

static void test_every_size(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes;
    struct checkpoint *checkpoint = make(
        "--unet-channels 64 --unet-mult 1,3 --unet-res-blocks 1,2 --unet-attention 0,1 "
        "--unet-heads 4 --unet-depth 2 --no-extra --vae-channels 64 --vae-mult 1,1,2 "
        "--vae-res-blocks 1 --vae-latent 8 --vae-lora-rank 3 --clip-width 48 --clip-layers 3 "
        "--clip-heads 6 --clip-vocabulary 300 --clip-positions 33 --dtype bf16 "
        "--prediction v --conv-padding edge --decoder-output affine --decoder-bands 2 --seed 5");
    assert_ok(model_sizes_read(checkpoint, &sizes, &err), &err);
    assert_int_equal(checkpoint_array_at(checkpoint, 0)->dtype, DTYPE_BF16);
    assert_int_equal(sizes.unet.level_count, 2);
    assert_int_equal(sizes.unet.channels[1], 192);
    assert_int_equal(sizes.unet.res_blocks[0], 1);
    assert_int_equal(sizes.unet.res_blocks[1], 2);
    assert_int_equal(sizes.unet.attention[0], 0);
    assert_int_equal(sizes.unet.attention[1], 1);
    assert_int_equal(sizes.unet.heads, 4);
    assert_int_equal(sizes.unet.transformer_depth, 2);
    assert_int_equal(sizes.unet.has_extra, 0);
    assert_int_equal(sizes.unet.in_channels, 16);
    assert_int_equal(sizes.vae.channels[2], 128);
    assert_int_equal(sizes.vae.res_blocks, 1);
    assert_int_equal(sizes.vae.lora_rank, 3);
    assert_int_equal(sizes.vae.bands, 2);
    assert_int_equal(sizes.clip.width, 48);
    assert_int_equal(sizes.clip.layers, 3);
    assert_int_equal(sizes.clip.heads, 6);
    assert_int_equal(sizes.clip.vocabulary, 300);
    assert_int_equal(sizes.clip.positions, 33);
    assert_int_equal(sizes.prediction, PREDICTION_V);
    assert_int_equal(sizes.conv_padding, CONV_PADDING_EDGE);
    assert_int_equal(sizes.vae.output, DECODER_OUTPUT_AFFINE);
    assert_int_equal(sizes.vae.out_channels, 8);
    assert_int_equal(sizes.model_factor, 8);
    checkpoint_close(checkpoint);
}

static void test_presets_and_formats(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes;
    /* the preset may stand behind what changes it */
    struct checkpoint *checkpoint =
        make("--clip-vocabulary 500 --format ckpt --dtype f32 --preset tiny");
    assert_int_equal(checkpoint_format(checkpoint), CHECKPOINT_TORCH_ZIP);
    assert_int_equal(checkpoint_array_at(checkpoint, 0)->dtype, DTYPE_F32);
    assert_ok(model_sizes_read(checkpoint, &sizes, &err), &err);
    assert_int_equal(sizes.clip.vocabulary, 500);
    assert_int_equal(sizes.unet.level_count, 4);
    checkpoint_close(checkpoint);
    folder_write("merges", "#version: 0.2\ni n\nt h\n", 22);
    char arguments[COMMAND_MAX], path[FOLDER_PATH_MAX];
    folder_path("merges", path);
    snprintf(arguments, sizeof arguments, "--clip-vocabulary 500 --merges '%s'", path);
    checkpoint = make(arguments);
    assert_string_equal(checkpoint_metadata(checkpoint, "merges"), "#version: 0.2\ni n\nt h\n");
    checkpoint_close(checkpoint);
    folder_unlink("merges");
}

/* The flags that make the golden case "ip2p": the same names, shapes and order. */
static void test_golden_ip2p(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *golden = NULL;
    char path[FOLDER_PATH_MAX];
    golden_path("ip2p/model.safetensors", path);
    assert_ok(checkpoint_open(&golden, path, &err), &err);
    struct checkpoint *made = make("--unet-mult 1,1,2 --vae-mult 1,1,2 --clip-layers 1 "
                                   "--clip-heads 2 --no-extra --vae-lora-rank 0");
    assert_int_equal(checkpoint_array_count(made), checkpoint_array_count(golden));
    for (size_t i = 0; i < checkpoint_array_count(made); i++) {
        const struct array *a = checkpoint_array_at(made, i), *b = checkpoint_array_at(golden, i);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->dim_count, b->dim_count);
        assert_memory_equal(a->dims, b->dims, sizeof a->dims);
    }
    checkpoint_close(made);
    checkpoint_close(golden);
}

static void check_refused(const char *arguments, const char *part)
{
    char output[COMMAND_MAX], path[FOLDER_PATH_MAX];
    int status = run(arguments, output);
    folder_path("model", path);
    if (status != 2 || !strstr(output, part))
        fail_msg("%s: exit %d, \"%s\", expected 2 with \"%s\"", arguments, status, output, part);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void test_wrong_usage(void **state)
{
    (void)state;
    char output[COMMAND_MAX];
    check_refused("--preset huge", "no preset 'huge'");
    check_refused("--dtype f64", "--dtype: 'f64'");
    check_refused("--unet-channels 33", "33 channels");
    check_refused("--unet-channels x", "'x' is not a whole number");
    check_refused("--unet-mult 1,,2", "--unet-mult");
    check_refused("--unet-mult 1,2,3,4,5,6,7,8,9", "more than 8 levels");
    check_refused("--unet-attention 1,0", "2 numbers for 4 levels");
    check_refused("--unet-res-blocks 99", "residual blocks");
    check_refused("--unet-res-blocks 9223372036854775807", "residual blocks");
    check_refused("--unet-heads 7", "7 heads");
    check_refused("--decoder-bands 1", "the decoder's bands is 1, expected 0 to 0");
    check_refused("--decoder-output affine --decoder-bands 5", "expected 0 to 4");
    check_refused("--seed -1", "'-1' is not a whole number");
    check_refused("--format ckpt --merges /dev/null", "not a merges text");
    check_refused("--unknown", "--help");
    check_refused("another", "usage:");
    assert_int_equal(run("--help", output), 0);
    assert_non_null(strstr(output, "--vae-lora-rank"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_presets_and_formats),
        cmocka_unit_test(test_golden_ip2p),
        cmocka_unit_test(test_wrong_usage),
    };
    return cmocka_run_group_tests(tests, folder_create, folder_remove);
}
