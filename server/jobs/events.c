/* SPDX-License-Identifier: Apache-2.0 */
/* Events are immutable and counted, so a thousand readers of one job share one copy of each; a
 * reader is little more than the id of the last event it took. Publishing appends to the channel
 * and moves the readers that wait into the list of those to be woken; a thread of the hub's calls
 * them one by one, so that neither the publisher nor another reader waits for a slow callback.
 *
 * Locking: one lock for the hub, its channels and readers; held for a few pointer moves. The wake
 * callback runs without it, marked by reader->is_calling, which events_unsubscribe() waits out. */
#include "server/jobs/events.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum { HUB_BUCKETS = 1024, CHANNEL_FIRST_CAPACITY = 32 };

struct channel {
    struct channel *next_in_bucket;
    struct channel *older, *newer; /* in the list of idle channels */
    char job[ID_SIZE];
    struct event **events; /* ids ascending */
    size_t count, capacity;
    size_t preview_count;
    int64_t first_id, next_id;
    int is_ended;   /* holds a terminal event, its last */
    int is_dropped; /* out of the table; goes with its last reader */
    int is_idle;
    struct events_reader *readers;
};

struct events_reader {
    struct hub *hub;
    struct channel *channel;
    struct events_reader *next, **link; /* among the channel's readers */
    struct events_reader *wake_next,
        **wake_link; /* among those to be woken; link NULL: not in it */
    void (*wake)(void *context);
    void *context;
    int64_t after_id;
    int is_armed;   /* was told EVENTS_PENDING and not woken since */
    int is_calling; /* wake is running */
};

struct hub {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* to the thread: there is somebody to wake, or an end */
    pthread_cond_t called;  /* to events_unsubscribe(): a wake has returned */
    pthread_t thread;
    int is_closed, is_stopping;
    struct channel *buckets[HUB_BUCKETS];
    struct channel *idle_oldest, *idle_newest;
    size_t idle_count, idle_max;
    struct events_reader *wake_first, **wake_last;
    struct hub_stats stats;
};

static const char *const kind_names[] = {
    "queued", "started", "step", "preview", "job", "succeeded", "failed", "cancelled", "completed"};

const char *event_kind_name(enum event_kind kind)
{
    return kind_names[kind];
}

int event_is_terminal(const struct event *event)
{
    return event->kind >= EVENT_SUCCEEDED;
}

void event_unref(struct event *event)
{
    if (event && __atomic_sub_fetch(&event->refs, 1, __ATOMIC_ACQ_REL) == 0)
        free(event);
}

static struct event *event_ref(struct event *event)
{
    __atomic_add_fetch(&event->refs, 1, __ATOMIC_RELAXED);
    return event;
}

static size_t event_size(const struct event *event)
{
    return sizeof *event + event->data_size + 1;
}

static struct event *event_create(const struct event_draft *draft)
{
    struct event *event = malloc(sizeof *event + draft->data_size + 1);
    if (!event)
        return NULL;
    char *data = (char *)(event + 1);
    memcpy(data, draft->data, draft->data_size);
    data[draft->data_size] = '\0';
    *event = (struct event){.refs = 1,
        .kind = draft->kind,
        .name = kind_names[draft->kind],
        .created_us = clock_monotonic_us(),
        .data_size = draft->data_size,
        .data = data};
    if (draft->kind == EVENT_PREVIEW) {
        event->preview.step = draft->step;
        event->preview.width = draft->width;
        event->preview.height = draft->height;
        event->preview.format = draft->format;
        event->preview.b64 = data + draft->b64_offset;
        event->preview.b64_size = draft->b64_size;
    }
    return event;
}

/* ---- channels; the lock is held in all of these ---- */

/* Ids are random: any four of their digits spread well. */
static struct channel **bucket_of(struct hub *hub, const char *job)
{
    unsigned hash = 5381;
    for (const char *c = job; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    return &hub->buckets[hash % HUB_BUCKETS];
}

static struct channel *find_channel(struct hub *hub, const char *job)
{
    struct channel *channel = *bucket_of(hub, job);
    while (channel && strcmp(channel->job, job) != 0)
        channel = channel->next_in_bucket;
    return channel;
}

static void remove_event(struct hub *hub, struct channel *channel, size_t index)
{
    struct event *event = channel->events[index];
    hub->stats.bytes -= event_size(event);
    channel->preview_count -= event->kind == EVENT_PREVIEW;
    channel->count--;
    memmove(channel->events + index, channel->events + index + 1,
        (channel->count - index) * sizeof *channel->events);
    event_unref(event);
}

static void free_channel(struct hub *hub, struct channel *channel)
{
    while (channel->count > 0)
        remove_event(hub, channel, channel->count - 1);
    free(channel->events);
    free(channel);
    hub->stats.channels--;
}

static void leave_idle(struct hub *hub, struct channel *channel)
{
    if (!channel->is_idle)
        return;
    *(channel->older ? &channel->older->newer : &hub->idle_oldest) = channel->newer;
    *(channel->newer ? &channel->newer->older : &hub->idle_newest) = channel->older;
    channel->is_idle = 0;
    hub->idle_count--;
}

/* Takes it out of the table; its readers keep it until they leave. */
static void drop_channel(struct hub *hub, struct channel *channel)
{
    struct channel **link = bucket_of(hub, channel->job);
    while (*link != channel)
        link = &(*link)->next_in_bucket;
    *link = channel->next_in_bucket;
    leave_idle(hub, channel);
    channel->is_dropped = 1;
    if (!channel->readers)
        free_channel(hub, channel);
}

static void enter_idle(struct hub *hub, struct channel *channel)
{
    if (channel->is_idle || !channel->is_ended || channel->readers)
        return;
    channel->older = hub->idle_newest;
    channel->newer = NULL;
    *(channel->older ? &channel->older->newer : &hub->idle_oldest) = channel;
    hub->idle_newest = channel;
    channel->is_idle = 1;
    hub->idle_count++;
    while (hub->idle_count > hub->idle_max)
        drop_channel(hub, hub->idle_oldest);
}

static void wake_readers(struct hub *hub, struct channel *channel)
{
    for (struct events_reader *reader = channel->readers; reader; reader = reader->next) {
        if (!reader->is_armed)
            continue;
        reader->is_armed = 0;
        if (reader->wake_link) /* armed again before its turn came: still to be woken */
            continue;
        reader->wake_next = NULL;
        reader->wake_link = hub->wake_last;
        *hub->wake_last = reader;
        hub->wake_last = &reader->wake_next;
    }
    if (hub->wake_first)
        pthread_cond_signal(&hub->changed);
}

static void leave_wake_list(struct hub *hub, struct events_reader *reader)
{
    if (!reader->wake_link)
        return;
    *reader->wake_link = reader->wake_next;
    if (reader->wake_next)
        reader->wake_next->wake_link = reader->wake_link;
    else
        hub->wake_last = reader->wake_link;
    reader->wake_link = NULL;
}

/* Index of the first event with an id above after_id. */
static size_t find_after(const struct channel *channel, int64_t after_id)
{
    size_t low = 0, high = channel->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (channel->events[middle]->id <= after_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- the hub ---- */

static void *run_hub(void *context)
{
    struct hub *hub = context;
    pthread_mutex_lock(&hub->lock);
    while (!hub->is_stopping) {
        struct events_reader *reader = hub->wake_first;
        if (!reader) {
            pthread_cond_wait(&hub->changed, &hub->lock);
            continue;
        }
        leave_wake_list(hub, reader);
        reader->is_calling = 1;
        pthread_mutex_unlock(&hub->lock);
        reader->wake(reader->context);
        pthread_mutex_lock(&hub->lock);
        reader->is_calling = 0;
        pthread_cond_broadcast(&hub->called);
    }
    pthread_mutex_unlock(&hub->lock);
    return NULL;
}

enum pf_status hub_create(struct hub **ret_hub, size_t idle_max, struct pf_error *err)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (!hub)
        return pf_fail(err, PF_NOMEM, "no memory for the event hub");
    hub->idle_max = idle_max;
    hub->wake_last = &hub->wake_first;
    pthread_mutex_init(&hub->lock, NULL);
    pthread_cond_init(&hub->changed, NULL);
    pthread_cond_init(&hub->called, NULL);
    int rc = pthread_create(&hub->thread, NULL, run_hub, hub);
    if (rc != 0) {
        free(hub);
        return pf_fail_errno(err, rc, "can't start the thread of the event hub");
    }
    *ret_hub = hub;
    return PF_OK;
}

void hub_close(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->is_closed = 1;
    for (size_t i = 0; i < HUB_BUCKETS; i++)
        for (struct channel *c = hub->buckets[i]; c; c = c->next_in_bucket)
            wake_readers(hub, c);
    pthread_mutex_unlock(&hub->lock);
}

void hub_destroy(struct hub *hub)
{
    if (!hub)
        return;
    pthread_mutex_lock(&hub->lock);
    hub->is_stopping = 1;
    pthread_cond_signal(&hub->changed);
    pthread_mutex_unlock(&hub->lock);
    pthread_join(hub->thread, NULL);
    for (size_t i = 0; i < HUB_BUCKETS; i++)
        while (hub->buckets[i])
            drop_channel(hub, hub->buckets[i]);
    pthread_cond_destroy(&hub->called);
    pthread_cond_destroy(&hub->changed);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

enum pf_status hub_open_channel(
    struct hub *hub, const char *job, int64_t first_id, struct pf_error *err)
{
    AUTO_FREE struct channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return pf_fail(err, PF_NOMEM, "no memory for a job's events");
    memcpy(channel->job, job, ID_SIZE);
    channel->first_id = channel->next_id = first_id;
    pthread_mutex_lock(&hub->lock);
    if (!find_channel(hub, job)) {
        struct channel **bucket = bucket_of(hub, job);
        channel->next_in_bucket = *bucket;
        *bucket = STEAL(channel);
        hub->stats.channels++;
    }
    pthread_mutex_unlock(&hub->lock);
    return PF_OK;
}

int hub_has_channel(struct hub *hub, const char *job)
{
    pthread_mutex_lock(&hub->lock);
    int has = find_channel(hub, job) != NULL;
    pthread_mutex_unlock(&hub->lock);
    return has;
}

int hub_has_readers(struct hub *hub, const char *job)
{
    pthread_mutex_lock(&hub->lock);
    const struct channel *channel = find_channel(hub, job);
    int has = channel && channel->readers;
    pthread_mutex_unlock(&hub->lock);
    return has;
}

int64_t hub_next_id(struct hub *hub, const char *job)
{
    pthread_mutex_lock(&hub->lock);
    const struct channel *channel = find_channel(hub, job);
    int64_t id = channel ? channel->next_id : 0;
    pthread_mutex_unlock(&hub->lock);
    return id;
}

void hub_skip_to(struct hub *hub, const char *job, int64_t id)
{
    pthread_mutex_lock(&hub->lock);
    struct channel *channel = find_channel(hub, job);
    if (channel && channel->next_id < id)
        channel->next_id = id;
    pthread_mutex_unlock(&hub->lock);
}

void hub_drop_channel(struct hub *hub, const char *job)
{
    pthread_mutex_lock(&hub->lock);
    struct channel *channel = find_channel(hub, job);
    if (channel) {
        wake_readers(hub, channel);
        drop_channel(hub, channel);
    }
    pthread_mutex_unlock(&hub->lock);
}

/* ---- publishing ---- */

/* Removes the oldest event of a kind, searching from index 0. */
static void remove_oldest(struct hub *hub, struct channel *channel, enum event_kind kind)
{
    for (size_t i = 0; i < channel->count; i++) {
        if (channel->events[i]->kind == kind) {
            remove_event(hub, channel, i);
            return;
        }
    }
}

/* Makes room for one event more. */
static enum pf_status reserve_event(
    struct hub *hub, struct channel *channel, enum event_kind kind, struct pf_error *err)
{
    /* A new place in the queue replaces the one told just before, but for the first. */
    size_t last = channel->count;
    if (kind == EVENT_QUEUED && last > 1 && channel->events[last - 1]->kind == EVENT_QUEUED)
        remove_event(hub, channel, last - 1);
    if (kind == EVENT_PREVIEW && channel->preview_count == EVENTS_CHANNEL_PREVIEWS_MAX)
        remove_oldest(hub, channel, EVENT_PREVIEW);
    if (channel->count >= EVENTS_CHANNEL_MAX)
        remove_oldest(hub, channel, kind == EVENT_JOB ? EVENT_JOB : EVENT_STEP);
    if (channel->count < channel->capacity)
        return PF_OK;
    size_t capacity = channel->capacity ? channel->capacity * 2 : CHANNEL_FIRST_CAPACITY;
    struct event **events = realloc(channel->events, capacity * sizeof(struct event *));
    if (!events)
        return pf_fail(err, PF_NOMEM, "no memory for job %s's events", channel->job);
    channel->events = events;
    channel->capacity = capacity;
    return PF_OK;
}

static enum pf_status publish_locked(
    struct hub *hub, const char *job, struct event *event, struct pf_error *err)
{
    struct channel *channel = find_channel(hub, job);
    if (!channel || hub->is_closed)
        return pf_fail(err, PF_NOT_FOUND, "no channel for the events of job %s", job);
    if (channel->is_ended)
        return pf_fail(err, PF_CONFLICT, "the events of job %s have ended", job);
    PF_TRY(reserve_event(hub, channel, event->kind, err));
    event->id = channel->next_id++;
    channel->events[channel->count++] = event_ref(event);
    channel->preview_count += event->kind == EVENT_PREVIEW;
    channel->is_ended = event_is_terminal(event);
    hub->stats.bytes += event_size(event);
    wake_readers(hub, channel);
    enter_idle(hub, channel);
    return PF_OK;
}

enum pf_status hub_publish(struct hub *hub, const char *job, const struct event_draft *draft,
    int64_t *ret_id, struct pf_error *err)
{
    struct event *event = event_create(draft);
    if (!event)
        return pf_fail(err, PF_NOMEM, "no memory for an event of job %s", job);
    pthread_mutex_lock(&hub->lock);
    enum pf_status status = publish_locked(hub, job, event, err);
    pthread_mutex_unlock(&hub->lock);
    if (status == PF_OK && ret_id)
        *ret_id = event->id;
    event_unref(event);
    return status;
}

/* ---- reading ---- */

enum pf_status hub_subscribe(struct hub *hub, const char *job, int64_t after_id,
    void (*wake)(void *context), void *context, struct events_reader **ret_reader,
    struct pf_error *err)
{
    struct events_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return pf_fail(err, PF_NOMEM, "no memory for a reader of events");
    reader->hub = hub;
    reader->wake = wake;
    reader->context = context;
    reader->after_id = after_id;
    pthread_mutex_lock(&hub->lock);
    struct channel *channel = find_channel(hub, job);
    if (channel) {
        leave_idle(hub, channel);
        reader->channel = channel;
        reader->next = channel->readers;
        reader->link = &channel->readers;
        if (reader->next)
            reader->next->link = &reader->next;
        channel->readers = reader;
        hub->stats.readers++;
    }
    pthread_mutex_unlock(&hub->lock);
    if (!channel) {
        free(reader);
        return pf_fail(err, PF_NOT_FOUND, "no channel for the events of job %s", job);
    }
    *ret_reader = reader;
    return PF_OK;
}

enum events_result events_next(struct events_reader *reader, struct event **ret_event)
{
    struct hub *hub = reader->hub;
    struct channel *channel = reader->channel;
    enum events_result result;
    pthread_mutex_lock(&hub->lock);
    size_t index = find_after(channel, reader->after_id);
    if (index < channel->count) {
        struct event *event = channel->events[index];
        int64_t expected = reader->after_id + 1;
        if (expected > channel->first_id && event->id > expected)
            hub->stats.skipped += event->id - expected;
        reader->after_id = event->id;
        *ret_event = event_ref(event);
        result = EVENTS_HAVE;
    } else if (channel->is_ended) {
        result = EVENTS_END;
    } else if (channel->is_dropped || hub->is_closed) {
        result = EVENTS_CLOSED;
    } else {
        reader->is_armed = 1;
        result = EVENTS_PENDING;
    }
    pthread_mutex_unlock(&hub->lock);
    return result;
}

void events_unsubscribe(struct events_reader *reader)
{
    if (!reader)
        return;
    struct hub *hub = reader->hub;
    struct channel *channel = reader->channel;
    pthread_mutex_lock(&hub->lock);
    leave_wake_list(hub, reader);
    reader->is_armed = 0;
    while (reader->is_calling)
        pthread_cond_wait(&hub->called, &hub->lock);
    *reader->link = reader->next;
    if (reader->next)
        reader->next->link = reader->link;
    hub->stats.readers--;
    if (channel->is_dropped && !channel->readers)
        free_channel(hub, channel);
    else if (!channel->is_dropped)
        enter_idle(hub, channel);
    pthread_mutex_unlock(&hub->lock);
    free(reader);
}

void hub_get_stats(struct hub *hub, struct hub_stats *ret_stats)
{
    pthread_mutex_lock(&hub->lock);
    *ret_stats = hub->stats;
    pthread_mutex_unlock(&hub->lock);
}
