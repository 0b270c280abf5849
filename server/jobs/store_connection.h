/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_STORE_CONNECTION_H
#define SERVER_JOBS_STORE_CONNECTION_H

/* A connection to the job database: its statements, its schema, its errors. */

#include <pthread.h>
#include <sqlite3.h>

#include "base/error.h"

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_SAVE,
    STATEMENT_UNDO,
    STATEMENT_INSERT,
    STATEMENT_UPDATE,
    STATEMENT_REMOVE,
    STATEMENT_GET,
    STATEMENT_FIND_KEY,
    STATEMENT_LIST,
    STATEMENT_LIST_OWNER,
    STATEMENT_LIST_BATCH,
    STATEMENT_LIST_OPEN,
    STATEMENT_LIST_EXPIRED,
    STATEMENT_GET_BATCH,
    STATEMENT_LAST_SEQUENCE,
    STATEMENT_COUNT,
};

struct connection {
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* prepared on first use */
};

/* The failure of the connection's last call: PF_IO, PF_CORRUPT, PF_BUSY, PF_NOMEM, … */
enum pf_status connection_fail(sqlite3 *db, const char *what, struct pf_error *err);

/* Makes the file with mode 0600 when absent: SQLite would take the umask's, and what people ask
 * about their photos is nobody else's business. */
PF_MUST_CHECK enum pf_status connection_make_file(const char *path, struct pf_error *err);

/* path NULL: in memory. `lock` is initialised before; connection_close() is called also after a
 * failure. */
PF_MUST_CHECK enum pf_status connection_open(
    struct connection *connection, const char *path, struct pf_error *err);
void connection_close(struct connection *connection);

/* An empty database gets the schema; ours is checked; anybody else's is refused. */
PF_MUST_CHECK enum pf_status connection_check_schema(sqlite3 *db, struct pf_error *err);

/* The statement, prepared on first use; to be reset by its user. The lock is held. */
PF_MUST_CHECK enum pf_status connection_prepare(struct connection *connection, enum statement which,
    sqlite3_stmt **ret_statement, struct pf_error *err);
/* Runs one that has no parameters and no rows. */
PF_MUST_CHECK enum pf_status connection_run(
    struct connection *connection, enum statement which, struct pf_error *err);

#endif
