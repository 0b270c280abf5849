/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pipeline/weights/archive.h"

#include <string.h>

enum { ZIP64 = 45, ENTRIES_MAX = 64 };

void archive_put_le(struct buffer *out, uint64_t value, int byte_count)
{
    for (int i = 0; i < byte_count; i++)
        buffer_put(out, &(unsigned char){(unsigned char)(i < 8 ? value >> (8 * i) : 0)}, 1);
}

static void put_local(struct buffer *out, const struct archive_entry *entry)
{
    const char *name = entry->local_name ? entry->local_name : entry->name;
    uint64_t size = entry->local_lie ? entry->local_lie : entry->size;
    if (entry->flags & 8)
        size = 0;
    buffer_put(out, "PK\3\4", 4);
    archive_put_le(out, 0, 2);
    archive_put_le(out, (uint64_t)entry->flags, 2);
    archive_put_le(out, (uint64_t)entry->method, 2);
    archive_put_le(out, 0, 4 + 4);
    archive_put_le(out, entry->zip64 ? UINT32_MAX : size, 4);
    archive_put_le(out, entry->zip64 ? UINT32_MAX : size, 4);
    archive_put_le(out, strlen(name), 2);
    archive_put_le(out, entry->zip64 ? 20 : 0, 2);
    buffer_put_text(out, name);
    if (entry->zip64) {
        archive_put_le(out, 1, 2);
        archive_put_le(out, 16, 2);
        archive_put_le(out, size, 8);
        archive_put_le(out, size, 8);
    }
    buffer_put(out, entry->data, entry->size);
    if (entry->flags & 8)
        archive_put_le(out, 0, 12);
}

static void put_central(struct buffer *out, const struct archive_entry *entry, uint64_t local_at)
{
    uint64_t size = entry->size_lie ? entry->size_lie : entry->size;
    if (entry->offset_lie)
        local_at = entry->offset_lie;
    buffer_put(out, "PK\1\2", 4);
    archive_put_le(out, 0, 2);
    archive_put_le(out, entry->zip64 ? ZIP64 : 0, 2);
    archive_put_le(out, (uint64_t)entry->flags, 2);
    archive_put_le(out, (uint64_t)entry->method, 2);
    archive_put_le(out, 0, 4 + 4);
    archive_put_le(out, entry->zip64 ? UINT32_MAX : size, 4);
    archive_put_le(out, entry->zip64 ? UINT32_MAX : size, 4);
    archive_put_le(out, strlen(entry->name), 2);
    archive_put_le(out, entry->zip64 ? 6 + 28 : 0, 2);
    archive_put_le(out, 0, 2 + 2 + 2 + 4);
    archive_put_le(out, entry->zip64 ? UINT32_MAX : local_at, 4);
    buffer_put_text(out, entry->name);
    if (entry->zip64) {
        archive_put_le(out, 0x5455, 2); /* some other field before it */
        archive_put_le(out, 2, 2);
        archive_put_le(out, 0, 2);
        archive_put_le(out, 1, 2);
        archive_put_le(out, 24, 2);
        archive_put_le(out, size, 8);
        archive_put_le(out, size, 8);
        archive_put_le(out, local_at, 8);
    }
}

static void put_end(struct buffer *out, size_t count, uint64_t at, uint64_t size,
    const struct archive_options *options)
{
    uint64_t end64_at = options->end64_lie ? options->end64_lie : out->size;
    if (options->zip64) {
        buffer_put(out, "PK\6\6", 4);
        archive_put_le(out, 44, 8);
        archive_put_le(out, ZIP64, 2);
        archive_put_le(out, ZIP64, 2);
        archive_put_le(out, 0, 8);
        archive_put_le(out, count, 8);
        archive_put_le(out, count, 8);
        archive_put_le(out, size, 8);
        archive_put_le(out, at, 8);
        buffer_put(out, "PK\6\7", 4);
        archive_put_le(out, 0, 4);
        archive_put_le(out, end64_at, 8);
        archive_put_le(out, 1, 4);
    }
    buffer_put(out, "PK\5\6", 4);
    archive_put_le(out, 0, 4);
    archive_put_le(out, options->zip64 ? UINT16_MAX : count, 2);
    archive_put_le(out, options->zip64 ? UINT16_MAX : count, 2);
    archive_put_le(out, options->zip64 ? UINT32_MAX : size, 4);
    archive_put_le(out, options->zip64 ? UINT32_MAX : at, 4);
    archive_put_le(out, options->comment ? strlen(options->comment) : 0, 2);
    buffer_put_text(out, options->comment ? options->comment : "");
}

void archive_put(struct buffer *out, const struct archive_entry *entries, size_t count,
    const struct archive_options *options)
{
    static const struct archive_options none;
    uint64_t places[ENTRIES_MAX];
    if (!options)
        options = &none;
    for (size_t i = 0; i < count; i++) {
        places[i] = out->size;
        put_local(out, &entries[i]);
    }
    size_t at = out->size;
    for (size_t i = 0; i < count; i++)
        put_central(out, &entries[i], places[i]);
    put_end(out, options->count_lie ? (size_t)options->count_lie : count,
        options->directory_lie ? options->directory_lie : at, out->size - at, options);
}

void archive_put_safetensors(struct buffer *out, const char *header, const void *body, size_t size)
{
    archive_put_le(out, strlen(header), 8);
    buffer_put_text(out, header);
    buffer_put(out, body, size);
}

void pickle_put_text(struct buffer *out, const char *text)
{
    buffer_put_text(out, "X");
    archive_put_le(out, strlen(text), 4);
    buffer_put_text(out, text);
}

void pickle_put_int(struct buffer *out, int64_t value)
{
    buffer_put(out, "\x8a\x08", 2);
    archive_put_le(out, (uint64_t)value, 8);
}

void pickle_put_ints(struct buffer *out, const int64_t *values, int count)
{
    buffer_put_text(out, "(");
    for (int i = 0; i < count; i++)
        pickle_put_int(out, values[i]);
    buffer_put_text(out, "t");
}

void pickle_put_tensor(struct buffer *out, const struct pickle_tensor *tensor)
{
    buffer_put_format(out, "ctorch._utils\n_rebuild_tensor_v%d\n((", tensor->scalar ? 3 : 2);
    pickle_put_text(out, "storage");
    buffer_put_format(out, "c%s\n", tensor->storage_class);
    pickle_put_text(out, tensor->key);
    pickle_put_text(out, "cpu");
    pickle_put_int(out, tensor->storage_size);
    buffer_put_text(out, "tQ");
    pickle_put_int(out, tensor->offset);
    pickle_put_ints(out, tensor->dims, tensor->count);
    pickle_put_ints(out, tensor->strides, tensor->count);
    buffer_put_text(out, "\x89"
                         "ccollections\nOrderedDict\n)R");
    if (tensor->scalar)
        buffer_put_format(out, "c%s\n", tensor->scalar);
    buffer_put_text(out, "tR");
}
