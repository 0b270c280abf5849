/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vlm/retry.h"

int retry_is_status_passing(long http_status)
{
    return http_status == 408 || http_status == 409 || http_status == 425 || http_status == 429 ||
           (http_status >= 500 && http_status != 501 && http_status != 505);
}

int64_t retry_delay_ms(int64_t attempts, int64_t retry_after_s, uint16_t random)
{
    if (retry_after_s > 0)
        return retry_after_s * 1000;
    int64_t delay_ms = RETRY_FIRST_MS;
    for (int64_t i = 1; i < attempts && delay_ms < RETRY_MAX_MS; i++)
        delay_ms *= 2;
    if (delay_ms > RETRY_MAX_MS)
        delay_ms = RETRY_MAX_MS;
    return delay_ms / 2 + delay_ms / 2 * random / 65536;
}
