/* SPDX-License-Identifier: Apache-2.0 */
/* The text encoder against both golden cases; skipped where TEST_GOLDEN_DIR is missing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jdoc.h"
#include "pipeline/text/clip.h"
#include "pipeline/text/tokenizer.h"

enum { PATH_SIZE = 512, NAME_SIZE = 128, CASE_MAX = 1 << 16, TEXTS_MAX = 2, POSITIONS_MAX = 128 };

#define TOLERANCE 1e-3 /* of the largest expected value */

static const char merges_path[] = TEST_GOLDEN_DIR "/tiny/merges.txt";

struct golden {
    struct checkpoint *model, *expected;
    struct clip_sizes sizes;
    struct clip *clip;
    struct tokenizer *tokenizer;
    struct pf_error err;
};

/* Sizes from shapes and case.json alone, so that this test stands on nothing but the encoder. */
static void read_sizes(struct golden *golden, const struct jdoc_value *root)
{
    const struct array *token =
        checkpoint_find(golden->model, SIZES_PREFIX_CLIP "embeddings.token_embedding.weight");
    const struct array *position =
        checkpoint_find(golden->model, SIZES_PREFIX_CLIP "embeddings.position_embedding.weight");
    const struct jdoc_value *clip = jdoc_get(root, "clip");
    assert_non_null(token);
    assert_non_null(position);
    golden->sizes = (struct clip_sizes){.width = token->dims[1],
        .heads = jdoc_get_integer(clip, "heads", 0),
        .vocabulary = token->dims[0],
        .positions = position->dims[0],
        .mlp_width = 4 * token->dims[1],
        .layers = (int)jdoc_get_integer(clip, "layers", 0)};
}

static struct jdoc *open_or_skip(struct golden *golden, const char *name)
{
    char path[PATH_SIZE];
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    struct jdoc *doc = NULL;
    const struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    *golden = (struct golden){.err = PF_ERROR_INIT};
    snprintf(path, sizeof path, "%s/%s/case.json", TEST_GOLDEN_DIR, name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    assert_ok(file_read(path, CASE_MAX, &file, &golden->err), &golden->err);
    assert_ok(jdoc_parse(&doc, file.data, file.size, &golden->err), &golden->err);
    snprintf(path, sizeof path, "%s/%s/model.safetensors", TEST_GOLDEN_DIR, name);
    assert_ok(checkpoint_open(&golden->model, path, &golden->err), &golden->err);
    snprintf(path, sizeof path, "%s/%s/expected.safetensors", TEST_GOLDEN_DIR, name);
    assert_ok(checkpoint_open(&golden->expected, path, &golden->err), &golden->err);
    read_sizes(golden, jdoc_root(doc));
    assert_ok(clip_create(&golden->clip, golden->model, &golden->sizes, place, &golden->err),
        &golden->err);
    assert_ok(tokenizer_create_from_file(
                  &golden->tokenizer, merges_path, (size_t)golden->sizes.vocabulary, &golden->err),
        &golden->err);
    return doc;
}

static void close_golden(struct golden *golden, struct jdoc *doc)
{
    clip_destroy(golden->clip);
    tokenizer_destroy(golden->tokenizer);
    checkpoint_close(golden->model);
    checkpoint_close(golden->expected);
    jdoc_destroy(doc);
}

static tensor encode(struct golden *golden, struct scope *s, const char *const *texts, int count)
{
    int64_t ids[TEXTS_MAX * POSITIONS_MAX], positions = golden->sizes.positions;
    assert_true(positions <= POSITIONS_MAX && count <= TEXTS_MAX);
    for (int i = 0; i < count; i++)
        assert_ok(tokenizer_encode(golden->tokenizer, texts[i], strlen(texts[i]), (size_t)positions,
                      ids + i * positions, NULL, &golden->err),
            &golden->err);
    tensor encoded = clip_encode(golden->clip, s, tensor_from_i64(s, ids, DIMS(count, positions)));
    if (!encoded)
        fail_msg("clip_encode: %s", golden->err.message);
    return encoded;
}

static void check_equal(
    const char *name, const float *got, const float *expected, size_t count, double tolerance)
{
    double error = 0, scale = 0;
    for (size_t i = 0; i < count; i++) {
        error = fmax(error, fabs((double)got[i] - (double)expected[i]));
        scale = fmax(scale, fabs((double)expected[i]));
        assert_true(isfinite(got[i]));
    }
    print_message("%s: max error %.2e of %.2e\n", name, error, scale);
    assert_true(scale > 0 && error <= tolerance * scale);
}

static void check_texts(
    struct golden *golden, const char *name, const char *const *texts, int count)
{
    SCOPE(s, &golden->err);
    tensor encoded = encode(golden, &s, texts, count);
    const struct array *expected = checkpoint_find(golden->expected, name);
    assert_non_null(expected);
    assert_int_equal(expected->dtype, DTYPE_F32);
    assert_int_equal(expected->dim_count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tensor_dim(encoded, i), expected->dims[i]);
    size_t elements = (size_t)expected->element_count;
    AUTO_FREE float *got = malloc(elements * sizeof *got),
                    *wanted = malloc(elements * sizeof *wanted);
    assert_true(got && wanted);
    memcpy(wanted, expected->data, elements * sizeof *wanted);
    assert_ok(tensor_to_f32(encoded, got, expected->element_count, &golden->err), &golden->err);
    check_equal(name, got, wanted, elements, TOLERANCE);
}

static void check_case(const char *name)
{
    struct golden golden;
    struct jdoc *doc = open_or_skip(&golden, name);
    const char *auxiliary = jdoc_get_string(jdoc_root(doc), "auxiliary", NULL);
    const char *const texts[] = {jdoc_get_string(jdoc_root(doc), "instruction", ""), auxiliary};
    const char *const nothing[] = {"", ""};
    check_texts(&golden, "text.cond", texts, auxiliary ? 2 : 1);
    check_texts(&golden, "text.null", nothing, auxiliary ? 2 : 1);
    close_golden(&golden, doc);
}

static void test_tiny(void **state)
{
    (void)state;
    check_case("tiny");
}

static void test_ip2p(void **state)
{
    (void)state;
    check_case("ip2p");
}

/* In bfloat16 the encoder stays near its float32 self (8 bits of mantissa) and still gives float32.
 */
static void test_bfloat16(void **state)
{
    (void)state;
    struct golden golden;
    struct jdoc *doc = open_or_skip(&golden, "tiny");
    const struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_BF16};
    const char *const texts[] = {"remove the snow"};
    int64_t row = golden.sizes.width * golden.sizes.positions;
    AUTO_FREE float *full = calloc((size_t)row, sizeof *full);
    AUTO_FREE float *half = calloc((size_t)row, sizeof *half);
    assert_true(full && half);
    SCOPE(s, &golden.err);
    assert_ok(tensor_to_f32(encode(&golden, &s, texts, 1), full, row, &golden.err), &golden.err);
    clip_destroy(golden.clip);
    assert_ok(
        clip_create(&golden.clip, golden.model, &golden.sizes, place, &golden.err), &golden.err);
    assert_int_equal(clip_place(golden.clip).type, TENSOR_BF16);
    tensor encoded = encode(&golden, &s, texts, 1);
    assert_int_equal(tensor_type(encoded), TENSOR_F32);
    assert_ok(tensor_to_f32(encoded, half, row, &golden.err), &golden.err);
    check_equal("bfloat16", half, full, (size_t)row, 0.03);
    scope_finish(&s);
    close_golden(&golden, doc);
}

/* A row is the same whoever shares the batch, and position t is the same whatever follows. */
static void test_rows_and_positions_are_independent(void **state)
{
    (void)state;
    struct golden golden;
    struct jdoc *doc = open_or_skip(&golden, "tiny");
    const char *const both[] = {"remove the snow", "remove the haze"};
    int64_t width = golden.sizes.width, row = width * golden.sizes.positions;
    AUTO_FREE float *pair = calloc((size_t)(2 * row), sizeof *pair);
    AUTO_FREE float *solo = calloc((size_t)row, sizeof *solo);
    assert_true(pair && solo);
    SCOPE(s, &golden.err);
    assert_ok(tensor_to_f32(encode(&golden, &s, both, 2), pair, 2 * row, &golden.err), &golden.err);
    assert_ok(tensor_to_f32(encode(&golden, &s, both + 1, 1), solo, row, &golden.err), &golden.err);
    check_equal("row", pair + row, solo, (size_t)row, TOLERANCE);
    check_equal("first three positions", pair, pair + row, (size_t)(3 * width), TOLERANCE);
    double difference = 0;
    for (int64_t i = 3 * width; i < row; i++)
        difference = fmax(difference, fabs((double)pair[i] - (double)pair[row + i]));
    assert_true(difference > 0.1);
    scope_finish(&s);
    close_golden(&golden, doc);
}

static void check_refused(
    struct golden *golden, const int64_t *ids, const int64_t *dims, int dim_count, const char *part)
{
    SCOPE(s, &golden->err);
    assert_null(clip_encode(golden->clip, &s, tensor_from_i64(&s, ids, dims, dim_count)));
    assert_int_equal(golden->err.status, PF_INVALID);
    if (!strstr(golden->err.message, part))
        fail_msg("message: %s", golden->err.message);
    golden->err = (struct pf_error)PF_ERROR_INIT;
}

static void test_bad_ids(void **state)
{
    (void)state;
    struct golden golden;
    struct jdoc *doc = open_or_skip(&golden, "tiny");
    int64_t ids[POSITIONS_MAX] = {0}, positions = golden.sizes.positions;
    assert_true(positions > 5 && positions <= POSITIONS_MAX);
    check_refused(&golden, ids, DIMS(1, positions - 1), "expected int64");
    check_refused(&golden, ids, DIMS(positions), "expected int64");
    ids[5] = golden.sizes.vocabulary;
    check_refused(&golden, ids, DIMS(1, positions), "token id 49408");
    ids[5] = -1;
    check_refused(&golden, ids, DIMS(1, positions), "token id -1");
    close_golden(&golden, doc);
}

static void test_bad_models(void **state)
{
    (void)state;
    struct golden golden;
    struct jdoc *doc = open_or_skip(&golden, "tiny");
    const struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    struct clip *clip = NULL;
    struct clip_sizes sizes = golden.sizes;
    sizes.heads = 3;
    assert_fails(clip_create(&clip, golden.model, &sizes, place, &golden.err), PF_INVALID,
        "3 heads", &golden.err);
    sizes = golden.sizes;
    sizes.layers++;
    assert_fails(clip_create(&clip, golden.model, &sizes, place, &golden.err), PF_INVALID,
        "encoder.layers.2.", &golden.err);
    assert_null(clip);
    clip_destroy(NULL);
    close_golden(&golden, doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_ip2p),
        cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_rows_and_positions_are_independent),
        cmocka_unit_test(test_bad_ids),
        cmocka_unit_test(test_bad_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
