/* SPDX-License-Identifier: Apache-2.0 */
/* promptfixd: joins configuration, job service, workers and HTTP, and waits for signals.
 *
 * The end, in order: readiness says no and no job is taken; running jobs finish, or go back to the
 * queue at the deadline; streams end; HTTP stops; workers and store are closed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "server/http/log.h"
#include "server/http_setup.h"
#include "server/jobs/jobs_work.h"
#include "server/service.h"
#include "server/webhooks_setup.h"
#include "server/worker_setup.h"

extern char **environ;

enum {
    EXIT_USAGE = 2,
    CLEAN_INTERVAL_S = 5,
    DESCRIPTORS_SPARE = 256, /* beside one a connection */
};

static int complain(const struct pf_error *err, int code)
{
    fprintf(stderr, "promptfixd: %s\n", err->message);
    return code;
}

/* Connections and files need descriptors; the usual soft limit of 1024 is too low. */
static void raise_descriptor_limit(const struct config *config)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)config->max_connections + HTTP_CONNECTIONS_SPARE + DESCRIPTORS_SPARE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        log_line(LOG_LEVEL_WARNING, "too few file descriptors for max_connections",
            LOG_NUMBER("wanted", (int64_t)wanted), LOG_NUMBER("limit", (int64_t)limit.rlim_cur));
}

static void log_notice(void *context, const struct workers_notice *notice)
{
    static const struct {
        enum log_level level;
        const char *message;
    } kinds[] = {
        [WORKERS_NOTICE_STARTED] = {LOG_LEVEL_INFO, "worker started"},
        [WORKERS_NOTICE_READY] = {LOG_LEVEL_INFO, "worker ready"},
        [WORKERS_NOTICE_DIED] = {LOG_LEVEL_WARNING, "worker died"},
        [WORKERS_NOTICE_BROKEN] = {LOG_LEVEL_ERROR, "worker can't load the model"},
        [WORKERS_NOTICE_RECYCLED] = {LOG_LEVEL_INFO, "worker recycled"},
        [WORKERS_NOTICE_ERROR] = {LOG_LEVEL_ERROR, "worker"},
    };
    char trace_id[TRACE_ID_SIZE] = "";
    if (notice->job)
        jobs_get_trace_id(context, notice->job, trace_id);
    log_line(kinds[notice->kind].level, kinds[notice->kind].message,
        LOG_NUMBER("worker", (int64_t)notice->worker), LOG_NUMBER("pid", notice->pid),
        LOG_TEXT("device", notice->device ? notice->device : ""),
        LOG_TEXT("job", notice->job ? notice->job : ""), LOG_TEXT("trace_id", trace_id),
        LOG_TEXT("reason", notice->message ? notice->message : ""));
}

static void log_webhook(void *context, const struct webhooks_notice *notice)
{
    char trace_id[TRACE_ID_SIZE];
    jobs_get_trace_id(context, notice->job, trace_id);
    int is_over = notice->kind == WEBHOOKS_NOTICE_FAILED;
    log_line(is_over ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
        is_over ? "webhook given up" : "webhook: again", LOG_TEXT("job", notice->job),
        LOG_TEXT("trace_id", trace_id), LOG_TEXT("reason", notice->reason),
        LOG_NUMBER("attempt", notice->attempt));
}

static enum pf_status start(struct service *service, struct pf_error *err)
{
    const struct config *config = &service->config;
    struct jobs_options jobs_options;
    struct api_options api_options;
    service_fill_jobs_options(config, &jobs_options);
    PF_TRY(jobs_create(&service->jobs, &jobs_options, err));
    PF_TRY(worker_setup_start(
        config, service->jobs, log_notice, service->jobs, &service->workers, err));
    PF_TRY(
        vlm_setup_start(config, service->jobs, service_log_vlm, service->jobs, &service->vlm, err));
    PF_TRY(vlm_setup_digest(config, service->vlm_digest, err));
    PF_TRY(webhooks_setup_start(
        config, service->jobs, log_webhook, service->jobs, &service->webhooks, err));
    service_fill_api_options(service, config, &api_options);
    PF_TRY(api_init(&service->api, service->jobs, service->workers, &api_options, err));
    service->has_api = 1;
    return http_setup_start(config, &service->api, &service->http, err);
}

/* Until SIGTERM or SIGINT. Expired jobs are removed in between. */
static void serve(struct service *service, const sigset_t *signals)
{
    for (;;) {
        int number = sigtimedwait(signals, NULL, &(struct timespec){.tv_sec = CLEAN_INTERVAL_S});
        struct pf_error err = PF_ERROR_INIT;
        if (number == SIGTERM || number == SIGINT)
            return;
        if (number == SIGHUP)
            service_reload(service);
        if (number >= 0 || errno != EAGAIN)
            continue;
        service_end_questions(service);
        if (jobs_clean(service->jobs, NULL, &err) != PF_OK)
            log_line(
                LOG_LEVEL_ERROR, "expired jobs can't be removed", LOG_TEXT("reason", err.message));
    }
}

static void drain(struct service *service)
{
    log_line(
        LOG_LEVEL_INFO, "draining", LOG_NUMBER("deadline_ms", service->config.drain_deadline_ms));
    atomic_store(&service->api.draining, 1);
    jobs_begin_drain(service->jobs);
    size_t unfinished = workers_drain(service->workers, service->config.drain_deadline_ms);
    log_line(LOG_LEVEL_INFO, "drained", LOG_NUMBER("unfinished", (int64_t)unfinished));
}

static void stop(struct service *service)
{
    if (service->jobs)
        jobs_close_streams(service->jobs);
    http_server_stop(service->http);
    webhooks_destroy(service->webhooks);
    vlm_destroy(service->vlm);
    workers_destroy(service->workers);
    if (service->has_api)
        api_finish(&service->api);
    jobs_destroy(service->jobs);
}

static int run(struct service *service, const sigset_t *signals)
{
    struct pf_error err = PF_ERROR_INIT;
    enum pf_status status = start(service, &err);
    if (status == PF_OK) {
        printf("listening on %s://%s\n", service->config.tls_certificate[0] ? "https" : "http",
            http_server_address(service->http));
        fflush(stdout);
        serve(service, signals);
        drain(service);
    }
    stop(service);
    return status == PF_OK ? 0 : complain(&err, 1);
}

static int print_action(const struct config *config, enum config_action action)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    config_put_action(&out, config, action);
    if (buffer_status(&out, &err) != PF_OK)
        return complain(&err, 1);
    return fwrite(out.data, 1, out.size, stdout) == out.size && fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct service service = {.jobs = NULL};
    struct pf_error err = PF_ERROR_INIT;
    enum config_action action;
    if (config_load(&service.config, CONFIG_PROGRAM_SERVER, argc, argv, environ, &action, &err) !=
        PF_OK)
        return complain(&err, EXIT_USAGE);
    int code;
    if (action != CONFIG_ACTION_RUN) {
        code = print_action(&service.config, action);
    } else {
        log_init(service.config.log_format == CONFIG_LOG_JSON ? LOG_JSON : LOG_HUMAN,
            (enum log_level)service.config.log_level, STDERR_FILENO);
        /* Blocked before any thread starts: only serve() takes them. */
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error like a full disk */
        /* For the workers, before there are threads: theirs that wait spin for
         * microseconds, not longer (docs/speed.md). */
        setenv("OMP_WAIT_POLICY", "passive", 0);
        setenv("GOMP_SPINCOUNT", "1000", 0);
        raise_descriptor_limit(&service.config);
        code = run(&service, &signals);
    }
    config_finish(&service.config);
    return code;
}
