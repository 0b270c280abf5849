/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_BOARD_H
#define TOOLS_CLI_BOARD_H

/* What `promptfix submit` shows on standard error while it works: on a terminal one line that is
 * drawn anew, with a bar, what is going on and the time left; elsewhere a line for each image. */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"

enum { BOARD_SLOTS_MAX = 64, BOARD_NAME_SIZE = 64, BOARD_NOTE_EVERY_MS = 10000 };

enum board_style { BOARD_OFF, BOARD_LINES, BOARD_BAR };

enum board_end { BOARD_SUCCEEDED, BOARD_SKIPPED, BOARD_FAILED, BOARD_LEFT };

/* One image being worked on. */
struct board_slot {
    char name[BOARD_NAME_SIZE]; /* "": none */
    int64_t queue_position;     /* 0: not in the queue */
    int64_t step, steps;
};

struct board {
    FILE *file;
    enum board_style style;
    int is_verbose; /* also a line for what went well (bar), was done already (lines) */
    size_t total;

    pthread_mutex_t lock; /* of all below */
    struct board_slot slots[BOARD_SLOTS_MAX];
    size_t ended, skipped, failed;
    int64_t started_ms, noted_ms;
    char note[256]; /* why nothing moves; "" */
    int is_drawn;
};

void board_init(
    struct board *board, FILE *file, enum board_style style, int is_verbose, size_t total);
void board_finish(struct board *board); /* clears the bar */

/* `slot` starts with an image, gets on, and ends; `detail` (may be "") goes behind the outcome. Any
 * thread. */
void board_begin(struct board *board, size_t slot, const char *name);
void board_move(
    struct board *board, size_t slot, int64_t queue_position, int64_t step, int64_t steps);
void board_end(
    struct board *board, size_t slot, enum board_end end, const char *name, const char *detail);

/* Why nothing moves now; shown with the bar until something does, and now and then as a line. */
void board_note(struct board *board, const char *text);

/* Draws the bar, on a terminal. */
void board_draw(struct board *board);

/* The bar's line by itself, of at most `width` columns. Caller holds the lock or is alone. */
void board_put_line(struct buffer *out, const struct board *board, int64_t now_ms, size_t width);

#endif
