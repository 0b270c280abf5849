/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/text/merges.h"

#include <zlib.h>

enum {
    CHUNK_SIZE = 64 * 1024,
    GZIP_ONLY = 16, /* added to the window bits: a gzip header, nothing else */
};

/* Inflates until the end of the stream, the end of the input, or more than max_size bytes. */
static int inflate_all(z_stream *stream, size_t max_size, struct buffer *ret)
{
    int result = Z_OK;
    size_t start = ret->size;
    while (result == Z_OK && ret->size - start <= max_size) {
        char *room = buffer_reserve(ret, CHUNK_SIZE);
        if (!room)
            return Z_MEM_ERROR;
        stream->next_out = (Bytef *)room;
        stream->avail_out = CHUNK_SIZE;
        result = inflate(stream, Z_NO_FLUSH);
        ret->size += CHUNK_SIZE - stream->avail_out;
    }
    return result;
}

enum pf_status merges_gunzip(
    const void *bytes, size_t count, size_t max_size, struct buffer *ret, struct pf_error *err)
{
    if (count > MERGES_SIZE_MAX)
        return pf_fail(err, PF_INVALID, "merges table of %zu bytes, at most %d are taken", count,
            (int)MERGES_SIZE_MAX);
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)count};
    if (inflateInit2(&stream, MAX_WBITS + GZIP_ONLY) != Z_OK)
        return pf_fail(err, PF_NOMEM, "no memory to unpack the merges table");
    size_t start = ret->size;
    int result = inflate_all(&stream, max_size, ret);
    size_t left = stream.avail_in;
    inflateEnd(&stream);
    if (result == Z_MEM_ERROR)
        return pf_fail(err, PF_NOMEM, "no memory to unpack the merges table");
    if (ret->size - start > max_size)
        return pf_fail(
            err, PF_CORRUPT, "gzip'd merges table unpacks to more than %zu bytes", max_size);
    if (result != Z_STREAM_END)
        return pf_fail(err, PF_CORRUPT, "gzip'd merges table is %s at byte %zu of %zu",
            left == 0 ? "cut short" : "broken", count - left, count);
    if (left > 0)
        return pf_fail(err, PF_CORRUPT, "gzip'd merges table is followed by %zu bytes", left);
    return PF_OK;
}
