/* SPDX-License-Identifier: Apache-2.0 */
/* Frame reader: however a stream is cut, the same frames come out, then the same end; and each
 * frame written again gives the bytes it was read from. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

/* Feeds in chunks of `chunk` bytes; appends every frame to `out` and returns how the stream ended.
 */
static enum pf_status read_stream(
    const uint8_t *data, size_t size, size_t chunk, struct buffer *out)
{
    struct frame_reader reader;
    struct pf_error err = PF_ERROR_INIT;
    enum pf_status status = PF_OK;
    frame_reader_init(&reader);
    for (size_t at = 0; at < size && status == PF_OK; at += chunk) {
        size_t count = size - at < chunk ? size - at : chunk;
        require(frame_reader_feed(&reader, data + at, count, &err) == PF_OK);
        struct frame frame;
        int have = 0;
        while ((status = frame_reader_next(&reader, &frame, &have, &err)) == PF_OK && have)
            require(frame_put(out, frame.header, frame.header_size, frame.body, frame.body_size,
                        &err) == PF_OK);
    }
    frame_reader_finish(&reader);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t chunks[] = {1, 7, 64, SIZE_MAX / 2};
    AUTO_BUFFER struct buffer whole = BUFFER_INIT;
    enum pf_status end = read_stream(data, size, size > 0 ? size : 1, &whole);
    require(whole.size <= size && (whole.size == 0 || memcmp(whole.data, data, whole.size) == 0));
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        AUTO_BUFFER struct buffer cut = BUFFER_INIT;
        require(read_stream(data, size, chunks[i], &cut) == end && cut.size == whole.size);
    }
    return 0;
}
