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
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "server/jobs/store.h"
#include "server/jobs/store_row.h"

enum {
    APPLICATION_ID = 0x50465831, /* "PFX1": tells our files from other databases */
    BUSY_TIMEOUT_MS = 5000,
    COMMIT_MAX = 256, /* writes in one transaction */
};

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_INSERT,
    STATEMENT_UPDATE,
    STATEMENT_REMOVE,
    STATEMENT_GET,
    STATEMENT_FIND_KEY,
    STATEMENT_LIST,
    STATEMENT_LIST_OPEN,
    STATEMENT_LIST_EXPIRED,
    STATEMENT_LAST_SEQUENCE,
    STATEMENT_COUNT,
};

/* Text before and after the columns of a SELECT; INSERT and UPDATE are made from the column table.
 */
static const char *const statement_tails[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_REMOVE] = "DELETE FROM jobs WHERE id = ?1",
    [STATEMENT_GET] = " FROM jobs WHERE id = ?1",
    [STATEMENT_FIND_KEY] = " FROM jobs WHERE owner = ?1 AND idempotency_key = ?2",
    [STATEMENT_LIST] = " FROM jobs WHERE (?1 IS NULL OR owner = ?1) AND (?2 IS NULL OR batch = ?2)"
                       " AND (?3 < 0 OR status = ?3) AND (?4 = 0 OR sequence < ?4)"
                       " ORDER BY sequence DESC LIMIT ?5",
    [STATEMENT_LIST_OPEN] = " FROM jobs WHERE status < 2 ORDER BY sequence",
    [STATEMENT_LIST_EXPIRED] = " FROM jobs WHERE expires_ms > 0 AND expires_ms <= ?1"
                               " ORDER BY expires_ms LIMIT ?2",
    [STATEMENT_LAST_SEQUENCE] = "SELECT max(seq) FROM sqlite_sequence WHERE name = 'jobs'",
};

struct connection {
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* prepared on first use */
};

/* A queued write; lives on its caller's stack. */
struct write {
    struct write *next;
    enum statement statement;
    const struct job *job;
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

static enum pf_status fail_sqlite(sqlite3 *db, const char *what, struct pf_error *err)
{
    int rc = sqlite3_extended_errcode(db);
    enum pf_status status;
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        status = PF_NOMEM;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        status = PF_CORRUPT;
        break;
    case SQLITE_CONSTRAINT:
        status = PF_CONFLICT;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        status = PF_BUSY;
        break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        status = PF_IO;
        break;
    default:
        status = PF_INTERNAL;
    }
    return pf_fail(err, status, "job store: %s: %s", what, sqlite3_errmsg(db));
}

static enum pf_status execute(sqlite3 *db, const char *sql, struct pf_error *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail_sqlite(db, sql, err);
    return PF_OK;
}

static enum pf_status prepare(struct connection *connection, enum statement which,
    sqlite3_stmt **ret_statement, struct pf_error *err)
{
    if (!connection->statements[which]) {
        AUTO_BUFFER struct buffer sql = BUFFER_INIT;
        if (which == STATEMENT_INSERT) {
            store_row_put_insert(&sql);
        } else if (which == STATEMENT_UPDATE) {
            store_row_put_update(&sql);
        } else {
            if (statement_tails[which][0] == ' ') {
                buffer_put_text(&sql, "SELECT ");
                store_row_put_columns(&sql);
            }
            buffer_put_text(&sql, statement_tails[which]);
        }
        PF_TRY(buffer_status(&sql, err));
        if (sqlite3_prepare_v3(connection->db, sql.data, -1, SQLITE_PREPARE_PERSISTENT,
                &connection->statements[which], NULL) != SQLITE_OK)
            return fail_sqlite(connection->db, "prepare", err);
    }
    *ret_statement = connection->statements[which];
    return PF_OK;
}

/* ---- writing ---- */

static enum pf_status run_simple(
    struct connection *connection, enum statement which, struct pf_error *err)
{
    sqlite3_stmt *statement;
    PF_TRY(prepare(connection, which, &statement, err));
    int rc = sqlite3_step(statement);
    enum pf_status status =
        rc == SQLITE_DONE ? PF_OK : fail_sqlite(connection->db, statement_tails[which], err);
    sqlite3_reset(statement);
    return status;
}

static enum pf_status run_write(
    struct connection *connection, const struct write *write, struct pf_error *err)
{
    sqlite3_stmt *statement;
    PF_TRY(prepare(connection, write->statement, &statement, err));
    enum pf_status status = PF_OK;
    if (write->job)
        status = store_row_bind(statement, write->job, err);
    else if (sqlite3_bind_text(statement, 1, write->id, -1, SQLITE_STATIC) != SQLITE_OK)
        status = fail_sqlite(connection->db, "bind", err);
    if (status == PF_OK) {
        int rc = sqlite3_step(statement);
        const char *id = write->job ? write->job->id : write->id;
        if (rc == SQLITE_CONSTRAINT && (sqlite3_extended_errcode(connection->db) & 0xff) == rc)
            status = pf_fail(err, PF_CONFLICT,
                "job %s: its id, sequence or idempotency key is already in use", id);
        else if (rc != SQLITE_DONE)
            status = fail_sqlite(connection->db, "write", err);
        else if (sqlite3_changes(connection->db) == 0)
            status = pf_fail(err, PF_NOT_FOUND, "no job %s in the store", id);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
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
    enum pf_status status = run_simple(connection, STATEMENT_BEGIN, &err);
    for (struct write *write = batch; write && status == PF_OK; write = write->next) {
        write->err = (struct pf_error)PF_ERROR_INIT;
        write->status = run_write(connection, write, &write->err);
        if (!fails_alone(write->status)) {
            status = write->status;
            err = write->err;
        }
    }
    if (status == PF_OK)
        status = run_simple(connection, STATEMENT_COMMIT, &err);
    if (status != PF_OK) {
        struct pf_error ignored = PF_ERROR_INIT;
        if (!sqlite3_get_autocommit(connection->db) &&
            run_simple(connection, STATEMENT_ROLLBACK, &ignored) != PF_OK)
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
        status = fail_sqlite(connection->db, "read", err);
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
    enum pf_status status = prepare(connection, which, &statement, err);
    for (int i = 0; status == PF_OK && i < 2 && texts[i]; i++)
        if (sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC) != SQLITE_OK)
            status = fail_sqlite(connection->db, "bind", err);
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
    enum pf_status status = prepare(connection, STATEMENT_LIST, &statement, err);
    if (status == PF_OK) {
        int rc = sqlite3_bind_text(statement, 1, query->owner, -1, SQLITE_STATIC);
        rc |= sqlite3_bind_text(statement, 2, query->batch, -1, SQLITE_STATIC);
        rc |= sqlite3_bind_int(statement, 3, query->status);
        rc |= sqlite3_bind_int64(statement, 4, query->before);
        rc |= sqlite3_bind_int64(statement, 5, (sqlite3_int64)query->limit);
        status = rc == SQLITE_OK ? visit_rows(connection, statement, visitor, err)
                                 : fail_sqlite(connection->db, "bind", err);
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
    enum pf_status status = prepare(connection, STATEMENT_LIST_OPEN, &statement, err);
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
    enum pf_status status = prepare(connection, STATEMENT_LIST_EXPIRED, &statement, err);
    if (status == PF_OK) {
        int rc = sqlite3_bind_int64(statement, 1, now_ms);
        rc |= sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
        status = rc == SQLITE_OK ? visit_rows(connection, statement, visitor, err)
                                 : fail_sqlite(connection->db, "bind", err);
    }
    pthread_mutex_unlock(&connection->lock);
    return status;
}

static enum pf_status sqlite_last_sequence(
    struct store *base, int64_t *ret_sequence, struct pf_error *err)
{
    struct connection *connection = ((struct store_sqlite *)base)->reader;
    pthread_mutex_lock(&connection->lock);
    sqlite3_stmt *statement;
    enum pf_status status = prepare(connection, STATEMENT_LAST_SEQUENCE, &statement, err);
    if (status == PF_OK) {
        if (sqlite3_step(statement) == SQLITE_ROW)
            *ret_sequence = sqlite3_column_int64(statement, 0); /* NULL, no row yet, reads as 0 */
        else
            status = fail_sqlite(connection->db, "read", err);
        sqlite3_reset(statement);
    }
    pthread_mutex_unlock(&connection->lock);
    return status;
}

/* ---- opening and closing ---- */

static void close_connection(struct connection *connection)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(connection->statements[i]);
    sqlite3_close(connection->db);
    pthread_mutex_destroy(&connection->lock);
}

static void sqlite_close(struct store *base)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    assert(!store->first);
    if (store->reader == &store->own_reader)
        close_connection(&store->own_reader);
    close_connection(&store->writer);
    pthread_cond_destroy(&store->written);
    pthread_mutex_destroy(&store->queue_lock);
    free(store);
}

static const struct store_ops sqlite_ops = {
    .close = sqlite_close,
    .insert = sqlite_insert,
    .update = sqlite_update,
    .remove = sqlite_remove,
    .get = sqlite_get,
    .find_key = sqlite_find_key,
    .list = sqlite_list,
    .list_open = sqlite_list_open,
    .list_expired = sqlite_list_expired,
    .last_sequence = sqlite_last_sequence,
};

/* SQLite would make the file with the umask's mode; photos' instructions are nobody else's
 * business. */
static enum pf_status make_file(const char *path, struct pf_error *err)
{
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return pf_fail_errno(err, errno, "can't open the job store '%s'", path);
    return PF_OK;
}

static enum pf_status open_connection(
    struct connection *connection, const char *path, struct pf_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (path ? 0 : SQLITE_OPEN_MEMORY);
    int rc = sqlite3_open_v2(path ? path : ":memory:", &connection->db, flags, NULL);
    if (!connection->db)
        return pf_fail(err, PF_NOMEM, "no memory for the job store");
    if (rc != SQLITE_OK)
        return fail_sqlite(connection->db, "open", err);
    sqlite3_busy_timeout(connection->db, BUSY_TIMEOUT_MS);
    PF_TRY(execute(connection->db, "PRAGMA trusted_schema = OFF", err));
    PF_TRY(execute(connection->db, "PRAGMA temp_store = MEMORY", err));
    PF_TRY(execute(connection->db, "PRAGMA journal_mode = WAL", err));
    PF_TRY(execute(connection->db, "PRAGMA synchronous = FULL", err));
    return execute(connection->db, "PRAGMA journal_size_limit = 67108864", err);
}

static enum pf_status read_pragma(
    sqlite3 *db, const char *sql, char *ret_text, size_t size, struct pf_error *err)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return fail_sqlite(db, sql, err);
    enum pf_status status = PF_OK;
    if (sqlite3_step(statement) == SQLITE_ROW)
        sqlite3_snprintf((int)size, ret_text, "%s", sqlite3_column_text(statement, 0));
    else
        status = fail_sqlite(db, sql, err);
    sqlite3_finalize(statement);
    return status;
}

static enum pf_status make_schema(sqlite3 *db, struct pf_error *err)
{
    AUTO_BUFFER struct buffer sql = BUFFER_INIT;
    buffer_put_text(&sql, "BEGIN IMMEDIATE;");
    store_row_put_create(&sql);
    buffer_put_format(&sql,
        ";CREATE UNIQUE INDEX jobs_key ON jobs (owner, idempotency_key)"
        " WHERE idempotency_key IS NOT NULL;"
        "CREATE INDEX jobs_owner ON jobs (owner, sequence);"
        "CREATE INDEX jobs_batch ON jobs (batch, sequence) WHERE batch <> '';"
        "CREATE INDEX jobs_open ON jobs (sequence) WHERE status < 2;"
        "CREATE INDEX jobs_expiry ON jobs (expires_ms) WHERE expires_ms > 0;"
        "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
        APPLICATION_ID, STORE_ROW_SCHEMA);
    PF_TRY(buffer_status(&sql, err));
    return execute(db, sql.data, err);
}

/* An empty database gets the schema; ours is checked; anybody else's is refused. */
static enum pf_status check_schema(sqlite3 *db, struct pf_error *err)
{
    char tables[24], application[24], version[24], check[PF_ERROR_MESSAGE_MAX - 64];
    PF_TRY(read_pragma(db, "SELECT count(*) FROM sqlite_schema", tables, sizeof tables, err));
    if (strcmp(tables, "0") == 0)
        return make_schema(db, err);
    PF_TRY(read_pragma(db, "PRAGMA application_id", application, sizeof application, err));
    if (strtol(application, NULL, 10) != APPLICATION_ID)
        return pf_fail(err, PF_CORRUPT, "job store: this database belongs to another program");
    PF_TRY(read_pragma(db, "PRAGMA user_version", version, sizeof version, err));
    if (strtol(version, NULL, 10) != STORE_ROW_SCHEMA)
        return pf_fail(err, PF_UNSUPPORTED, "job store: schema %s, this server knows schema %d",
            version, STORE_ROW_SCHEMA);
    PF_TRY(read_pragma(db, "PRAGMA quick_check(1)", check, sizeof check, err));
    if (strcmp(check, "ok") != 0)
        return pf_fail(err, PF_CORRUPT, "job store: the database is damaged: %s", check);
    return PF_OK;
}

enum pf_status store_sqlite_open(struct store **ret_store, const char *path, struct pf_error *err)
{
    if (path)
        PF_TRY(make_file(path, err));
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
    enum pf_status status = open_connection(&store->writer, path, err);
    if (status == PF_OK)
        status = check_schema(store->writer.db, err);
    if (status == PF_OK && path)
        status = open_connection(&store->own_reader, path, err);
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
