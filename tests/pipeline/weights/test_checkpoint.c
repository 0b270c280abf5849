/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/weights/checkpoint.h"
#include "tests/pipeline/weights/folder.h"

static void check_content_fails(
    const void *bytes, size_t count, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *checkpoint = NULL;
    char path[FOLDER_PATH_MAX];
    folder_path("x", path);
    folder_write("x", bytes, count);
    assert_int_equal(checkpoint_open(&checkpoint, path, &err), status);
    assert_memory_equal(err.message, path, strlen(path));
    if (!strstr(err.message, part))
        fail_msg("\"%s\", expected \"%s\"", err.message, part);
    assert_null(checkpoint);
    folder_unlink("x");
}

#define TEXT(text) (text), sizeof(text) - 1

static void test_other_files(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *checkpoint = NULL;
    check_content_fails(TEXT(""), PF_CORRUPT, "empty");
    check_content_fails(TEXT("hello, world, this is text"), PF_CORRUPT, "neither safetensors");
    check_content_fails(TEXT("\x80\x02\x8a\x0al\xfc\x9c"), PF_UNSUPPORTED, "torch.save");
    check_content_fails(
        TEXT("version https://git-lfs.github.com/spec/v1\noid"), PF_CORRUPT, "git lfs pull");
    check_content_fails(TEXT("PK\3\4"), PF_CORRUPT, "at least 22 bytes");
    check_content_fails(
        TEXT("PK\3\4 is how a zip begins, but there is no end"), PF_CORRUPT, "cut short");
    check_content_fails(TEXT("\x40\0\0\0\0\0\0\0{\"a\""), PF_CORRUPT, "header ends at 72");
    assert_fails(checkpoint_open(&checkpoint, "/nonexistent/model", &err), PF_NOT_FOUND,
        "/nonexistent/model", &err);
}

static struct checkpoint *open_golden(const char *name)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *checkpoint = NULL;
    char path[FOLDER_PATH_MAX];
    golden_path(name, path);
    assert_ok(checkpoint_open(&checkpoint, path, &err), &err);
    return checkpoint;
}

/* The same weights in both formats, byte for byte. */
static void test_golden_formats_agree(void **state)
{
    (void)state;
    struct checkpoint *a = open_golden("tiny/model.safetensors");
    struct checkpoint *b = open_golden("tiny/model.ckpt");
    assert_int_equal(checkpoint_format(a), CHECKPOINT_SAFETENSORS);
    assert_int_equal(checkpoint_format(b), CHECKPOINT_TORCH_ZIP);
    assert_int_equal(checkpoint_array_count(a), checkpoint_array_count(b));
    assert_true(checkpoint_array_count(a) > 1000);
    assert_string_equal(checkpoint_metadata(a, "unet_num_heads"), "8");
    assert_null(checkpoint_metadata(b, "unet_num_heads"));
    assert_int_equal(checkpoint_metadata_count(b), 0);
    for (size_t i = 0; i < checkpoint_array_count(a); i++) {
        const struct array *left = checkpoint_array_at(a, i);
        const struct array *right = checkpoint_find(b, left->name);
        assert_non_null(right);
        assert_ptr_equal(checkpoint_find(a, left->name), left);
        assert_int_equal(left->dtype, right->dtype);
        assert_int_equal(left->dim_count, right->dim_count);
        for (int d = 0; d < left->dim_count; d++) {
            assert_int_equal(left->dims[d], right->dims[d]);
            assert_int_equal(left->strides[d], right->strides[d]);
        }
        assert_memory_equal(
            left->data, right->data, (size_t)left->element_count * dtype_size(left->dtype));
        checkpoint_release(a, left); /* still readable afterwards */
        assert_memory_equal(left->data, right->data, dtype_size(left->dtype));
    }
    checkpoint_close(a);
    checkpoint_close(b);
}

/* A file cut short anywhere is an error: at the ends of its regions and at many places between. */
static void check_truncations(const char *name, size_t head)
{
    struct pf_error err = PF_ERROR_INIT;
    char golden[FOLDER_PATH_MAX], path[FOLDER_PATH_MAX];
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    golden_path(name, golden);
    folder_path("cut", path);
    assert_ok(file_read(golden, 64 << 20, &bytes, &err), &err);
    for (int i = 0; i < 24; i++) {
        struct checkpoint *checkpoint = NULL;
        size_t cut = i < 8    ? head * (size_t)i / 8
                     : i < 16 ? bytes.size * (size_t)(i - 8) / 8
                              : bytes.size - 1 - (size_t)(i - 16) * 13;
        folder_write("cut", bytes.data, cut);
        assert_int_equal(checkpoint_open(&checkpoint, path, NULL), PF_CORRUPT);
    }
    folder_unlink("cut");
}

static void test_golden_truncated(void **state)
{
    (void)state;
    check_truncations("tiny/model.safetensors", 152936 + 8);
    check_truncations("tiny/model.ckpt", 164000);
}

static void test_dtype_names(void **state)
{
    (void)state;
    for (int i = 0; i <= DTYPE_BOOL; i++) {
        enum dtype dtype = (enum dtype)i, back = DTYPE_F16;
        assert_int_equal(dtype_from_name(dtype_name(dtype), &back), 1);
        assert_int_equal(back, dtype);
        assert_true(dtype_size(dtype) >= 1 && dtype_size(dtype) <= 8);
    }
    enum dtype dtype;
    assert_int_equal(dtype_from_name("f16", &dtype), 0);
    assert_int_equal(dtype_from_name("", &dtype), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_golden_formats_agree),
        cmocka_unit_test(test_golden_truncated),
        cmocka_unit_test(test_dtype_names),
    };
    return cmocka_run_group_tests(tests, folder_create, folder_remove);
}
