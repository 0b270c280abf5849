/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_DATA_TAR_H
#define TOOLS_DATA_TAR_H

/* Tar archives (POSIX ustar) of plain files, as WebDataset shards are. */

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    TAR_BLOCK = 512,
    TAR_NAME_MAX = 256,        /* prefix, '/' and name */
    TAR_ENTRIES_MAX = 1 << 24, /* in one archive */
};

struct tar_entry {
    char name[TAR_NAME_MAX + 1];
    size_t offset; /* of the content in the archive */
    size_t size;
};

/* Reads the header at *offset and moves *offset to the next one. *ret_found is 0 at the archive's
 * end (a zero block, or the end of the bytes). Folders, pax headers and what else is no plain file
 * are passed over. CORRUPT, naming the offset: a wrong checksum, a number that isn't octal, a file
 * that reaches behind the archive. UNSUPPORTED: GNU long names. */
PF_MUST_CHECK enum pf_status tar_next(const unsigned char *archive, size_t count, size_t *offset,
    struct tar_entry *ret_entry, int *ret_found, struct pf_error *err);

/* Appends a file with its header (mode 0644, time 0: equal content gives equal bytes), padded to
 * whole blocks. A name is at most 100 bytes, INVALID else. */
PF_MUST_CHECK enum pf_status tar_put(
    struct buffer *out, const char *name, const void *bytes, size_t count, struct pf_error *err);

/* The two zero blocks at an archive's end. */
void tar_put_end(struct buffer *out);

#endif
