/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/weights/checkpoint_write.h"
#include "pipeline/weights/crc32.h"
#include "tests/pipeline/weights/folder.h"

static const struct {
    const char *name;
    enum dtype dtype;
    int dim_count;
    int64_t dims[3];
} arrays[] = {
    {"scalar", DTYPE_F64, 0, {0}},
    {"empty first", DTYPE_F32, 1, {0}},
    {"matrix", DTYPE_F16, 2, {3, 5}},
    {"flags", DTYPE_BOOL, 1, {7}},
    {"\"quotes\" and é", DTYPE_I64, 3, {2, 1, 2}},
    {"large", DTYPE_BF16, 2, {700, 1000}},
    {"ints", DTYPE_I32, 1, {3}},
    {"shorts", DTYPE_I16, 1, {3}},
    {"bytes", DTYPE_U8, 1, {3}},
    {"chars", DTYPE_I8, 1, {3}},
    {"empty last", DTYPE_F32, 2, {4, 0}},
};

static size_t byte_size(size_t index)
{
    size_t size = dtype_size(arrays[index].dtype);
    for (int i = 0; i < arrays[index].dim_count; i++)
        size *= (size_t)arrays[index].dims[i];
    return size;
}

static unsigned char byte_at(size_t position)
{
    return (unsigned char)(position * 7 + position / 251);
}

static struct checkpoint_writer *begin(const char *name, enum checkpoint_format format)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint_writer *writer = NULL;
    char path[FOLDER_PATH_MAX];
    folder_path(name, path);
    assert_ok(checkpoint_writer_create(&writer, path, format, &err), &err);
    for (size_t i = 0; i < COUNT_OF(arrays); i++)
        assert_ok(checkpoint_writer_add(writer, arrays[i].name, arrays[i].dtype, arrays[i].dims,
                      arrays[i].dim_count, &err),
            &err);
    return writer;
}

/* Writes all bytes in pieces of that size. */
static void put_all(struct checkpoint_writer *writer, size_t piece)
{
    struct pf_error err = PF_ERROR_INIT;
    size_t total = 0;
    for (size_t i = 0; i < COUNT_OF(arrays); i++)
        total += byte_size(i);
    AUTO_FREE unsigned char *bytes = malloc(total);
    assert_non_null(bytes);
    for (size_t i = 0; i < total; i++)
        bytes[i] = byte_at(i);
    for (size_t at = 0; at < total; at += piece)
        assert_ok(checkpoint_writer_put(
                      writer, bytes + at, total - at < piece ? total - at : piece, &err),
            &err);
}

static void check_read_back(const char *name)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *checkpoint = NULL;
    char path[FOLDER_PATH_MAX];
    size_t position = 0;
    folder_path(name, path);
    assert_ok(checkpoint_open(&checkpoint, path, &err), &err);
    assert_int_equal(checkpoint_array_count(checkpoint), COUNT_OF(arrays));
    for (size_t i = 0; i < COUNT_OF(arrays); i++) {
        const struct array *array = checkpoint_find(checkpoint, arrays[i].name);
        assert_non_null(array);
        assert_int_equal(array->dtype, arrays[i].dtype);
        assert_int_equal(array->dim_count, arrays[i].dim_count);
        for (int d = 0; d < array->dim_count; d++)
            assert_int_equal(array->dims[d], arrays[i].dims[d]);
        for (size_t k = 0; k < byte_size(i); k++)
            assert_int_equal(array->data[k], byte_at(position + k));
        position += byte_size(i);
    }
    checkpoint_close(checkpoint);
}

static void check_round_trip(enum checkpoint_format format, size_t piece)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint_writer *writer = begin("out", format);
    put_all(writer, piece);
    assert_ok(checkpoint_writer_finish(writer, 1, &err), &err);
    checkpoint_writer_destroy(writer);
    check_read_back("out");
    folder_unlink("out");
}

static void test_round_trips(void **state)
{
    (void)state;
    const enum checkpoint_format formats[] = {CHECKPOINT_SAFETENSORS, CHECKPOINT_TORCH_ZIP};
    const size_t pieces[] = {7, 4096, 600000, 1 << 30};
    for (size_t f = 0; f < COUNT_OF(formats); f++) {
        for (size_t p = 0; p < COUNT_OF(pieces); p++)
            check_round_trip(formats[f], pieces[p]);
    }
}

static void test_metadata(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *checkpoint = NULL;
    char path[FOLDER_PATH_MAX];
    struct checkpoint_writer *writer = begin("out", CHECKPOINT_SAFETENSORS);
    assert_ok(checkpoint_writer_add_metadata(writer, "merges", "a b\n\"c\"\t\\ é", &err), &err);
    assert_ok(checkpoint_writer_add_metadata(writer, "k", "", &err), &err);
    put_all(writer, 1 << 20);
    assert_fails(
        checkpoint_writer_add_metadata(writer, "late", "", &err), PF_INVALID, "'late'", &err);
    assert_ok(checkpoint_writer_finish(writer, 0, &err), &err);
    checkpoint_writer_destroy(writer);
    folder_path("out", path);
    assert_ok(checkpoint_open(&checkpoint, path, &err), &err);
    assert_string_equal(checkpoint_metadata(checkpoint, "merges"), "a b\n\"c\"\t\\ é");
    assert_string_equal(checkpoint_metadata(checkpoint, "k"), "");
    assert_int_equal(checkpoint_metadata_count(checkpoint), 2);
    const char *key, *value;
    checkpoint_metadata_at(checkpoint, 1, &key, &value);
    assert_string_equal(key, "k");
    checkpoint_close(checkpoint);
    folder_unlink("out");
    writer = begin("out", CHECKPOINT_TORCH_ZIP);
    assert_fails(
        checkpoint_writer_add_metadata(writer, "k", "v", &err), PF_UNSUPPORTED, "'k'", &err);
    checkpoint_writer_destroy(writer);
}

/* An unfinished file never shows, and leaves nothing behind (the group's tear-down checks that). */
static void test_misuse(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char path[FOLDER_PATH_MAX];
    const int64_t dims[] = {-1};
    struct checkpoint_writer *writer = begin("out", CHECKPOINT_SAFETENSORS);
    assert_fails(checkpoint_writer_add(writer, "matrix", DTYPE_F16, dims, 0, &err), PF_CORRUPT,
        "'matrix' is there twice", &err);
    assert_fails(checkpoint_writer_add(writer, "negative", DTYPE_F16, dims, 1, &err), PF_INVALID,
        "impossible shape", &err);
    assert_fails(checkpoint_writer_add(writer, "deep", DTYPE_F16, dims, 9, &err), PF_INVALID,
        "9 dimensions", &err);
    assert_ok(checkpoint_writer_put(writer, "12345678", 8, &err), &err);
    assert_fails(checkpoint_writer_add(writer, "late", DTYPE_F16, dims, 0, &err), PF_INVALID,
        "after the first data", &err);
    assert_fails(checkpoint_writer_finish(writer, 0, &err), PF_INVALID,
        "tensor 'matrix' lacks 30 bytes", &err);
    checkpoint_writer_destroy(writer);
    folder_path("out", path);
    assert_int_not_equal(access(path, F_OK), 0);
    writer = begin("out", CHECKPOINT_TORCH_ZIP);
    put_all(writer, 1 << 20);
    assert_fails(checkpoint_writer_put(writer, "x", 1, &err), PF_INVALID, "1 bytes beyond", &err);
    checkpoint_writer_destroy(writer);
    assert_fails(checkpoint_writer_create(&writer, "/nonexistent/x", CHECKPOINT_SAFETENSORS, &err),
        PF_NOT_FOUND, "/nonexistent/x", &err);
}

static void test_crc32(void **state)
{
    (void)state;
    static struct crc32 crc32;
    const char text[] = "The quick brown fox jumps over the lazy dog";
    crc32_init(&crc32);
    assert_true(crc32_update(&crc32, 0, "123456789", 9) == UINT32_C(0xCBF43926));
    assert_true(crc32_update(&crc32, 0, text, strlen(text)) == UINT32_C(0x414FA339));
    uint32_t crc = 0;
    for (size_t i = 0; i < strlen(text); i++)
        crc = crc32_update(&crc32, crc, text + i, 1);
    assert_true(crc == UINT32_C(0x414FA339));
    assert_true(crc32_update(&crc32, 0, "", 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_crc32),
    };
    return cmocka_run_group_tests(tests, folder_create, folder_remove);
}
