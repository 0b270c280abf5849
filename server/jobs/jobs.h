/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_JOBS_H
#define SERVER_JOBS_JOBS_H

/* The job service: takes jobs in, keeps them safe, says who is next, moves them between states and
 * tells those who listen. server/api calls the upper half, server/workers the lower half.
 *
 *     queued ─► running ─► succeeded | failed | cancelled
 *        ▲         │
 *        └─────────┘ the worker died, ran out of memory, or the server stops
 *
 * Every transition is durable before its event is published. All functions may be called from any
 * thread. Those that write (submit, cancel, remove, and the workers' half) block for one commit to
 * disk; those that read a live job don't.
 *
 * owner: the id of the caller's API key; a job of somebody else is PF_NOT_FOUND. NULL sees all. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "server/jobs/events.h"
#include "server/jobs/job.h"

struct jobs;

struct jobs_options {
    const char *data_dir;          /* made (mode 0700) when absent: jobs.db, spool/ */
    int in_memory;                 /* rows in memory; blobs still go to data_dir/spool */
    int64_t max_queued;            /* interactive jobs; then jobs_submit() is PF_BUSY */
    int64_t max_queued_batch;      /* jobs of priority batch */
    int64_t max_queued_per_owner;  /* 0: no bound of its own */
    int64_t max_running_per_owner; /* further ones wait; 0: no bound of its own */
    int64_t max_attempts;
    int64_t result_ttl_ms;      /* input and result are kept after the end */
    int64_t expired_ttl_ms;     /* the job itself after these */
    int64_t idempotency_ttl_ms; /* an Idempotency-Key is remembered at least this long */
    int64_t ageing_ms;          /* a batch job that waited longer may pass interactive ones */
    int64_t idle_channels_max;  /* finished jobs whose steps can still be replayed */
};

/* The documented defaults: 256, 4096, 0, 0, 3, 1 h, 24 h, 24 h, 60 s, 256. data_dir stays NULL. */
void jobs_options_init(struct jobs_options *options);

/* Opens the store and recovers: queued jobs stay queued, running ones are queued again (failed when
 * their attempts are used up). PF_INVALID: an option out of range; errors of store and blobs. */
PF_MUST_CHECK enum pf_status jobs_create(
    struct jobs **ret_jobs, const struct jobs_options *options, struct pf_error *err);
/* Changes max_queued…, max_running_per_owner, ageing_ms, max_attempts, result_ttl_ms and
 * expired_ttl_ms, from now on. PF_INVALID: one is out of range, nothing has changed. */
PF_MUST_CHECK enum pf_status jobs_set_limits(
    struct jobs *jobs, const struct jobs_options *options, struct pf_error *err);
/* All readers of events and all workers must be gone. Takes NULL. */
void jobs_destroy(struct jobs *jobs);

/* ---- the API's half ---- */

struct jobs_image {
    const void *bytes; /* the image file as uploaded; NULL: none */
    size_t size;
};

/* A checked request; everything is copied. */
struct jobs_spec {
    const char *owner; /* "" without keys */
    enum job_priority priority;
    const char *instruction;
    enum job_auxiliary auxiliary;
    const char *auxiliary_prompt; /* NULL: none given */
    const char *model;            /* name for the job object */
    struct params params;
    const char *metadata;        /* JSON object text, or NULL */
    const char *webhook_url;     /* or NULL */
    const char *trace;           /* see trace.h; NULL or "": none */
    const char *idempotency_key; /* or NULL */
    struct jobs_image image;     /* required */
    struct jobs_image mask;
};

/* Accepts a job: when it returns PF_OK, the job survives anything. *ret_job is a reference of the
 * caller. With an idempotency key seen before, *ret_replayed (may be NULL) is 1 and the job is that
 * first one; PF_CONFLICT when the payload differs. PF_BUSY: queue full or draining (see
 * jobs_is_draining()); PF_IO: not accepted. */
PF_MUST_CHECK enum pf_status jobs_submit(struct jobs *jobs, const struct jobs_spec *spec,
    struct job **ret_job, int *ret_replayed, struct pf_error *err);

/* *ret_job is a reference of the caller. PF_NOT_FOUND: never there, somebody else's, or forgotten.
 */
PF_MUST_CHECK enum pf_status jobs_get(struct jobs *jobs, const char *owner, const char *id,
    struct job **ret_job, struct pf_error *err);

/* The trace id of a job, for the log: "" when it has none or is not known. */
void jobs_get_trace_id(struct jobs *jobs, const char *id, char ret_trace_id[TRACE_ID_SIZE]);

/* Fills queue_position and eta_ms of a job's view. */
void jobs_get_view(struct jobs *jobs, const struct job *job, struct job_view *ret_view);

struct jobs_page {
    struct job **items; /* newest first; references of the page */
    size_t count;
    int has_more; /* the next page starts after the last item's id */
};
enum { JOBS_PAGE_MAX = 200 };

/* status: enum job_status or -1. after: id of the last job of the page before, or NULL. batch: NULL
 * for all. limit: 1 … JOBS_PAGE_MAX. PF_INVALID: limit; PF_NOT_FOUND: after. */
struct jobs_filter {
    const char *owner;
    const char *batch;
    int status;
    const char *after;
    size_t limit;
};
PF_MUST_CHECK enum pf_status jobs_list(struct jobs *jobs, const struct jobs_filter *filter,
    struct jobs_page *ret_page, struct pf_error *err);
void jobs_page_finish(struct jobs_page *page);

/* Cancels at once, also a running job (its worker is told and its later messages are ignored). A
 * finished job is left as it is and returned: idempotent. ret_job may be NULL. */
PF_MUST_CHECK enum pf_status jobs_cancel(struct jobs *jobs, const char *owner, const char *id,
    struct job **ret_job, struct pf_error *err);

/* Cancels if need be, then forgets row and blobs; its streams are closed. */
PF_MUST_CHECK enum pf_status jobs_remove(
    struct jobs *jobs, const char *owner, const char *id, struct pf_error *err);

/* Opens the result image; *ret_fd and *ret_job (may be NULL) are the caller's. PF_CONFLICT: not
 * succeeded; PF_NOT_FOUND: no such job, or job_is_expired(). The ETag is job->result_blob. */
PF_MUST_CHECK enum pf_status jobs_open_result(struct jobs *jobs, const char *owner, const char *id,
    int *ret_fd, struct job **ret_job, struct pf_error *err);

/* Follows a job's events from above after_id; 0 replays all that is kept, and always at least the
 * job's present state. Works for finished jobs too: EVENTS_END at once when after_id is the end. */
PF_MUST_CHECK enum pf_status jobs_subscribe(struct jobs *jobs, const char *owner, const char *id,
    int64_t after_id, void (*wake)(void *context), void *context, struct events_reader **ret_reader,
    struct pf_error *err);

/* A snapshot to open a fresh stream with, and the id to subscribe after. */
struct jobs_snapshot {
    struct job *job;      /* one reference */
    int64_t last_id;      /* id of the latest event published */
    enum event_kind kind; /* queued, started or the terminal kind */
};
PF_MUST_CHECK enum pf_status jobs_get_snapshot(struct jobs *jobs, const char *owner, const char *id,
    struct jobs_snapshot *ret_snapshot, struct pf_error *err);

/* No new job is accepted or handed out any more. */
void jobs_begin_drain(struct jobs *jobs);
int jobs_is_draining(struct jobs *jobs);
/* Ends all event streams (EVENTS_CLOSED): call before the HTTP server stops. */
void jobs_close_streams(struct jobs *jobs);

/* Removes what has expired; call every few seconds. *ret_removed may be NULL. */
PF_MUST_CHECK enum pf_status jobs_clean(
    struct jobs *jobs, size_t *ret_removed, struct pf_error *err);

enum { JOBS_STEP_BUCKETS = 12 };
extern const double jobs_step_bucket_s[JOBS_STEP_BUCKETS]; /* upper bounds, seconds */

struct jobs_stats {
    int64_t queued[JOB_PRIORITY_COUNT];
    int64_t running;
    int64_t oldest_queued_ms;                           /* age; 0 when nothing is queued */
    int64_t submitted, replayed, rejected, retried;     /* since the start */
    int64_t ended[JOB_STATUS_COUNT];                    /* by outcome, since the start */
    int64_t step_count, step_bucket[JOBS_STEP_BUCKETS]; /* bucket counts, not cumulative */
    double step_sum_s;
    int64_t mean_run_ms; /* of a job, smoothed; -1 before the first */
    struct hub_stats hub;
};
void jobs_get_stats(struct jobs *jobs, struct jobs_stats *ret_stats);

/* Seconds after which a refused submission is worth another try, 1 … 60. */
int64_t jobs_retry_after_s(struct jobs *jobs);

/* ---- the auxiliary prompts' part (server/vlm) ---- */

/* A queued job that job_wants_auxiliary() keeps its place but isn't handed to a worker until
 * jobs_report_auxiliary(). Who was asked about it lives in memory alone: after a restart it is
 * asked again. */

/* Called as jobs_set_wake()'s is: a job may want its prompt, or one asked about may be gone. */
void jobs_set_question_wake(struct jobs *jobs, void (*wake)(void *context), void *context);

/* The next job to ask about, by the rules of the queue, each but once (see
 * jobs_return_questions()); a reference of the caller. NULL: none, or draining. */
struct job *jobs_take_question(struct jobs *jobs);

/* Whoever was asking asks no more: the jobs it took and has not reported can be taken again. */
void jobs_return_questions(struct jobs *jobs);

/* Whether the answer is still wanted: not cancelled. */
int jobs_is_question_current(struct jobs *jobs, const char *id);

/* Opens the job's image file; *ret_fd is the caller's. */
PF_MUST_CHECK enum pf_status jobs_open_image(
    struct jobs *jobs, const struct job *job, int *ret_fd, size_t *ret_size, struct pf_error *err);

/* What came of it. Does nothing when the answer is no longer wanted. PF_IO: not written, try again.
 */
struct jobs_auxiliary {
    const char *prompt;         /* NULL: it goes without */
    const char *log;            /* one JSON object; required */
    const char *code, *message; /* not NULL: the job fails with them */
};
PF_MUST_CHECK enum pf_status jobs_report_auxiliary(struct jobs *jobs, const char *id,
    const struct jobs_auxiliary *auxiliary, struct pf_error *err);

#endif
