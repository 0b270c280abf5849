/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/* Status codes say what the caller can do; the message says what happened, with the values.
 *
 * Every function that can fail returns `enum pf_status` and takes `struct pf_error *err` last.
 * The message is written once, where the fault is found: the first error wins, callers pass it on
 * unchanged. `err` may be NULL where only the code matters. */

enum pf_status {
    PF_OK = 0,
    PF_INVALID,     /* the caller's value is wrong: change it */
    PF_NOT_FOUND,   /* no such thing */
    PF_CONFLICT,    /* the thing is in a state that forbids this */
    PF_UNSUPPORTED, /* well-formed, but not something we do */
    PF_CORRUPT,     /* foreign bytes break their own format */
    PF_IO,          /* the system refused: disk, network, process */
    PF_NOMEM,       /* host or device memory ran out: free some, retry */
    PF_BUSY,        /* full right now: retry later */
    PF_CANCELLED,   /* stopped on request */
    PF_INTERNAL,    /* our bug; logged, never sent to a client */
};

enum { PF_ERROR_MESSAGE_MAX = 512 };

struct pf_error {
    enum pf_status status; /* PF_OK until something failed */
    char message[PF_ERROR_MESSAGE_MAX];
};

/* clang-format off */
#define PF_ERROR_INIT {PF_OK, {0}}
/* clang-format on */
#define PF_MUST_CHECK                   __attribute__((warn_unused_result))
#define PF_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))

/* Records a failure and returns `status`, so that `return pf_fail(err, …)` is one line. The message
 * is made one line of valid UTF-8 (control characters become spaces, invalid bytes '?') and cut to
 * fit. A message already in `err` is kept (and its status returned): first error wins. */
enum pf_status pf_fail(struct pf_error *err, enum pf_status status, const char *fmt, ...)
    PF_PRINTF(3, 4);

/* pf_fail() with ": <strerror(errno_value)>" appended; ENOMEM becomes PF_NOMEM. */
enum pf_status pf_fail_errno(struct pf_error *err, int errno_value, const char *fmt, ...)
    PF_PRINTF(3, 4);

/* "invalid", "not_found", …: the code in events, JSON errors and logs. Static. */
const char *pf_status_name(enum pf_status status);

/* The status of a name from pf_status_name(); PF_INTERNAL for any other text. */
enum pf_status pf_status_from_name(const char *name);

#define PF_TRY(call)                                                                               \
    do {                                                                                           \
        enum pf_status pf_try_status_ = (call);                                                    \
        if (pf_try_status_ != PF_OK)                                                               \
            return pf_try_status_;                                                                 \
    } while (0)

#endif
