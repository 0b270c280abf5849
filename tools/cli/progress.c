/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/progress.h"

#include <inttypes.h>

enum { BAR_WIDTH = 30 };

#define CLEAR_LINE "\r\033[K"

void progress_put_time(struct buffer *out, int64_t ms)
{
    int64_t seconds = (ms + 999) / 1000;
    if (seconds >= 3600)
        buffer_put_format(
            out, "%" PRId64 " h %02" PRId64 " min", seconds / 3600, seconds % 3600 / 60);
    else if (seconds >= 60)
        buffer_put_format(out, "%" PRId64 " min %02" PRId64 " s", seconds / 60, seconds % 60);
    else
        buffer_put_format(out, "%" PRId64 " s", seconds);
}

void progress_put_gauge(struct buffer *out, int64_t done, int64_t total)
{
    int filled = total > 0 ? (int)(BAR_WIDTH * done / total) : 0;
    buffer_put_text(out, "[");
    for (int i = 0; i < BAR_WIDTH; i++)
        buffer_put_text(out, i < filled ? "#" : " ");
    buffer_put_format(out, "] %3d%%", total > 0 ? (int)(100 * done / total) : 0);
}

void progress_put_bar(struct buffer *out, int step, int steps, int64_t elapsed_ms)
{
    progress_put_gauge(out, step, steps);
    buffer_put_format(out, "  step %d/%d", step, steps);
    if (step > 0 && step < steps) {
        buffer_put_text(out, "  ");
        progress_put_time(out, elapsed_ms / step * (steps - step));
        buffer_put_text(out, " left");
    }
}

static void show(struct progress *progress, const char *text)
{
    if (progress->style == PROGRESS_BAR)
        fprintf(progress->file, CLEAR_LINE "%s", text);
    else if (progress->style == PROGRESS_LINES)
        fprintf(progress->file, "%s\n", text);
    progress->is_drawn = progress->style == PROGRESS_BAR;
    fflush(progress->file);
}

void progress_note(struct progress *progress, const char *what)
{
    if (progress->style == PROGRESS_BAR)
        show(progress, what);
}

void progress_step(struct progress *progress, int step, int steps, int64_t elapsed_ms)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    if (progress->style == PROGRESS_BAR)
        progress_put_bar(&text, step, steps, elapsed_ms);
    else
        buffer_put_format(&text, "step %d/%d", step, steps);
    if (progress->style != PROGRESS_OFF && buffer_status(&text, NULL) == PF_OK)
        show(progress, text.data);
}

void progress_end(struct progress *progress)
{
    if (progress->is_drawn)
        fputs(CLEAR_LINE, progress->file);
    progress->is_drawn = 0;
    fflush(progress->file);
}
