/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/event_reader.h"

#include <string.h>

void event_reader_init(struct event_reader *reader)
{
    *reader = (struct event_reader){
        .line = BUFFER_INIT_MAX(EVENT_READER_MAX), .data = BUFFER_INIT_MAX(EVENT_READER_MAX)};
}

void event_reader_finish(struct event_reader *reader)
{
    buffer_finish(&reader->line);
    buffer_finish(&reader->data);
}

static void forget_event(struct event_reader *reader)
{
    buffer_clear(&reader->data);
    reader->has_data = 0;
    reader->name[0] = 0;
}

void event_reader_restart(struct event_reader *reader)
{
    buffer_clear(&reader->line);
    forget_event(reader);
    memcpy(reader->id, reader->last_id, sizeof reader->id);
    reader->ended_with_cr = 0;
}

/* One field. An id or name too long for us to keep is ignored, like an unknown field. */
static void take_field(
    struct event_reader *reader, const char *name, size_t name_size, const char *value, size_t size)
{
    if (name_size == 4 && memcmp(name, "data", 4) == 0) {
        if (reader->has_data)
            buffer_put_text(&reader->data, "\n");
        buffer_put(&reader->data, value, size);
        reader->has_data = 1;
    } else if (name_size == 5 && memcmp(name, "event", 5) == 0 && size < EVENT_NAME_SIZE) {
        memcpy(reader->name, value, size);
        reader->name[size] = 0;
    } else if (name_size == 2 && memcmp(name, "id", 2) == 0 && size < EVENT_ID_SIZE &&
               !memchr(value, 0, size)) {
        memcpy(reader->id, value, size);
        reader->id[size] = 0;
    }
}

static void take_line(struct event_reader *reader, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    size_t name_size = colon ? (size_t)(colon - line) : size;
    size_t value_start = colon ? name_size + 1 : size;
    if (value_start < size && line[value_start] == ' ')
        value_start++;
    if (name_size > 0) /* else a comment */
        take_field(reader, line, name_size, line + value_start, size - value_start);
}

static enum pf_status check(const struct buffer *buffer, struct pf_error *err)
{
    if (buffer_status(buffer, NULL) == PF_INVALID)
        return pf_fail(err, PF_CORRUPT, "an event is longer than %d bytes", EVENT_READER_MAX);
    return buffer_status(buffer, err);
}

static enum pf_status end_line(struct event_reader *reader,
    enum pf_status (*receive)(
        void *context, const struct received_event *event, struct pf_error *err),
    void *context, struct pf_error *err)
{
    enum pf_status status = PF_OK;
    if (reader->line.size > 0) {
        take_line(reader, reader->line.data, reader->line.size);
        buffer_clear(&reader->line);
        return check(&reader->data, err);
    }
    memcpy(reader->last_id, reader->id, sizeof reader->id);
    if (reader->has_data) {
        struct received_event event = {
            .name = reader->name[0] ? reader->name : "message",
            .data = reader->data.data ? reader->data.data : "",
            .size = reader->data.size,
        };
        status = receive(context, &event, err);
    }
    forget_event(reader);
    return status;
}

enum pf_status event_reader_feed(struct event_reader *reader, const char *bytes, size_t count,
    enum pf_status (*receive)(
        void *context, const struct received_event *event, struct pf_error *err),
    void *context, struct pf_error *err)
{
    while (count > 0) {
        size_t size = 0;
        while (size < count && bytes[size] != '\n' && bytes[size] != '\r')
            size++;
        buffer_put(&reader->line, bytes, size);
        PF_TRY(check(&reader->line, err));
        if (size > 0)
            reader->ended_with_cr = 0;
        if (size == count)
            return PF_OK;
        int is_second_half = bytes[size] == '\n' && reader->ended_with_cr; /* of CR LF */
        reader->ended_with_cr = bytes[size] == '\r';
        if (!is_second_half)
            PF_TRY(end_line(reader, receive, context, err));
        bytes += size + 1;
        count -= size + 1;
    }
    return PF_OK;
}
