/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/job_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "tools/cli/progress.h"

enum { INSTRUCTION_SHOWN = 40 };

/* At most `width` characters, none of which a terminal obeys. */
static void put_shortened(struct buffer *out, const char *text, size_t width)
{
    size_t size = strlen(text), at = 0;
    for (size_t columns = 0; at < size; columns++) {
        uint32_t character;
        size_t used = utf8_decode(text + at, size - at, &character);
        if (columns == width) {
            buffer_put_text(out, "…");
            return;
        }
        if (character < ' ' || character == 0x7f || character == UTF8_INVALID)
            buffer_put_text(out, "?");
        else
            buffer_put(out, text + at, used);
        at += used;
    }
}

static void put_where(struct buffer *out, const struct remote_job *job)
{
    char text[48] = "";
    if (job->status == REMOTE_QUEUED && job->queue_position > 0)
        snprintf(text, sizeof text, "place %" PRId64, job->queue_position);
    else if (job->status == REMOTE_RUNNING)
        snprintf(text, sizeof text, "step %" PRId64 "/%" PRId64, job->step, job->steps);
    buffer_put_format(out, "%-12s", text);
}

void job_put_row(struct buffer *out, const struct remote_job *job)
{
    buffer_put_format(out, "%s  %-9s  ", job->id, remote_status_names[job->status]);
    put_where(out, job);
    buffer_put_format(out, "  %-19.19s  ", job->created_at);
    put_shortened(out, job->instruction, INSTRUCTION_SHOWN);
    buffer_put_text(out, "\n");
}

void job_put_end(struct buffer *out, const struct remote_job *job)
{
    buffer_put_format(out, "%s  %s", job->id, remote_status_names[job->status]);
    if (job->status == REMOTE_SUCCEEDED)
        buffer_put_format(out, "  %" PRId64 "×%" PRId64 " %s, %" PRId64 " bytes", job->width,
            job->height, job->format, job->bytes);
    if (job->status == REMOTE_FAILED) {
        buffer_put_format(out, "  %s: ", job->error_code);
        put_shortened(out, job->error_message, REMOTE_MESSAGE_SIZE);
    }
    buffer_put_text(out, "\n");
}

void job_put_details(struct buffer *out, const struct remote_job *job)
{
    buffer_put_format(out,
        "id           %s\n"
        "status       %s\n"
        "instruction  ",
        job->id, remote_status_names[job->status]);
    put_shortened(out, job->instruction, REMOTE_INSTRUCTION_SIZE);
    buffer_put_format(out,
        "\n"
        "priority     %s\n"
        "created      %s\n"
        "attempts     %" PRId64 "\n"
        "steps        %" PRId64 "/%" PRId64 "\n",
        job->priority, job->created_at, job->attempts, job->step, job->steps);
    if (job->queue_position > 0)
        buffer_put_format(out, "place        %" PRId64 "\n", job->queue_position);
    if (job->eta_ms >= 0 && !remote_has_ended(job)) {
        buffer_put_text(out, "time left    ");
        progress_put_time(out, job->eta_ms);
        buffer_put_text(out, "\n");
    }
    if (job->status == REMOTE_SUCCEEDED)
        buffer_put_format(out, "result       %" PRId64 "×%" PRId64 " %s, %" PRId64 " bytes\n",
            job->width, job->height, job->format, job->bytes);
    if (job->status == REMOTE_FAILED) {
        buffer_put_format(out, "error        %s: ", job->error_code);
        put_shortened(out, job->error_message, REMOTE_MESSAGE_SIZE);
        buffer_put_text(out, "\n");
    }
}
