/* SPDX-License-Identifier: Apache-2.0 */
/* Ends of jobs that could not be written: the disk was full. What was computed isn't thrown away:
 * it waits in memory and is tried again, and no job is handed out meanwhile, so that no more can
 * wait than were running when the store began to fail. A server that is killed before has the job
 * run again. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "server/workers/pool.h"

struct pool_outcome {
    struct pool_outcome *next;
    char job[ID_SIZE];
    int64_t attempt;
    struct jobs_outcome outcome; /* points into the two below */
    json_t *json;
    char *bytes;
};

static void destroy(struct pool_outcome *item)
{
    json_decref(item->json);
    free(item->bytes);
    free(item);
}

static struct pool_outcome *copy(const struct message *message)
{
    struct pool_outcome *item = calloc(1, sizeof *item);
    if (!item)
        return NULL;
    item->outcome = message->outcome;
    item->attempt = message->attempt;
    memcpy(item->job, message->job, ID_SIZE);
    item->json = json_incref(message->json);
    if (message->outcome.size > 0) {
        item->bytes = malloc(message->outcome.size);
        if (!item->bytes) {
            destroy(item);
            return NULL;
        }
        memcpy(item->bytes, message->outcome.bytes, message->outcome.size);
        item->outcome.bytes = item->bytes;
    }
    return item;
}

enum pf_status pool_keep_outcome(
    struct workers *pool, const struct message *message, struct pf_error *err)
{
    struct pool_outcome *item = copy(message);
    if (!item)
        return pf_fail(err, PF_NOMEM, "no memory to keep the end of job %s", message->job);
    item->next = pool->outcomes;
    pool->outcomes = item;
    return PF_OK;
}

void pool_retry_outcomes(struct workers *pool)
{
    while (pool->outcomes) {
        struct pool_outcome *item = pool->outcomes;
        if (jobs_report_outcome(
                pool->options.jobs, item->job, item->attempt, &item->outcome, NULL) != PF_OK)
            return; /* the store still fails */
        pool->outcomes = item->next;
        destroy(item);
    }
}

void pool_drop_outcomes(struct workers *pool)
{
    while (pool->outcomes) {
        struct pool_outcome *item = pool->outcomes;
        pool->outcomes = item->next;
        destroy(item);
    }
}
