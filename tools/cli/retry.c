/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/retry.h"

enum retry_class retry_classify(int http_status)
{
    switch (http_status) {
    case 0:
    case 408:
    case 425:
    case 429:
    case 502:
    case 503:
    case 504:
        return RETRY_LATER;
    default:
        return http_status >= 500 ? RETRY_FEW : RETRY_NOT;
    }
}

int64_t retry_pause_ms(int failures, int64_t retry_after_ms, uint32_t random)
{
    int64_t pause_ms = RETRY_FIRST_MS;
    for (int i = 1; i < failures && pause_ms < RETRY_LONGEST_MS; i++)
        pause_ms *= 2;
    if (pause_ms > RETRY_LONGEST_MS)
        pause_ms = RETRY_LONGEST_MS;
    pause_ms -= random % (uint32_t)(pause_ms / 2 + 1);
    return pause_ms > retry_after_ms ? pause_ms : retry_after_ms;
}
