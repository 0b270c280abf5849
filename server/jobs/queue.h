/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_QUEUE_H
#define SERVER_JOBS_QUEUE_H

/* Who is next. Pure bookkeeping: no lock, no clock, no I/O; the caller holds a lock and tells the
 * time.
 *
 * The rules, in order:
 *   1. interactive before batch; but while interactive jobs wait, each batch of
 *      QUEUE_AGED_SHARE picks includes one batch job that has waited `ageing_ms`, if there is one:
 *      neither class starves the other.
 *   2. within a class, the owner with the fewest jobs running, then the one served longest ago: an
 *      owner's backlog delays nobody but the owner.
 *   3. within an owner, the oldest first; a job queued again keeps its place.
 *   4. an owner with `max_running` jobs running is passed over: its next jobs keep their places,
 * and those of others run. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "server/jobs/job.h"

enum {
    QUEUE_AGED_SHARE = 4,
    QUEUE_OWNERS_MAX = 4096, /* idle owners beyond it are forgotten */
};

struct queue_owner;

/* Embedded in what is queued. */
struct queue_item {
    struct queue_item *before, *after; /* in the owner's list of its class */
    struct queue_owner *owner;
    enum job_priority priority;
    int64_t sequence;
    int64_t created_ms;
    int is_queued;
    int is_held; /* counts and has its place, but isn't picked */
};

struct queue {
    struct queue_owner *owners;
    size_t owner_count;
    int64_t count[JOB_PRIORITY_COUNT];
    int64_t ageing_ms;
    int64_t max_running; /* of one owner; 0: any number */
    int64_t serial;      /* picks so far */
    int64_t since_aged;  /* interactive picks since a batch job was picked */
};

/* max_running is 0. */
void queue_init(struct queue *queue, int64_t ageing_ms);
void queue_finish(struct queue *queue); /* items are the caller's */

/* Finds or makes the record of an owner for an item, before it is first queued. PF_NOMEM. */
PF_MUST_CHECK enum pf_status queue_prepare(
    struct queue *queue, struct queue_item *item, const struct job *job, struct pf_error *err);

void queue_put(struct queue *queue, struct queue_item *item);
void queue_remove(struct queue *queue, struct queue_item *item); /* fine when not queued */

/* The item to run next, still queued; NULL when there is none that isn't held and whose owner may
 * run one more. */
struct queue_item *queue_pick(struct queue *queue, int64_t now_ms);

/* The job of a picked item runs now: it is removed and its owner charged. */
void queue_start(struct queue *queue, struct queue_item *item);
/* It runs no longer. */
void queue_stop(struct queue *queue, struct queue_item *item);
/* The item goes for good. */
void queue_release(struct queue *queue, struct queue_item *item);

/* 1 for the next to run, by the rules 1 to 3 as if no more jobs came and none aged; 0 when not
 * queued. Costs O(owners + jobs of this owner). */
int64_t queue_position(const struct queue *queue, const struct queue_item *item);

/* Counts jobs on their way into the queue as queued by their owner, and no longer when `count` is
 * negative, which can't fail. PF_NOMEM. */
PF_MUST_CHECK enum pf_status queue_expect(
    struct queue *queue, const char *owner, int64_t count, struct pf_error *err);

/* Jobs an owner has queued, and expected ones. */
int64_t queue_count_owner(const struct queue *queue, const char *owner);

/* created_ms of the oldest job queued; 0 when none. */
int64_t queue_oldest_ms(const struct queue *queue);

#endif
