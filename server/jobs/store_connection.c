/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/store_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "server/jobs/store_row.h"

enum {
    APPLICATION_ID = 0x50465831, /* "PFX1": tells our files from other databases */
    BUSY_TIMEOUT_MS = 5000,
};

/* Parameters keep their numbers in all three lists: those a list doesn't use are bound in vain. */
#define LIST_TAIL                                                                                  \
    " (?3 < 0 OR status = ?3) AND (?4 = 0 OR sequence < ?4) ORDER BY sequence DESC LIMIT ?5"

/* Text before and after the columns of a SELECT; INSERT and UPDATE are made from the column table.
 */
static const char *const statement_tails[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_SAVE] = "SAVEPOINT many",
    [STATEMENT_UNDO] = "ROLLBACK TO many",
    [STATEMENT_REMOVE] = "DELETE FROM jobs WHERE id = ?1",
    [STATEMENT_GET] = " FROM jobs WHERE id = ?1",
    [STATEMENT_FIND_KEY] = " FROM jobs WHERE owner = ?1 AND idempotency_key = ?2",
    /* Three ways to the same list: each has its index. */
    [STATEMENT_LIST] = " FROM jobs WHERE" LIST_TAIL,
    [STATEMENT_LIST_OWNER] = " FROM jobs WHERE owner = ?1 AND" LIST_TAIL,
    [STATEMENT_LIST_BATCH] = " FROM jobs WHERE batch = ?2 AND batch <> ''"
                             " AND (?1 IS NULL OR owner = ?1) AND" LIST_TAIL,
    [STATEMENT_LIST_OPEN] = " FROM jobs WHERE status < 2 ORDER BY sequence",
    [STATEMENT_LIST_EXPIRED] = " FROM jobs WHERE expires_ms > 0 AND expires_ms <= ?1"
                               " ORDER BY expires_ms LIMIT ?2",
    [STATEMENT_GET_BATCH] = "SELECT status, count(*), owner, min(created_ms), max(finished_ms)"
                            " FROM jobs WHERE batch = ?1 AND batch <> '' GROUP BY status",
    [STATEMENT_LAST_SEQUENCE] = "SELECT max(seq) FROM sqlite_sequence WHERE name = 'jobs'",
};

enum pf_status connection_fail(sqlite3 *db, const char *what, struct pf_error *err)
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
        return connection_fail(db, sql, err);
    return PF_OK;
}

enum pf_status connection_prepare(struct connection *connection, enum statement which,
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
            return connection_fail(connection->db, "prepare", err);
    }
    *ret_statement = connection->statements[which];
    return PF_OK;
}

enum pf_status connection_run(
    struct connection *connection, enum statement which, struct pf_error *err)
{
    sqlite3_stmt *statement;
    PF_TRY(connection_prepare(connection, which, &statement, err));
    int rc = sqlite3_step(statement);
    enum pf_status status =
        rc == SQLITE_DONE ? PF_OK : connection_fail(connection->db, statement_tails[which], err);
    sqlite3_reset(statement);
    return status;
}

enum pf_status connection_make_file(const char *path, struct pf_error *err)
{
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return pf_fail_errno(err, errno, "can't open the job store '%s'", path);
    return PF_OK;
}

enum pf_status connection_open(
    struct connection *connection, const char *path, struct pf_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (path ? 0 : SQLITE_OPEN_MEMORY);
    int rc = sqlite3_open_v2(path ? path : ":memory:", &connection->db, flags, NULL);
    if (!connection->db)
        return pf_fail(err, PF_NOMEM, "no memory for the job store");
    if (rc != SQLITE_OK)
        return connection_fail(connection->db, "open", err);
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
        return connection_fail(db, sql, err);
    enum pf_status status = PF_OK;
    if (sqlite3_step(statement) == SQLITE_ROW)
        sqlite3_snprintf((int)size, ret_text, "%s", sqlite3_column_text(statement, 0));
    else
        status = connection_fail(db, sql, err);
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

/* Schema 1 had no trace. */
static enum pf_status add_trace(sqlite3 *db, struct pf_error *err)
{
    return execute(db,
        "BEGIN IMMEDIATE; ALTER TABLE jobs ADD COLUMN trace TEXT DEFAULT '';"
        "PRAGMA user_version = 2; COMMIT",
        err);
}

enum pf_status connection_check_schema(sqlite3 *db, struct pf_error *err)
{
    char tables[24], application[24], version[24], check[PF_ERROR_MESSAGE_MAX - 64];
    PF_TRY(read_pragma(db, "SELECT count(*) FROM sqlite_schema", tables, sizeof tables, err));
    if (strcmp(tables, "0") == 0)
        return make_schema(db, err);
    PF_TRY(read_pragma(db, "PRAGMA application_id", application, sizeof application, err));
    if (strtol(application, NULL, 10) != APPLICATION_ID)
        return pf_fail(err, PF_CORRUPT, "job store: this database belongs to another program");
    PF_TRY(read_pragma(db, "PRAGMA user_version", version, sizeof version, err));
    int is_first = strcmp(version, "1") == 0;
    if (!is_first && strtol(version, NULL, 10) != STORE_ROW_SCHEMA)
        return pf_fail(err, PF_UNSUPPORTED, "job store: schema %s, this server knows schema %d",
            version, STORE_ROW_SCHEMA);
    PF_TRY(read_pragma(db, "PRAGMA quick_check(1)", check, sizeof check, err));
    if (strcmp(check, "ok") != 0)
        return pf_fail(err, PF_CORRUPT, "job store: the database is damaged: %s", check);
    return is_first ? add_trace(db, err) : PF_OK;
}

void connection_close(struct connection *connection)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(connection->statements[i]);
    sqlite3_close(connection->db);
    pthread_mutex_destroy(&connection->lock);
}
