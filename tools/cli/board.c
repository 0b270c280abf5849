/* SPDX-License-Identifier: Apache-2.0 */
/* Locking: `lock` guards the counts, the slots and the file. */
#include "tools/cli/board.h"

#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "tools/cli/progress.h"

enum { COLUMNS_DEFAULT = 80 };

#define CLEAR_LINE "\r\033[K"

void board_init(
    struct board *board, FILE *file, enum board_style style, int is_verbose, size_t total)
{
    *board = (struct board){.file = file,
        .style = style,
        .is_verbose = is_verbose,
        .total = total,
        .started_ms = clock_monotonic_ms()};
    board->noted_ms = board->started_ms - BOARD_NOTE_EVERY_MS;
    pthread_mutex_init(&board->lock, NULL);
}

static void clear(struct board *board)
{
    if (board->is_drawn)
        fputs(CLEAR_LINE, board->file);
    board->is_drawn = 0;
}

void board_finish(struct board *board)
{
    clear(board);
    fflush(board->file);
    pthread_mutex_destroy(&board->lock);
}

/* A name may hold anything; a terminal must not obey it. */
static void put_clean(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        char shown = c < ' ' || c == 0x7f ? '?' : *text;
        buffer_put(out, &shown, 1);
    }
}

/* Cuts to `width` characters. */
static void cut(struct buffer *line, size_t width)
{
    size_t at = 0, columns = 0;
    uint32_t character;
    while (at < line->size && columns < width) {
        at += utf8_decode(line->data + at, line->size - at, &character);
        columns++;
    }
    if (at < line->size) {
        line->size = at;
        line->data[at] = 0;
    }
}

static void put_slot(struct buffer *out, const struct board_slot *slot)
{
    buffer_put_text(out, "  ");
    put_clean(out, slot->name);
    if (slot->queue_position > 0)
        buffer_put_format(out, " queued %lld", (long long)slot->queue_position);
    else if (slot->steps > 0)
        buffer_put_format(out, " %lld/%lld", (long long)slot->step, (long long)slot->steps);
}

/* Steps done of images being worked on, in thousandths of an image. */
static int64_t partial_of(const struct board *board)
{
    int64_t partial = 0;
    for (size_t i = 0; i < BOARD_SLOTS_MAX; i++)
        if (board->slots[i].name[0] && board->slots[i].steps > 0)
            partial += 1000 * board->slots[i].step / board->slots[i].steps;
    return partial;
}

void board_put_line(struct buffer *out, const struct board *board, int64_t now_ms, size_t width)
{
    int64_t total = 1000 * (int64_t)board->total;
    int64_t worked = 1000 * (int64_t)(board->ended - board->skipped) + partial_of(board);
    int64_t done = worked + 1000 * (int64_t)board->skipped;
    progress_put_gauge(out, done < total ? done : total, total);
    buffer_put_format(out, "  %zu/%zu", board->ended, board->total);
    if (board->failed > 0)
        buffer_put_format(out, "  %zu failed", board->failed);
    if (worked > 0 && done < total) {
        double left_ms =
            (double)(now_ms - board->started_ms) / (double)worked * (double)(total - done);
        buffer_put_text(out, "  ");
        progress_put_time(out, (int64_t)left_ms);
        buffer_put_text(out, " left");
    }
    if (board->note[0]) {
        buffer_put_text(out, "  ");
        put_clean(out, board->note);
    }
    for (size_t i = 0; !board->note[0] && i < BOARD_SLOTS_MAX; i++)
        if (board->slots[i].name[0])
            put_slot(out, &board->slots[i]);
    if (buffer_status(out, NULL) == PF_OK)
        cut(out, width);
}

void board_draw(struct board *board)
{
    struct winsize size = {0};
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    if (board->style != BOARD_BAR)
        return;
    if (ioctl(fileno(board->file), TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        size.ws_col = COLUMNS_DEFAULT;
    pthread_mutex_lock(&board->lock);
    board_put_line(&line, board, clock_monotonic_ms(), size.ws_col - 1u);
    if (buffer_status(&line, NULL) == PF_OK) {
        fprintf(board->file, CLEAR_LINE "%s", line.data);
        fflush(board->file);
        board->is_drawn = 1;
    }
    pthread_mutex_unlock(&board->lock);
}

/* A line of its own, above the bar. */
static void print_line(struct board *board, const char *a, const char *b, const char *c)
{
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    put_clean(&line, a);
    put_clean(&line, b);
    put_clean(&line, c);
    clear(board);
    if (buffer_status(&line, NULL) == PF_OK && line.size > 0)
        fprintf(board->file, "%s\n", line.data);
    fflush(board->file);
}

void board_begin(struct board *board, size_t slot, const char *name)
{
    const char *slash = strrchr(name, '/');
    pthread_mutex_lock(&board->lock);
    board->slots[slot] = (struct board_slot){.steps = 0};
    snprintf(board->slots[slot].name, BOARD_NAME_SIZE, "%.*s", BOARD_NAME_SIZE - 1,
        slash ? slash + 1 : name);
    pthread_mutex_unlock(&board->lock);
}

void board_move(
    struct board *board, size_t slot, int64_t queue_position, int64_t step, int64_t steps)
{
    pthread_mutex_lock(&board->lock);
    board->slots[slot].queue_position = queue_position;
    board->slots[slot].step = step;
    board->slots[slot].steps = steps;
    board->note[0] = 0;
    pthread_mutex_unlock(&board->lock);
}

void board_end(
    struct board *board, size_t slot, enum board_end end, const char *name, const char *detail)
{
    static const char *const words[] = {[BOARD_SUCCEEDED] = ": done",
        [BOARD_SKIPPED] = ": was done already",
        [BOARD_FAILED] = ": failed",
        [BOARD_LEFT] = ": left"};
    pthread_mutex_lock(&board->lock);
    board->slots[slot].name[0] = 0;
    board->note[0] = 0;
    board->ended += end != BOARD_LEFT;
    board->skipped += end == BOARD_SKIPPED;
    board->failed += end == BOARD_FAILED;
    int is_told = end == BOARD_FAILED || board->is_verbose ||
                  (end == BOARD_SUCCEEDED && board->style == BOARD_LINES);
    AUTO_BUFFER struct buffer outcome = BUFFER_INIT;
    buffer_put_format(&outcome, "%s%s%s", words[end], *detail ? ", " : "", detail);
    if (board->style != BOARD_OFF && is_told && buffer_status(&outcome, NULL) == PF_OK)
        print_line(board, name, outcome.data, "");
    pthread_mutex_unlock(&board->lock);
}

void board_note(struct board *board, const char *text)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&board->lock);
    snprintf(board->note, sizeof board->note, "%.*s", (int)sizeof board->note - 1, text);
    if (board->style == BOARD_LINES && now_ms - board->noted_ms >= BOARD_NOTE_EVERY_MS) {
        board->noted_ms = now_ms;
        print_line(board, text, "", "");
    }
    pthread_mutex_unlock(&board->lock);
}
