/* SPDX-License-Identifier: Apache-2.0 */
/* Each array is checked by itself first (its byte range holds exactly its elements and lies in the
 * file), then all together: sorted by offset, every one must begin where the one before ended. That
 * rules out overlaps, holes and trailing bytes in one pass, as the reference implementation does.
 */
#include "pipeline/weights/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jdoc.h"

struct reader {
    const unsigned char *body; /* first byte after the header */
    size_t body_size;
    struct array_table *table;
};

static enum pf_status read_metadata(
    struct array_table *table, const struct jdoc_value *object, struct pf_error *err)
{
    if (object->type != JDOC_OBJECT)
        return pf_fail(err, PF_CORRUPT, "__metadata__ is not an object");
    for (const struct jdoc_value *pair = object->first; pair; pair = pair->next) {
        if (pair->type != JDOC_STRING)
            return pf_fail(err, PF_CORRUPT, "__metadata__ entry '%.*s' is not a text",
                ARRAY_NAME_SHOWN, pair->key);
        if (strlen(pair->string) != pair->size)
            return pf_fail(err, PF_CORRUPT, "__metadata__ entry '%.*s' holds a NUL",
                ARRAY_NAME_SHOWN, pair->key);
        PF_TRY(array_table_add_metadata(table, pair->key, pair->string, err));
    }
    return PF_OK;
}

static enum pf_status read_dtype(
    struct array *array, const struct jdoc_value *value, struct pf_error *err)
{
    if (!value || value->type != JDOC_STRING)
        return pf_fail(
            err, PF_CORRUPT, "tensor '%.*s' has no dtype", ARRAY_NAME_SHOWN, array->name);
    if (!dtype_from_name(value->string, &array->dtype))
        return pf_fail(err, PF_UNSUPPORTED, "tensor '%.*s' has dtype '%.32s', which we don't read",
            ARRAY_NAME_SHOWN, array->name, value->string);
    return PF_OK;
}

static enum pf_status read_shape(
    struct array *array, const struct jdoc_value *value, struct pf_error *err)
{
    if (!value || value->type != JDOC_ARRAY)
        return pf_fail(
            err, PF_CORRUPT, "tensor '%.*s' has no shape", ARRAY_NAME_SHOWN, array->name);
    if (value->size > ARRAY_DIMS_MAX)
        return pf_fail(err, PF_UNSUPPORTED, "tensor '%.*s' has %zu dimensions, at most %d are read",
            ARRAY_NAME_SHOWN, array->name, value->size, ARRAY_DIMS_MAX);
    for (const struct jdoc_value *dim = value->first; dim; dim = dim->next) {
        if (dim->type != JDOC_NUMBER || !dim->is_integer)
            return pf_fail(err, PF_CORRUPT, "tensor '%.*s': dimension %d is not a whole number",
                ARRAY_NAME_SHOWN, array->name, array->dim_count);
        array->dims[array->dim_count++] = dim->integer;
    }
    PF_TRY(array_count_elements(
        array->name, array->dims, array->dim_count, &array->element_count, err));
    int64_t stride = 1;
    for (int i = array->dim_count - 1; i >= 0; i--) {
        array->strides[i] = stride;
        /* can't overflow but for an empty array, where strides mean nothing */
        if (__builtin_mul_overflow(stride, array->dims[i], &stride))
            stride = 0;
    }
    return PF_OK;
}

static enum pf_status read_range(const struct reader *reader, struct array *array,
    const struct jdoc_value *value, struct pf_error *err)
{
    const struct jdoc_value *first = value && value->type == JDOC_ARRAY ? value->first : NULL;
    const struct jdoc_value *last = first ? first->next : NULL;
    if (!last || value->size != 2 || !first->is_integer || !last->is_integer ||
        first->type != JDOC_NUMBER || last->type != JDOC_NUMBER || first->integer < 0)
        return pf_fail(err, PF_CORRUPT, "tensor '%.*s' has no data_offsets [begin, end]",
            ARRAY_NAME_SHOWN, array->name);
    int64_t begin = first->integer, end = last->integer;
    if (end < begin)
        return pf_fail(err, PF_CORRUPT, "tensor '%.*s' begins at %lld and ends before, at %lld",
            ARRAY_NAME_SHOWN, array->name, (long long)begin, (long long)end);
    if ((uint64_t)end > reader->body_size)
        return pf_fail(err, PF_CORRUPT, "tensor '%.*s' ends at %lld, file has %zu bytes of data",
            ARRAY_NAME_SHOWN, array->name, (long long)end, reader->body_size);
    int64_t needed;
    if (__builtin_mul_overflow(array->element_count, (int64_t)dtype_size(array->dtype), &needed) ||
        needed != end - begin)
        return pf_fail(err, PF_CORRUPT, "tensor '%.*s' has %lld elements of %s in %lld bytes",
            ARRAY_NAME_SHOWN, array->name, (long long)array->element_count,
            dtype_name(array->dtype), (long long)(end - begin));
    array->data = reader->body + begin;
    return PF_OK;
}

static enum pf_status read_array(
    const struct reader *reader, const struct jdoc_value *object, struct pf_error *err)
{
    struct array array = {.name = object->key};
    PF_TRY(array_name_check(object->key, strlen(object->key), err));
    if (object->type != JDOC_OBJECT)
        return pf_fail(err, PF_CORRUPT, "tensor '%.*s' is not described by an object",
            ARRAY_NAME_SHOWN, array.name);
    for (const struct jdoc_value *member = object->first; member; member = member->next) {
        if (strcmp(member->key, "dtype") != 0 && strcmp(member->key, "shape") != 0 &&
            strcmp(member->key, "data_offsets") != 0)
            return pf_fail(err, PF_CORRUPT, "tensor '%.*s' has an unknown member '%.64s'",
                ARRAY_NAME_SHOWN, array.name, member->key);
    }
    PF_TRY(read_dtype(&array, jdoc_get(object, "dtype"), err));
    PF_TRY(read_shape(&array, jdoc_get(object, "shape"), err));
    PF_TRY(read_range(reader, &array, jdoc_get(object, "data_offsets"), err));
    return array_table_add(reader->table, &array, array.name, strlen(array.name), err);
}

static size_t array_byte_size(const struct array *array)
{
    return (size_t)array->element_count * dtype_size(array->dtype);
}

static int compare_by_place(const void *left, const void *right)
{
    const struct array *a = *(const struct array *const *)left;
    const struct array *b = *(const struct array *const *)right;
    if (a->data != b->data)
        return a->data < b->data ? -1 : 1;
    size_t a_size = array_byte_size(a), b_size = array_byte_size(b);
    return (a_size > b_size) - (a_size < b_size);
}

static enum pf_status check_places(const struct reader *reader, struct pf_error *err)
{
    const struct array_table *table = reader->table;
    AUTO_FREE const struct array **order = calloc(table->count + 1, sizeof *order);
    if (!order)
        return pf_fail(err, PF_NOMEM, "no memory to sort %zu tensors", table->count);
    for (size_t i = 0; i < table->count; i++)
        order[i] = &table->arrays[i];
    qsort(order, table->count, sizeof *order, compare_by_place);
    size_t end = 0;
    for (size_t i = 0; i < table->count; i++) {
        size_t begin = (size_t)(order[i]->data - reader->body);
        if (begin < end)
            return pf_fail(err, PF_CORRUPT,
                "tensor '%.*s' begins at %zu, but tensor '%.*s' ends at %zu: they overlap",
                ARRAY_NAME_SHOWN, order[i]->name, begin, ARRAY_NAME_SHOWN, order[i - 1]->name, end);
        if (begin > end)
            return pf_fail(err, PF_CORRUPT,
                "tensor '%.*s' begins at %zu, the data before it ends at %zu: a hole",
                ARRAY_NAME_SHOWN, order[i]->name, begin, end);
        end = begin + array_byte_size(order[i]);
    }
    if (end != reader->body_size)
        return pf_fail(err, PF_CORRUPT, "the tensors end at %zu, file has %zu bytes of data", end,
            reader->body_size);
    return PF_OK;
}

static enum pf_status read_header(
    struct reader *reader, const struct jdoc_value *root, struct pf_error *err)
{
    if (root->type != JDOC_OBJECT)
        return pf_fail(err, PF_CORRUPT, "the safetensors header is not a JSON object");
    for (const struct jdoc_value *member = root->first; member; member = member->next) {
        if (strcmp(member->key, "__metadata__") == 0)
            PF_TRY(read_metadata(reader->table, member, err));
        else
            PF_TRY(read_array(reader, member, err));
    }
    return check_places(reader, err);
}

enum pf_status safetensors_read(
    const unsigned char *data, size_t size, struct array_table *table, struct pf_error *err)
{
    if (size < SAFETENSORS_PREFIX_SIZE)
        return pf_fail(err, PF_CORRUPT, "a safetensors file has at least %d bytes, this one %zu",
            SAFETENSORS_PREFIX_SIZE, size);
    uint64_t header_size = 0;
    for (int i = SAFETENSORS_PREFIX_SIZE - 1; i >= 0; i--)
        header_size = header_size << 8 | data[i];
    if (header_size > SAFETENSORS_HEADER_MAX)
        return pf_fail(err, PF_CORRUPT, "the safetensors header has %llu bytes, at most %d may be",
            (unsigned long long)header_size, SAFETENSORS_HEADER_MAX);
    if (header_size > size - SAFETENSORS_PREFIX_SIZE)
        return pf_fail(err, PF_CORRUPT, "the safetensors header ends at %llu, file has %zu",
            (unsigned long long)header_size + SAFETENSORS_PREFIX_SIZE, size);
    struct reader reader = {
        .body = data + SAFETENSORS_PREFIX_SIZE + header_size,
        .body_size = size - SAFETENSORS_PREFIX_SIZE - (size_t)header_size,
        .table = table,
    };
    struct jdoc *doc;
    PF_TRY(
        jdoc_parse(&doc, (const char *)data + SAFETENSORS_PREFIX_SIZE, (size_t)header_size, err));
    enum pf_status status = read_header(&reader, jdoc_root(doc), err);
    jdoc_destroy(doc);
    return status;
}
