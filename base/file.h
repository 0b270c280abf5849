/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* A file mapped read-only. Touching it after another process cut it short raises SIGBUS: map only
 * files nobody rewrites in place. */
struct file_map {
    const unsigned char *data; /* NULL for an empty file */
    size_t size;
};

PF_MUST_CHECK enum pf_status file_map_open(struct file_map *ret_map, const char *path,
    struct pf_error *err);
void file_map_close(struct file_map *map);

/* Reads a whole file, at most `max_size` bytes, into `ret` (an initialised buffer; appended). */
PF_MUST_CHECK enum pf_status file_read(const char *path, size_t max_size, struct buffer *ret,
    struct pf_error *err);

/* Writes a file so that it is there whole or not at all: temporary name beside it, mode `mode`,
 * fsync when `durable`, rename. */
PF_MUST_CHECK enum pf_status file_write(const char *path, const void *bytes, size_t count,
    unsigned mode, int durable, struct pf_error *err);

/* Reads or writes exactly `count` bytes on a blocking descriptor, restarting after signals.
 * file_read_full(): *ret_eof is 1 and the status PF_OK when the stream ended before the first byte;
 * ending later is PF_CORRUPT. */
PF_MUST_CHECK enum pf_status file_read_full(int fd, void *bytes, size_t count, int *ret_eof,
    struct pf_error *err);
PF_MUST_CHECK enum pf_status file_write_full(int fd, const void *bytes, size_t count,
    struct pf_error *err);

#endif
