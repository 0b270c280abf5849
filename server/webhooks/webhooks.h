/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_WEBHOOKS_WEBHOOKS_H
#define SERVER_WEBHOOKS_WEBHOOKS_H

/* Tells a job's webhook_url of its end. One thread of its own follows the jobs that have one and
 * calls when they end: {"type": "job.succeeded" | "job.failed" | "job.cancelled", "timestamp",
 * "data": the job object}. An answer other than 2xx, or none in 15 s, is tried again after a pause
 * that grows from 5 s to 5 h, WEBHOOK_ATTEMPTS times in all.
 *
 * A call that was taken, or given up, leaves an empty file named by its job in `folder`. After a
 * restart every job with a URL and without that file is followed again, so that a call may come
 * twice (the same webhook-id then) and is never forgotten. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "server/jobs/jobs.h"

struct webhooks;

enum {
    WEBHOOK_ATTEMPTS = 9,
    WEBHOOK_CALLS_MAX = 16, /* at a time */
};

enum webhooks_notice_kind {
    WEBHOOKS_NOTICE_RETRY,  /* a call failed, another follows */
    WEBHOOKS_NOTICE_FAILED, /* given up */
};
struct webhooks_notice {
    enum webhooks_notice_kind kind;
    const char *job;
    const char *reason;
    int64_t attempt;
};

struct webhooks_options {
    struct jobs *jobs;  /* borrowed; outlives the rest */
    const char *folder; /* made when absent; its parent must exist */
    const char *secret; /* "whsec_…" */
    int allow_private;
    int64_t first_retry_ms; /* 0: 5 s */
    void (*notice)(
        void *context, const struct webhooks_notice *notice); /* or NULL; on the thread */
    void *notice_context;
};

/* Starts the thread, which first looks for calls an earlier server left undone. PF_INVALID: secret;
 * PF_IO, PF_NOMEM. */
PF_MUST_CHECK enum pf_status webhooks_create(
    struct webhooks **ret_webhooks, const struct webhooks_options *options, struct pf_error *err);

/* Ends calls under way (they count as not made). Takes NULL. Before jobs_destroy(). */
void webhooks_destroy(struct webhooks *webhooks);

/* Whether a URL is taken; see address.h. */
PF_MUST_CHECK enum pf_status webhooks_check_url(
    const struct webhooks *webhooks, const char *url, struct pf_error *err);

/* Follows a job that was just accepted. Without memory it is followed after the next restart. */
void webhooks_follow(struct webhooks *webhooks, const char *job);

struct webhooks_stats {
    int64_t delivered, retried, failed; /* since the start */
    int64_t following;
};
void webhooks_get_stats(struct webhooks *webhooks, struct webhooks_stats *ret_stats);

#endif
