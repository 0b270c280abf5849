/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_BLOBS_H
#define SERVER_JOBS_BLOBS_H

/* Input and result images as files of one spool folder, named by random ids, mode 0600, written
 * durably and never changed afterwards. Thread-safe without a lock: the file system is the state.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"

struct blobs {
    char *folder;
    int folder_fd;
};

/* Makes the folder (mode 0700) when absent; its parent must exist. PF_IO. */
PF_MUST_CHECK enum pf_status blobs_open(
    struct blobs *ret_blobs, const char *folder, struct pf_error *err);
void blobs_close(struct blobs *blobs);

/* Writes a new blob, on disk when it returns. PF_IO (disk full, …): no file is left. */
PF_MUST_CHECK enum pf_status blobs_put(struct blobs *blobs, const void *bytes, size_t count,
    char ret_id[ID_SIZE], struct pf_error *err);

/* Opens for reading; *ret_fd is the caller's, close-on-exec. PF_NOT_FOUND: never there or removed.
 */
PF_MUST_CHECK enum pf_status blobs_open_fd(
    struct blobs *blobs, const char *id, int *ret_fd, size_t *ret_size, struct pf_error *err);

/* Appends the whole blob to `ret`. PF_NOT_FOUND, PF_INVALID beyond ret->max_size. */
PF_MUST_CHECK enum pf_status blobs_read(
    struct blobs *blobs, const char *id, struct buffer *ret, struct pf_error *err);

/* Removes it; "" and an absent one are fine. */
void blobs_remove(struct blobs *blobs, const char *id);

/* Removes files that `is_used` says no to and that are older than `min_age_ms`: leftovers of a
 * killed server. Returns how many. */
PF_MUST_CHECK enum pf_status blobs_sweep(struct blobs *blobs, int64_t min_age_ms,
    int (*is_used)(void *context, const char *id), void *context, size_t *ret_removed,
    struct pf_error *err);

#endif
