/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/store_row.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum column_kind {
    COLUMN_INTEGER,    /* int64_t */
    COLUMN_ENUM,       /* an enum's int; `size` is the number of its values */
    COLUMN_TEXT,       /* char *, NULL allowed */
    COLUMN_INLINE,     /* char[size], "" for none */
    COLUMN_PARAMS,     /* struct params as JSON */
    COLUMN_PARAMS_SET, /* params.set */
};

struct column {
    const char *name;
    enum column_kind kind;
    size_t offset, size;
    const char *constraint;
};

#define INTEGER(member, column)                                                                    \
    {                                                                                              \
        column, COLUMN_INTEGER, offsetof(struct job, member), 0, ""                                \
    }
#define ENUM(member, count)                                                                        \
    {                                                                                              \
#member, COLUMN_ENUM, offsetof(struct job, member), count, ""                              \
    }
#define TEXT(member)                                                                               \
    {                                                                                              \
#member, COLUMN_TEXT, offsetof(struct job, member), 0, ""                                  \
    }
#define INLINE(member, column)                                                                     \
    {                                                                                              \
        column, COLUMN_INLINE, offsetof(struct job, member), sizeof(((struct job *)0)->member), "" \
    }

/* The parameters' order is the placeholders' order: ?1 is the first. */
static const struct column columns[] = {
    {"sequence", COLUMN_INTEGER, offsetof(struct job, sequence), 0, " PRIMARY KEY AUTOINCREMENT"},
    {"id", COLUMN_INLINE, offsetof(struct job, id), ID_SIZE, " UNIQUE"},
    INLINE(batch, "batch"),
    INLINE(owner, "owner"),
    ENUM(status, JOB_STATUS_COUNT),
    ENUM(priority, JOB_PRIORITY_COUNT),
    TEXT(instruction),
    ENUM(auxiliary, JOB_AUXILIARY_AUTO + 1),
    TEXT(auxiliary_prompt),
    TEXT(auxiliary_log),
    TEXT(model),
    {"params", COLUMN_PARAMS, offsetof(struct job, params), 0, ""},
    {"params_set", COLUMN_PARAMS_SET, offsetof(struct job, params.set), 0, ""},
    TEXT(metadata),
    TEXT(webhook_url),
    INLINE(trace, "trace"),
    TEXT(idempotency_key),
    INLINE(fingerprint, "fingerprint"),
    INTEGER(attempts, "attempts"),
    INTEGER(step, "step"),
    INTEGER(steps, "steps"),
    INTEGER(timings.queued_ms, "queued_ms"),
    INTEGER(timings.load_ms, "load_ms"),
    INTEGER(timings.encode_ms, "encode_ms"),
    INTEGER(timings.sample_ms, "sample_ms"),
    INTEGER(timings.decode_ms, "decode_ms"),
    INTEGER(created_ms, "created_ms"),
    INTEGER(started_ms, "started_ms"),
    INTEGER(finished_ms, "finished_ms"),
    INTEGER(expires_ms, "expires_ms"),
    INLINE(image_blob, "image_blob"),
    INLINE(mask_blob, "mask_blob"),
    INLINE(result_blob, "result_blob"),
    INTEGER(image_bytes, "image_bytes"),
    INTEGER(mask_bytes, "mask_bytes"),
    INLINE(result.format, "result_format"),
    INTEGER(result.width, "result_width"),
    INTEGER(result.height, "result_height"),
    INTEGER(result.bytes, "result_bytes"),
    INLINE(error.code, "error_code"),
    INLINE(error.field, "error_field"),
    INLINE(error.message, "error_message"),
    INTEGER(event_id, "event_id"),
};

enum { COLUMN_ID = 1 }; /* index of "id" */

static int is_text(const struct column *column)
{
    return column->kind == COLUMN_TEXT || column->kind == COLUMN_INLINE ||
           column->kind == COLUMN_PARAMS;
}

void store_row_put_create(struct buffer *out)
{
    buffer_put_text(out, "CREATE TABLE jobs (");
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        buffer_put_format(out, "%s%s %s%s", i ? ", " : "", columns[i].name,
            is_text(&columns[i]) ? "TEXT" : "INTEGER", columns[i].constraint);
    buffer_put_text(out, ")");
}

void store_row_put_columns(struct buffer *out)
{
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        buffer_put_format(out, "%s%s", i ? ", " : "", columns[i].name);
}

void store_row_put_insert(struct buffer *out)
{
    buffer_put_text(out, "INSERT INTO jobs (");
    store_row_put_columns(out);
    buffer_put_text(out, ") VALUES (");
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        buffer_put_format(out, "%s?%zu", i ? ", " : "", i + 1);
    buffer_put_text(out, ")");
}

void store_row_put_update(struct buffer *out)
{
    buffer_put_text(out, "UPDATE jobs SET ");
    for (size_t i = COLUMN_ID + 1; i < COUNT_OF(columns); i++)
        buffer_put_format(
            out, "%s%s = ?%zu", i > COLUMN_ID + 1 ? ", " : "", columns[i].name, i + 1);
    buffer_put_format(out, " WHERE id = ?%d AND sequence = ?1", COLUMN_ID + 1);
}

static int bind_params(sqlite3_stmt *statement, int index, const struct params *params)
{
    AUTO_BUFFER struct buffer json = BUFFER_INIT;
    params_put_json(&json, params);
    if (json.status != PF_OK)
        return SQLITE_NOMEM;
    return sqlite3_bind_text(statement, index, json.data, (int)json.size, SQLITE_TRANSIENT);
}

static int bind_column(
    sqlite3_stmt *statement, int index, const struct column *column, const struct job *job)
{
    const void *member = (const char *)job + column->offset;
    switch (column->kind) {
    case COLUMN_INTEGER:
        return sqlite3_bind_int64(statement, index, *(const int64_t *)member);
    case COLUMN_ENUM:
        return sqlite3_bind_int(statement, index, *(const int *)member);
    case COLUMN_TEXT:
        return sqlite3_bind_text(statement, index, *(char *const *)member, -1, SQLITE_STATIC);
    case COLUMN_INLINE:
        return sqlite3_bind_text(statement, index, member, -1, SQLITE_STATIC);
    case COLUMN_PARAMS:
        return bind_params(statement, index, member);
    case COLUMN_PARAMS_SET:
        return sqlite3_bind_int64(statement, index, (sqlite3_int64) * (const uint64_t *)member);
    }
    return SQLITE_MISUSE;
}

enum pf_status store_row_bind(sqlite3_stmt *statement, const struct job *job, struct pf_error *err)
{
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        int rc = bind_column(statement, (int)i + 1, &columns[i], job);
        if (rc != SQLITE_OK)
            return pf_fail(err, rc == SQLITE_NOMEM ? PF_NOMEM : PF_INTERNAL,
                "can't bind column %s: %s", columns[i].name, sqlite3_errstr(rc));
    }
    return PF_OK;
}

static enum pf_status fail_column(
    const struct job *job, const struct column *column, struct pf_error *err)
{
    return pf_fail(
        err, PF_CORRUPT, "job store: column %s of job '%s' is damaged", column->name, job->id);
}

static enum pf_status read_text(sqlite3_stmt *statement, int index, const struct column *column,
    struct job *job, struct pf_error *err)
{
    const char *text = (const char *)sqlite3_column_text(statement, index);
    if (!text && sqlite3_column_type(statement, index) != SQLITE_NULL)
        return pf_fail(err, PF_NOMEM, "no memory for column %s of a job", column->name);
    void *member = (char *)job + column->offset;
    if (column->kind == COLUMN_TEXT) {
        if (!text)
            return PF_OK;
        *(char **)member = strdup(text);
        return *(char **)member ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for a job's text");
    }
    size_t size = text ? strlen(text) : 0;
    if (!text)
        return fail_column(job, column, err);
    if (column->kind == COLUMN_PARAMS) {
        params_init(member);
        return params_set_json(member, text, size, NULL) == PF_OK ? PF_OK
                                                                  : fail_column(job, column, err);
    }
    if (size >= column->size)
        return fail_column(job, column, err);
    memcpy(member, text, size + 1);
    return PF_OK;
}

static enum pf_status read_column(sqlite3_stmt *statement, int index, const struct column *column,
    struct job *job, struct pf_error *err)
{
    if (is_text(column))
        return read_text(statement, index, column, job, err);
    void *member = (char *)job + column->offset;
    sqlite3_int64 value = sqlite3_column_int64(statement, index);
    if (column->kind == COLUMN_ENUM) {
        if (value < 0 || (size_t)value >= column->size)
            return fail_column(job, column, err);
        *(int *)member = (int)value;
    } else {
        memcpy(member, &value, sizeof value);
    }
    return PF_OK;
}

enum pf_status store_row_read(sqlite3_stmt *statement, struct job **ret_job, struct pf_error *err)
{
    AUTO_JOB struct job *job = job_create();
    if (!job)
        return pf_fail(err, PF_NOMEM, "no memory for a job");
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        PF_TRY(read_column(statement, (int)i, &columns[i], job, err));
    *ret_job = STEAL(job);
    return PF_OK;
}
