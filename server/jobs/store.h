/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_STORE_H
#define SERVER_JOBS_STORE_H

/* Where jobs are kept. A store knows rows, not rules: which transitions are allowed is decided in
 * jobs.c. When a writing call returns PF_OK the change survives kill -9 and power loss (a store in
 * memory excepted). All calls may come from any thread, writes of several threads are committed
 * together.
 *
 * Errors of every call: PF_IO with the reason (disk full, read-only, locked by another server),
 * PF_CORRUPT when the database is damaged, PF_NOMEM. After a failed write nothing has changed. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "server/jobs/batch.h"
#include "server/jobs/job.h"

struct store;

/* Receives each job found; takes over nothing (job_ref() to keep). Not PF_OK stops the walk and is
 * passed on. */
struct store_visitor {
    enum pf_status (*visit)(void *context, struct job *job, struct pf_error *err);
    void *context;
};

struct store_query {
    const char *owner; /* NULL: of any owner */
    const char *batch; /* NULL: in any batch or none */
    int status;        /* enum job_status, -1: any */
    int64_t before;    /* only sequences below it; 0: from the newest */
    size_t limit;      /* at least 1 */
};

struct store_ops {
    void (*close)(struct store *store);
    /* Adds a job; its sequence is given by the caller and unique. PF_CONFLICT: the owner has used
     * this idempotency key, or the id exists. */
    enum pf_status (*insert)(struct store *store, const struct job *job, struct pf_error *err);
    /* Adds all of them or none; errors as insert. */
    enum pf_status (*insert_many)(
        struct store *store, struct job *const *jobs, size_t count, struct pf_error *err);
    /* Replaces the job of the same id. PF_NOT_FOUND. */
    enum pf_status (*update)(struct store *store, const struct job *job, struct pf_error *err);
    /* PF_NOT_FOUND. */
    enum pf_status (*remove)(struct store *store, const char *id, struct pf_error *err);
    /* *ret_job is one reference of the caller. PF_NOT_FOUND. */
    enum pf_status (*get)(
        struct store *store, const char *id, struct job **ret_job, struct pf_error *err);
    /* The job an owner submitted with this idempotency key. PF_NOT_FOUND. */
    enum pf_status (*find_key)(struct store *store, const char *owner, const char *key,
        struct job **ret_job, struct pf_error *err);
    /* Newest first. */
    enum pf_status (*list)(struct store *store, const struct store_query *query,
        const struct store_visitor *visitor, struct pf_error *err);
    /* All jobs queued or running, oldest first. */
    enum pf_status (*list_open)(
        struct store *store, const struct store_visitor *visitor, struct pf_error *err);
    /* At most `limit` finished jobs that expire at or before `now_ms`. */
    enum pf_status (*list_expired)(struct store *store, int64_t now_ms, size_t limit,
        const struct store_visitor *visitor, struct pf_error *err);
    /* Owner, times and counts of a batch, from its jobs. PF_NOT_FOUND: no job is in it. */
    enum pf_status (*get_batch)(
        struct store *store, const char *id, struct batch *ret_batch, struct pf_error *err);
    /* Highest sequence ever inserted; 0 when none. */
    enum pf_status (*last_sequence)(
        struct store *store, int64_t *ret_sequence, struct pf_error *err);
};

/* First member of every kind of store. */
struct store {
    const struct store_ops *ops;
};

/* SQLite: `path` of the file (made with mode 0600 when absent; WAL, synchronous=FULL), or NULL for
 * a database in memory. PF_CORRUPT: not a database, damaged, or of a newer schema; PF_BUSY: another
 * server has it open. */
PF_MUST_CHECK enum pf_status store_sqlite_open(
    struct store **ret_store, const char *path, struct pf_error *err);

void store_close(struct store *store); /* takes NULL */

#endif
