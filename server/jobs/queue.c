/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct queue_list {
    struct queue_item *oldest, *newest; /* by sequence */
    int64_t count;
};

struct queue_owner {
    struct queue_owner *next;
    char id[JOB_OWNER_SIZE];
    struct queue_list lists[JOB_PRIORITY_COUNT];
    int64_t running;
    int64_t served; /* queue->serial when a job of this owner was last started */
    int64_t items;  /* prepared and not released */
    int64_t expected;
};

void queue_init(struct queue *queue, int64_t ageing_ms)
{
    *queue = (struct queue){.ageing_ms = ageing_ms};
}

void queue_finish(struct queue *queue)
{
    while (queue->owners) {
        struct queue_owner *owner = queue->owners;
        queue->owners = owner->next;
        free(owner);
    }
}

static struct queue_owner *find_owner(const struct queue *queue, const char *id)
{
    struct queue_owner *owner = queue->owners;
    while (owner && strcmp(owner->id, id) != 0)
        owner = owner->next;
    return owner;
}

/* An owner's turn (`served`) is remembered while idle, else one job at a time would always be
 * first. */
static void forget_idle_owners(struct queue *queue)
{
    if (queue->owner_count < QUEUE_OWNERS_MAX)
        return;
    for (struct queue_owner **link = &queue->owners; *link;) {
        struct queue_owner *owner = *link;
        if (owner->items > 0 || owner->expected > 0) {
            link = &owner->next;
            continue;
        }
        *link = owner->next;
        free(owner);
        queue->owner_count--;
    }
}

static enum pf_status get_owner(
    struct queue *queue, const char *id, struct queue_owner **ret_owner, struct pf_error *err)
{
    struct queue_owner *owner = find_owner(queue, id);
    if (!owner) {
        forget_idle_owners(queue);
        owner = calloc(1, sizeof *owner);
        if (!owner)
            return pf_fail(err, PF_NOMEM, "no memory for the queue of an owner");
        strncpy(owner->id, id, sizeof owner->id - 1);
        owner->next = queue->owners;
        queue->owners = owner;
        queue->owner_count++;
    }
    *ret_owner = owner;
    return PF_OK;
}

enum pf_status queue_expect(
    struct queue *queue, const char *id, int64_t count, struct pf_error *err)
{
    struct queue_owner *owner;
    PF_TRY(get_owner(queue, id, &owner, err));
    owner->expected += count;
    assert(owner->expected >= 0);
    return PF_OK;
}

enum pf_status queue_prepare(
    struct queue *queue, struct queue_item *item, const struct job *job, struct pf_error *err)
{
    struct queue_owner *owner;
    PF_TRY(get_owner(queue, job->owner, &owner, err));
    owner->items++;
    *item = (struct queue_item){.owner = owner,
        .priority = job->priority,
        .sequence = job->sequence,
        .created_ms = job->created_ms};
    return PF_OK;
}

void queue_put(struct queue *queue, struct queue_item *item)
{
    assert(!item->is_queued);
    struct queue_list *list = &item->owner->lists[item->priority];
    struct queue_item *before = list->newest;
    while (before && before->sequence > item->sequence)
        before = before->before;
    item->before = before;
    item->after = before ? before->after : list->oldest;
    *(item->after ? &item->after->before : &list->newest) = item;
    *(before ? &before->after : &list->oldest) = item;
    list->count++;
    queue->count[item->priority]++;
    item->is_queued = 1;
}

void queue_remove(struct queue *queue, struct queue_item *item)
{
    if (!item->is_queued)
        return;
    struct queue_list *list = &item->owner->lists[item->priority];
    *(item->before ? &item->before->after : &list->oldest) = item->after;
    *(item->after ? &item->after->before : &list->newest) = item->before;
    list->count--;
    queue->count[item->priority]--;
    item->is_queued = 0;
}

/* Whether owner a is served before b; both have a job of the class. */
static int goes_before(
    const struct queue_owner *a, const struct queue_owner *b, enum job_priority priority)
{
    if (a->running != b->running)
        return a->running < b->running;
    if (a->served != b->served)
        return a->served < b->served;
    return a->lists[priority].oldest->sequence < b->lists[priority].oldest->sequence;
}

/* An owner's oldest job of a class that isn't held, if the owner may run one more. Those held are
 * asked about in the same order as they would run, so they are seldom the oldest. */
static struct queue_item *first_ready(
    const struct queue *queue, const struct queue_owner *owner, enum job_priority priority)
{
    if (queue->max_running > 0 && owner->running >= queue->max_running)
        return NULL;
    struct queue_item *item = owner->lists[priority].oldest;
    while (item && item->is_held)
        item = item->after;
    return item;
}

/* The next job of a class among those created at or before `created_max_ms`. */
static struct queue_item *pick_class(
    const struct queue *queue, enum job_priority priority, int64_t created_max_ms)
{
    const struct queue_owner *best = NULL;
    for (const struct queue_owner *owner = queue->owners; owner; owner = owner->next) {
        const struct queue_item *oldest = first_ready(queue, owner, priority);
        if (oldest && oldest->created_ms <= created_max_ms &&
            (!best || goes_before(owner, best, priority)))
            best = owner;
    }
    return best ? first_ready(queue, best, priority) : NULL;
}

struct queue_item *queue_pick(struct queue *queue, int64_t now_ms)
{
    struct queue_item *interactive = pick_class(queue, JOB_INTERACTIVE, INT64_MAX);
    if (!interactive)
        return pick_class(queue, JOB_BATCH, INT64_MAX);
    if (queue->since_aged < QUEUE_AGED_SHARE - 1)
        return interactive;
    struct queue_item *aged = pick_class(queue, JOB_BATCH, now_ms - queue->ageing_ms);
    return aged ? aged : interactive;
}

void queue_start(struct queue *queue, struct queue_item *item)
{
    queue_remove(queue, item);
    item->owner->running++;
    item->owner->served = ++queue->serial;
    if (item->priority == JOB_BATCH)
        queue->since_aged = 0;
    else
        queue->since_aged++;
}

void queue_stop(struct queue *queue, struct queue_item *item)
{
    (void)queue;
    assert(item->owner->running > 0);
    item->owner->running--;
}

void queue_release(struct queue *queue, struct queue_item *item)
{
    queue_remove(queue, item);
    item->owner->items--;
    item->owner = NULL;
}

int64_t queue_position(const struct queue *queue, const struct queue_item *item)
{
    if (!item->is_queued)
        return 0;
    int64_t index = 0; /* rounds of the owners before this job's */
    for (const struct queue_item *i = item->before; i; i = i->before)
        index++;
    int64_t ahead = index;
    if (item->priority == JOB_BATCH)
        ahead += queue->count[JOB_INTERACTIVE];
    for (const struct queue_owner *owner = queue->owners; owner; owner = owner->next) {
        int64_t count = owner->lists[item->priority].count;
        if (owner == item->owner || count == 0)
            continue;
        int64_t rounds = index + goes_before(owner, item->owner, item->priority);
        ahead += count < rounds ? count : rounds;
    }
    return ahead + 1;
}

int64_t queue_count_owner(const struct queue *queue, const char *id)
{
    const struct queue_owner *owner = find_owner(queue, id);
    return owner ? owner->lists[JOB_INTERACTIVE].count + owner->lists[JOB_BATCH].count +
                       owner->expected
                 : 0;
}

int64_t queue_oldest_ms(const struct queue *queue)
{
    int64_t oldest_ms = 0;
    for (const struct queue_owner *owner = queue->owners; owner; owner = owner->next)
        for (int p = 0; p < JOB_PRIORITY_COUNT; p++) {
            const struct queue_item *oldest = owner->lists[p].oldest;
            if (oldest && (oldest_ms == 0 || oldest->created_ms < oldest_ms))
                oldest_ms = oldest->created_ms;
        }
    return oldest_ms;
}
