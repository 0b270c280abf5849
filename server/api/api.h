/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_API_H
#define SERVER_API_API_H

/* The HTTP API over the job service: one file per resource, one table of routes. openapi.yaml is
 * its contract. */

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/params.h"
#include "server/http/keys.h"
#include "server/http/router.h"
#include "server/jobs/jobs.h"
#include "server/workers/workers.h"

enum {
    API_INSTRUCTION_CHARACTERS_MAX = 2000,
    API_METADATA_BYTES_MAX = 4096,
    API_IDEMPOTENCY_KEY_MAX = 255,
    API_LIST_DEFAULT = 20,
    API_LOADING_WAIT_MS = 120000, /* how long a submission waits for a model that is loading */
};

#define API_DISK_RETRY_AFTER_S "30"

struct vlm;
struct webhooks;

/* What the handlers need to know; part of it is told by GET /v1/capabilities. */
struct api_options {
    int64_t max_body_bytes;
    int64_t max_parts;
    int64_t max_field_bytes;
    int64_t max_pixels;
    int64_t wait_max_ms;
    int takes_auto;            /* auxiliary 'auto' is not refused */
    struct vlm *vlm;           /* borrowed, for its numbers; NULL: none */
    struct webhooks *webhooks; /* borrowed; NULL: webhook_url is refused */
};

/* The loaded model, as its worker described it. */
struct api_model {
    char *json; /* the worker's object */
    char *id;
    struct params defaults; /* its recommended values, all marked as set */
    int has_auxiliary;      /* takes an auxiliary prompt */
    int has_lora_skips;     /* its decoder has what decoder guidance trains */
    int multiple;           /* of its inner sizes; 0: not told */
    int64_t loaded_ms;      /* Unix time */
};

struct metrics;

/* Locking: model_lock guards `model`, which is set once and constant from then on; settings_lock
 * guards `keys` and `options`, but for the webhooks, which never change. */
struct api {
    struct jobs *jobs;       /* borrowed */
    struct workers *workers; /* borrowed */
    struct api_options options;
    atomic_int draining;
    pthread_mutex_t model_lock;
    struct api_model *model;
    pthread_rwlock_t settings_lock;
    struct keys *keys;       /* NULL: none needed */
    struct metrics *metrics; /* owned */
};

extern const struct http_route api_routes[];
extern const size_t api_route_count;

PF_MUST_CHECK enum pf_status api_init(struct api *api, struct jobs *jobs, struct workers *workers,
    const struct api_options *options, struct pf_error *err);
void api_finish(struct api *api);

/* Which keys are taken from now on; NULL: none is needed. Takes `keys`. */
void api_set_keys(struct api *api, struct keys *keys);

/* What holds now: a copy, for one request, whose `vlm` is not to be used. */
void api_get_options(struct api *api, struct api_options *ret_options);
/* Changes all but max_pixels and webhooks. When it returns nobody uses the former `vlm` any more.
 */
void api_set_options(struct api *api, const struct api_options *options);

/* The server's `authorize` callback. */
void api_authorize(struct http_request *request, void *context);

/* The model, or NULL while none is loaded. Valid as long as `api`. */
const struct api_model *api_get_model(struct api *api);

#endif
