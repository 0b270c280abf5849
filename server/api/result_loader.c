/* SPDX-License-Identifier: Apache-2.0 */
/* Counted, because the thread may outlive the stream. `done` hands what was loaded from the thread
 * to the stream. */
#include "server/api/result_loader.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/api/handlers.h"
#include "server/http/executor.h"

struct result_loader {
    struct executor_task task; /* first */
    atomic_int refs;
    atomic_int done;
    struct api *api;
    struct http_waker *waker;
    char owner[JOB_OWNER_SIZE];
    char id[ID_SIZE];
    struct job *job;
    struct buffer base64;
    int is_loaded;
};

static void load(struct executor_task *task)
{
    struct result_loader *loader = (struct result_loader *)task;
    loader->is_loaded =
        jobs_get(loader->api->jobs, loader->owner, loader->id, &loader->job, NULL) == PF_OK &&
        api_put_result(&loader->base64, loader->api, loader->job, NULL) == PF_OK;
    atomic_store(&loader->done, 1);
    http_waker_wake(loader->waker);
    result_loader_unref(loader);
}

struct result_loader *result_loader_start(struct api *api, struct http_server *http,
    struct http_waker *waker, const char *owner, const char *job)
{
    struct result_loader *loader = calloc(1, sizeof *loader);
    if (!loader)
        return NULL;
    loader->task.run = load;
    atomic_init(&loader->refs, 2);
    loader->api = api;
    loader->waker = http_waker_ref(waker);
    snprintf(loader->owner, sizeof loader->owner, "%s", owner);
    snprintf(loader->id, sizeof loader->id, "%s", job);
    if (http_run_task(http, &loader->task, NULL) == PF_OK)
        return loader;
    atomic_store(&loader->refs, 1);
    result_loader_unref(loader);
    return NULL;
}

void result_loader_unref(struct result_loader *loader)
{
    if (!loader || atomic_fetch_sub(&loader->refs, 1) != 1)
        return;
    http_waker_unref(loader->waker);
    job_unref(loader->job);
    buffer_finish(&loader->base64);
    free(loader);
}

int result_loader_is_done(struct result_loader *loader)
{
    return atomic_load(&loader->done);
}

int result_loader_get(const struct result_loader *loader, const struct job **ret_job,
    const struct buffer **ret_base64)
{
    *ret_job = loader->job;
    *ret_base64 = &loader->base64;
    return loader->is_loaded;
}
