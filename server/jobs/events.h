/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_EVENTS_H
#define SERVER_JOBS_EVENTS_H

/* The event hub: for each job or batch a channel of numbered events, and the readers that follow
 * it.
 *
 * Readers pull. A reader takes events one by one with events_next(); when there is none it is told
 * EVENTS_PENDING, and its wake callback is then called exactly once, as soon as there is something
 * (an event, the end, the hub's closing). Callbacks run on the hub's own thread and under no lock:
 * they resume a connection or signal a condition, and must not block. They may call any function
 * here but events_unsubscribe() of their own reader.
 *
 * Ids are 1, 2, 3, … within a job and only ever grow; they may skip numbers after a restart of the
 * server, since step and preview events live in memory alone and the ids they may have used are set
 * aside durably (job.event_id) when an attempt starts.
 *
 * Bounds: a channel keeps its last EVENTS_CHANNEL_PREVIEWS_MAX previews and, of the others, its
 * last EVENTS_CHANNEL_MAX; a reader further behind skips what is gone. The first queued event, the
 * latest state and the terminal event are never dropped. A newer queue position replaces the older.
 * Channels of finished jobs nobody reads are dropped, the oldest first, beyond `idle_max`. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"

enum event_kind {
    EVENT_QUEUED,
    EVENT_STARTED,
    EVENT_STEP,
    EVENT_PREVIEW,
    EVENT_JOB, /* a job of a batch changed state; see batch.h */
    EVENT_SUCCEEDED,
    EVENT_FAILED,
    EVENT_CANCELLED,
    EVENT_COMPLETED, /* a batch */
};

enum {
    EVENTS_CHANNEL_MAX = 2048,
    EVENTS_CHANNEL_PREVIEWS_MAX = 3,
};

/* Immutable, counted. One event is shared by all its readers. */
struct event {
    int refs; /* atomic; see event_unref() */
    int64_t id;
    enum event_kind kind;
    const char *name;   /* "queued", …: the SSE event field; static */
    int64_t created_us; /* clock_monotonic_us() */
    size_t data_size;
    const char *data; /* one line of JSON, NUL-terminated: the SSE data field */
    struct {
        int64_t step, width, height;
        const char *format; /* "png", …; static */
        const char *b64;    /* the image file, inside `data` */
        size_t b64_size;
    } preview; /* EVENT_PREVIEW, else zero */
};

void event_unref(struct event *event); /* takes NULL */
int event_is_terminal(const struct event *event);
const char *event_kind_name(enum event_kind kind);

enum events_result {
    EVENTS_HAVE,    /* *ret_event is a reference of the caller */
    EVENTS_PENDING, /* nothing yet: wake will be called once */
    EVENTS_END,     /* the terminal event has been read, or was before after_id */
    EVENTS_CLOSED,  /* the server stops, or the job was deleted: end the stream, the client may
                       resume */
};

struct hub;
struct events_reader;

/* Starts the hub's thread. idle_max: channels of finished jobs kept in memory for replay. */
PF_MUST_CHECK enum pf_status hub_create(
    struct hub **ret_hub, size_t idle_max, struct pf_error *err);
/* Readers first get EVENTS_CLOSED and one wake; then no event can be published any more. */
void hub_close(struct hub *hub);
/* All readers must be gone. Takes NULL. */
void hub_destroy(struct hub *hub);

/* Makes the channel of a job unless it is there; its next event gets first_id. */
PF_MUST_CHECK enum pf_status hub_open_channel(
    struct hub *hub, const char *job, int64_t first_id, struct pf_error *err);
int hub_has_channel(struct hub *hub, const char *job);
int hub_has_readers(struct hub *hub, const char *job);
/* Drops the channel; its readers get EVENTS_CLOSED. Unknown jobs are fine. */
void hub_drop_channel(struct hub *hub, const char *job);

struct event_draft {
    enum event_kind kind;
    const char *data; /* one line of JSON; copied */
    size_t data_size;
    int64_t step, width, height; /* EVENT_PREVIEW, and the next three */
    const char *format;          /* static */
    size_t b64_offset;           /* where in `data` the image is */
    size_t b64_size;
};

/* Appends an event; *ret_id (may be NULL) is its id. PF_NOT_FOUND: no such channel; PF_CONFLICT: it
 * has ended. */
PF_MUST_CHECK enum pf_status hub_publish(struct hub *hub, const char *job,
    const struct event_draft *draft, int64_t *ret_id, struct pf_error *err);

/* Id the next event of a channel will have; 0 without a channel. */
int64_t hub_next_id(struct hub *hub, const char *job);
/* The next event gets at least this id. */
void hub_skip_to(struct hub *hub, const char *job, int64_t id);

/* Follows a channel from the first event with an id above after_id (0: all that is kept). The
 * reader is one reference of the caller, ended by events_unsubscribe(). PF_NOT_FOUND: no channel
 * (callers outside server/jobs use jobs_subscribe(), which opens it). */
PF_MUST_CHECK enum pf_status hub_subscribe(struct hub *hub, const char *job, int64_t after_id,
    void (*wake)(void *context), void *context, struct events_reader **ret_reader,
    struct pf_error *err);

/* One thread at a time for a reader. */
enum events_result events_next(struct events_reader *reader, struct event **ret_event);

/* When it returns, wake is not running and won't be called again: hold no lock that wake takes.
 * Takes NULL. */
void events_unsubscribe(struct events_reader *reader);

struct hub_stats {
    size_t channels, readers;
    size_t bytes;    /* of all events kept */
    int64_t skipped; /* events readers lost by being slow, since the start */
};
void hub_get_stats(struct hub *hub, struct hub_stats *ret_stats);

#endif
