/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

/* What every unit test includes: cmocka with the headers it wants, and two shorthands. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"

/* The call succeeds; else its message is the failure. */
#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        if ((call) != PF_OK)                                                                       \
            fail_msg("%s: %s: %s", #call, pf_status_name((err)->status), (err)->message);          \
    } while (0)

/* The call fails with this status and a message that holds `part`. Resets the error. */
#define assert_fails(call, expected_status, part, err)                                             \
    do {                                                                                           \
        enum pf_status got_ = (call);                                                              \
        if (got_ != (expected_status) || !strstr((err)->message, (part)))                          \
            fail_msg("%s: got %s \"%s\", expected %s with \"%s\"", #call, pf_status_name(got_),    \
                (err)->message, pf_status_name(expected_status), (part));                          \
        *(err) = (struct pf_error)PF_ERROR_INIT;                                                   \
    } while (0)

#endif
