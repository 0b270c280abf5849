/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_JOBS_WORK_H
#define SERVER_JOBS_JOBS_WORK_H

/* The workers' half of the job service (jobs.h): who is next, and what became of it. */

#include "server/jobs/jobs.h"

/* Called (from any thread, under no lock but its own: it must only signal) when a job became ready
 * to run or a running one was cancelled. NULL takes it back: when that returns it isn't running. */
void jobs_set_wake(struct jobs *jobs, void (*wake)(void *context), void *context);
/* How many jobs run at once when all is well, for estimates of waiting time. */
void jobs_set_slots(struct jobs *jobs, int64_t slots);

/* The next job to run, now running and its attempt counted; *ret_job NULL when there is none. */
PF_MUST_CHECK enum pf_status jobs_take(
    struct jobs *jobs, struct job **ret_job, struct pf_error *err);

/* Tells those who follow a queued job its new place, once a second at most; called at every turn of
 * the pool. */
void jobs_tell_positions(struct jobs *jobs);

/* Appends image, then mask, to `ret`. */
PF_MUST_CHECK enum pf_status jobs_read_input(
    struct jobs *jobs, const struct job *job, struct buffer *ret, struct pf_error *err);

/* Whether this attempt is still wanted: running, not cancelled, not a later attempt. */
int jobs_is_current(struct jobs *jobs, const char *id, int64_t attempt);

/* What a worker says about an attempt. Each does nothing and returns PF_OK when the attempt is no
 * longer current: late messages are harmless. PF_IO: the transition could not be written and has
 * not happened. */
struct jobs_step {
    int64_t step, steps, elapsed_ms, eta_ms;
    double sigma;
    double guidance_loss; /* NaN: none */
};
struct jobs_preview {
    int64_t step, width, height;
    const char *format;
    const void *bytes;
    size_t size;
};
struct jobs_outcome {
    enum job_status status; /* JOB_SUCCEEDED, JOB_FAILED or JOB_CANCELLED */
    const char *format;     /* succeeded */
    int64_t width, height;
    int64_t encode_ms, sample_ms, decode_ms; /* -1: unknown */
    const void *bytes;
    size_t size;
    const char *code, *message, *field; /* failed; field may be NULL */
    int retryable;                      /* failed: queue again while attempts are left */
};
PF_MUST_CHECK enum pf_status jobs_report_started(
    struct jobs *jobs, const char *id, int64_t attempt, int64_t load_ms, struct pf_error *err);
PF_MUST_CHECK enum pf_status jobs_report_encoded(
    struct jobs *jobs, const char *id, int64_t attempt, int64_t encode_ms, struct pf_error *err);
PF_MUST_CHECK enum pf_status jobs_report_step(struct jobs *jobs, const char *id, int64_t attempt,
    const struct jobs_step *step, struct pf_error *err);
PF_MUST_CHECK enum pf_status jobs_report_preview(struct jobs *jobs, const char *id, int64_t attempt,
    const struct jobs_preview *preview, struct pf_error *err);
PF_MUST_CHECK enum pf_status jobs_report_outcome(struct jobs *jobs, const char *id, int64_t attempt,
    const struct jobs_outcome *outcome, struct pf_error *err);

/* Gives an attempt back unfinished. counted: it used up an attempt (its worker died of it,
 * perhaps), and the job fails with `code` ("worker_died", "timeout", "io") and `reason` when none
 * is left; else the attempt is forgotten (the server stops). */
PF_MUST_CHECK enum pf_status jobs_give_back(struct jobs *jobs, const char *id, int64_t attempt,
    int counted, const char *code, const char *reason, struct pf_error *err);

#endif
