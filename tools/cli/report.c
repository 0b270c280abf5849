/* SPDX-License-Identifier: Apache-2.0 */
/* Locking: none. What earlier runs wrote is constant once open; a line is one write() to a
 * descriptor that appends. */
#include "tools/cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jdoc.h"

enum { REPORT_MODE = 0644 };

static const char *const status_names[] = {"succeeded", "failed", "cancelled", "interrupted"};

/* What matters of an earlier line. */
struct entry {
    char *output;
    size_t number; /* of its line */
    int has_succeeded;
    char request[SHA256_HEX_SIZE];
    int64_t bytes;
};

struct report {
    int fd;
    char *path;
    struct entry *entries; /* by output, then line */
    size_t count, capacity;
};

void report_close(struct report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->count; i++)
        free(report->entries[i].output);
    free(report->entries);
    free(report->path);
    if (report->fd >= 0)
        close(report->fd);
    free(report);
}

static enum pf_status take_entry(
    struct report *report, const struct jdoc_value *root, size_t number, struct pf_error *err)
{
    const char *output = jdoc_get_string(root, "output", NULL);
    const char *status = jdoc_get_string(root, "status", NULL);
    if (!output || !status)
        return pf_fail(err, PF_CORRUPT, "%.200s, line %zu: not a line of a report: another file?",
            report->path, number);
    if (report->count == report->capacity) {
        size_t more = report->capacity ? 2 * report->capacity : 256;
        void *longer = realloc(report->entries, more * sizeof *report->entries);
        if (!longer)
            return pf_fail(err, PF_NOMEM, "no memory for a report of %zu lines", number);
        report->entries = longer;
        report->capacity = more;
    }
    struct entry *entry = &report->entries[report->count];
    *entry = (struct entry){.output = strdup(output),
        .number = number,
        .has_succeeded = strcmp(status, status_names[REPORT_SUCCEEDED]) == 0,
        .bytes = jdoc_get_integer(root, "bytes", -1)};
    snprintf(entry->request, sizeof entry->request, "%.64s", jdoc_get_string(root, "request", ""));
    if (!entry->output)
        return pf_fail(err, PF_NOMEM, "no memory for a report of %zu lines", number);
    report->count++;
    return PF_OK;
}

static enum pf_status take_line(
    struct report *report, const char *line, size_t size, size_t number, struct pf_error *err)
{
    struct jdoc *doc = NULL;
    enum pf_status status = jdoc_parse(&doc, line, size, NULL);
    if (status != PF_OK)
        return pf_fail(
            err, status, "%.200s, line %zu: not JSON: is it a report?", report->path, number);
    status = take_entry(report, jdoc_root(doc), number, err);
    jdoc_destroy(doc);
    return status;
}

static enum pf_status read_lines(struct report *report, struct pf_error *err)
{
    AUTO_FILE FILE *file = fopen(report->path, "re");
    AUTO_FREE char *line = NULL;
    size_t room = 0;
    ssize_t size;
    off_t whole = 0;
    if (!file)
        return pf_fail_errno(err, errno, "%s", report->path);
    for (size_t number = 1; (size = getline(&line, &room, file)) > 0; number++) {
        if (line[size - 1] != '\n' && size <= REPORT_LINE_MAX)
            break;
        if (size > REPORT_LINE_MAX)
            return pf_fail(err, PF_CORRUPT, "%.200s, line %zu: too long: is it a report?",
                report->path, number);
        PF_TRY(take_line(report, line, (size_t)size - 1, number, err));
        whole += size;
    }
    if (ferror(file))
        return pf_fail_errno(err, errno, "%s", report->path);
    int is_unfinished = size > 0;
    if (is_unfinished && ftruncate(report->fd, whole) != 0)
        return pf_fail_errno(err, errno, "%s", report->path);
    return PF_OK;
}

static int by_output(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->output, y->output);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static enum pf_status open_file(struct report *report, struct pf_error *err)
{
    report->fd = open(report->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, REPORT_MODE);
    if (report->fd < 0)
        return pf_fail_errno(err, errno, "%s", report->path);
    if (flock(report->fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? pf_fail(err, PF_CONFLICT, "%s: another promptfix submit is writing it",
                         report->path)
                   : pf_fail_errno(err, errno, "%s", report->path);
    PF_TRY(read_lines(report, err));
    if (report->count > 0)
        qsort(report->entries, report->count, sizeof *report->entries, by_output);
    return PF_OK;
}

enum pf_status report_open(struct report **ret_report, const char *path, struct pf_error *err)
{
    struct report *report = calloc(1, sizeof *report);
    if (!report)
        return pf_fail(err, PF_NOMEM, "no memory for a report");
    report->fd = -1;
    report->path = strdup(path);
    enum pf_status status =
        report->path ? open_file(report, err) : pf_fail(err, PF_NOMEM, "no memory for a report");
    if (status != PF_OK) {
        report_close(report);
        return status;
    }
    *ret_report = report;
    return PF_OK;
}

static void put_text(struct buffer *out, const char *name, const char *text)
{
    buffer_put_format(out, ",\"%s\":", name);
    if (text && *text)
        buffer_put_json_string(out, text, strlen(text));
    else
        buffer_put_text(out, "null");
}

static void put_line(struct buffer *out, const struct report_line *line)
{
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_realtime_ms(), time);
    buffer_put_format(out, "{\"time\":\"%s\",\"status\":\"%s\"", time, status_names[line->status]);
    put_text(out, "source", line->source);
    put_text(out, "output", line->output);
    put_text(out, "request", line->request);
    put_text(out, "job", line->job);
    buffer_put_format(out, ",\"replayed\":%s,\"attempts\":%" PRId64 ",\"elapsed_ms\":%" PRId64,
        line->is_replayed ? "true" : "false", line->attempts, line->elapsed_ms);
    put_text(out, "format", line->format);
    if (line->format)
        buffer_put_format(out, ",\"width\":%" PRId64 ",\"height\":%" PRId64 ",\"bytes\":%" PRId64,
            line->width, line->height, line->bytes);
    buffer_put_text(out, ",\"error\":");
    if (line->code) {
        buffer_put_text(out, "{\"code\":");
        buffer_put_json_string(out, line->code, strlen(line->code));
        put_text(out, "message", line->message);
        buffer_put_text(out, "}");
    } else {
        buffer_put_text(out, "null");
    }
    buffer_put_text(out, "}\n");
}

enum pf_status report_add(
    struct report *report, const struct report_line *line, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT_MAX(REPORT_LINE_MAX);
    put_line(&text, line);
    PF_TRY(buffer_status(&text, err));
    struct pf_error why = PF_ERROR_INIT;
    if (file_write_full(report->fd, text.data, text.size, &why) != PF_OK)
        return pf_fail(err, why.status, "%.200s: %s", report->path, why.message);
    return PF_OK;
}

int report_has_succeeded(
    const struct report *report, const char *output, const char *request, int64_t *ret_bytes)
{
    size_t low = 0, high = report->count; /* the end of those not behind `output` */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(report->entries[middle].output, output) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct entry *last = low > 0 ? &report->entries[low - 1] : NULL;
    if (!last || strcmp(last->output, output) != 0 || !last->has_succeeded ||
        strcmp(last->request, request) != 0)
        return 0;
    *ret_bytes = last->bytes;
    return 1;
}
