/* SPDX-License-Identifier: Apache-2.0 */
#include "base/trace.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"

/* Where the parts of a traceparent begin, and its length in version 00. */
enum { AT_TRACE = 3, AT_PARENT = 36, AT_FLAGS = 53, PARENT_LENGTH = 55 };

/* `count` hexadecimal digits in lower case; the character behind them is looked at too. */
static int is_hex(const char *text, size_t count)
{
    return strspn(text, "0123456789abcdef") == count;
}

static int is_zero(const char *text, size_t count)
{
    return strspn(text, "0") >= count;
}

int trace_read(const char *traceparent, char ret_trace[TRACE_SIZE])
{
    const char *text = traceparent;
    ret_trace[0] = '\0';
    if (!text || strlen(text) < PARENT_LENGTH)
        return 0;
    if (!is_hex(text, 2) || text[AT_TRACE - 1] != '-' || strncmp(text, "ff", 2) == 0)
        return 0;
    if (!is_hex(text + AT_TRACE, 32) || is_zero(text + AT_TRACE, 32))
        return 0;
    if (text[AT_PARENT - 1] != '-' || !is_hex(text + AT_PARENT, 16) ||
        is_zero(text + AT_PARENT, 16))
        return 0;
    if (text[AT_FLAGS - 1] != '-' || !is_hex(text + AT_FLAGS, 2))
        return 0;
    /* Later versions may go on behind the flags. */
    int may_go_on = strncmp(text, "00", 2) != 0;
    if (text[PARENT_LENGTH] != '\0' && !(may_go_on && text[PARENT_LENGTH] == '-'))
        return 0;
    int is_sampled = strchr("13579bdf", text[AT_FLAGS + 1]) != NULL;
    snprintf(ret_trace, TRACE_SIZE, "%.32s-0%d", text + AT_TRACE, is_sampled);
    return 1;
}

void trace_get_id(const char *trace, char ret_id[TRACE_ID_SIZE])
{
    snprintf(ret_id, TRACE_ID_SIZE, "%.32s", trace);
}

enum pf_status trace_make_parent(
    const char *trace, char ret_parent[TRACE_PARENT_SIZE], struct pf_error *err)
{
    uint64_t span = 0;
    while (span == 0) /* all zero is no id */
        PF_TRY(id_random(&span, sizeof span, err));
    snprintf(ret_parent, TRACE_PARENT_SIZE, "00-%.32s-%016llx-%.2s", trace,
        (unsigned long long)span, trace + TRACE_ID_SIZE);
    return PF_OK;
}
