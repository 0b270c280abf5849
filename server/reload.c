/* SPDX-License-Identifier: Apache-2.0 */
#include "server/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "server/http/log.h"
#include "server/http_setup.h"

void service_fill_jobs_options(const struct config *config, struct jobs_options *ret_options)
{
    jobs_options_init(ret_options);
    ret_options->data_dir = config->data_dir;
    ret_options->in_memory = strcmp(config->store, ":memory:") == 0;
    ret_options->max_queued = config->max_queued;
    ret_options->max_queued_batch = config->max_queued_batch;
    ret_options->max_queued_per_owner = config->max_queued_per_key;
    ret_options->max_running_per_owner = config->max_running_per_key;
    ret_options->ageing_ms = config->ageing_ms;
    ret_options->max_attempts = config->max_attempts;
    ret_options->result_ttl_ms = config->result_ttl_ms;
    ret_options->expired_ttl_ms = config->expired_ttl_ms;
}

void service_fill_api_options(
    const struct service *service, const struct config *config, struct api_options *ret_options)
{
    *ret_options = (struct api_options){.max_body_bytes = config->max_body_bytes,
        .max_parts = config->max_parts,
        .max_field_bytes = config->max_field_bytes,
        .max_pixels = config->max_pixels,
        .wait_max_ms = config->wait_max_ms,
        .takes_auto = service->vlm != NULL,
        .vlm = service->vlm,
        .webhooks = service->webhooks};
}

void service_log_vlm(void *context, const struct vlm_notice *notice)
{
    static const struct {
        enum log_level level;
        const char *message;
    } kinds[] = {
        [VLM_NOTICE_RETRY] = {LOG_LEVEL_INFO, "vision-language model: again"},
        [VLM_NOTICE_FAILED] = {LOG_LEVEL_WARNING, "vision-language model: no answer"},
        [VLM_NOTICE_ERROR] = {LOG_LEVEL_ERROR, "auxiliary prompt can't be stored"},
    };
    char trace_id[TRACE_ID_SIZE];
    jobs_get_trace_id(context, notice->job, trace_id);
    log_line(kinds[notice->kind].level, kinds[notice->kind].message, LOG_TEXT("job", notice->job),
        LOG_TEXT("trace_id", trace_id), LOG_TEXT("question", notice->question),
        LOG_TEXT("reason", notice->message), LOG_TEXT("answer", notice->detail));
}

/* ---- the parts ---- */

static void complain(const char *what, const struct pf_error *err)
{
    log_line(LOG_LEVEL_ERROR, what, LOG_TEXT("reason", err->message));
}

static void reload_log(const struct config *config)
{
    log_set_level((enum log_level)config->log_level);
    log_set_format(config->log_format == CONFIG_LOG_JSON ? LOG_JSON : LOG_HUMAN);
}

static void reload_http(struct service *service)
{
    struct pf_error err = PF_ERROR_INIT;
    if (http_setup_load_keys(&service->config, &service->api, &err) != PF_OK)
        complain("the keys are not reloaded", &err);
    err = (struct pf_error)PF_ERROR_INIT;
    if (http_setup_tune(&service->config, service->http, &err) != PF_OK)
        complain("the limits of requests are not reloaded", &err);
}

static void reload_jobs(struct service *service)
{
    struct pf_error err = PF_ERROR_INIT;
    struct jobs_options options;
    service_fill_jobs_options(&service->config, &options);
    if (jobs_set_limits(service->jobs, &options, &err) != PF_OK)
        complain("the limits of jobs are not reloaded", &err);
}

static void publish_api_options(struct service *service, int takes_auto)
{
    struct api_options options;
    service_fill_api_options(service, &service->config, &options);
    options.takes_auto = takes_auto;
    api_set_options(&service->api, &options);
}

/* Whatever is being asked is asked again by the new one, and jobs are taken in between. Should
 * there be none, service_end_questions() ends those that wait. */
static void replace_vlm(struct service *service)
{
    struct pf_error err = PF_ERROR_INIT;
    struct vlm *old = service->vlm;
    service->vlm = NULL;
    publish_api_options(service, service->config.vlm_url[0] != 0);
    vlm_destroy(old);
    if (vlm_setup_start(&service->config, service->jobs, service_log_vlm, service->jobs,
            &service->vlm, &err) != PF_OK)
        complain("there is no vision-language model now", &err);
    if (!service->vlm)
        service->vlm_digest[0] = 0; /* the next SIGHUP tries again */
}

static void reload_vlm(struct service *service)
{
    struct pf_error err = PF_ERROR_INIT;
    char digest[VLM_SETUP_DIGEST_SIZE];
    if (vlm_setup_digest(&service->config, digest, &err) != PF_OK) {
        complain("the vision-language model's options are not reloaded", &err);
        return;
    }
    if (strcmp(digest, service->vlm_digest) == 0)
        return;
    memcpy(service->vlm_digest, digest, sizeof digest);
    replace_vlm(service);
}

void service_end_questions(struct service *service)
{
    static char empty[] = "";
    struct pf_error err = PF_ERROR_INIT;
    struct config without = service->config; /* borrows */
    struct vlm *none;
    without.vlm_url = empty;
    if (!service->vlm && vlm_setup_start(&without, service->jobs, service_log_vlm, service->jobs,
                             &none, &err) != PF_OK)
        complain("jobs that wait for an auxiliary prompt can't be ended", &err);
}

/* ---- the whole ---- */

static void list_changes(
    struct buffer *out, const struct config *running, const struct config *next)
{
    for (size_t i = 0; i < config_option_count; i++)
        if (!option_is_equal(&config_options[i], running, next))
            buffer_put_format(out, "%s%s", out->size ? ", " : "", config_options[i].name);
}

void service_reload(struct service *service)
{
    struct pf_error err = PF_ERROR_INIT;
    struct config next;
    AUTO_BUFFER struct buffer ignored = BUFFER_INIT, changed = BUFFER_INIT;
    if (config_reload(&service->config, &next, &ignored, &err) != PF_OK) {
        complain("the configuration is not reloaded", &err);
        return;
    }
    list_changes(&changed, &service->config, &next);
    config_finish(&service->config);
    service->config = next;
    reload_log(&service->config);
    reload_http(service);
    reload_jobs(service);
    reload_vlm(service);
    publish_api_options(service, service->vlm != NULL);
    log_line(LOG_LEVEL_INFO, "configuration reloaded",
        LOG_TEXT("changed", changed.size ? changed.data : ""),
        LOG_TEXT("after_restart", ignored.size ? ignored.data : ""));
}
