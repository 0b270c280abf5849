/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

static const char *const status_names[] = {
    [PF_OK] = "ok",
    [PF_INVALID] = "invalid",
    [PF_NOT_FOUND] = "not_found",
    [PF_CONFLICT] = "conflict",
    [PF_UNSUPPORTED] = "unsupported",
    [PF_CORRUPT] = "corrupt",
    [PF_IO] = "io",
    [PF_NOMEM] = "nomem",
    [PF_BUSY] = "busy",
    [PF_CANCELLED] = "cancelled",
    [PF_INTERNAL] = "internal",
};

/* Messages go into JSON, logs and terminals: foreign bytes in them, or a character that the end of
 * the array cut in two, must not break those. */
static void make_printable(char *message)
{
    size_t size = strlen(message);
    for (size_t at = 0; at < size;) {
        uint32_t code_point;
        size_t taken = utf8_decode(message + at, size - at, &code_point);
        if (code_point == UTF8_INVALID)
            message[at] = '?';
        else if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0))
            memset(message + at, ' ', taken);
        at += taken;
    }
}

enum pf_status pf_fail(struct pf_error *err, enum pf_status status, const char *fmt, ...)
{
    if (!err)
        return status;
    if (err->status != PF_OK)
        return err->status;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->message, sizeof err->message, fmt, args);
    va_end(args);
    make_printable(err->message);
    err->status = status;
    return status;
}

enum pf_status pf_fail_errno(struct pf_error *err, int errno_value, const char *fmt, ...)
{
    enum pf_status status = errno_value == ENOMEM ? PF_NOMEM : PF_IO;
    char what[PF_ERROR_MESSAGE_MAX - 80];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    char reason[80];
    if (strerror_r(errno_value, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "errno %d", errno_value);
    return pf_fail(err, status, "%s: %s", what, reason);
}

const char *pf_status_name(enum pf_status status)
{
    return status_names[status];
}

enum pf_status pf_status_from_name(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(status_names); i++)
        if (strcmp(name, status_names[i]) == 0)
            return (enum pf_status)i;
    return PF_INTERNAL;
}
