/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/buffer.h"

/* Bytes that `count` bytes take in base64 (RFC 4648 section 4, padded). */
size_t base64_size(size_t count);

/* Appends `count` bytes as base64. */
void buffer_put_base64(struct buffer *out, const void *bytes, size_t count);

#endif
