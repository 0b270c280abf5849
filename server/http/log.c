/* SPDX-License-Identifier: Apache-2.0 */
/* Locking: none. The descriptor is set before threads start, format and level are atomic. */
#include "server/http/log.h"

#include <stdatomic.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static atomic_int log_format = LOG_HUMAN;
static int log_fd = 2;
static atomic_int log_level = LOG_LEVEL_INFO;

void log_init(enum log_format format, enum log_level level, int fd)
{
    log_fd = fd;
    log_set_format(format);
    log_set_level(level);
}

void log_set_format(enum log_format format)
{
    atomic_store(&log_format, (int)format);
}

void log_set_level(enum log_level level)
{
    atomic_store(&log_level, (int)level);
}

static void put_json_line(struct buffer *line, const char *time, enum log_level level,
    const char *message, const struct log_field *fields, size_t count)
{
    buffer_put_format(
        line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time, level_names[level]);
    buffer_put_json_string(line, message, strlen(message));
    for (size_t i = 0; i < count; i++) {
        if (fields[i].text && !*fields[i].text)
            continue;
        buffer_put_format(line, ",\"%s\":", fields[i].key);
        if (fields[i].text)
            buffer_put_json_string(line, fields[i].text, strlen(fields[i].text));
        else
            buffer_put_format(line, "%lld", (long long)fields[i].number);
    }
    buffer_put_text(line, "}\n");
}

static int is_plain(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text == '"' || *text == '=' || *text == 0x7f)
            return 0;
    return 1;
}

static void put_human_line(struct buffer *line, const char *time, enum log_level level,
    const char *message, const struct log_field *fields, size_t count)
{
    buffer_put_format(line, "%s %-7s %s", time, level_names[level], message);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].text && !*fields[i].text)
            continue;
        buffer_put_format(line, " %s=", fields[i].key);
        if (!fields[i].text)
            buffer_put_format(line, "%lld", (long long)fields[i].number);
        else if (is_plain(fields[i].text))
            buffer_put_text(line, fields[i].text);
        else
            buffer_put_json_string(line, fields[i].text, strlen(fields[i].text));
    }
    buffer_put_text(line, "\n");
}

void log_write(
    enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    if ((int)level > atomic_load(&log_level))
        return;
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_realtime_ms(), time);
    int is_json = atomic_load(&log_format) == LOG_JSON;
    AUTO_BUFFER struct buffer line = BUFFER_INIT_MAX(LOG_LINE_MAX);
    if (is_json)
        put_json_line(&line, time, level, message, fields, count);
    else
        put_human_line(&line, time, level, message, fields, count);
    if (buffer_status(&line, NULL) != PF_OK) {
        /* Too long: the message without its fields. */
        buffer_finish(&line);
        line = (struct buffer)BUFFER_INIT;
        if (is_json)
            put_json_line(&line, time, level, message, NULL, 0);
        else
            put_human_line(&line, time, level, message, NULL, 0);
    }
    if (line.size > 0 && file_write_full(log_fd, line.data, line.size, NULL) != PF_OK)
        return; /* nowhere to complain */
}
