/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_VLM_RETRY_H
#define SERVER_VLM_RETRY_H

/* When a failed question is asked again. */

#include <stdint.h>

enum {
    RETRY_FIRST_MS = 500,
    RETRY_MAX_MS = 30000,
    RETRY_AFTER_MAX_S = 120, /* a server that wants a longer pause has failed */
};

/* Whether the same request may fare better later: time-outs, too many requests, servers' faults. */
int retry_is_status_passing(long http_status);

/* Milliseconds to wait before the attempt after `attempts` (1 or more) failed ones: what the server
 * asked for, when it did (retry_after_s > 0); else doubling from RETRY_FIRST_MS to RETRY_MAX_MS,
 * half of it by chance (random: any 16 bits), so that many clients don't come back at once. */
int64_t retry_delay_ms(int64_t attempts, int64_t retry_after_s, uint16_t random);

#endif
