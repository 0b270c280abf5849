/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_LOG_H
#define SERVER_HTTP_LOG_H

/* The program's log: one line on stderr for each message, for people or as JSON. Only the edge logs
 * (style.md 11). One write() a line, so lines of threads don't mix. */

#include <stddef.h>
#include <stdint.h>

enum log_format { LOG_HUMAN, LOG_JSON };
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum { LOG_LINE_MAX = 8192 };

/* A named value. A NULL text is a number; an empty text is left out. */
struct log_field {
    const char *key;
    const char *text;
    int64_t number;
};
#define LOG_TEXT(key_, text_)                                                                      \
    {                                                                                              \
        (key_), (text_), 0                                                                         \
    }
#define LOG_NUMBER(key_, number_)                                                                  \
    {                                                                                              \
        (key_), NULL, (number_)                                                                    \
    }

/* Before threads start. Until then: human, info, descriptor 2. */
void log_init(enum log_format format, enum log_level level, int fd);

/* May be called at any time (configuration reload). */
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);

/* Writes one line; what doesn't fit in LOG_LINE_MAX is cut. */
void log_write(
    enum log_level level, const char *message, const struct log_field *fields, size_t count);

#define log_line(level_, message_, ...)                                                            \
    log_write((level_), (message_), (const struct log_field[]){__VA_ARGS__},                       \
        sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
