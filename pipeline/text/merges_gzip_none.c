/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/text/merges.h"

enum pf_status merges_gunzip(
    const void *bytes, size_t count, size_t max_size, struct buffer *ret, struct pf_error *err)
{
    (void)bytes;
    (void)max_size;
    (void)ret;
    return pf_fail(err, PF_UNSUPPORTED,
        "the merges table is packed with gzip (%zu bytes) and this build has no zlib: unpack it "
        "with gunzip first",
        count);
}
