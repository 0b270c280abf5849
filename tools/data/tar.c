/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/data/tar.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_AT = 0,
    NAME_SIZE = 100,
    MODE_AT = 100,
    OWNER_AT = 108,
    GROUP_AT = 116,
    SIZE_AT = 124,
    TIME_AT = 136,
    SUM_AT = 148,
    TYPE_AT = 156,
    MAGIC_AT = 257,
    PREFIX_AT = 345,
    PREFIX_SIZE = 155,
};

/* Octal digits, then spaces or NULs; leading spaces as old archivers write them. -1 otherwise. */
static int64_t read_octal(const unsigned char *field, size_t size)
{
    size_t i = 0;
    int64_t value = 0;
    int digits = 0;
    while (i < size && field[i] == ' ')
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++, digits++)
        value = value * 8 + (field[i] - '0');
    for (; i < size; i++)
        if (field[i] != ' ' && field[i] != '\0')
            return -1;
    return digits ? value : -1;
}

static int64_t checksum(const unsigned char *header)
{
    int64_t sum = 0;
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += i >= SUM_AT && i < SUM_AT + 8 ? ' ' : header[i];
    return sum;
}

static int is_zero(const unsigned char *block)
{
    for (int i = 0; i < TAR_BLOCK; i++)
        if (block[i])
            return 0;
    return 1;
}

static void read_name(const unsigned char *header, char ret_name[TAR_NAME_MAX + 1])
{
    int is_ustar = !memcmp(header + MAGIC_AT, "ustar", 5);
    int has_prefix = is_ustar && header[PREFIX_AT];
    snprintf(ret_name, TAR_NAME_MAX + 1, "%.*s%s%.*s", has_prefix ? PREFIX_SIZE : 0,
        (const char *)header + PREFIX_AT, has_prefix ? "/" : "", NAME_SIZE,
        (const char *)header + NAME_AT);
}

enum pf_status tar_next(const unsigned char *archive, size_t count, size_t *offset,
    struct tar_entry *ret_entry, int *ret_found, struct pf_error *err)
{
    size_t at = *offset;
    while (at < count) {
        const unsigned char *header = archive + at;
        if (count - at < TAR_BLOCK)
            return pf_fail(err, PF_CORRUPT, "tar: a header at %zu is cut short", at);
        if (is_zero(header))
            break;
        int64_t size = read_octal(header + SIZE_AT, 12);
        if (read_octal(header + SUM_AT, 8) != checksum(header))
            return pf_fail(err, PF_CORRUPT, "tar: wrong checksum of the header at %zu", at);
        if (size < 0)
            return pf_fail(err, PF_CORRUPT, "tar: no octal size in the header at %zu", at);
        char type = (char)header[TYPE_AT];
        if (type == 'L' || type == 'K')
            return pf_fail(err, PF_UNSUPPORTED, "tar: a GNU long name at %zu", at);
        if ((uint64_t)size > count - at - TAR_BLOCK)
            return pf_fail(err, PF_CORRUPT,
                "tar: the file at %zu has %lld bytes, the archive ends after %zu", at,
                (long long)size, count - at - TAR_BLOCK);
        size_t padded = ((size_t)size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        size_t next =
            at + TAR_BLOCK + (padded < count - at - TAR_BLOCK ? padded : count - at - TAR_BLOCK);
        if (type == '0' || type == '\0') {
            read_name(header, ret_entry->name);
            ret_entry->offset = at + TAR_BLOCK;
            ret_entry->size = (size_t)size;
            *offset = next;
            *ret_found = 1;
            return PF_OK;
        }
        at = next;
    }
    *offset = at;
    *ret_found = 0;
    return PF_OK;
}

static void put_octal(char *field, int digits, unsigned long long value)
{
    char text[24];
    snprintf(text, sizeof text, "%0*llo", digits, value);
    memcpy(field, text, (size_t)digits);
}

enum pf_status tar_put(
    struct buffer *out, const char *name, const void *bytes, size_t count, struct pf_error *err)
{
    static const char zeros[TAR_BLOCK];
    char header[TAR_BLOCK] = {0};
    size_t length = strlen(name);
    if (length == 0 || length > NAME_SIZE)
        return pf_fail(
            err, PF_INVALID, "tar: a name of %zu bytes, must be 1 to %d", length, NAME_SIZE);
    if (count > 077777777777u)
        return pf_fail(err, PF_INVALID, "tar: '%s' has %zu bytes, too many for ustar", name, count);
    memcpy(header + NAME_AT, name, length);
    put_octal(header + MODE_AT, 7, 0644);
    put_octal(header + OWNER_AT, 7, 0);
    put_octal(header + GROUP_AT, 7, 0);
    put_octal(header + SIZE_AT, 11, count);
    put_octal(header + TIME_AT, 11, 0);
    header[TYPE_AT] = '0';
    memcpy(header + MAGIC_AT, "ustar\00000", 8);
    put_octal(header + SUM_AT, 6, (unsigned long long)checksum((const unsigned char *)header));
    header[SUM_AT + 7] = ' ';
    buffer_put(out, header, sizeof header);
    buffer_put(out, bytes, count);
    if (count % TAR_BLOCK)
        buffer_put(out, zeros, TAR_BLOCK - count % TAR_BLOCK);
    return buffer_status(out, err);
}

void tar_put_end(struct buffer *out)
{
    static const char zeros[2 * TAR_BLOCK];
    buffer_put(out, zeros, sizeof zeros);
}
