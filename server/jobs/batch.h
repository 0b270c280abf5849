/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_BATCH_H
#define SERVER_JOBS_BATCH_H

/* A batch: jobs submitted together, told of together. It is nothing but what its jobs say: a row of
 * its own is not kept, so it can't contradict them, and it goes when the last of them does. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "server/jobs/events.h"
#include "server/jobs/job.h"
#include "server/jobs/jobs.h"

enum { BATCH_JOBS_MAX = 1000 };

struct batch {
    char id[ID_SIZE];
    char owner[JOB_OWNER_SIZE];
    int64_t created_ms;
    int64_t finished_ms;              /* of the last job to end; 0 while one is open */
    int64_t total;                    /* jobs; less those that were removed */
    int64_t counts[JOB_STATUS_COUNT]; /* of them, by status */
};

int batch_is_finished(const struct batch *batch);

/* {"id", "object":"batch", "status":"queued"|"running"|"completed", "total", "counts":{…},
 * "created_at", "finished_at", "urls":{self, events, cancel, jobs}}. base_url as in struct
 * job_view. */
void batch_put_json(struct buffer *out, const struct batch *batch, const char *base_url);

/* Accepts all of `count` jobs or none, in one transaction; they get priority batch and the batch's
 * id. The idempotency key of the first stands for them all. Errors as jobs_submit(); PF_INVALID:
 * count is not 1 … BATCH_JOBS_MAX. ret_replayed may be NULL. */
PF_MUST_CHECK enum pf_status jobs_submit_batch(struct jobs *jobs, const struct jobs_spec *specs,
    size_t count, struct batch *ret_batch, int *ret_replayed, struct pf_error *err);

PF_MUST_CHECK enum pf_status jobs_get_batch(struct jobs *jobs, const char *owner, const char *id,
    struct batch *ret_batch, struct pf_error *err);

/* Cancels what is open. Idempotent. One commit for each job: not for a thread that must not block.
 */
PF_MUST_CHECK enum pf_status jobs_cancel_batch(struct jobs *jobs, const char *owner, const char *id,
    struct batch *ret_batch, struct pf_error *err);

/* Follows a batch: an EVENT_JOB whenever one of its jobs changes state ({"batch", "job", "status",
 * "counts", "total"}), and EVENT_COMPLETED with the batch object when the last one has ended. Job
 * events live in memory: after a restart of the server a reader goes on with what happens then. A
 * fresh stream opens with a snapshot made by jobs_get_batch(). */
PF_MUST_CHECK enum pf_status jobs_subscribe_batch(struct jobs *jobs, const char *owner,
    const char *id, int64_t after_id, void (*wake)(void *context), void *context,
    struct events_reader **ret_reader, struct pf_error *err);

#endif
