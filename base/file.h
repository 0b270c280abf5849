/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* Errors of every function with a path: PF_NOT_FOUND when there is no such file, PF_IO and PF_NOMEM
 * from the system; messages start with the path. */

/* A file mapped read-only. Touching it after another process cut it short raises SIGBUS: map only
 * files nobody rewrites in place. */
struct file_map {
    const unsigned char *data; /* NULL for an empty file */
    size_t size;
};

/* PF_INVALID when it is no regular file. */
PF_MUST_CHECK enum pf_status file_map_open(
    struct file_map *ret_map, const char *path, struct pf_error *err);
void file_map_close(struct file_map *map);

/* Asks the system to start reading these bytes from disk; returns at once. A range beyond the end
 * is cut. */
void file_map_prefetch(const struct file_map *map, size_t offset, size_t count);

/* Appends a whole file (or pipe) of at most `max_size` bytes to `ret`; PF_INVALID when it is
 * longer. The buffer's bytes are as before on failure. */
PF_MUST_CHECK enum pf_status file_read(
    const char *path, size_t max_size, struct buffer *ret, struct pf_error *err);

/* Writes a file so that it is there whole or not at all: temporary name beside it, mode `mode`,
 * fsync when `durable` (file and folder), rename. */
PF_MUST_CHECK enum pf_status file_write(const char *path, const void *bytes, size_t count,
    unsigned mode, int durable, struct pf_error *err);

/* Reads or writes exactly `count` bytes on a blocking descriptor, restarting after signals.
 * file_read_full(): *ret_eof is 1 and the status PF_OK when the stream ended before the first byte;
 * ending later is PF_CORRUPT. Writing to a socket or pipe expects SIGPIPE to be ignored. */
PF_MUST_CHECK enum pf_status file_read_full(
    int fd, void *bytes, size_t count, int *ret_eof, struct pf_error *err);
PF_MUST_CHECK enum pf_status file_write_full(
    int fd, const void *bytes, size_t count, struct pf_error *err);

#endif
