/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_WORKERS_H
#define TOOLS_CURATE_WORKERS_H

/* Work of many independent pieces in several processes: libvips is for one thread at a time, and a
 * process each needs no locks. */

#include "base/buffer.h"
#include "base/error.h"

enum { WORKERS_MAX = 64 };

struct workers {
    /* Makes piece `index` in a worker process: what it appends to `out` comes to `take`. */
    enum pf_status (*make)(void *context, size_t index, struct buffer *out, struct pf_error *err);
    /* Gets the pieces in this process, in order. NULL when there is nothing to take. */
    enum pf_status (*take)(
        void *context, size_t index, const void *bytes, size_t count, struct pf_error *err);
    void *context;
    size_t count;
    int jobs; /* 1 … WORKERS_MAX */
};

/* Worker w makes the pieces w, w+jobs, …; memory stays bounded, as a worker that is ahead blocks on
 * its pipe. A worker's error ends the whole; so does one that dies (IO). */
PF_MUST_CHECK enum pf_status workers_run(const struct workers *workers, struct pf_error *err);

#endif
