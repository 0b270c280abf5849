/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_SUBMIT_TASK_H
#define TOOLS_CLI_SUBMIT_TASK_H

/* One image of `promptfix submit`, from its file to its result's. */

#include "tools/cli/command.h"
#include "tools/cli/items.h"
#include "tools/cli/remote.h"
#include "tools/cli/report.h"
#include "tools/cli/submit_form.h"

struct task_options {
    struct client *client;
    const struct report *report; /* says what is done already */
    const char *out;             /* output folder */
    int64_t body_max;            /* bytes of a file, at most */
    void (*progress)(void *context, const struct remote_job *job);
    void *context;
};

struct task {
    const struct task_options *options;
    const struct item *item;
    char output[ITEMS_PATH_MAX];
    struct buffer image, mask, result;
    struct submit_form form; /* hash "": the image couldn't be read */
    struct remote_job job;   /* id "": none was made */
    int is_replayed;         /* the job was there from an earlier run */
    int is_done_already;     /* by an earlier run; nothing was sent */
    int64_t started_ms;
    enum phase phase; /* of a failure: PHASE_SERVER, PHASE_OUTPUT */
    const char *code; /* of a failure on this side; NULL: the client has it */
};

void task_init(struct task *task, const struct task_options *options, const struct item *item);
void task_finish(struct task *task);

/* PF_OK: it was done already, or its job has ended, well or not, and a result is written. */
PF_MUST_CHECK enum pf_status task_run(struct task *task, struct pf_error *err);

/* Of a failed task_run(): whether other images would fail the same way; the code for the report. */
int task_failed_for_all(const struct task *task, const struct pf_error *failure);
const char *task_failure_code(const struct task *task, const struct pf_error *failure);

#endif
