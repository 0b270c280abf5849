/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/jdoc.h"
#include "server/api/handlers.h"
#include "server/api/metrics.h"

/* clang-format off */
const struct http_route api_routes[] = {
    {"POST",   "/v1/jobs",             "createJob",   ROUTE_BODY_FORM, 0, handle_create_job},
    {"GET",    "/v1/jobs",             "listJobs",    ROUTE_BODY_NONE, 0, handle_list_jobs},
    {"GET",    "/v1/jobs/{id}",        "getJob",      ROUTE_BODY_NONE, 0, handle_get_job},
    {"DELETE", "/v1/jobs/{id}",        "deleteJob",   ROUTE_BODY_NONE, 0, handle_delete_job},
    {"GET",    "/v1/jobs/{id}/events", "streamJob",   ROUTE_BODY_NONE, 0, handle_get_events},
    {"GET",    "/v1/jobs/{id}/result", "getResult",   ROUTE_BODY_NONE, 0, handle_get_result},
    {"POST",   "/v1/jobs/{id}/cancel", "cancelJob",   ROUTE_BODY_NONE, 0, handle_cancel_job},
    {"POST",   "/v1/batches",          "createBatch", ROUTE_BODY_FORM, ROUTE_MANY_PARTS,
        handle_create_batch},
    {"GET",    "/v1/batches/{id}",     "getBatch",    ROUTE_BODY_NONE, 0, handle_get_batch},
    {"GET",    "/v1/batches/{id}/events", "streamBatch", ROUTE_BODY_NONE, 0, handle_get_batch_events},
    {"POST",   "/v1/batches/{id}/cancel", "cancelBatch", ROUTE_BODY_NONE, 0, handle_cancel_batch},
    {"POST",   "/v1/images/edits",     "editImage",   ROUTE_BODY_FORM, 0, handle_edit_image},
    {"GET",    "/v1/models",           "listModels",  ROUTE_BODY_NONE, 0, handle_list_models},
    {"GET",    "/v1/models/{model}",   "getModel",    ROUTE_BODY_NONE, 0, handle_get_model},
    {"GET",    "/v1/capabilities",     "getCapabilities", ROUTE_BODY_NONE, 0, handle_get_capabilities},
    {"GET",    "/health/live",         "getLive",     ROUTE_BODY_NONE,
        ROUTE_INLINE | ROUTE_OPEN | ROUTE_QUIET, handle_live},
    {"GET",    "/health/ready",        "getReady",    ROUTE_BODY_NONE,
        ROUTE_INLINE | ROUTE_OPEN | ROUTE_QUIET, handle_ready},
    {"GET",    "/",                    "getPage",     ROUTE_BODY_NONE,
        ROUTE_INLINE | ROUTE_OPEN | ROUTE_PRIVATE, handle_get_page},
    {"GET",    "/web/{version}/{file}", "getPageFile", ROUTE_BODY_NONE,
        ROUTE_INLINE | ROUTE_OPEN | ROUTE_PRIVATE, handle_get_page_file},
    {"GET",    "/metrics",             "getMetrics",  ROUTE_BODY_NONE, ROUTE_INLINE | ROUTE_QUIET,
        handle_get_metrics},
    {"GET",    "/docs",                "getDocs",     ROUTE_BODY_NONE, ROUTE_INLINE | ROUTE_OPEN,
        handle_get_docs},
    {"GET",    "/openapi.yaml",        "getContract", ROUTE_BODY_NONE, ROUTE_INLINE | ROUTE_OPEN,
        handle_get_openapi},
};
/* clang-format on */

const size_t api_route_count = COUNT_OF(api_routes);

_Static_assert(COUNT_OF(api_routes) <= METRICS_ROUTES_MAX, "raise METRICS_ROUTES_MAX");

enum pf_status api_init(struct api *api, struct jobs *jobs, struct workers *workers,
    const struct api_options *options, struct pf_error *err)
{
    *api = (struct api){.jobs = jobs, .workers = workers, .options = *options};
    atomic_init(&api->draining, 0);
    api->metrics = calloc(1, sizeof *api->metrics);
    if (!api->metrics)
        return pf_fail(err, PF_NOMEM, "api: out of memory");
    pthread_mutex_init(&api->model_lock, NULL);
    pthread_rwlock_init(&api->settings_lock, NULL);
    return PF_OK;
}

void api_get_options(struct api *api, struct api_options *ret_options)
{
    pthread_rwlock_rdlock(&api->settings_lock);
    *ret_options = api->options;
    pthread_rwlock_unlock(&api->settings_lock);
}

void api_set_options(struct api *api, const struct api_options *options)
{
    pthread_rwlock_wrlock(&api->settings_lock);
    api->options.max_body_bytes = options->max_body_bytes;
    api->options.max_parts = options->max_parts;
    api->options.max_field_bytes = options->max_field_bytes;
    api->options.wait_max_ms = options->wait_max_ms;
    api->options.takes_auto = options->takes_auto;
    api->options.vlm = options->vlm;
    pthread_rwlock_unlock(&api->settings_lock);
}

static void free_model(struct api_model *model)
{
    if (!model)
        return;
    free(model->json);
    free(model->id);
    free(model);
}

void api_finish(struct api *api)
{
    free_model(api->model);
    keys_destroy(api->keys);
    free(api->metrics);
    pthread_mutex_destroy(&api->model_lock);
    pthread_rwlock_destroy(&api->settings_lock);
}

/* What the model doesn't recommend has the table's default; a member this server doesn't know is
 * the worker's affair. */
static void read_defaults(struct params *defaults, const struct jdoc_value *object)
{
    if (!object || object->type != JDOC_OBJECT)
        return;
    for (const struct jdoc_value *member = object->first; member; member = member->next) {
        struct pf_error ignored = PF_ERROR_INIT;
        if (member->type == JDOC_STRING)
            (void)!params_set_text(defaults, member->key, member->string, &ignored);
        else if (member->type == JDOC_NUMBER)
            (void)!params_set_number(defaults, member->key, member->number, &ignored);
    }
}

static int is_false(const struct jdoc_value *value)
{
    return value && value->type == JDOC_FALSE;
}

static struct api_model *read_model(struct buffer *json)
{
    struct jdoc *doc = NULL;
    if (jdoc_parse(&doc, json->data, json->size, NULL) != PF_OK)
        return NULL;
    struct api_model *model = calloc(1, sizeof *model);
    if (model) {
        params_init(&model->defaults);
        read_defaults(&model->defaults, jdoc_get(jdoc_root(doc), "defaults"));
        model->has_auxiliary = !is_false(jdoc_get(jdoc_root(doc), "has_auxiliary"));
        model->has_lora_skips = !is_false(jdoc_get(jdoc_root(doc), "has_lora_skips"));
        model->multiple = (int)jdoc_get_integer(jdoc_root(doc), "multiple", 0);
        model->id = strdup(jdoc_get_string(jdoc_root(doc), "id", "promptfix"));
        model->json = buffer_steal(json, NULL);
        model->loaded_ms = clock_realtime_ms();
    }
    jdoc_destroy(doc);
    if (model && (!model->id || !model->json)) {
        free_model(model);
        model = NULL;
    }
    return model;
}

const struct api_model *api_get_model(struct api *api)
{
    pthread_mutex_lock(&api->model_lock);
    if (!api->model) {
        AUTO_BUFFER struct buffer json = BUFFER_INIT;
        if (workers_get_model(api->workers, &json, NULL) == PF_OK &&
            buffer_status(&json, NULL) == PF_OK)
            api->model = read_model(&json);
    }
    const struct api_model *model = api->model;
    pthread_mutex_unlock(&api->model_lock);
    return model;
}
