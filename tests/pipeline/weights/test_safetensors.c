/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/weights/safetensors.h"
#include "tests/pipeline/weights/archive.h"

static const unsigned char body[64] = {1, 2, 3, 4, 5, 6, 7, 8};

/* Reads from an exact allocation, which stays as long as the table is looked at. */
struct opened {
    unsigned char *bytes;
    struct array_table table;
};

static enum pf_status open_bytes(
    struct opened *ret, const void *bytes, size_t size, struct pf_error *err)
{
    ret->bytes = malloc(size ? size : 1);
    assert_non_null(ret->bytes);
    memcpy(ret->bytes, bytes, size);
    array_table_init(&ret->table);
    return safetensors_read(ret->bytes, size, &ret->table, err);
}

static void close_bytes(struct opened *opened)
{
    array_table_finish(&opened->table);
    free(opened->bytes);
}

static void check_fails(
    const char *header, size_t body_size, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    archive_put_safetensors(&file, header, body, body_size);
    assert_fails(open_bytes(&opened, file.data, file.size, &err), status, part, &err);
    close_bytes(&opened);
}

static void test_reads_arrays(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    archive_put_safetensors(&file,
        "{\"__metadata__\":{\"format\":\"pt\",\"n\":\"8\"},"
        "\"b\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
        "\"empty\":{\"dtype\":\"I64\",\"shape\":[5,0],\"data_offsets\":[16,16]},"
        "\"wide\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[16,24]}}   ",
        body, 24);
    assert_ok(open_bytes(&opened, file.data, file.size, &err), &err);
    assert_int_equal(opened.table.count, 4);
    const struct array *b = array_table_find(&opened.table, "b");
    assert_non_null(b);
    assert_int_equal(b->dtype, DTYPE_F16);
    assert_int_equal(b->dim_count, 2);
    assert_int_equal(b->dims[1], 3);
    assert_int_equal(b->strides[0], 3);
    assert_int_equal(b->strides[1], 1);
    assert_int_equal(b->element_count, 6);
    assert_int_equal(b->data[0], 5);
    assert_int_equal(array_table_find(&opened.table, "a")->element_count, 1);
    assert_int_equal(array_table_find(&opened.table, "empty")->element_count, 0);
    assert_int_equal(array_table_find(&opened.table, "wide")->dtype, DTYPE_F64);
    assert_null(array_table_find(&opened.table, "c"));
    assert_int_equal(opened.table.pair_count, 2);
    assert_string_equal(opened.table.pairs[1].value, "8");
    close_bytes(&opened);
}

/* Every prefix of a good file is an error, and none reads a byte too far. */
static void test_every_truncation_fails(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    archive_put_safetensors(
        &file, "{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}", body, 8);
    for (size_t cut = 0; cut < file.size; cut++) {
        struct pf_error err = PF_ERROR_INIT;
        struct opened opened;
        assert_int_equal(open_bytes(&opened, file.data, cut, &err), PF_CORRUPT);
        close_bytes(&opened);
    }
}

static void test_places(void **state)
{
    (void)state;
    check_fails("{\"x\":{\"dtype\":\"U8\",\"shape\":[120],\"data_offsets\":[0,120]}}", 40,
        PF_CORRUPT, "tensor 'x' ends at 120, file has 40");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
                "\"b\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[4,12]}}",
        12, PF_CORRUPT, "tensor 'b' begins at 4, but tensor 'a' ends at 8: they overlap");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
                "\"b\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}",
        8, PF_CORRUPT, "overlap");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
                "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[12,16]}}",
        16, PF_CORRUPT, "tensor 'b' begins at 12, the data before it ends at 8: a hole");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[4,12]}}", 12, PF_CORRUPT,
        "a hole");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}", 12, PF_CORRUPT,
        "the tensors end at 8, file has 12");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[8,0]}}", 8, PF_CORRUPT,
        "begins at 8 and ends before, at 0");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[-1,7]}}", 8, PF_CORRUPT,
        "no data_offsets");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8,9]}}", 8, PF_CORRUPT,
        "no data_offsets");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0.5,8]}}", 8, PF_CORRUPT,
        "no data_offsets");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[8]}}", 8, PF_CORRUPT, "no data_offsets");
}

static void test_lying_shapes(void **state)
{
    (void)state;
    check_fails("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, PF_CORRUPT,
        "tensor 'a' has 3 elements of F32 in 8 bytes");
    check_fails("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, PF_CORRUPT,
        "dimension 0 of size -2");
    check_fails("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],"
                "\"data_offsets\":[0,0]}}",
        0, PF_CORRUPT, "more than 2^63 elements");
    check_fails("{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],"
                "\"data_offsets\":[0,0]}}",
        0, PF_CORRUPT, "2305843009213693952 elements of F64 in 0 bytes");
    check_fails("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, PF_CORRUPT,
        "not a whole number");
    check_fails("{\"a\":{\"dtype\":\"F32\",\"shape\":7,\"data_offsets\":[0,4]}}", 4, PF_CORRUPT,
        "no shape");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}",
        1, PF_UNSUPPORTED, "9 dimensions");
}

static void test_header(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    archive_put_le(&file, 100000001, 8);
    buffer_put_text(&file, "{}");
    assert_fails(
        open_bytes(&opened, file.data, file.size, &err), PF_CORRUPT, "100000001 bytes", &err);
    close_bytes(&opened);
    memset(file.data, 0xFF, 8);
    assert_fails(open_bytes(&opened, file.data, file.size, &err), PF_CORRUPT, "100000000", &err);
    close_bytes(&opened);
    check_fails("[]", 0, PF_CORRUPT, "not a JSON object");
    check_fails("{\"a\":", 0, PF_CORRUPT, "");
    check_fails("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
        PF_UNSUPPORTED, "'F8_E4M3'");
    check_fails("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, PF_CORRUPT, "no dtype");
    check_fails("{\"a\":3}", 0, PF_CORRUPT, "not described by an object");
    check_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":1}}", 1,
        PF_CORRUPT, "unknown member 'more'");
    check_fails(
        "{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, PF_CORRUPT, "0 bytes");
    check_fails("{\"a\\u001b[2J\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
        PF_CORRUPT, "control character 0x1b");
    check_fails("{\"__metadata__\":{\"a\":1}}", 0, PF_CORRUPT, "'a' is not a text");
    check_fails("{\"__metadata__\":[]}", 0, PF_CORRUPT, "not an object");
    check_fails("{\"__metadata__\":{\"a\":\"x\\u0000y\"}}", 0, PF_CORRUPT, "holds a NUL");
}

static void test_many_arrays_are_found(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    AUTO_BUFFER struct buffer header = BUFFER_INIT, file = BUFFER_INIT;
    for (int i = 0; i < COUNT; i++)
        buffer_put_format(&header,
            "%c\"t.%d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":"
            "[0,0]}",
            i ? ',' : '{', i);
    buffer_put_text(&header, "}");
    archive_put_safetensors(&file, header.data, body, 0);
    assert_ok(open_bytes(&opened, file.data, file.size, &err), &err);
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "t.%d", i);
        const struct array *array = array_table_find(&opened.table, name);
        assert_non_null(array);
        assert_string_equal(array->name, name);
    }
    assert_null(array_table_find(&opened.table, "t.5000"));
    close_bytes(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_arrays),
        cmocka_unit_test(test_every_truncation_fails),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_lying_shapes),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_many_arrays_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
