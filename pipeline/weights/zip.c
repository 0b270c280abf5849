/* SPDX-License-Identifier: Apache-2.0 */
/* The end record is searched backwards from the end of the file (a comment may follow it); where a
 * zip64 locator stands before it, the zip64 record counts. Each central entry then leads to its
 * local header. In the end, entries sorted by place must not overlap each other nor the directory.
 */
#include "pipeline/weights/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    END_SIZE = 22,
    COMMENT_MAX = 65535,
    LOCATOR64_SIZE = 20,
    END64_SIZE = 56,
    CENTRAL_SIZE = 46,
    LOCAL_SIZE = 30,
    FLAG_ENCRYPTED = 1,
    FLAG_SIZES_BEHIND = 1 << 3, /* the local header's sizes are 0, a descriptor follows the data */
    EXTRA_ZIP64 = 1,
    NAME_SHOWN = 160,
};

static const uint32_t in_zip64 = UINT32_C(0xFFFFFFFF); /* "see the zip64 field" */

struct archive {
    const unsigned char *data;
    size_t size;
    uint64_t entry_count;
    uint64_t directory_begin, directory_size;
};

static uint64_t read_le(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static uint16_t read_u16(const unsigned char *bytes)
{
    return (uint16_t)read_le(bytes, 2);
}

static uint32_t read_u32(const unsigned char *bytes)
{
    return (uint32_t)read_le(bytes, 4);
}

static int shown(size_t name_size)
{
    return name_size < NAME_SHOWN ? (int)name_size : NAME_SHOWN;
}

static enum pf_status find_end(const struct archive *archive, size_t *ret_at, struct pf_error *err)
{
    if (archive->size < END_SIZE)
        return pf_fail(err, PF_CORRUPT, "a zip archive has at least %d bytes, this one %zu",
            END_SIZE, archive->size);
    size_t last = archive->size - END_SIZE;
    size_t first = last > COMMENT_MAX ? last - COMMENT_MAX : 0;
    for (size_t at = last + 1; at-- > first;) {
        const unsigned char *record = archive->data + at;
        if (memcmp(record, "PK\5\6", 4) == 0 && read_u16(record + 20) == last - at) {
            *ret_at = at;
            return PF_OK;
        }
    }
    return pf_fail(err, PF_CORRUPT,
        "no zip end record in the last %zu bytes: the archive of %zu bytes is cut short",
        archive->size - first, archive->size);
}

/* Reads the zip64 end record when its locator stands right before the end record. */
static enum pf_status read_end64(
    struct archive *archive, size_t end_at, int *ret_have, size_t *ret_at, struct pf_error *err)
{
    *ret_have = 0;
    if (end_at < LOCATOR64_SIZE ||
        memcmp(archive->data + end_at - LOCATOR64_SIZE, "PK\6\7", 4) != 0)
        return PF_OK;
    size_t locator_at = end_at - LOCATOR64_SIZE;
    uint64_t at = read_le(archive->data + locator_at + 8, 8);
    if (locator_at < END64_SIZE || at > locator_at - END64_SIZE ||
        memcmp(archive->data + at, "PK\6\6", 4) != 0)
        return pf_fail(err, PF_CORRUPT, "the zip64 locator points to %llu, where no record is",
            (unsigned long long)at);
    const unsigned char *record = archive->data + at;
    if (read_u32(record + 16) != 0 || read_u32(record + 20) != 0)
        return pf_fail(err, PF_UNSUPPORTED, "a zip archive over several disks");
    archive->entry_count = read_le(record + 32, 8);
    archive->directory_size = read_le(record + 40, 8);
    archive->directory_begin = read_le(record + 48, 8);
    *ret_have = 1;
    *ret_at = (size_t)at;
    return PF_OK;
}

static enum pf_status read_end(struct archive *archive, struct pf_error *err)
{
    size_t end_at = 0, directory_end = 0;
    int have_end64;
    PF_TRY(find_end(archive, &end_at, err));
    PF_TRY(read_end64(archive, end_at, &have_end64, &directory_end, err));
    if (!have_end64) {
        const unsigned char *record = archive->data + end_at;
        directory_end = end_at;
        if (read_u16(record + 4) != 0 || read_u16(record + 6) != 0)
            return pf_fail(err, PF_UNSUPPORTED, "a zip archive over several disks");
        archive->entry_count = read_u16(record + 10);
        archive->directory_size = read_u32(record + 12);
        archive->directory_begin = read_u32(record + 16);
    }
    if (archive->directory_begin > directory_end ||
        archive->directory_size > directory_end - archive->directory_begin)
        return pf_fail(err, PF_CORRUPT,
            "the zip directory has %llu bytes at %llu, but must end before %zu",
            (unsigned long long)archive->directory_size,
            (unsigned long long)archive->directory_begin, directory_end);
    if (archive->entry_count > ZIP_ENTRIES_MAX)
        return pf_fail(err, PF_UNSUPPORTED, "the zip archive has %llu entries, at most %d are read",
            (unsigned long long)archive->entry_count, ZIP_ENTRIES_MAX);
    if (archive->entry_count > archive->directory_size / CENTRAL_SIZE)
        return pf_fail(err, PF_CORRUPT, "%llu zip entries don't fit in a directory of %llu bytes",
            (unsigned long long)archive->entry_count, (unsigned long long)archive->directory_size);
    return PF_OK;
}

/* The fields of a central entry that may move to the zip64 extra field, in that field's order. */
struct central {
    uint64_t size, stored_size, local_at;
};

/* Without that field the values stand for themselves: 4 GiB - 1 is a legal size. */
static void read_extra64(struct central *central, const unsigned char *extra, size_t extra_size)
{
    uint64_t *fields[] = {&central->size, &central->stored_size, &central->local_at};
    while (extra_size >= 4) {
        size_t field_size = read_u16(extra + 2);
        if (field_size > extra_size - 4)
            break;
        if (read_u16(extra) == EXTRA_ZIP64) {
            size_t used = 0;
            for (size_t i = 0; i < COUNT_OF(fields); i++) {
                if (*fields[i] != in_zip64)
                    continue;
                if (field_size - used < 8)
                    break;
                *fields[i] = read_le(extra + 4 + used, 8);
                used += 8;
            }
            return;
        }
        extra += 4 + field_size;
        extra_size -= 4 + field_size;
    }
}

static enum pf_status check_local(const struct archive *archive, const struct central *central,
    struct zip_entry *entry, struct pf_error *err)
{
    int name_shown = shown(entry->name_size);
    uint64_t limit = archive->directory_begin;
    if (limit < LOCAL_SIZE || central->local_at > limit - LOCAL_SIZE)
        return pf_fail(err, PF_CORRUPT,
            "zip entry '%.*s' begins at %llu, the directory already at %llu", name_shown,
            entry->name, (unsigned long long)central->local_at, (unsigned long long)limit);
    const unsigned char *local = archive->data + central->local_at;
    uint16_t flags = read_u16(local + 6);
    uint32_t stored_size = read_u32(local + 18), size = read_u32(local + 22);
    size_t name_size = read_u16(local + 26), extra_size = read_u16(local + 28);
    uint64_t begin = central->local_at + LOCAL_SIZE + name_size + extra_size;
    if (memcmp(local, "PK\3\4", 4) != 0)
        return pf_fail(err, PF_CORRUPT, "zip entry '%.*s': no local header at %llu", name_shown,
            entry->name, (unsigned long long)central->local_at);
    if (begin > limit || central->size > limit - begin)
        return pf_fail(err, PF_CORRUPT,
            "zip entry '%.*s' has %llu bytes at %llu, the directory begins at %llu", name_shown,
            entry->name, (unsigned long long)central->size, (unsigned long long)begin,
            (unsigned long long)limit);
    if (name_size != entry->name_size || memcmp(local + LOCAL_SIZE, entry->name, name_size) != 0)
        return pf_fail(err, PF_CORRUPT, "zip entry '%.*s' has another name in its local header",
            name_shown, entry->name);
    int sizes_behind = (flags & FLAG_SIZES_BEHIND) && size == 0 && stored_size == 0;
    int sizes_in_extra = size == in_zip64 && stored_size == in_zip64;
    if (read_u16(local + 8) != 0 || (!sizes_behind && !sizes_in_extra &&
                                        (size != central->size || stored_size != central->size)))
        return pf_fail(err, PF_CORRUPT,
            "zip entry '%.*s': the directory says %llu bytes stored, the local header %u "
            "(method %u)",
            name_shown, entry->name, (unsigned long long)central->size, size, read_u16(local + 8));
    entry->data = archive->data + begin;
    entry->size = (size_t)central->size;
    entry->begin = (size_t)central->local_at;
    entry->end = (size_t)(begin + central->size);
    return PF_OK;
}

/* Reads the central entry at *at (relative to the directory) and moves *at behind it. */
static enum pf_status read_entry(const struct archive *archive, size_t index, size_t *at,
    struct zip_entry *entry, struct pf_error *err)
{
    const unsigned char *record = archive->data + archive->directory_begin + *at;
    size_t left = (size_t)archive->directory_size - *at;
    if (left < CENTRAL_SIZE || memcmp(record, "PK\1\2", 4) != 0)
        return pf_fail(err, PF_CORRUPT, "zip directory: no entry %zu of %llu at %zu", index,
            (unsigned long long)archive->entry_count, (size_t)archive->directory_begin + *at);
    size_t name_size = read_u16(record + 28), extra_size = read_u16(record + 30);
    size_t record_size = CENTRAL_SIZE + name_size + extra_size + read_u16(record + 32);
    if (record_size > left)
        return pf_fail(err, PF_CORRUPT, "zip directory: entry %zu has %zu bytes, %zu are left",
            index, record_size, left);
    entry->name = (const char *)record + CENTRAL_SIZE;
    entry->name_size = name_size;
    struct central central = {read_u32(record + 24), read_u32(record + 20), read_u32(record + 42)};
    uint16_t flags = read_u16(record + 8), method = read_u16(record + 10);
    read_extra64(&central, record + CENTRAL_SIZE + name_size, extra_size);
    if (flags & FLAG_ENCRYPTED)
        return pf_fail(
            err, PF_UNSUPPORTED, "zip entry '%.*s' is encrypted", shown(name_size), entry->name);
    if (method != 0)
        return pf_fail(err, PF_UNSUPPORTED,
            "zip entry '%.*s' is compressed (method %u); only stored entries can be mapped: write "
            "the archive without compression, as torch.save does",
            shown(name_size), entry->name, method);
    if (central.size != central.stored_size)
        return pf_fail(err, PF_CORRUPT, "zip entry '%.*s' is stored, yet %llu bytes became %llu",
            shown(name_size), entry->name, (unsigned long long)central.size,
            (unsigned long long)central.stored_size);
    *at += record_size;
    return check_local(archive, &central, entry, err);
}

static int compare_names(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_by_name(const void *left, const void *right)
{
    const struct zip_entry *a = left, *b = right;
    return compare_names(a->name, a->name_size, b->name, b->name_size);
}

static int compare_by_place(const void *left, const void *right)
{
    const struct zip_entry *a = left, *b = right;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

static enum pf_status check_entries(struct zip *zip, struct pf_error *err)
{
    qsort(zip->entries, zip->count, sizeof *zip->entries, compare_by_place);
    for (size_t i = 1; i < zip->count; i++) {
        const struct zip_entry *a = &zip->entries[i - 1], *b = &zip->entries[i];
        if (b->begin < a->end)
            return pf_fail(err, PF_CORRUPT,
                "zip entry '%.*s' begins at %zu, but '%.*s' ends at %zu: they overlap",
                shown(b->name_size), b->name, b->begin, shown(a->name_size), a->name, a->end);
    }
    qsort(zip->entries, zip->count, sizeof *zip->entries, compare_by_name);
    for (size_t i = 1; i < zip->count; i++) {
        const struct zip_entry *entry = &zip->entries[i];
        if (compare_by_name(entry - 1, entry) == 0)
            return pf_fail(err, PF_CORRUPT, "zip entry '%.*s' is there twice",
                shown(entry->name_size), entry->name);
    }
    return PF_OK;
}

enum pf_status zip_open(
    struct zip *ret_zip, const unsigned char *data, size_t size, struct pf_error *err)
{
    struct archive archive = {.data = data, .size = size};
    PF_TRY(read_end(&archive, err));
    struct zip zip = {
        calloc((size_t)archive.entry_count + 1, sizeof *zip.entries), (size_t)archive.entry_count};
    if (!zip.entries)
        return pf_fail(err, PF_NOMEM, "no memory for %zu zip entries", zip.count);
    enum pf_status status = PF_OK;
    size_t at = 0;
    for (size_t i = 0; i < zip.count && status == PF_OK; i++)
        status = read_entry(&archive, i, &at, &zip.entries[i], err);
    if (status == PF_OK)
        status = check_entries(&zip, err);
    if (status != PF_OK) {
        zip_finish(&zip);
        return status;
    }
    *ret_zip = zip;
    return PF_OK;
}

void zip_finish(struct zip *zip)
{
    free(zip->entries);
    *zip = (struct zip){0};
}

const struct zip_entry *zip_find(const struct zip *zip, const char *name, size_t name_size)
{
    size_t first = 0, last = zip->count;
    while (first < last) {
        size_t middle = first + (last - first) / 2;
        const struct zip_entry *entry = &zip->entries[middle];
        int order = compare_names(name, name_size, entry->name, entry->name_size);
        if (order == 0)
            return entry;
        if (order < 0)
            last = middle;
        else
            first = middle + 1;
    }
    return NULL;
}
