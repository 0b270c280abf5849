/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_RESULT_LOADER_H
#define SERVER_API_RESULT_LOADER_H

/* Reads a finished job's result for a stream: on a thread that may block, which then wakes the
 * stream. */

#include "server/api/api.h"
#include "server/http/request.h"

struct result_loader;

/* Starts; `waker` is woken when it is done. The caller's reference is ended by
 * result_loader_unref(). NULL when there is no memory or no thread. */
struct result_loader *result_loader_start(struct api *api, struct http_server *http,
    struct http_waker *waker, const char *owner, const char *job);
void result_loader_unref(struct result_loader *loader); /* takes NULL */

int result_loader_is_done(struct result_loader *loader);

/* Once done: the job and its image as base64, borrowed; 0 when they could not be read. */
int result_loader_get(const struct result_loader *loader, const struct job **ret_job,
    const struct buffer **ret_base64);

#endif
