/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

/* Frames between server and worker, over a stream socket.
 *
 *     offset  bytes
 *     0       4      magic "PFX1" (the protocol's framing version)
 *     4       4      header_size, little-endian, 2 … FRAME_HEADER_MAX
 *     8       8      body_size, little-endian, 0 … FRAME_BODY_MAX
 *     16      …      header: one JSON object with a member "type"
 *     …       …      body: raw bytes the header describes
 *
 * Reading is incremental: feed whatever recv() gave, take whole frames out. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    FRAME_PREFIX_SIZE = 16,
    FRAME_HEADER_MIN = 2,
    FRAME_HEADER_MAX = 1 << 20,
    FRAME_BODY_MAX = 256 << 20,
    FRAME_PENDING_MAX = 512 << 20, /* fed and not taken: one largest frame and more than a recv() */
};

/* One whole frame; pointers are into the reader and hold until its next call (not aligned). */
struct frame {
    const char *header; /* JSON text, not NUL-terminated */
    size_t header_size;
    const char *body; /* NULL when body_size is 0 */
    size_t body_size;
};

struct frame_reader {
    struct buffer pending;
    size_t taken; /* bytes at the start of `pending` that frames handed out have used */
};

void frame_reader_init(struct frame_reader *reader);
void frame_reader_finish(struct frame_reader *reader);

/* Appends received bytes. PF_NOMEM; PF_INVALID beyond FRAME_PENDING_MAX: take all whole frames out
 * before feeding more. */
PF_MUST_CHECK enum pf_status frame_reader_feed(
    struct frame_reader *reader, const void *bytes, size_t count, struct pf_error *err);

/* Takes the next whole frame: *ret_have is 0 when more bytes are needed. PF_CORRUPT on a bad magic
 * or a size out of range: the stream can't be used any further. */
PF_MUST_CHECK enum pf_status frame_reader_next(
    struct frame_reader *reader, struct frame *ret_frame, int *ret_have, struct pf_error *err);

/* Appends one frame to `out`, whole or not at all. PF_INVALID when a size is out of range or `out`
 * would pass its maximum. */
PF_MUST_CHECK enum pf_status frame_put(struct buffer *out, const char *header, size_t header_size,
    const void *body, size_t body_size, struct pf_error *err);

#endif
