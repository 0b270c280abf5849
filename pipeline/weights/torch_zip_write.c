/* SPDX-License-Identifier: Apache-2.0 */
/* What torch.save({"state_dict": OrderedDict of tensors}) writes: archive/data.pkl, one stored
 * entry archive/data/N for each tensor, archive/version. Like PyTorch's own writer each entry's
 * data begins at a multiple of 64 (padded by an extra field "FB"), sizes and checksum follow the
 * data in a descriptor, and the archive ends with a zip64 record. Source: APPNOTE 6.3;
 * caffe2/serialize. */
#include "base/buffer.h"
#include "pipeline/weights/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGNMENT = 64,
    LOCAL_SIZE = 30,
    FLAGS = 1 << 3 | 1 << 11, /* descriptor behind the data, UTF-8 names */
    VERSION_ZIP64 = 45,
    PADDING_TAG = 'F' | 'B' << 8,
    ENTRY_NAME_MAX = 64,
    ENTRIES_FIXED = 2, /* data.pkl and version, behind those of the arrays */
};

static const char *const storage_classes[] = {
    [DTYPE_F16] = "HalfStorage",
    [DTYPE_BF16] = "BFloat16Storage",
    [DTYPE_F32] = "FloatStorage",
    [DTYPE_F64] = "DoubleStorage",
    [DTYPE_I8] = "CharStorage",
    [DTYPE_U8] = "ByteStorage",
    [DTYPE_I16] = "ShortStorage",
    [DTYPE_I32] = "IntStorage",
    [DTYPE_I64] = "LongStorage",
    [DTYPE_BOOL] = "BoolStorage",
};

static void put_le(struct buffer *out, uint64_t value, int byte_count)
{
    for (int i = 0; i < byte_count; i++)
        buffer_put(out, &(unsigned char){(unsigned char)(value >> (8 * i))}, 1);
}

static void put_zeros(struct buffer *out, int byte_count)
{
    while (byte_count-- > 0)
        buffer_put(out, "", 1);
}

/* --- pickle --- */

static void put_text(struct buffer *out, const char *text)
{
    size_t size = strlen(text);
    buffer_put(out, "X", 1);
    put_le(out, size, 4);
    buffer_put(out, text, size);
}

/* LONG1 holds what BININT can't. */
static void put_integer(struct buffer *out, int64_t value)
{
    if (value >= 0 && value <= INT32_MAX) {
        buffer_put(out, "J", 1);
        put_le(out, (uint64_t)value, 4);
    } else {
        buffer_put(out, "\x8a\x08", 2);
        put_le(out, (uint64_t)value, 8);
    }
}

static void put_tuple(struct buffer *out, const int64_t *values, int count)
{
    buffer_put(out, "(", 1);
    for (int i = 0; i < count; i++)
        put_integer(out, values[i]);
    buffer_put(out, "t", 1);
}

/* torch._utils._rebuild_tensor_v2(('storage', class, key, 'cpu', n), 0, size, stride, False,
 * OrderedDict()) */
static void put_tensor(struct buffer *out, const struct array *array, size_t index)
{
    char key[ENTRY_NAME_MAX];
    int64_t strides[ARRAY_DIMS_MAX], stride = 1;
    for (int i = array->dim_count - 1; i >= 0; i--) {
        strides[i] = stride;
        if (__builtin_mul_overflow(stride, array->dims[i], &stride))
            stride = 0;
    }
    snprintf(key, sizeof key, "%zu", index);
    buffer_put_text(out, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(out, "storage");
    buffer_put_format(out, "ctorch\n%s\n", storage_classes[array->dtype]);
    put_text(out, key);
    put_text(out, "cpu");
    put_integer(out, array->element_count);
    buffer_put_text(out, "tQ");
    put_integer(out, 0);
    put_tuple(out, array->dims, array->dim_count);
    put_tuple(out, strides, array->dim_count);
    buffer_put_text(out, "\x89"
                         "ccollections\nOrderedDict\n)RtR");
}

static void put_pickle(struct buffer *out, const struct array_table *table)
{
    buffer_put(out, "\x80\x02}", 3);
    put_text(out, "state_dict");
    buffer_put_text(out, "ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; i < table->count; i++) {
        put_text(out, table->arrays[i].name);
        put_tensor(out, &table->arrays[i], i);
    }
    buffer_put_text(out, "us.");
}

/* --- zip --- */

/* The name of an entry: of the array `index`, or of the fixed ones behind them. */
static void entry_name(
    const struct checkpoint_writer *writer, size_t index, char name[ENTRY_NAME_MAX])
{
    if (index < writer->table.count)
        snprintf(name, ENTRY_NAME_MAX, "archive/data/%zu", index);
    else
        snprintf(name, ENTRY_NAME_MAX, "archive/%s",
            index == writer->table.count ? "data.pkl" : "version");
}

static enum pf_status entry_begin(
    struct checkpoint_writer *writer, size_t index, struct pf_error *err)
{
    char name[ENTRY_NAME_MAX];
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    entry_name(writer, index, name);
    size_t name_size = strlen(name);
    size_t fixed = LOCAL_SIZE + name_size + 4;
    size_t padding = ALIGNMENT - (size_t)((writer->position + fixed) % ALIGNMENT);
    buffer_put(&header, "PK\3\4", 4);
    put_le(&header, 0, 2);
    put_le(&header, FLAGS, 2);
    put_zeros(&header, 2 + 4 + 4 + 4 + 4); /* stored; time, checksum and sizes come later */
    put_le(&header, name_size, 2);
    put_le(&header, padding + 4, 2);
    buffer_put(&header, name, name_size);
    put_le(&header, PADDING_TAG, 2);
    put_le(&header, padding, 2);
    while (padding-- > 0)
        buffer_put(&header, "Z", 1);
    PF_TRY(buffer_status(&header, err));
    writer->entries[index] = (struct writer_entry){.local_at = writer->position};
    writer->crc = 0;
    return writer_out(writer, header.data, header.size, err);
}

static enum pf_status entry_end(
    struct checkpoint_writer *writer, size_t index, uint64_t size, struct pf_error *err)
{
    AUTO_BUFFER struct buffer descriptor = BUFFER_INIT;
    writer->entries[index].size = size;
    writer->entries[index].crc = writer->crc;
    buffer_put(&descriptor, "PK\7\10", 4);
    put_le(&descriptor, writer->crc, 4);
    put_le(&descriptor, size, 4);
    put_le(&descriptor, size, 4);
    PF_TRY(buffer_status(&descriptor, err));
    return writer_out(writer, descriptor.data, descriptor.size, err);
}

static enum pf_status put_entry(struct checkpoint_writer *writer, size_t index, const void *bytes,
    size_t size, struct pf_error *err)
{
    PF_TRY(entry_begin(writer, index, err));
    writer->crc = crc32_update(writer->crc32, 0, bytes, size);
    PF_TRY(writer_out(writer, bytes, size, err));
    return entry_end(writer, index, size, err);
}

static void put_central(struct buffer *out, const struct checkpoint_writer *writer, size_t index)
{
    char name[ENTRY_NAME_MAX];
    const struct writer_entry *entry = &writer->entries[index];
    int far = entry->local_at >= UINT32_MAX;
    entry_name(writer, index, name);
    buffer_put(out, "PK\1\2", 4);
    put_le(out, 0, 2);
    put_le(out, far ? VERSION_ZIP64 : 0, 2);
    put_le(out, FLAGS, 2);
    put_zeros(out, 2 + 4); /* stored; no time */
    put_le(out, entry->crc, 4);
    put_le(out, entry->size, 4);
    put_le(out, entry->size, 4);
    put_le(out, strlen(name), 2);
    put_le(out, far ? 12 : 0, 2);
    put_zeros(out, 2 + 2 + 2 + 4); /* no comment, disk 0, no attributes */
    put_le(out, far ? UINT32_MAX : entry->local_at, 4);
    buffer_put_text(out, name);
    if (far) {
        put_le(out, 1, 2);
        put_le(out, 8, 2);
        put_le(out, entry->local_at, 8);
    }
}

static uint64_t bounded(uint64_t value, uint64_t max)
{
    return value < max ? value : max;
}

static void put_end(
    struct buffer *out, uint64_t count, uint64_t directory_at, uint64_t directory_size)
{
    uint64_t record_at = directory_at + directory_size;
    buffer_put(out, "PK\6\6", 4);
    put_le(out, 44, 8);
    put_le(out, VERSION_ZIP64, 2);
    put_le(out, VERSION_ZIP64, 2);
    put_le(out, 0, 8);
    put_le(out, count, 8);
    put_le(out, count, 8);
    put_le(out, directory_size, 8);
    put_le(out, directory_at, 8);
    buffer_put(out, "PK\6\7", 4);
    put_le(out, 0, 4);
    put_le(out, record_at, 8);
    put_le(out, 1, 4);
    buffer_put(out, "PK\5\6", 4);
    put_le(out, 0, 4);
    put_le(out, bounded(count, UINT16_MAX), 2);
    put_le(out, bounded(count, UINT16_MAX), 2);
    put_le(out, bounded(directory_size, UINT32_MAX), 4);
    put_le(out, bounded(directory_at, UINT32_MAX), 4);
    put_le(out, 0, 2);
}

/* --- the format --- */

static enum pf_status begin(struct checkpoint_writer *writer, struct pf_error *err)
{
    AUTO_BUFFER struct buffer pickle = BUFFER_INIT;
    const struct array_table *table = &writer->table;
    for (size_t i = 0; i < table->count; i++) {
        uint64_t size = writer_array_size(&table->arrays[i]);
        if (size >= UINT32_MAX)
            return pf_fail(err, PF_UNSUPPORTED,
                "tensor '%.*s' has %llu bytes, in a PyTorch zip at most 4 GiB are written",
                ARRAY_NAME_SHOWN, table->arrays[i].name, (unsigned long long)size);
    }
    writer->entry_count = table->count + ENTRIES_FIXED;
    writer->entries = calloc(writer->entry_count, sizeof *writer->entries);
    writer->crc32 = malloc(sizeof *writer->crc32);
    if (!writer->entries || !writer->crc32)
        return pf_fail(err, PF_NOMEM, "no memory for %zu zip entries", writer->entry_count);
    crc32_init(writer->crc32);
    put_pickle(&pickle, table);
    PF_TRY(buffer_status(&pickle, err));
    return put_entry(writer, table->count, pickle.data, pickle.size, err);
}

static enum pf_status array_begin(struct checkpoint_writer *writer, struct pf_error *err)
{
    return entry_begin(writer, writer->index, err);
}

static void array_bytes(struct checkpoint_writer *writer, const void *bytes, size_t count)
{
    writer->crc = crc32_update(writer->crc32, writer->crc, bytes, count);
}

static enum pf_status array_end(struct checkpoint_writer *writer, struct pf_error *err)
{
    return entry_end(
        writer, writer->index, writer_array_size(&writer->table.arrays[writer->index]), err);
}

static enum pf_status end(struct checkpoint_writer *writer, struct pf_error *err)
{
    AUTO_BUFFER struct buffer directory = BUFFER_INIT;
    PF_TRY(put_entry(writer, writer->table.count + 1, "3\n", 2, err));
    uint64_t at = writer->position;
    put_central(&directory, writer, writer->table.count);
    for (size_t i = 0; i < writer->table.count; i++)
        put_central(&directory, writer, i);
    put_central(&directory, writer, writer->table.count + 1);
    put_end(&directory, writer->entry_count, at, directory.size);
    PF_TRY(buffer_status(&directory, err));
    return writer_out(writer, directory.data, directory.size, err);
}

const struct writer_format writer_torch_zip = {
    .begin = begin,
    .array_begin = array_begin,
    .array_bytes = array_bytes,
    .array_end = array_end,
    .end = end,
};
