/* SPDX-License-Identifier: Apache-2.0 */
/* An event stream gives the same events however its bytes are cut. The first byte chooses the cuts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "tools/cli/event_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum pf_status take(void *context, const struct received_event *event, struct pf_error *err)
{
    struct sha256 *sha = context;
    (void)err;
    if (strlen(event->name) >= EVENT_NAME_SIZE || event->data[event->size])
        abort();
    sha256_update(sha, event->name, strlen(event->name) + 1);
    sha256_update(sha, event->data, event->size + 1);
    return PF_OK;
}

static void read_all(
    const char *bytes, size_t size, size_t piece, unsigned char ret_digest[SHA256_SIZE])
{
    struct event_reader reader;
    struct sha256 sha;
    sha256_init(&sha);
    event_reader_init(&reader);
    for (size_t at = 0; at < size; at += piece)
        if (event_reader_feed(&reader, bytes + at, size - at < piece ? size - at : piece, take,
                &sha, NULL) != PF_OK)
            abort();
    if (strlen(reader.last_id) >= EVENT_ID_SIZE)
        abort();
    sha256_update(&sha, reader.last_id, strlen(reader.last_id));
    event_reader_finish(&reader);
    sha256_finish(&sha, ret_digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char whole[SHA256_SIZE], cut[SHA256_SIZE];
    if (size < 2 || size > EVENT_READER_MAX)
        return 0;
    const char *bytes = (const char *)data + 1;
    read_all(bytes, size - 1, size - 1, whole);
    read_all(bytes, size - 1, data[0] % 16 + 1u, cut);
    if (memcmp(whole, cut, SHA256_SIZE) != 0)
        abort();
    return 0;
}
