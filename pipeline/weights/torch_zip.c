/* SPDX-License-Identifier: Apache-2.0 */
/* The pickle reader hands over records of how Python would build things; here the few that matter
 * get their meaning: OrderedDict is a dict, _rebuild_tensor_v2 a view of a storage,
 * _rebuild_parameter the tensor inside. Whatever else stands beside the state dict (callbacks,
 * optimizer, schedulers) is never looked at. Inside the state dict plain values are skipped and
 * counted, but an object of an unknown class is an error: it may well be weights in a form we don't
 * understand. */
#include "pipeline/weights/torch_zip.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/weights/pickle.h"
#include "pipeline/weights/zip.h"

enum { KEY_MAX = 64, ENTRY_NAME_MAX = 1024, PARAMETER_DEPTH_MAX = 4 };

struct reader {
    struct zip zip;
    const char *root; /* "archive/": with its slash, inside the zip directory */
    size_t root_size;
    struct array_table *table;
    struct pf_error *err;
};

struct text {
    const char *bytes;
    size_t size;
};

static int shown(size_t size)
{
    return size < ARRAY_NAME_SHOWN ? (int)size : ARRAY_NAME_SHOWN;
}

/* Names as they may appear in a message, for "%.*s.%.*s". */
#define CLASS_SHOWN(value)                                                                         \
    shown((value)->class.module_size), (value)->class.module, shown((value)->class.name_size),     \
        (value)->class.name

static const struct {
    const char *storage, *scalar;
    enum dtype dtype;
} torch_types[] = {
    {"HalfStorage", "float16", DTYPE_F16},
    {"BFloat16Storage", "bfloat16", DTYPE_BF16},
    {"FloatStorage", "float32", DTYPE_F32},
    {"DoubleStorage", "float64", DTYPE_F64},
    {"CharStorage", "int8", DTYPE_I8},
    {"ByteStorage", "uint8", DTYPE_U8},
    {"ShortStorage", "int16", DTYPE_I16},
    {"IntStorage", "int32", DTYPE_I32},
    {"LongStorage", "int64", DTYPE_I64},
    {"BoolStorage", "bool", DTYPE_BOOL},
};

/* --- values --- */

static int is_object_of(const struct pickle_value *value, const char *module, const char *name)
{
    return value->kind == PICKLE_OBJECT && pickle_is_class(value->object.callable, module, name);
}

static int is_dict(const struct pickle_value *value)
{
    return value->kind == PICKLE_DICT || is_object_of(value, "collections", "OrderedDict");
}

/* A tuple's member, or NULL. */
static const struct pickle_value *member(const struct pickle_value *tuple, uint32_t index)
{
    return tuple && tuple->kind == PICKLE_TUPLE && index < tuple->count ? tuple->items[index]
                                                                        : NULL;
}

static enum pf_status name_unknown(
    const struct pickle_value *value, struct text name, struct pf_error *err)
{
    const struct pickle_value *class = value;
    for (int depth = 0; class->kind == PICKLE_OBJECT && depth < PARAMETER_DEPTH_MAX; depth++)
        class = class->object.callable;
    if (class->kind != PICKLE_CLASS)
        return pf_fail(err, PF_UNSUPPORTED, "entry '%.*s' of the state dict is not a tensor",
            shown(name.size), name.bytes);
    return pf_fail(err, PF_UNSUPPORTED,
        "entry '%.*s' of the state dict is not a tensor but made by %.*s.%.*s, which is not read",
        shown(name.size), name.bytes, CLASS_SHOWN(class));
}

/* --- storages --- */

/* What a tensor views. */
struct storage {
    struct text key;
    const struct pickle_value *class;
    int64_t size; /* in elements of the class; bytes when untyped */
};

static enum pf_status read_storage(const struct pickle_value *value, struct text name,
    struct storage *ret_storage, struct pf_error *err)
{
    const struct pickle_value *id = value && value->kind == PICKLE_PERSISTENT ? value->id : NULL;
    const struct pickle_value *tag = member(id, 0), *class = member(id, 1), *key = member(id, 2);
    const struct pickle_value *size = member(id, 4);
    if (!size || !pickle_is_text(tag, "storage") || class->kind != PICKLE_CLASS ||
        key->kind != PICKLE_TEXT || size->kind != PICKLE_INT || size->integer < 0)
        return pf_fail(err, PF_CORRUPT,
            "tensor '%.*s' does not refer to ('storage', class, key, location, size)",
            shown(name.size), name.bytes);
    if (key->text.size == 0 || key->text.size > KEY_MAX)
        return pf_fail(err, PF_CORRUPT, "tensor '%.*s': its storage's key has %zu bytes",
            shown(name.size), name.bytes, key->text.size);
    *ret_storage = (struct storage){{key->text.bytes, key->text.size}, class, size->integer};
    return PF_OK;
}

static int class_dtype(const struct pickle_value *class, enum dtype *ret_dtype)
{
    for (size_t i = 0; i < sizeof torch_types / sizeof *torch_types; i++) {
        if (pickle_is_class(class, "torch", torch_types[i].storage) ||
            pickle_is_class(class, "torch.cuda", torch_types[i].storage) ||
            pickle_is_class(class, "torch", torch_types[i].scalar)) {
            *ret_dtype = torch_types[i].dtype;
            return 1;
        }
    }
    return 0;
}

/* The dtype comes with the storage's class, or, over an untyped storage, as an argument of its own.
 */
static enum pf_status read_dtype(struct storage *storage, const struct pickle_value *scalar,
    struct text name, enum dtype *ret_dtype, struct pf_error *err)
{
    int untyped = pickle_is_class(storage->class, "torch.storage", "UntypedStorage") ||
                  pickle_is_class(storage->class, "torch", "UntypedStorage");
    const struct pickle_value *class = untyped && scalar ? scalar : storage->class;
    if (class->kind != PICKLE_CLASS)
        return pf_fail(err, PF_CORRUPT, "tensor '%.*s' has a dtype that is no class",
            shown(name.size), name.bytes);
    if (!class_dtype(class, ret_dtype))
        return pf_fail(err, PF_UNSUPPORTED, "tensor '%.*s' is of type %.*s.%.*s, which is not read",
            shown(name.size), name.bytes, CLASS_SHOWN(class));
    if (untyped)
        storage->size /= (int64_t)dtype_size(*ret_dtype);
    return PF_OK;
}

static enum pf_status find_bytes(const struct reader *reader, const struct storage *storage,
    struct array *array, struct text name, struct pf_error *err)
{
    char entry_name[ENTRY_NAME_MAX];
    int size = snprintf(entry_name, sizeof entry_name, "%.*sdata/%.*s", (int)reader->root_size,
        reader->root, (int)storage->key.size, storage->key.bytes);
    const struct zip_entry *entry =
        size > 0 ? zip_find(&reader->zip, entry_name, (size_t)size) : NULL;
    if (!entry)
        return pf_fail(err, PF_CORRUPT, "tensor '%.*s': the archive has no storage '%.*s'",
            shown(name.size), name.bytes, (int)storage->key.size, storage->key.bytes);
    int64_t needed;
    if (__builtin_mul_overflow(storage->size, (int64_t)dtype_size(array->dtype), &needed) ||
        (uint64_t)needed != entry->size)
        return pf_fail(err, PF_CORRUPT,
            "tensor '%.*s': storage '%.*s' should hold %lld elements of %s, but has %zu bytes",
            shown(name.size), name.bytes, (int)storage->key.size, storage->key.bytes,
            (long long)storage->size, dtype_name(array->dtype), entry->size);
    array->data = entry->data;
    return PF_OK;
}

/* --- tensors --- */

static enum pf_status read_tuple(const struct pickle_value *tuple, const char *what,
    struct text name, int64_t values[ARRAY_DIMS_MAX], int *ret_count, struct pf_error *err)
{
    if (!tuple || tuple->kind != PICKLE_TUPLE)
        return pf_fail(
            err, PF_CORRUPT, "tensor '%.*s' has no %s", shown(name.size), name.bytes, what);
    if (tuple->count > ARRAY_DIMS_MAX)
        return pf_fail(err, PF_UNSUPPORTED, "tensor '%.*s' has %u dimensions, at most %d are read",
            shown(name.size), name.bytes, tuple->count, ARRAY_DIMS_MAX);
    for (uint32_t i = 0; i < tuple->count; i++) {
        if (tuple->items[i]->kind != PICKLE_INT || tuple->items[i]->integer < 0)
            return pf_fail(err, PF_CORRUPT, "tensor '%.*s': %s %u is not a whole number",
                shown(name.size), name.bytes, what, i);
        values[i] = tuple->items[i]->integer;
    }
    *ret_count = (int)tuple->count;
    return PF_OK;
}

/* The view must lie in its storage: offset + Σ (dim - 1) · stride is its last element. */
static enum pf_status check_view(const struct array *array, int64_t offset, int64_t storage_size,
    struct text name, struct pf_error *err)
{
    int64_t last = offset, step;
    int overflow = 0;
    if (array->element_count == 0) {
        last = offset > 0 ? offset - 1 : 0;
        if (offset <= storage_size)
            return PF_OK;
    }
    for (int i = 0; i < array->dim_count && array->element_count > 0; i++) {
        overflow |= __builtin_mul_overflow(array->dims[i] - 1, array->strides[i], &step);
        overflow |= __builtin_add_overflow(last, overflow ? 0 : step, &last);
    }
    if (overflow || last >= storage_size)
        return pf_fail(err, PF_CORRUPT,
            "tensor '%.*s' reaches element %s%lld of a storage of %lld elements", shown(name.size),
            name.bytes, overflow ? "beyond " : "", (long long)last, (long long)storage_size);
    if (array->element_count > storage_size)
        return pf_fail(err, PF_UNSUPPORTED,
            "tensor '%.*s' spreads %lld stored elements over %lld (an expanded view)",
            shown(name.size), name.bytes, (long long)storage_size, (long long)array->element_count);
    return PF_OK;
}

/* arguments = (storage, offset, size, stride, …); `scalar` the dtype over an untyped storage or
 * NULL */
static enum pf_status read_tensor(const struct reader *reader, const struct pickle_value *arguments,
    const struct pickle_value *scalar, struct text name, struct pf_error *err)
{
    struct array array = {0};
    struct storage storage = {0};
    int stride_count;
    const struct pickle_value *offset = member(arguments, 1);
    PF_TRY(read_storage(member(arguments, 0), name, &storage, err));
    PF_TRY(read_dtype(&storage, scalar, name, &array.dtype, err));
    PF_TRY(read_tuple(member(arguments, 2), "shape", name, array.dims, &array.dim_count, err));
    PF_TRY(read_tuple(member(arguments, 3), "stride", name, array.strides, &stride_count, err));
    if (stride_count != array.dim_count || !offset || offset->kind != PICKLE_INT ||
        offset->integer < 0)
        return pf_fail(err, PF_CORRUPT, "tensor '%.*s' has %d dimensions, %d strides and %s offset",
            shown(name.size), name.bytes, array.dim_count, stride_count,
            offset && offset->kind == PICKLE_INT && offset->integer >= 0 ? "an" : "no");
    PF_TRY(array_name_check(name.bytes, name.size, err));
    char shown_name[ARRAY_NAME_SHOWN + 1];
    snprintf(shown_name, sizeof shown_name, "%.*s", shown(name.size), name.bytes);
    PF_TRY(
        array_count_elements(shown_name, array.dims, array.dim_count, &array.element_count, err));
    PF_TRY(find_bytes(reader, &storage, &array, name, err));
    PF_TRY(check_view(&array, offset->integer, storage.size, name, err));
    array.data += (size_t)offset->integer * dtype_size(array.dtype);
    return array_table_add(reader->table, &array, name.bytes, name.size, err);
}

static enum pf_status read_entry(const struct reader *reader, const struct pickle_value *value,
    struct text name, struct pf_error *err)
{
    for (int depth = 0; depth < PARAMETER_DEPTH_MAX; depth++) {
        if (!is_object_of(value, "torch._utils", "_rebuild_parameter") &&
            !is_object_of(value, "torch._utils", "_rebuild_parameter_with_state"))
            break;
        value = member(value->object.arguments, 0);
        if (!value)
            return pf_fail(
                err, PF_CORRUPT, "parameter '%.*s' without a tensor", shown(name.size), name.bytes);
    }
    if (is_object_of(value, "torch._utils", "_rebuild_tensor_v2") ||
        is_object_of(value, "torch._utils", "_rebuild_tensor"))
        return read_tensor(reader, value->object.arguments, NULL, name, err);
    if (is_object_of(value, "torch._utils", "_rebuild_tensor_v3"))
        return read_tensor(
            reader, value->object.arguments, member(value->object.arguments, 6), name, err);
    if (is_dict(value) || (value->kind != PICKLE_OBJECT && value->kind != PICKLE_CLASS &&
                              value->kind != PICKLE_PERSISTENT)) {
        reader->table->skipped_count++;
        return PF_OK;
    }
    return name_unknown(value, name, err);
}

/* --- the state dict --- */

static enum pf_status read_pair(const struct reader *reader, const struct pickle_value *key,
    const struct pickle_value *value, struct pf_error *err)
{
    if (key->kind != PICKLE_TEXT) {
        reader->table->skipped_count++;
        return PF_OK;
    }
    return read_entry(reader, value, (struct text){key->text.bytes, key->text.size}, err);
}

/* OrderedDict([(key, value), …]), as Python 2 wrote it. */
static enum pf_status read_pair_list(
    const struct reader *reader, const struct pickle_value *arguments, struct pf_error *err)
{
    const struct pickle_value *list = member(arguments, 0);
    if (!list)
        return PF_OK;
    if (list->kind != PICKLE_LIST && list->kind != PICKLE_TUPLE)
        return pf_fail(err, PF_UNSUPPORTED, "an OrderedDict that is not made of a list of pairs");
    for (uint32_t i = 0; i < list->count; i++) {
        const struct pickle_value *pair = list->items[i];
        if ((pair->kind != PICKLE_TUPLE && pair->kind != PICKLE_LIST) || pair->count != 2)
            return pf_fail(err, PF_CORRUPT, "item %u of an OrderedDict is not a pair", i);
        PF_TRY(read_pair(reader, pair->items[0], pair->items[1], err));
    }
    return PF_OK;
}

/* The last value under that key, as in Python; NULL when there is none. */
static const struct pickle_value *dict_get(const struct pickle_value *dict, const char *key)
{
    for (uint32_t i = dict->count; i >= 2; i -= 2) {
        if (pickle_is_text(dict->items[i - 2], key))
            return dict->items[i - 1];
    }
    return NULL;
}

static enum pf_status read_state_dict(
    const struct reader *reader, const struct pickle_value *root, struct pf_error *err)
{
    const struct pickle_value *dict = root;
    if (is_dict(root) && dict_get(root, "state_dict"))
        dict = dict_get(root, "state_dict");
    if (!is_dict(dict)) {
        const struct pickle_value *class =
            dict->kind == PICKLE_OBJECT ? dict->object.callable : NULL;
        if (class && class->kind == PICKLE_CLASS)
            return pf_fail(err, PF_UNSUPPORTED,
                "the file holds an object made by %.*s.%.*s, not a state dict: save "
                "model.state_dict() instead",
                CLASS_SHOWN(class));
        return pf_fail(err, PF_UNSUPPORTED, "the file does not hold a state dict");
    }
    if (dict->kind == PICKLE_OBJECT)
        PF_TRY(read_pair_list(reader, dict->object.arguments, err));
    for (uint32_t i = 0; i + 1 < dict->count; i += 2)
        PF_TRY(read_pair(reader, dict->items[i], dict->items[i + 1], err));
    if (reader->table->count == 0)
        return pf_fail(err, PF_UNSUPPORTED, "the state dict holds no tensors (%zu other entries)",
            reader->table->skipped_count);
    return PF_OK;
}

/* --- the archive --- */

/* The folder of the one entry that is FOLDER/data.pkl. */
static enum pf_status find_root(
    struct reader *reader, const struct zip_entry **ret_pickle, struct pf_error *err)
{
    static const char suffix[] = "/data.pkl";
    const size_t suffix_size = sizeof suffix - 1;
    *ret_pickle = NULL;
    for (size_t i = 0; i < reader->zip.count; i++) {
        const struct zip_entry *entry = &reader->zip.entries[i];
        if (entry->name_size <= suffix_size || entry->name_size > ENTRY_NAME_MAX / 2 ||
            memcmp(entry->name + entry->name_size - suffix_size, suffix, suffix_size) != 0 ||
            memchr(entry->name, '/', entry->name_size - suffix_size) ||
            memchr(entry->name, 0, entry->name_size))
            continue;
        if (*ret_pickle)
            return pf_fail(err, PF_CORRUPT, "the archive has two entries named FOLDER/data.pkl");
        *ret_pickle = entry;
    }
    if (!*ret_pickle)
        return pf_fail(err, PF_UNSUPPORTED,
            "a zip archive of %zu entries without FOLDER/data.pkl: not a PyTorch checkpoint",
            reader->zip.count);
    reader->root = (*ret_pickle)->name;
    reader->root_size = (*ret_pickle)->name_size - suffix_size + 1;
    return PF_OK;
}

static enum pf_status check_byte_order(const struct reader *reader, struct pf_error *err)
{
    char name[ENTRY_NAME_MAX];
    int size = snprintf(name, sizeof name, "%.*sbyteorder", (int)reader->root_size, reader->root);
    const struct zip_entry *entry = size > 0 ? zip_find(&reader->zip, name, (size_t)size) : NULL;
    if (entry && (entry->size != 6 || memcmp(entry->data, "little", 6) != 0))
        return pf_fail(err, PF_UNSUPPORTED, "the checkpoint's byte order is not little-endian");
    return PF_OK;
}

static enum pf_status read_archive(struct reader *reader, struct pf_error *err)
{
    const struct zip_entry *entry;
    struct pickle *pickle;
    PF_TRY(find_root(reader, &entry, err));
    PF_TRY(check_byte_order(reader, err));
    PF_TRY(pickle_read(&pickle, entry->data, entry->size, err));
    enum pf_status status = read_state_dict(reader, pickle_root(pickle), err);
    pickle_destroy(pickle);
    return status;
}

enum pf_status torch_zip_read(
    const unsigned char *data, size_t size, struct array_table *table, struct pf_error *err)
{
    struct reader reader = {.table = table};
    PF_TRY(zip_open(&reader.zip, data, size, err));
    enum pf_status status = read_archive(&reader, err);
    zip_finish(&reader.zip);
    return status;
}
