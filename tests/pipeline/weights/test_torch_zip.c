/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/weights/torch_zip.h"
#include "tests/pipeline/weights/archive.h"

/* An archive with the storage "0": 24 bytes 0, 1, 2, … and "1": 8 bytes. */
struct case_options {
    const char *root;       /* "archive/" when NULL */
    const char *byte_order; /* NULL: no such entry */
};

static void put_archive(
    struct buffer *out, const struct buffer *pickle, const struct case_options *options)
{
    static unsigned char bytes[24];
    char names[4][64];
    const char *root = options && options->root ? options->root : "archive/";
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    snprintf(names[0], sizeof names[0], "%sdata.pkl", root);
    snprintf(names[1], sizeof names[1], "%sdata/0", root);
    snprintf(names[2], sizeof names[2], "%sdata/1", root);
    snprintf(names[3], sizeof names[3], "%sbyteorder", root);
    const char *order = options ? options->byte_order : NULL;
    const struct archive_entry entries[] = {
        {.name = names[0], .data = pickle->data, .size = pickle->size},
        {.name = names[1], .data = bytes, .size = 24, .flags = 8},
        {.name = names[2], .data = bytes, .size = 8},
        {.name = names[3], .data = order, .size = order ? strlen(order) : 0},
    };
    archive_put(out, entries, order ? 4 : 3, NULL);
}

struct opened {
    unsigned char *bytes;
    struct array_table table;
};

static enum pf_status open_pickle(struct opened *ret, const struct buffer *pickle,
    const struct case_options *options, struct pf_error *err)
{
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    put_archive(&file, pickle, options);
    ret->bytes = malloc(file.size);
    assert_non_null(ret->bytes);
    memcpy(ret->bytes, file.data, file.size);
    array_table_init(&ret->table);
    return torch_zip_read(ret->bytes, file.size, &ret->table, err);
}

static void close_pickle(struct opened *opened)
{
    array_table_finish(&opened->table);
    free(opened->bytes);
}

static void begin_dict(struct buffer *pickle)
{
    buffer_put_text(pickle, "\x80\x02}(");
}

static void end_dict(struct buffer *pickle)
{
    buffer_put_text(pickle, "u.");
}

/* A state dict whose only entry "t" is that tensor. */
static void check_tensor_fails(
    const struct pickle_tensor *tensor, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    AUTO_BUFFER struct buffer pickle = BUFFER_INIT;
    begin_dict(&pickle);
    pickle_put_text(&pickle, "t");
    pickle_put_tensor(&pickle, tensor);
    end_dict(&pickle);
    assert_fails(open_pickle(&opened, &pickle, NULL, &err), status, part, &err);
    close_pickle(&opened);
}

/* A state dict whose only entry "t" is what these opcodes leave. */
static void check_value_fails(const char *ops, size_t size, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    AUTO_BUFFER struct buffer pickle = BUFFER_INIT;
    begin_dict(&pickle);
    pickle_put_text(&pickle, "t");
    buffer_put(&pickle, ops, size);
    end_dict(&pickle);
    assert_fails(open_pickle(&opened, &pickle, NULL, &err), status, part, &err);
    close_pickle(&opened);
}

#define OPS(text) (text), sizeof(text) - 1

static const struct pickle_tensor floats = {
    .storage_class = "torch\nFloatStorage",
    .key = "0",
    .storage_size = 6,
    .count = 2,
    .dims = {2, 3},
    .strides = {3, 1},
};

/* A tensor as most checkpoints nest it, under a root folder of any name. */
static void test_nested_state_dict(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    const struct case_options options = {.root = "any name/", .byte_order = "little"};
    AUTO_BUFFER struct buffer pickle = BUFFER_INIT;
    begin_dict(&pickle);
    pickle_put_text(&pickle, "epoch");
    pickle_put_int(&pickle, 3);
    /* leftovers of Lightning: a class as key, an object with attributes and items */
    pickle_put_text(&pickle, "callbacks");
    buffer_put_text(&pickle, "}cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n}s");
    pickle_put_text(&pickle, "hyper");
    buffer_put_text(&pickle, "comegaconf.dictconfig\nDictConfig\n)\x81}b");
    pickle_put_text(&pickle, "state_dict");
    buffer_put_text(&pickle, "ccollections\nOrderedDict\n)R(");
    pickle_put_text(&pickle, "a.weight");
    pickle_put_tensor(&pickle, &floats);
    buffer_put_text(&pickle, "u}"); /* attributes: {"_metadata": OrderedDict()} */
    pickle_put_text(&pickle, "_metadata");
    buffer_put_text(&pickle, "ccollections\nOrderedDict\n)Rsb");
    end_dict(&pickle);
    assert_ok(open_pickle(&opened, &pickle, &options, &err), &err);
    assert_int_equal(opened.table.count, 1);
    assert_int_equal(opened.table.skipped_count, 0);
    const struct array *array = array_table_find(&opened.table, "a.weight");
    assert_non_null(array);
    assert_int_equal(array->dtype, DTYPE_F32);
    assert_int_equal(array->dims[0], 2);
    assert_int_equal(array->strides[0], 3);
    assert_int_equal(array->data[4], 4);
    close_pickle(&opened);
}

static void test_views_and_dtypes(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    const struct pickle_tensor transposed = {.storage_class = "torch\nFloatStorage",
        .key = "0",
        .storage_size = 6,
        .count = 2,
        .dims = {3, 2},
        .strides = {1, 3}};
    const struct pickle_tensor row = {.storage_class = "torch\nFloatStorage",
        .key = "0",
        .storage_size = 6,
        .offset = 3,
        .count = 1,
        .dims = {3},
        .strides = {1}};
    const struct pickle_tensor wide = {
        .storage_class = "torch\nDoubleStorage", .key = "1", .storage_size = 1, .count = 0};
    const struct pickle_tensor empty = {.storage_class = "torch\nLongStorage",
        .key = "1",
        .storage_size = 1,
        .offset = 1,
        .count = 2,
        .dims = {0, 7},
        .strides = {7, 1}};
    const struct pickle_tensor cuda = {.storage_class = "torch.cuda\nHalfStorage",
        .key = "1",
        .storage_size = 4,
        .count = 1,
        .dims = {4},
        .strides = {1}};
    const struct pickle_tensor untyped = {.storage_class = "torch.storage\nUntypedStorage",
        .key = "1",
        .storage_size = 8,
        .count = 1,
        .dims = {4},
        .strides = {1},
        .scalar = "torch\nbfloat16"};
    const struct {
        const char *name;
        const struct pickle_tensor *tensor;
        enum dtype dtype;
        int64_t first_byte;
    } cases[] = {
        {"transposed", &transposed, DTYPE_F32, 0},
        {"row", &row, DTYPE_F32, 12},
        {"wide", &wide, DTYPE_F64, 0},
        {"empty", &empty, DTYPE_I64, -1},
        {"cuda", &cuda, DTYPE_F16, 0},
        {"untyped", &untyped, DTYPE_BF16, 0},
    };
    AUTO_BUFFER struct buffer pickle = BUFFER_INIT;
    begin_dict(&pickle);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pickle_put_text(&pickle, cases[i].name);
        pickle_put_tensor(&pickle, cases[i].tensor);
    }
    end_dict(&pickle);
    assert_ok(open_pickle(&opened, &pickle, NULL, &err), &err);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct array *array = array_table_find(&opened.table, cases[i].name);
        assert_non_null(array);
        assert_int_equal(array->dtype, cases[i].dtype);
        if (cases[i].first_byte >= 0)
            assert_int_equal(array->data[0], cases[i].first_byte);
    }
    const struct array *array = array_table_find(&opened.table, "transposed");
    assert_int_equal(array->strides[0], 1);
    assert_int_equal(array->strides[1], 3);
    assert_int_equal(array_table_find(&opened.table, "wide")->element_count, 1);
    assert_int_equal(array_table_find(&opened.table, "empty")->element_count, 0);
    close_pickle(&opened);
}

static void test_parameters_and_plain_values(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    AUTO_BUFFER struct buffer pickle = BUFFER_INIT;
    begin_dict(&pickle);
    pickle_put_text(&pickle, "parameter");
    buffer_put_text(&pickle, "ctorch._utils\n_rebuild_parameter\n(");
    pickle_put_tensor(&pickle, &floats);
    buffer_put_text(&pickle, "\x88"
                             "ccollections\nOrderedDict\n)RtR");
    pickle_put_text(&pickle, "step");
    pickle_put_int(&pickle, 7);
    pickle_put_text(&pickle, "nothing");
    buffer_put_text(&pickle, "N");
    pickle_put_text(&pickle, "list");
    buffer_put_text(&pickle, "]");
    pickle_put_text(&pickle, "ordered");
    buffer_put_text(&pickle, "ccollections\nOrderedDict\n)R");
    pickle_put_int(&pickle, 5); /* a key that is no text */
    buffer_put_text(&pickle, "N");
    end_dict(&pickle);
    assert_ok(open_pickle(&opened, &pickle, NULL, &err), &err);
    assert_int_equal(opened.table.count, 1);
    assert_int_equal(opened.table.skipped_count, 5);
    assert_non_null(array_table_find(&opened.table, "parameter"));
    close_pickle(&opened);
}

/* OrderedDict([["t", tensor]]), as Python 2 pickled it. */
static void test_ordered_dict_of_pairs(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    AUTO_BUFFER struct buffer pickle = BUFFER_INIT;
    buffer_put_text(&pickle, "\x80\x02"
                             "ccollections\nOrderedDict\n]](");
    pickle_put_text(&pickle, "t");
    pickle_put_tensor(&pickle, &floats);
    buffer_put_text(&pickle, "ea\x85R.");
    assert_ok(open_pickle(&opened, &pickle, NULL, &err), &err);
    assert_non_null(array_table_find(&opened.table, "t"));
    close_pickle(&opened);
}

static void test_lying_tensors(void **state)
{
    (void)state;
    struct pickle_tensor tensor = floats;
    tensor.dims[0] = 3;
    check_tensor_fails(&tensor, PF_CORRUPT, "tensor 't' reaches element 8 of a storage of 6");
    tensor = floats;
    tensor.offset = 1;
    check_tensor_fails(&tensor, PF_CORRUPT, "reaches element 6 of a storage of 6");
    tensor.offset = -1;
    check_tensor_fails(&tensor, PF_CORRUPT, "no offset");
    tensor = floats;
    tensor.strides[0] = INT64_MAX;
    tensor.strides[1] = INT64_MAX;
    check_tensor_fails(&tensor, PF_CORRUPT, "of a storage of 6");
    tensor.strides[0] = -3;
    check_tensor_fails(&tensor, PF_CORRUPT, "stride 0 is not a whole number");
    tensor = floats;
    tensor.dims[0] = INT64_MAX;
    check_tensor_fails(&tensor, PF_CORRUPT, "more than 2^63 elements");
    tensor.dims[0] = 1 << 20;
    tensor.strides[0] = 0;
    check_tensor_fails(&tensor, PF_UNSUPPORTED, "spreads 6 stored elements over 3145728");
    tensor = floats;
    tensor.dims[0] = -2;
    check_tensor_fails(&tensor, PF_CORRUPT, "shape 0 is not a whole number");
    tensor = floats;
    tensor.dims[0] = 0;
    tensor.offset = 7;
    check_tensor_fails(&tensor, PF_CORRUPT, "of a storage of 6");
    tensor = floats;
    tensor.count = 9;
    check_tensor_fails(&tensor, PF_UNSUPPORTED, "9 dimensions");
}

static void test_lying_storages(void **state)
{
    (void)state;
    struct pickle_tensor tensor = floats;
    tensor.key = "7";
    check_tensor_fails(&tensor, PF_CORRUPT, "no storage '7'");
    tensor.key = "../../0";
    check_tensor_fails(&tensor, PF_CORRUPT, "no storage '../../0'");
    tensor.key = "";
    check_tensor_fails(&tensor, PF_CORRUPT, "key has 0 bytes");
    tensor = floats;
    tensor.storage_size = 600;
    check_tensor_fails(
        &tensor, PF_CORRUPT, "storage '0' should hold 600 elements of F32, but has 24 bytes");
    tensor.storage_size = INT64_MAX;
    check_tensor_fails(&tensor, PF_CORRUPT, "but has 24 bytes");
    tensor.storage_size = -1;
    check_tensor_fails(&tensor, PF_CORRUPT, "does not refer to");
    tensor = floats;
    tensor.storage_class = "torch\nComplexFloatStorage";
    check_tensor_fails(&tensor, PF_UNSUPPORTED, "type torch.ComplexFloatStorage");
    tensor.storage_class = "torch.storage\nUntypedStorage";
    check_tensor_fails(&tensor, PF_UNSUPPORTED, "type torch.storage.UntypedStorage");
    tensor.scalar = "torch\nfloat8_e4m3fn";
    check_tensor_fails(&tensor, PF_UNSUPPORTED, "type torch.float8_e4m3fn");
}

static void test_objects_in_place_of_tensors(void **state)
{
    (void)state;
    check_value_fails(OPS("cos\nsystem\nX\x02\x00\x00\x00ls\x85R"), PF_UNSUPPORTED,
        "entry 't' of the state dict is not a tensor but made by os.system");
    check_value_fails(OPS("ctorch._utils\n_rebuild_sparse_tensor\n)R"), PF_UNSUPPORTED,
        "torch._utils._rebuild_sparse_tensor");
    check_value_fails(OPS("cbuiltins\neval\n"), PF_UNSUPPORTED, "builtins.eval");
    check_value_fails(OPS("NQ"), PF_UNSUPPORTED, "not a tensor");
    check_value_fails(
        OPS("ctorch._utils\n_rebuild_tensor_v2\n)R"), PF_CORRUPT, "does not refer to");
    check_value_fails(
        OPS("ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtR"), PF_CORRUPT, "does not refer to");
    check_value_fails(OPS("ctorch._utils\n_rebuild_parameter\n)R"), PF_CORRUPT, "without a tensor");
    check_value_fails(OPS("N"), PF_UNSUPPORTED, "holds no tensors (1 other entries)");
}

static void check_root_fails(const char *ops, size_t size, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    AUTO_BUFFER struct buffer pickle = BUFFER_INIT;
    buffer_put(&pickle, ops, size);
    assert_fails(open_pickle(&opened, &pickle, NULL, &err), status, part, &err);
    close_pickle(&opened);
}

static void test_roots(void **state)
{
    (void)state;
    check_root_fails(OPS("\x80\x02"
                         "cmodels\nUNet\n)\x81}b."),
        PF_UNSUPPORTED, "made by models.UNet, not a state dict");
    check_root_fails(OPS("\x80\x02]."), PF_UNSUPPORTED, "does not hold a state dict");
    check_root_fails(OPS("\x80\x02}."), PF_UNSUPPORTED, "no tensors");
    check_root_fails(OPS("\x80\x02}X\x0a\x00\x00\x00state_dictNs."), PF_UNSUPPORTED,
        "does not hold a state dict");
    /* the dict is its own state dict, and its own entry */
    check_root_fails(
        OPS("\x80\x02}q\x00X\x0a\x00\x00\x00state_dicth\x00s."), PF_UNSUPPORTED, "no tensors");
    check_root_fails(OPS("\x80\x02"
                         "ccollections\nOrderedDict\nN\x85R."),
        PF_UNSUPPORTED, "list of pairs");
    check_root_fails(OPS("\x80\x02"
                         "ccollections\nOrderedDict\n]Na\x85R."),
        PF_CORRUPT, "item 0 of an OrderedDict is not a pair");
}

static void test_archives(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    const struct case_options nested = {.root = "a/b/"}, none = {.root = "x"};
    const struct case_options big = {.byte_order = "big"};
    AUTO_BUFFER struct buffer pickle = BUFFER_INIT;
    begin_dict(&pickle);
    pickle_put_text(&pickle, "t");
    pickle_put_tensor(&pickle, &floats);
    end_dict(&pickle);
    assert_fails(open_pickle(&opened, &pickle, &nested, &err), PF_UNSUPPORTED,
        "without FOLDER/data.pkl", &err);
    close_pickle(&opened);
    assert_fails(open_pickle(&opened, &pickle, &none, &err), PF_UNSUPPORTED,
        "without FOLDER/data.pkl", &err);
    close_pickle(&opened);
    assert_fails(open_pickle(&opened, &pickle, &big, &err), PF_UNSUPPORTED, "byte order", &err);
    close_pickle(&opened);
    const struct archive_entry two[] = {
        {.name = "a/data.pkl", .data = "", .size = 0},
        {.name = "b/data.pkl", .data = "", .size = 0},
    };
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    struct array_table table;
    archive_put(&file, two, 2, NULL);
    array_table_init(&table);
    assert_fails(torch_zip_read((unsigned char *)file.data, file.size, &table, &err), PF_CORRUPT,
        "two entries", &err);
    array_table_finish(&table);
}

static void test_same_name_twice(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct opened opened;
    AUTO_BUFFER struct buffer pickle = BUFFER_INIT;
    begin_dict(&pickle);
    for (int i = 0; i < 2; i++) {
        pickle_put_text(&pickle, "t");
        pickle_put_tensor(&pickle, &floats);
    }
    end_dict(&pickle);
    assert_fails(open_pickle(&opened, &pickle, NULL, &err), PF_CORRUPT, "'t' is there twice", &err);
    close_pickle(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested_state_dict),
        cmocka_unit_test(test_views_and_dtypes),
        cmocka_unit_test(test_parameters_and_plain_values),
        cmocka_unit_test(test_ordered_dict_of_pairs),
        cmocka_unit_test(test_lying_tensors),
        cmocka_unit_test(test_lying_storages),
        cmocka_unit_test(test_objects_in_place_of_tensors),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_archives),
        cmocka_unit_test(test_same_name_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
