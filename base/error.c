/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
    for (size_t i = 0; i < sizeof status_names / sizeof *status_names; i++)
        if (strcmp(name, status_names[i]) == 0)
            return (enum pf_status)i;
    return PF_INTERNAL;
}
