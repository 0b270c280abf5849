/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_AUXILIARY_H
#define TOOLS_CURATE_AUXILIARY_H

#include "base/buffer.h"
#include "base/error.h"
#include "tools/curate/rng.h"
#include "tools/data/tasks.h"

/* Writes what a vision-language model would say of a degraded picture: its defects first, then what
 * is to be seen (model.md §9). `tags` is what the photo's file or package tells ("mountain lake"),
 * "" for nothing; colours and brightness are read off `clean` [3,height,width]. A quarter are
 * empty. NOMEM. */
PF_MUST_CHECK enum pf_status auxiliary_write(const enum task *defects, int count, const char *tags,
    const float *clean, size_t area, struct rng *rng, struct buffer *out, struct pf_error *err);

#endif
