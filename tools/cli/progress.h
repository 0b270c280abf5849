/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_PROGRESS_H
#define TOOLS_CLI_PROGRESS_H

/* Progress on standard error: a bar that redraws its line on a terminal, a line a step elsewhere.
 */

#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"

enum progress_style { PROGRESS_OFF, PROGRESS_BAR, PROGRESS_LINES };

struct progress {
    FILE *file;
    enum progress_style style;
    int is_drawn; /* the bar's line must be cleared before anything else is printed */
};

/* Says what is being done while nothing can be counted ("loading the model"). */
void progress_note(struct progress *progress, const char *what);

/* `step` of `steps` are done; elapsed_ms is what the steps took so far. */
void progress_step(struct progress *progress, int step, int steps, int64_t elapsed_ms);

/* Clears the bar. */
void progress_end(struct progress *progress);

/* Parts of bars: "[#####     ]  50%", and a time as "4 s", "2 min 00 s", "1 h 05 min". */
void progress_put_gauge(struct buffer *out, int64_t done, int64_t total);
void progress_put_time(struct buffer *out, int64_t ms);

/* The bar by itself: "[#####     ]  50%  step 5/10  4 s left". */
void progress_put_bar(struct buffer *out, int step, int steps, int64_t elapsed_ms);

#endif
