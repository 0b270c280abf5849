/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_CRC32_H
#define PIPELINE_WEIGHTS_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The CRC-32 of zip, eight bytes at a time ("slicing by 8": table k holds the effect of a byte that
 * k more bytes follow). */
struct crc32 {
    uint32_t tables[8][256];
};

void crc32_init(struct crc32 *crc32);

/* The checksum of what `crc` was of (0: of nothing) followed by these bytes. */
uint32_t crc32_update(const struct crc32 *crc32, uint32_t crc, const void *bytes, size_t count);

#endif
