/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

/* W3C Trace Context (www.w3.org/TR/trace-context): what of a caller's `traceparent` header,
 *
 *     00-<trace id: 32 hex>-<parent id: 16 hex>-<flags: 2 hex>
 *
 * is kept with a job and passed on by the calls made for it: "<trace id>-<flags>". */

#include "base/error.h"

enum {
    TRACE_SIZE = 36,        /* "<trace id>-<flags>" with its NUL; "" for none */
    TRACE_ID_SIZE = 33,     /* the trace id alone */
    TRACE_PARENT_SIZE = 56, /* a traceparent of version 00 */
};

/* Of the flags the sampled one alone is kept, as the standard asks of version 00. A header that is
 * NULL or malformed, or whose ids are all zero, is to be ignored: returns 0, ret_trace is "". */
int trace_read(const char *traceparent, char ret_trace[TRACE_SIZE]);

/* The id of a trace read; "" of "". */
void trace_get_id(const char *trace, char ret_id[TRACE_ID_SIZE]);

/* The traceparent of a call made for `trace` (not ""): with a fresh parent id. PF_IO: no random
 * bytes. */
PF_MUST_CHECK enum pf_status trace_make_parent(
    const char *trace, char ret_parent[TRACE_PARENT_SIZE], struct pf_error *err);

#endif
