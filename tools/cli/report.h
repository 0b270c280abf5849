/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_REPORT_H
#define TOOLS_CLI_REPORT_H

/* The report of `promptfix submit`: a JSON object a line, one for each image dealt with. It is only
 * ever appended to, also by later runs, so for an image written twice the last line counts. A line
 * is written once the result is safe on disk: what a report calls succeeded needs no second run. */

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"
#include "base/sha256.h"

struct report;

enum { REPORT_LINE_MAX = 32 << 10 };

enum report_status {
    REPORT_SUCCEEDED,
    REPORT_FAILED,
    REPORT_CANCELLED,   /* by somebody, on the server */
    REPORT_INTERRUPTED, /* this program was; the job may still be going on */
};

struct report_line {
    enum report_status status;
    const char *source, *output;   /* as in struct item */
    char request[SHA256_HEX_SIZE]; /* hash of image and request; "": the image wasn't read */
    char job[ID_SIZE];             /* "": none was made */
    int is_replayed;               /* the job was there from an earlier run */
    int64_t attempts, width, height, bytes;
    const char *format;         /* NULL: no result */
    int64_t elapsed_ms;         /* from reading the image to writing the result */
    const char *code, *message; /* of the failure; NULL: none */
};

/* Opens a report for appending, made when missing (its folder must be there), and reads what
 * earlier runs wrote; an unfinished last line (of a run that was killed) is cut off. PF_CONFLICT:
 * another run has it open. PF_CORRUPT: a line that is none of ours. PF_IO, PF_NOMEM. */
PF_MUST_CHECK enum pf_status report_open(
    struct report **ret_report, const char *path, struct pf_error *err);
void report_close(struct report *report);

/* Appends a line. May be called from any thread. PF_IO. */
PF_MUST_CHECK enum pf_status report_add(
    struct report *report, const struct report_line *line, struct pf_error *err);

/* Whether an earlier run wrote that output for that request; *ret_bytes is the result's size. */
int report_has_succeeded(
    const struct report *report, const char *output, const char *request, int64_t *ret_bytes);

#endif
