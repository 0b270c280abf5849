/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/weights/array_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

enum { FIRST_CAPACITY = 256 };

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [DTYPE_F16] = {"F16", 2},
    [DTYPE_BF16] = {"BF16", 2},
    [DTYPE_F32] = {"F32", 4},
    [DTYPE_F64] = {"F64", 8},
    [DTYPE_I8] = {"I8", 1},
    [DTYPE_U8] = {"U8", 1},
    [DTYPE_I16] = {"I16", 2},
    [DTYPE_I32] = {"I32", 4},
    [DTYPE_I64] = {"I64", 8},
    [DTYPE_BOOL] = {"BOOL", 1},
};

size_t dtype_size(enum dtype dtype)
{
    return dtypes[dtype].size;
}

const char *dtype_name(enum dtype dtype)
{
    return dtypes[dtype].name;
}

int dtype_from_name(const char *name, enum dtype *ret_dtype)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            *ret_dtype = (enum dtype)i;
            return 1;
        }
    }
    return 0;
}

void array_table_init(struct array_table *table)
{
    *table = (struct array_table){0};
    table->seed = (uint64_t)clock_monotonic_us() ^ (uint64_t)(uintptr_t)table;
}

void array_table_finish(struct array_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free((char *)table->arrays[i].name);
    for (size_t i = 0; i < table->pair_count; i++) {
        free(table->pairs[i].key);
        free(table->pairs[i].value);
    }
    free(table->arrays);
    free(table->slots);
    free(table->pairs);
    *table = (struct array_table){0};
}

static uint64_t hash_name(const struct array_table *table, const char *name, size_t size)
{
    uint64_t hash = table->seed ^ UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
        hash ^= hash >> 29;
    }
    return hash * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

/* The slot that holds the name, or the empty one where it would go. */
static uint32_t *find_slot(const struct array_table *table, const char *name, size_t size)
{
    size_t at = (size_t)hash_name(table, name, size) & (table->slot_count - 1);
    while (table->slots[at] != 0) {
        const char *other = table->arrays[table->slots[at] - 1].name;
        if (strlen(other) == size && memcmp(other, name, size) == 0)
            break;
        at = (at + 1) & (table->slot_count - 1);
    }
    return &table->slots[at];
}

static enum pf_status grow(struct array_table *table, struct pf_error *err)
{
    size_t capacity = table->capacity ? table->capacity * 2 : FIRST_CAPACITY;
    struct array *arrays = realloc(table->arrays, capacity * sizeof *arrays);
    if (!arrays)
        return pf_fail(err, PF_NOMEM, "no memory for a table of %zu arrays", capacity);
    table->arrays = arrays;
    table->capacity = capacity;
    uint32_t *slots = calloc(capacity * 2, sizeof *slots);
    if (!slots)
        return pf_fail(err, PF_NOMEM, "no memory for a table of %zu arrays", capacity);
    free(table->slots);
    table->slots = slots;
    table->slot_count = capacity * 2;
    for (size_t i = 0; i < table->count; i++)
        *find_slot(table, arrays[i].name, strlen(arrays[i].name)) = (uint32_t)i + 1;
    return PF_OK;
}

enum pf_status array_name_check(const char *name, size_t size, struct pf_error *err)
{
    if (size == 0 || size > CHECKPOINT_NAME_MAX)
        return pf_fail(err, PF_CORRUPT, "a tensor's name has %zu bytes, expected 1 to %d", size,
            CHECKPOINT_NAME_MAX);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)name[i];
        if (byte < 0x20 || byte == 0x7f)
            return pf_fail(
                err, PF_CORRUPT, "a tensor's name holds the control character 0x%02x", byte);
    }
    if (!utf8_is_valid(name, size, NULL))
        return pf_fail(err, PF_CORRUPT, "a tensor's name of %zu bytes is not valid UTF-8", size);
    return PF_OK;
}

enum pf_status array_table_add(struct array_table *table, const struct array *array,
    const char *name, size_t name_size, struct pf_error *err)
{
    PF_TRY(array_name_check(name, name_size, err));
    if (table->count >= CHECKPOINT_ARRAYS_MAX)
        return pf_fail(err, PF_UNSUPPORTED, "more than %d tensors", CHECKPOINT_ARRAYS_MAX);
    if (table->count == table->capacity)
        PF_TRY(grow(table, err));
    uint32_t *slot = find_slot(table, name, name_size);
    if (*slot != 0)
        return pf_fail(err, PF_CORRUPT, "tensor '%.*s' is there twice",
            (int)(name_size < ARRAY_NAME_SHOWN ? name_size : ARRAY_NAME_SHOWN), name);
    char *copy = malloc(name_size + 1);
    if (!copy)
        return pf_fail(err, PF_NOMEM, "no memory for a name of %zu bytes", name_size);
    memcpy(copy, name, name_size);
    copy[name_size] = 0;
    table->arrays[table->count] = *array;
    table->arrays[table->count].name = copy;
    *slot = (uint32_t)++table->count;
    return PF_OK;
}

const struct array *array_table_find(const struct array_table *table, const char *name)
{
    if (table->count == 0)
        return NULL;
    uint32_t index = *find_slot(table, name, strlen(name));
    return index ? &table->arrays[index - 1] : NULL;
}

enum pf_status array_table_add_metadata(
    struct array_table *table, const char *key, const char *value, struct pf_error *err)
{
    if (table->pair_count == table->pair_capacity) {
        size_t capacity = table->pair_capacity ? table->pair_capacity * 2 : 16;
        struct metadata_pair *pairs = realloc(table->pairs, capacity * sizeof *pairs);
        if (!pairs)
            return pf_fail(err, PF_NOMEM, "no memory for %zu metadata entries", capacity);
        table->pairs = pairs;
        table->pair_capacity = capacity;
    }
    struct metadata_pair pair = {strdup(key), strdup(value)};
    if (!pair.key || !pair.value) {
        free(pair.key);
        free(pair.value);
        return pf_fail(err, PF_NOMEM, "no memory for metadata");
    }
    table->pairs[table->pair_count++] = pair;
    return PF_OK;
}

enum pf_status array_count_elements(
    const char *name, const int64_t *dims, int dim_count, int64_t *ret_count, struct pf_error *err)
{
    int64_t count = 1;
    for (int i = 0; i < dim_count; i++) {
        if (dims[i] < 0)
            return pf_fail(err, PF_CORRUPT, "tensor '%.*s' has dimension %d of size %lld",
                ARRAY_NAME_SHOWN, name, i, (long long)dims[i]);
        if (__builtin_mul_overflow(count, dims[i], &count))
            return pf_fail(err, PF_CORRUPT,
                "tensor '%.*s' has more than 2^63 elements (dimension %d is %lld)",
                ARRAY_NAME_SHOWN, name, i, (long long)dims[i]);
    }
    *ret_count = count;
    return PF_OK;
}
