/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_realtime_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

void clock_format_rfc3339(int64_t realtime_ms, char ret_text[CLOCK_RFC3339_SIZE])
{
    int64_t ms = realtime_ms % 1000;
    if (ms < 0)
        ms += 1000;
    time_t seconds = (time_t)((realtime_ms - ms) / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t size = strftime(ret_text, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret_text + size, CLOCK_RFC3339_SIZE - size, ".%03dZ", (int)ms);
}
