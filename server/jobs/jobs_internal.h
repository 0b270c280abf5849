/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_JOBS_INTERNAL_H
#define SERVER_JOBS_JOBS_INTERNAL_H

/* What the files of the job service share.
 *
 * Locking: `write_lock` is held through every transition of an accepted job, the wait for the disk
 * included, so transitions follow one another. `state_lock` guards everything in memory and is held
 * for moments only; readers take just this one. The limits among the options change under both.
 * Order: write_lock, state_lock, then the hub's and the store's own. Every event is published under
 * state_lock: what a reader of events sees is in the order of the transitions. `wake_lock` is held
 * while the workers' or the questions' wake runs, and nothing else is. */

#include <pthread.h>

#include "server/jobs/batch.h"
#include "server/jobs/blobs.h"
#include "server/jobs/estimate.h"
#include "server/jobs/events.h"
#include "server/jobs/jobs_work.h"
#include "server/jobs/queue.h"
#include "server/jobs/store.h"

enum {
    JOBS_BUCKETS = 1024,
    JOBS_QUEUED_EVENTS = 1000, /* event ids set aside for a job's time in the queue */
    JOBS_STATE_EVENTS = 8,     /* and for the states of one attempt, beside steps and previews */
};

/* A batch with jobs queued or running. */
struct live_batch {
    struct live_batch *next;
    struct batch sum;
    int64_t open; /* live jobs */
};

/* A job queued or running. */
struct live {
    struct live *next_in_bucket;
    struct job *job;          /* present state */
    struct live_batch *batch; /* NULL: in none */
    struct queue_item item;
    int64_t told_position;                 /* in the last queued event */
    int64_t step_attempt, step_elapsed_ms; /* of the last step reported */
    int is_moving;                         /* a move is being written: steps are dropped */
    struct queue_item
        question; /* of a job that waits for its auxiliary prompt; else without owner */
    int is_asked; /* given out by jobs_take_question() */
};

struct jobs {
    struct jobs_options options;
    char *data_dir;
    int lock_fd; /* of data_dir/lock, held while the service lives */
    struct store *store;
    struct blobs blobs;
    struct hub *hub;

    pthread_mutex_t write_lock;

    pthread_mutex_t state_lock;
    struct live *buckets[JOBS_BUCKETS];
    struct queue queue;
    struct queue questions; /* jobs whose auxiliary prompt nobody asks for yet; held in `queue` */
    struct live_batch *batches;
    int64_t arriving[JOB_PRIORITY_COUNT]; /* being written; they count as queued */
    int64_t running;
    int64_t last_sequence;
    int64_t slots;
    int64_t told_at_ms; /* monotonic; of the last round of queue positions */
    int is_draining;
    struct estimate estimate;
    struct jobs_stats stats; /* the counting members */

    pthread_mutex_t wake_lock;
    void (*wake)(void *context);
    void *wake_context;
    void (*question_wake)(void *context);
    void *question_wake_context;
};

/* The live job of an id, or NULL; state_lock is held. */
struct live *jobs_find_live(struct jobs *jobs, const char *id);

void jobs_remove_live(struct jobs *jobs, struct live *live);

/* Makes a job live, with its channel and first queued event; takes one reference on success.
 * state_lock is held. PF_NOMEM. */
PF_MUST_CHECK enum pf_status jobs_add_live(
    struct jobs *jobs, struct job *job, const char *reason, struct pf_error *err);

/* The one function that moves a job: writes `next`, a changed copy, then makes it the present state
 * and tells. Takes `next` also on failure. reason: why it is queued again, or NULL. write_lock is
 * held. PF_CONFLICT: not a move a job can make; errors of the store. */
PF_MUST_CHECK enum pf_status jobs_move(struct jobs *jobs, struct live *live, struct job *next,
    const char *reason, struct pf_error *err);

/* Begins a move: a copy of the job to change, then to pass to jobs_move(), which must follow; until
 * then the live job stands still. write_lock is held, state_lock is not. */
PF_MUST_CHECK enum pf_status jobs_begin_move(
    struct jobs *jobs, struct live *live, struct job **ret_next, struct pf_error *err);

/* Moves a running job back to the queue; when `counted` and its attempts are used up, to failed
 * with this code and reason. write_lock is held. */
PF_MUST_CHECK enum pf_status jobs_retry(struct jobs *jobs, struct live *live, int counted,
    const char *code, const char *reason, struct pf_error *err);

/* Sets finished_ms, expires_ms and the status on a copy. */
void jobs_set_ended(const struct jobs *jobs, struct job *next, enum job_status status);
void jobs_set_failure(struct job *next, const char *code, const char *message, const char *field);

/* Batches; state_lock is held. */
struct live_batch *jobs_find_batch(struct jobs *jobs, const char *id);
/* Finds or makes the batch of a job going live, and counts it in. PF_NOMEM. */
PF_MUST_CHECK enum pf_status jobs_join_batch(
    struct jobs *jobs, struct live *live, struct pf_error *err);
/* After the job moved from status `from`: counts, tells, and ends the batch with its last job. */
void jobs_move_in_batch(struct jobs *jobs, struct live *live, enum job_status from);
/* An ended job of the batch is removed altogether. */
void jobs_leave_batch(struct jobs *jobs, const struct job *job);
/* The live job is freed (the service closes). */
void jobs_free_batches(struct jobs *jobs);
/* The first event id of a batch's channel opened now: beyond all that an earlier life can have
 * used. */
int64_t jobs_batch_first_id(const struct batch *batch);

/* Publishes; a channel that has no memory for its event is dropped, so that its readers come back.
 * state_lock is held. */
void jobs_publish(struct jobs *jobs, const char *id, const struct event_draft *draft);
void jobs_publish_state(struct jobs *jobs, struct live *live, const char *reason);
/* The state event of a job, as JSON. */
void jobs_put_event(
    struct buffer *out, const struct job *job, const struct job_view *view, const char *reason);
enum event_kind jobs_event_kind(const struct job *job);

void jobs_fill_view(const struct jobs *jobs, const struct job *job, const struct live *live,
    struct job_view *ret_view);

void jobs_call_wake(struct jobs *jobs);

/* Makes a job that goes live wait for its auxiliary prompt, and ends that. state_lock is held.
 * PF_NOMEM. */
PF_MUST_CHECK enum pf_status jobs_add_question(
    struct jobs *jobs, struct live *live, const struct job *job, struct pf_error *err);
void jobs_end_question(struct jobs *jobs, struct live *live);

#endif
