/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_VLM_VLM_INTERNAL_H
#define SERVER_VLM_VLM_INTERNAL_H

/* What the files of the asking thread share.
 *
 * Locking: `lock` guards `stats` and `is_stopping`; all else belongs to the thread. No call out is
 * made under it. */

#include <curl/curl.h>
#include <pthread.h>

#include "server/vlm/ask.h"
#include "server/vlm/cache.h"
#include "server/vlm/exchange.h"
#include "server/vlm/vlm.h"

struct vlm {
    struct vlm_options options; /* texts are owned copies, but for url and key: NULL */
    char *texts[VLM_QUESTION_COUNT + 2];
    struct endpoint endpoint;
    struct cache cache;
    CURLM *multi;
    pthread_t thread;

    struct ask *asks; /* oldest first */
    size_t ask_count;
    size_t thumbnail_count; /* running */
    int64_t in_flight;      /* requests sent and not ended */

    pthread_mutex_t lock;
    struct vlm_stats stats;
    int is_stopping;
};

void vlm_notice(const struct vlm_options *options, enum vlm_notice_kind kind, const struct ask *ask,
    const char *question, const char *message, const char *detail);

/* ---- one job's way through the stages (vlm_ask.c) ---- */

/* Opens and digests the image, and looks in the cache. */
void vlm_begin_ask(struct vlm *vlm, struct ask *ask);

/* Does what can be done now, without blocking; 1 when the ask is over and can be destroyed. */
int vlm_advance_ask(struct vlm *vlm, struct ask *ask);

/* A request of it has ended. */
void vlm_end_request(struct vlm *vlm, struct question *question, CURLcode code);

/* Gives up whatever is under way. */
void vlm_abort_ask(struct vlm *vlm, struct ask *ask);

/* When it must be looked at again at the latest (monotonic). */
int64_t vlm_ask_due_ms(const struct vlm *vlm, const struct ask *ask);

/* ---- the end (vlm_report.c) ---- */

/* Writes what came of it into its job. PF_IO: try again. */
PF_MUST_CHECK enum pf_status vlm_report(struct vlm_stats *ret_change,
    const struct vlm_options *options, const struct ask *ask, struct pf_error *err);

#endif
