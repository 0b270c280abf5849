/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Monotonic time, for durations and deadlines. */
int64_t clock_monotonic_us(void);
int64_t clock_monotonic_ms(void);

/* Wall-clock time since the Unix epoch. */
int64_t clock_realtime_ms(void);

enum { CLOCK_RFC3339_SIZE = 32 };

/* "2026-11-23T11:05:09.123Z", UTC. */
void clock_format_rfc3339(int64_t realtime_ms, char ret_text[CLOCK_RFC3339_SIZE]);

#endif
