/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_ZIP_H
#define PIPELINE_WEIGHTS_ZIP_H

/* The entries of a zip archive in memory, as PyTorch writes them: stored, zip64 where needed. The
 * central directory is the authority; every local header is held against it. Checksums are not
 * verified: that would read gigabytes before the first use.
 * Source: PKWARE APPNOTE 6.3 §4.3. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { ZIP_ENTRIES_MAX = 1 << 20 };

struct zip_entry {
    const char *name; /* inside the archive, not NUL-terminated */
    size_t name_size;
    const unsigned char *data; /* of any alignment */
    size_t size;
    size_t begin, end; /* from the local header to the end of the data */
};

struct zip {
    struct zip_entry *entries; /* sorted by name */
    size_t count;
};

/* Opens the archive in `data`, which must outlive it. A failed open leaves nothing to finish.
 * Errors  PF_CORRUPT out of bounds, overlapping, twice the same name, headers that disagree;
 *         PF_UNSUPPORTED compressed or encrypted entries (named), several disks, too many entries
 */
PF_MUST_CHECK enum pf_status zip_open(
    struct zip *ret_zip, const unsigned char *data, size_t size, struct pf_error *err);
void zip_finish(struct zip *zip);

/* The entry of that name, or NULL. O(log n) */
const struct zip_entry *zip_find(const struct zip *zip, const char *name, size_t name_size);

#endif
