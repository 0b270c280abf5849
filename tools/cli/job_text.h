/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_JOB_TEXT_H
#define TOOLS_CLI_JOB_TEXT_H

/* A server's job for people. What comes from others is shown without control characters. */

#include "base/buffer.h"
#include "tools/cli/remote.h"

/* A row of a table: id, status, where it is, when it was made, the instruction. */
void job_put_row(struct buffer *out, const struct remote_job *job);

/* A line about a job that has ended. */
void job_put_end(struct buffer *out, const struct remote_job *job);

/* A paragraph of "name  value" lines. */
void job_put_details(struct buffer *out, const struct remote_job *job);

#endif
