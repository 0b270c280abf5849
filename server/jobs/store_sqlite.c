/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs in SQLite. A write has to wait for the disk (WAL with synchronous=FULL: one fsync per
 * commit), so writes that come while another is waiting are committed together: each caller queues
 * its write; the first one finding no leader becomes it, runs all that is queued in one
 * transaction, and tells the others. Under load that makes one fsync per batch instead of one per
 * job.
 *
 * A write that breaks a rule (key already used, no such job) fails alone: SQLite undoes the one
 * statement. A write that fails for the disk's sake undoes the transaction, and everyone in it is
 * told.
 *
 * Readers have a connection of their own, so that a read never waits for an fsync; WAL lets both go
 * on at once. A database in memory is one connection for both.
 *
 * Locking: `queue_lock` guards the queue of writes and `is_leading`. A connection's `lock` is held
 * while its statements are used. The leader takes the writer's lock without the queue's. */
#include <assert.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "server/jobs/store.h"
#include "server/jobs/store_connection.h"
#include "server/jobs/store_row.h"

enum { COMMIT_MAX = 256 }; /* writes in one transaction */

/* A queued write; lives on its caller's stack. */
struct write {
    struct write *next;
    enum statement statement;
    const struct job *job;
    struct job *const *many; /* `count` jobs, all or none; else NULL */
    size_t count;
    const char *id;
    int is_done;
    enum pf_status status;
    struct pf_error err;
};

struct store_sqlite {
    struct store base;
    struct connection writer, own_reader;
    struct connection *reader; /* &own_reader, or &writer for a database in memory */
    pthread_mutex_t queue_lock;
    pthread_cond_t written;
    struct write *first, **last;
    int is_leading;
};

/* ---- writing ---- */

static enum pf_status run_write(
    struct connection *connection, const struct write *write, struct pf_error *err)
{
    sqlite3_stmt *statement;
    PF_TRY(connection_prepare(connection, write->statement, &statement, err));
    enum pf_status status = PF_OK;
    if (write->job)
        status = store_row_bind(statement, write->job, err);
    else if (sqlite3_bind_text(statement, 1, write->id, -1, SQLITE_STATIC) != SQLITE_OK)
        status = connection_fail(connection->db, "bind", err);
    if (status == PF_OK) {
        int rc = sqlite3_step(statement);
        const char *id = write->job ? write->job->id : write->id;
        if (rc == SQLITE_CONSTRAINT && (sqlite3_extended_errcode(connection->db) & 0xff) == rc)
            status = pf_fail(err, PF_CONFLICT,
                "job %s: its id, sequence or idempotency key is already in use", id);
        else if (rc != SQLITE_DONE)
            status = connection_fail(connection->db, "write", err);
        else if (sqlite3_changes(connection->db) == 0)
            status = pf_fail(err, PF_NOT_FOUND, "no job %s in the store", id);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

static enum pf_status run_many(
    struct connection *connection, const struct write *write, struct pf_error *err)
{
    PF_TRY(connection_run(connection, STATEMENT_SAVE, err));
    enum pf_status status = PF_OK;
    for (size_t i = 0; i < write->count && status == PF_OK; i++) {
        struct write one = {.statement = write->statement, .job = write->many[i]};
        status = run_write(connection, &one, err);
    }
    /* The savepoint itself ends with the transaction. */
    struct pf_error undo_err = PF_ERROR_INIT;
    if (status != PF_OK && connection_run(connection, STATEMENT_UNDO, &undo_err) != PF_OK)
        return undo_err.status; /* the transaction is gone, and with it what was written */
    return status;
}

static int fails_alone(enum pf_status status)
{
    return status == PF_OK || status == PF_CONFLICT || status == PF_NOT_FOUND;
}

static void fail_batch(struct write *batch, const struct pf_error *err)
{
    for (struct write *write = batch; write; write = write->next) {
        write->status = err->status;
        write->err = *err;
    }
}

/* Runs a list of writes in one transaction and fills their status. */
static void run_batch(struct connection *connection, struct write *batch)
{
    struct pf_error err = PF_ERROR_INIT;
    pthread_mutex_lock(&connection->lock);
    enum pf_status status = connection_run(connection, STATEMENT_BEGIN, &err);
    for (struct write *write = batch; write && status == PF_OK; write = write->next) {
        write->err = (struct pf_error)PF_ERROR_INIT;
        write->status = write->many ? run_many(connection, write, &write->err)
                                    : run_write(connection, write, &write->err);
        if (!fails_alone(write->status)) {
            status = write->status;
            err = write->err;
        }
    }
    if (status == PF_OK)
        status = connection_run(connection, STATEMENT_COMMIT, &err);
    if (status != PF_OK) {
        struct pf_error ignored = PF_ERROR_INIT;
        if (!sqlite3_get_autocommit(connection->db) &&
            connection_run(connection, STATEMENT_ROLLBACK, &ignored) != PF_OK)
            sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
        fail_batch(batch, &err);
    }
    pthread_mutex_unlock(&connection->lock);
}

/* Takes up to COMMIT_MAX writes off the queue; queue_lock is held. */
static struct write *take_batch(struct store_sqlite *store)
{
    struct write *batch = store->first;
    struct write *end = batch;
    for (int i = 1; i < COMMIT_MAX && end->next; i++)
        end = end->next;
    store->first = end->next;
    if (!store->first)
        store->last = &store->first;
    end->next = NULL;
    return batch;
}

static enum pf_status commit_write(
    struct store_sqlite *store, struct write *write, struct pf_error *err)
{
    pthread_mutex_lock(&store->queue_lock);
    *store->last = write;
    store->last = &write->next;
    while (!write->is_done) {
        if (store->is_leading) {
            pthread_cond_wait(&store->written, &store->queue_lock);
            continue;
        }
        store->is_leading = 1;
        struct write *batch = take_batch(store);
        pthread_mutex_unlock(&store->queue_lock);
        run_batch(&store->writer, batch);
        pthread_mutex_lock(&store->queue_lock);
        while (batch) {
            struct write *next = batch->next; /* done: its caller may return */
            batch->is_done = 1;
            batch = next;
        }
        store->is_leading = 0;
        pthread_cond_broadcast(&store->written);
    }
    pthread_mutex_unlock(&store->queue_lock);
    if (write->status != PF_OK)
        return pf_fail(err, write->status, "%s", write->err.message);
    return PF_OK;
}

static enum pf_status sqlite_insert(struct store *base, const struct job *job, struct pf_error *err)
{
    struct write write = {.statement = STATEMENT_INSERT, .job = job};
    return commit_write((struct store_sqlite *)base, &write, err);
}

static enum pf_status sqlite_insert_many(
    struct store *base, struct job *const *jobs, size_t count, struct pf_error *err)
{
    struct write write = {.statement = STATEMENT_INSERT, .many = jobs, .count = count};
    return commit_write((struct store_sqlite *)base, &write, err);
}

static enum pf_status sqlite_update(struct store *base, const struct job *job, struct pf_error *err)
{
    struct write write = {.statement = STATEMENT_UPDATE, .job = job};
    return commit_write((struct store_sqlite *)base, &write, err);
}

static enum pf_status sqlite_remove(struct store *base, const char *id, struct pf_error *err)
{
    struct write write = {.statement = STATEMENT_REMOVE, .id = id};
    return commit_write((struct store_sqlite *)base, &write, err);
}

/* ---- reading ---- */

/* Steps through a bound statement, which is reset at the end; the reader's lock is held. */
static enum pf_status visit_rows(struct connection *connection, sqlite3_stmt *statement,
    const struct store_visitor *visitor, struct pf_error *err)
{
    enum pf_status status = PF_OK;
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && status == PF_OK) {
        AUTO_JOB struct job *job = NULL;
        status = store_row_read(statement, &job, err);
        if (status == PF_OK)
            status = visitor->visit(visitor->context, job, err);
    }
    if (status == PF_OK && rc != SQLITE_DONE)
        status = connection_fail(connection->db, "read", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

static enum pf_status keep_one(void *context, struct job *job, struct pf_error *err)
{
    (void)err;
    struct job **kept = context;
    job_unref(*kept);
    *kept = job_ref(job);
    return PF_OK;
}

/* One row by one or two texts. */
static enum pf_status read_one(struct store_sqlite *store, enum statement which,
    const char *const texts[2], struct job **ret_job, struct pf_error *err)
{
    struct connection *connection = store->reader;
    AUTO_JOB struct job *job = NULL;
    pthread_mutex_lock(&connection->lock);
    sqlite3_stmt *statement;
    enum pf_status status = connection_prepare(connection, which, &statement, err);
    for (int i = 0; status == PF_OK && i < 2 && texts[i]; i++)
        if (sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC) != SQLITE_OK)
            status = connection_fail(connection->db, "bind", err);
    if (status == PF_OK)
        status = visit_rows(connection, statement,
            &(struct store_visitor){.visit = keep_one, .context = &job}, err);
    pthread_mutex_unlock(&connection->lock);
    PF_TRY(status);
    if (!job)
        return pf_fail(err, PF_NOT_FOUND, "no job %.64s", texts[0]);
    *ret_job = STEAL(job);
    return PF_OK;
}

static enum pf_status sqlite_get(
    struct store *base, const char *id, struct job **ret_job, struct pf_error *err)
{
    return read_one(
        (struct store_sqlite *)base, STATEMENT_GET, (const char *[2]){id, NULL}, ret_job, err);
}

static enum pf_status sqlite_find_key(struct store *base, const char *owner, const char *key,
    struct job **ret_job, struct pf_error *err)
{
    return read_one((struct store_sqlite *)base, STATEMENT_FIND_KEY, (const char *[2]){owner, key},
        ret_job, err);
}

static enum pf_status sqlite_list(struct store *base, const struct store_query *query,
    const struct store_visitor *visitor, struct pf_error *err)
{
    struct connection *connection = ((struct store_sqlite *)base)->reader;
    pthread_mutex_lock(&connection->lock);
    sqlite3_stmt *statement;
    enum pf_status status = connection_prepare(connection,
        query->batch   ? STATEMENT_LIST_BATCH
        : query->owner ? STATEMENT_LIST_OWNER
                       : STATEMENT_LIST,
        &statement, err);
    if (status == PF_OK) {
        int rc = sqlite3_bind_text(statement, 1, query->owner, -1, SQLITE_STATIC);
        rc |= sqlite3_bind_text(statement, 2, query->batch, -1, SQLITE_STATIC);
        rc |= sqlite3_bind_int(statement, 3, query->status);
        rc |= sqlite3_bind_int64(statement, 4, query->before);
        rc |= sqlite3_bind_int64(statement, 5, (sqlite3_int64)query->limit);
        status = rc == SQLITE_OK ? visit_rows(connection, statement, visitor, err)
                                 : connection_fail(connection->db, "bind", err);
    }
    pthread_mutex_unlock(&connection->lock);
    return status;
}

static enum pf_status sqlite_list_open(
    struct store *base, const struct store_visitor *visitor, struct pf_error *err)
{
    struct connection *connection = ((struct store_sqlite *)base)->reader;
    pthread_mutex_lock(&connection->lock);
    sqlite3_stmt *statement;
    enum pf_status status = connection_prepare(connection, STATEMENT_LIST_OPEN, &statement, err);
    if (status == PF_OK)
        status = visit_rows(connection, statement, visitor, err);
    pthread_mutex_unlock(&connection->lock);
    return status;
}

static enum pf_status sqlite_list_expired(struct store *base, int64_t now_ms, size_t limit,
    const struct store_visitor *visitor, struct pf_error *err)
{
    struct connection *connection = ((struct store_sqlite *)base)->reader;
    pthread_mutex_lock(&connection->lock);
    sqlite3_stmt *statement;
    enum pf_status status = connection_prepare(connection, STATEMENT_LIST_EXPIRED, &statement, err);
    if (status == PF_OK) {
        int rc = sqlite3_bind_int64(statement, 1, now_ms);
        rc |= sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
        status = rc == SQLITE_OK ? visit_rows(connection, statement, visitor, err)
                                 : connection_fail(connection->db, "bind", err);
    }
    pthread_mutex_unlock(&connection->lock);
    return status;
}

/* One row for each status that occurs; the reader's lock is held. */
static enum pf_status sum_batch(struct connection *connection, sqlite3_stmt *statement,
    struct batch *batch, struct pf_error *err)
{
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        int status = sqlite3_column_int(statement, 0);
        const char *owner = (const char *)sqlite3_column_text(statement, 2);
        if (status < 0 || status >= JOB_STATUS_COUNT || !owner || strlen(owner) >= JOB_OWNER_SIZE)
            return pf_fail(err, PF_CORRUPT, "job store: batch %s is damaged", batch->id);
        strcpy(batch->owner, owner);
        batch->counts[status] = sqlite3_column_int64(statement, 1);
        batch->total += batch->counts[status];
        int64_t created_ms = sqlite3_column_int64(statement, 3);
        int64_t finished_ms = sqlite3_column_int64(statement, 4);
        if (batch->created_ms == 0 || created_ms < batch->created_ms)
            batch->created_ms = created_ms;
        if (finished_ms > batch->finished_ms)
            batch->finished_ms = finished_ms;
    }
    return rc == SQLITE_DONE ? PF_OK : connection_fail(connection->db, "read", err);
}

static enum pf_status sqlite_get_batch(
    struct store *base, const char *id, struct batch *ret_batch, struct pf_error *err)
{
    struct connection *connection = ((struct store_sqlite *)base)->reader;
    struct batch batch = {.total = 0};
    snprintf(batch.id, sizeof batch.id, "%s", id);
    pthread_mutex_lock(&connection->lock);
    sqlite3_stmt *statement;
    enum pf_status status = connection_prepare(connection, STATEMENT_GET_BATCH, &statement, err);
    if (status == PF_OK) {
        status = sqlite3_bind_text(statement, 1, batch.id, -1, SQLITE_STATIC) == SQLITE_OK
                     ? sum_batch(connection, statement, &batch, err)
                     : connection_fail(connection->db, "bind", err);
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    }
    pthread_mutex_unlock(&connection->lock);
    PF_TRY(status);
    if (batch.total == 0)
        return pf_fail(err, PF_NOT_FOUND, "no batch %.64s", id);
    if (!batch_is_finished(&batch))
        batch.finished_ms = 0;
    *ret_batch = batch;
    return PF_OK;
}

static enum pf_status sqlite_last_sequence(
    struct store *base, int64_t *ret_sequence, struct pf_error *err)
{
    struct connection *connection = ((struct store_sqlite *)base)->reader;
    pthread_mutex_lock(&connection->lock);
    sqlite3_stmt *statement;
    enum pf_status status =
        connection_prepare(connection, STATEMENT_LAST_SEQUENCE, &statement, err);
    if (status == PF_OK) {
        if (sqlite3_step(statement) == SQLITE_ROW)
            *ret_sequence = sqlite3_column_int64(statement, 0); /* NULL, no row yet, reads as 0 */
        else
            status = connection_fail(connection->db, "read", err);
        sqlite3_reset(statement);
    }
    pthread_mutex_unlock(&connection->lock);
    return status;
}

/* ---- opening and closing ---- */

static void sqlite_close(struct store *base)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    assert(!store->first);
    if (store->reader == &store->own_reader)
        connection_close(&store->own_reader);
    connection_close(&store->writer);
    pthread_cond_destroy(&store->written);
    pthread_mutex_destroy(&store->queue_lock);
    free(store);
}

static const struct store_ops sqlite_ops = {
    .close = sqlite_close,
    .insert = sqlite_insert,
    .insert_many = sqlite_insert_many,
    .update = sqlite_update,
    .remove = sqlite_remove,
    .get = sqlite_get,
    .find_key = sqlite_find_key,
    .list = sqlite_list,
    .list_open = sqlite_list_open,
    .list_expired = sqlite_list_expired,
    .get_batch = sqlite_get_batch,
    .last_sequence = sqlite_last_sequence,
};

enum pf_status store_sqlite_open(struct store **ret_store, const char *path, struct pf_error *err)
{
    if (path)
        PF_TRY(connection_make_file(path, err));
    struct store_sqlite *store = calloc(1, sizeof *store);
    if (!store)
        return pf_fail(err, PF_NOMEM, "no memory for the job store");
    store->base.ops = &sqlite_ops;
    store->last = &store->first;
    store->reader = path ? &store->own_reader : &store->writer;
    pthread_mutex_init(&store->queue_lock, NULL);
    pthread_cond_init(&store->written, NULL);
    pthread_mutex_init(&store->writer.lock, NULL);
    if (path)
        pthread_mutex_init(&store->own_reader.lock, NULL);
    enum pf_status status = connection_open(&store->writer, path, err);
    if (status == PF_OK)
        status = connection_check_schema(store->writer.db, err);
    if (status == PF_OK && path)
        status = connection_open(&store->own_reader, path, err);
    if (status != PF_OK) {
        sqlite_close(&store->base);
        return status;
    }
    *ret_store = &store->base;
    return PF_OK;
}

void store_close(struct store *store)
{
    if (store)
        store->ops->close(store);
}
