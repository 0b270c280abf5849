/* SPDX-License-Identifier: Apache-2.0 */
/* Received bytes gather in one buffer; frames are handed out in place and their bytes dropped
 * later.
 *
 * Cost: dropping moves what is left, so it waits until at least as many bytes are dropped as moved:
 * each byte is copied a bounded number of times, however small the chunks.
 * Memory: the buffer grows with the bytes that came, never with a size that was only declared; once
 * a large frame is gone, so is its memory. */
#include "base/frame.h"

#include <string.h>

static const char magic[4] = {'P', 'F', 'X', '1'};

/* A buffer up to this size is kept for the next frames. */
enum { FRAME_KEEP_MAX = 1 << 20 };

void frame_reader_init(struct frame_reader *reader)
{
    *reader = (struct frame_reader){.pending = BUFFER_INIT_MAX(FRAME_PENDING_MAX)};
}

void frame_reader_finish(struct frame_reader *reader)
{
    buffer_finish(&reader->pending);
    reader->taken = 0;
}

static size_t count_left(const struct frame_reader *reader)
{
    return reader->pending.size - reader->taken;
}

static void drop_taken(struct frame_reader *reader)
{
    struct buffer *pending = &reader->pending;
    size_t left = count_left(reader);
    if (reader->taken == 0 || reader->taken < left)
        return;
    if (left > 0)
        memmove(pending->data, pending->data + reader->taken, left);
    pending->size = left;
    reader->taken = 0;
    if (pending->capacity <= FRAME_KEEP_MAX || left > pending->capacity / 4)
        return;
    struct buffer smaller = BUFFER_INIT_MAX(FRAME_PENDING_MAX);
    buffer_put(&smaller, pending->data, left);
    if (smaller.status != PF_OK) {
        buffer_finish(&smaller); /* no memory for the copy: the large one still serves */
        return;
    }
    buffer_finish(pending);
    *pending = smaller;
}

enum pf_status frame_reader_feed(
    struct frame_reader *reader, const void *bytes, size_t count, struct pf_error *err)
{
    drop_taken(reader);
    buffer_put(&reader->pending, bytes, count);
    return buffer_status(&reader->pending, err);
}

static uint64_t read_le(const char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | (unsigned char)bytes[i];
    return value;
}

static void put_le(struct buffer *out, uint64_t value, int count)
{
    for (int i = 0; i < count; i++) {
        char byte = (char)(value >> 8 * i & 0xFF);
        buffer_put(out, &byte, 1);
    }
}

/* The magic is checked as far as it came, so that a stranger is refused at the first bytes. */
static enum pf_status check_magic(const char *bytes, size_t count, struct pf_error *err)
{
    if (memcmp(bytes, magic, count < sizeof magic ? count : sizeof magic) == 0)
        return PF_OK;
    return pf_fail(err, PF_CORRUPT, "frame: bad magic");
}

static enum pf_status check_sizes(
    enum pf_status status, uint64_t header_size, uint64_t body_size, struct pf_error *err)
{
    if (header_size < FRAME_HEADER_MIN || header_size > FRAME_HEADER_MAX)
        return pf_fail(err, status, "frame: header of %ju bytes, expected %d to %d",
            (uintmax_t)header_size, FRAME_HEADER_MIN, FRAME_HEADER_MAX);
    if (body_size > FRAME_BODY_MAX)
        return pf_fail(err, status, "frame: body of %ju bytes, the maximum is %d",
            (uintmax_t)body_size, FRAME_BODY_MAX);
    return PF_OK;
}

enum pf_status frame_reader_next(
    struct frame_reader *reader, struct frame *ret_frame, int *ret_have, struct pf_error *err)
{
    drop_taken(reader);
    size_t left = count_left(reader);
    *ret_have = 0;
    if (left == 0)
        return PF_OK;
    const char *bytes = reader->pending.data + reader->taken;
    PF_TRY(check_magic(bytes, left, err));
    if (left < FRAME_PREFIX_SIZE)
        return PF_OK;
    uint64_t header_size = read_le(bytes + 4, 4);
    uint64_t body_size = read_le(bytes + 8, 8);
    PF_TRY(check_sizes(PF_CORRUPT, header_size, body_size, err));
    uint64_t frame_size = FRAME_PREFIX_SIZE + header_size + body_size;
    if (left < frame_size)
        return PF_OK;
    ret_frame->header = bytes + FRAME_PREFIX_SIZE;
    ret_frame->header_size = (size_t)header_size;
    ret_frame->body = body_size > 0 ? ret_frame->header + header_size : NULL;
    ret_frame->body_size = (size_t)body_size;
    reader->taken += (size_t)frame_size;
    *ret_have = 1;
    return PF_OK;
}

enum pf_status frame_put(struct buffer *out, const char *header, size_t header_size,
    const void *body, size_t body_size, struct pf_error *err)
{
    PF_TRY(check_sizes(PF_INVALID, header_size, body_size, err));
    /* All or nothing: room for the whole frame first. */
    buffer_reserve(out, FRAME_PREFIX_SIZE + header_size + body_size);
    buffer_put(out, magic, sizeof magic);
    put_le(out, header_size, 4);
    put_le(out, body_size, 8);
    buffer_put(out, header, header_size);
    buffer_put(out, body, body_size);
    return buffer_status(out, err);
}
