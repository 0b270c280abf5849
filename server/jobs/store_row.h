/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_STORE_ROW_H
#define SERVER_JOBS_STORE_ROW_H

/* A job as a row of SQLite: one table of columns makes the schema, the statements, and both
 * directions of the conversion, so that a member can't be forgotten in one of them. */

#include <sqlite3.h>

#include "base/buffer.h"
#include "base/error.h"
#include "server/jobs/job.h"

/* Goes up with every change of the column table; store_connection.c brings older ones up to it. */
enum { STORE_ROW_SCHEMA = 2 };

/* "CREATE TABLE jobs (…)", "INSERT INTO jobs …", "UPDATE jobs … WHERE id = …" and the list of
 * columns that store_row_read() expects first in a SELECT. */
void store_row_put_create(struct buffer *out);
void store_row_put_insert(struct buffer *out);
void store_row_put_update(struct buffer *out);
void store_row_put_columns(struct buffer *out);

/* Binds the parameters of the INSERT or UPDATE; `job` must outlive the statement's step. */
PF_MUST_CHECK enum pf_status store_row_bind(
    sqlite3_stmt *statement, const struct job *job, struct pf_error *err);

/* The job in the statement's present row. PF_CORRUPT names the job and the column. */
PF_MUST_CHECK enum pf_status store_row_read(
    sqlite3_stmt *statement, struct job **ret_job, struct pf_error *err);

#endif
