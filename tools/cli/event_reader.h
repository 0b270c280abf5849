/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_EVENT_READER_H
#define TOOLS_CLI_EVENT_READER_H

/* Reads server-sent events from bytes that come in any pieces (WHATWG HTML, "Server-sent events").
 * An event that isn't ended by an empty line when the stream breaks off is lost, as the standard
 * has it; the server sends it again when asked for what follows `last_id`. */

#include "base/buffer.h"

enum { EVENT_READER_MAX = 4 << 20, EVENT_ID_SIZE = 64, EVENT_NAME_SIZE = 32 };

struct received_event {
    const char *name; /* "message" when the stream gives none */
    const char *data; /* NUL-terminated, several data lines joined by '\n' */
    size_t size;
};

struct event_reader {
    struct buffer line, data; /* as far as they have come */
    char name[EVENT_NAME_SIZE];
    char id[EVENT_ID_SIZE];      /* of the event being read */
    char last_id[EVENT_ID_SIZE]; /* of the last whole one; "": none. For Last-Event-ID */
    int has_data, ended_with_cr;
};

void event_reader_init(struct event_reader *reader);
void event_reader_finish(struct event_reader *reader);

/* Forgets an unfinished event and keeps last_id: before the next connection. */
void event_reader_restart(struct event_reader *reader);

/* Takes bytes and calls `receive` for each whole event. PF_CORRUPT: an event longer than
 * EVENT_READER_MAX; PF_NOMEM; what `receive` fails with. */
PF_MUST_CHECK enum pf_status event_reader_feed(struct event_reader *reader, const char *bytes,
    size_t count,
    enum pf_status (*receive)(
        void *context, const struct received_event *event, struct pf_error *err),
    void *context, struct pf_error *err);

#endif
