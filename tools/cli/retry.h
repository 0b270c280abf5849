/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_RETRY_H
#define TOOLS_CLI_RETRY_H

/* When a request is tried again. */

#include <stdint.h>

enum {
    RETRY_FIRST_MS = 500, /* then doubled */
    RETRY_LONGEST_MS = 30000,
    RETRY_FEW_MAX = 3, /* tries after an answer that says "our fault" */
};

enum retry_class {
    RETRY_NOT,   /* the answer is an answer: good, or wrong and wrong again next time */
    RETRY_FEW,   /* a fault of the server that may or may not repeat */
    RETRY_LATER, /* out of reach or full: passes by itself */
};

/* http_status 0: no answer came. */
enum retry_class retry_classify(int http_status);

/* The pause before the next try when `failures` (1, 2, …) in a row have failed: doubling from
 * RETRY_FIRST_MS up to RETRY_LONGEST_MS, of which a random half is taken off, so that clients that
 * failed together don't come back together. Never below `retry_after_ms`.
 *   random   any number */
int64_t retry_pause_ms(int failures, int64_t retry_after_ms, uint32_t random);

#endif
